//! Rows for tests, written down column by column.

use super::cells;
use super::store::Stored;
use crate::decimal::{format_decimal, parse_decimal};
use crate::{DataType, Field, Schema, Value, calendar};

/// A small table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names and types.
    pub schema: Schema,
    pub(super) columns: Vec<Vec<Value>>,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    /// No columns yet.
    pub fn new() -> Self {
        Table { schema: Schema::new(Vec::new()), columns: Vec::new() }
    }

    /// A column of any type.
    #[must_use]
    pub fn column(mut self, name: &str, data_type: DataType, cells: Vec<Value>) -> Self {
        self.schema.fields.push(Field::new(name, data_type, true));
        self.columns.push(cells);
        self
    }

    /// A text column.
    #[must_use]
    pub fn text<'a>(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        let cells = values(cells, |text: &str| Value::Text(text.to_owned()));
        self.column(name, DataType::Utf8, cells)
    }

    /// A boolean column.
    #[must_use]
    pub fn boolean(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<bool>>>) -> Self {
        self.column(name, DataType::Boolean, values(cells, Value::Boolean))
    }

    /// An int32 column.
    #[must_use]
    pub fn int32(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<i32>>>) -> Self {
        self.column(name, DataType::Int32, values(cells, |value: i32| Value::Int(value.into())))
    }

    /// An int64 column.
    #[must_use]
    pub fn int64(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<i64>>>) -> Self {
        self.column(name, DataType::Int64, values(cells, Value::Int))
    }

    /// A float64 column.
    #[must_use]
    pub fn float64(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<f64>>>) -> Self {
        self.column(name, DataType::Float64, values(cells, Value::Float))
    }

    /// A decimal column from texts such as "12.50".
    ///
    /// # Panics
    /// When a text is no decimal of that scale.
    #[must_use]
    pub fn decimal<'a>(
        self,
        name: &str,
        (precision, scale): (u8, i8),
        cells: impl IntoIterator<Item = impl Into<Option<&'a str>>>,
    ) -> Self {
        let cell = |text: &str| match parse_decimal(text, scale) {
            Some(value) => Value::Decimal(format_decimal(value, scale)),
            None => panic!("\"{text}\" is no decimal of scale {scale}"),
        };
        self.column(name, DataType::decimal(precision, scale), values(cells, cell))
    }

    /// A date column from texts such as "2016-01-31".
    ///
    /// # Panics
    /// When a text is no date.
    #[must_use]
    pub fn date<'a>(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        let cell = |text: &str| match calendar::parse_date(text) {
            Some(day) => Value::Date(day),
            None => panic!("\"{text}\" is no date"),
        };
        self.column(name, DataType::Date32, values(cells, cell))
    }

    /// A UTC timestamp column from texts such as "2024-04-16T19:00:00Z".
    ///
    /// # Panics
    /// When a text is no instant.
    #[must_use]
    pub fn timestamp<'a>(self, name: &str, cells: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        let cell = |text: &str| match calendar::parse_datetime(text) {
            Some(micros) => Value::Timestamp(micros),
            None => panic!("\"{text}\" is no instant"),
        };
        self.column(name, DataType::timestamp_utc(), values(cells, cell))
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The cells of a column.
    pub fn cells(&self, column: usize) -> &[Value] {
        &self.columns[column]
    }

    /// The cells of the column of that name as text; null is none.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn texts(&self, name: &str) -> Vec<Option<String>> {
        match self.schema.find(name) {
            Some(column) => self.columns[column as usize].iter().map(cells::text).collect(),
            None => panic!("{}", self.schema.unknown(name)),
        }
    }

    /// Names of the columns.
    pub fn names(&self) -> Vec<&str> {
        self.schema.fields.iter().map(|field| field.name.as_str()).collect()
    }

    pub(super) fn stored(&self) -> Vec<Stored> {
        let fields = self.schema.fields.iter().zip(&self.columns);
        fields.map(|(field, cells)| Stored { data_type: field.data_type.clone(), cells: cells.clone() }).collect()
    }

    pub(super) fn from_stored(schema: Schema, columns: Vec<Stored>) -> Self {
        Table { schema, columns: columns.into_iter().map(|column| column.cells).collect() }
    }
}

fn values<T>(cells: impl IntoIterator<Item = impl Into<Option<T>>>, of: impl Fn(T) -> Value) -> Vec<Value> {
    cells.into_iter().map(|cell| cell.into().map_or(Value::Null, &of)).collect()
}
