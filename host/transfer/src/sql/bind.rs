//! Arrow cells to SQLite parameters.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryArray, BooleanArray, LargeBinaryArray, types as t};
use arrow_schema::DataType;
use forcepump_batch::text::{ColumnText, TextKind};
use rusqlite::Statement;
use rusqlite::types::{Null, ToSqlOutput, ValueRef};

use super::value::Number;

/// What a declared column type does to the numbers that are stored in it
/// (<https://sqlite.org/datatype3.html>, sections 3.1 and, for STRICT tables, stricttables.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// Everything becomes text.
    Text,
    /// Everything that looks like a number becomes a double.
    Real,
    /// Everything that looks like a number becomes one.
    Number,
    /// Everything stays as it is.
    None,
}

impl Affinity {
    /// The affinity of a column declared as `declared`.
    pub(crate) fn of(declared: &str, strict: bool) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if strict && declared == "ANY" {
            Self::None
        } else if has(&["INT"]) {
            Self::Number
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if declared.is_empty() || has(&["BLOB"]) {
            Self::None
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Number
        }
    }
}

/// Why a cell was not bound.
#[derive(Debug)]
pub(crate) enum BindFailure {
    /// SQLite has no NaN.
    NotANumber,
    /// The column's affinity would round the decimal.
    NotExact,
    /// SQLite itself refused, e.g. a text beyond the limit.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for BindFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// One column of a batch, its type resolved once.
pub(crate) struct Column<'a> {
    array: &'a dyn Array,
    nullable: bool,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Decimal(Decimals<'a>),
    Text(ColumnText<'a>),
    /// Dates and times: text that has to be made.
    Made(ColumnText<'a>),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
}

impl<'a> Column<'a> {
    /// Resolves the type; none when SQLite has nothing like it.
    pub(crate) fn new(array: &'a dyn Array, affinity: Affinity) -> Option<Self> {
        let cells = cells_of(array, affinity)?;
        Some(Self { array, nullable: array.null_count() > 0, cells })
    }

    /// Whether the row's cell is null.
    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.cells, Cells::Null) || (self.nullable && self.array.is_null(row))
    }

    /// Gives the row's cell to the parameter `index`, which counts from 1.
    #[inline]
    pub(crate) fn bind(
        &self,
        row: usize,
        index: usize,
        statement: &mut Statement<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), BindFailure> {
        if self.is_null(row) {
            statement.raw_bind_parameter(index, Null)?;
            return Ok(());
        }
        match &self.cells {
            Cells::Null => statement.raw_bind_parameter(index, Null)?,
            Cells::Boolean(array) => statement.raw_bind_parameter(index, array.value(row))?,
            Cells::Int(values) => statement.raw_bind_parameter(index, values[row])?,
            Cells::Float(values) if values[row].is_nan() => return Err(BindFailure::NotANumber),
            Cells::Float(values) => statement.raw_bind_parameter(index, values[row])?,
            Cells::Decimal(decimals) => return decimals.bind(row, index, statement, scratch),
            Cells::Text(text) => statement.raw_bind_parameter(index, text.as_str(row).unwrap_or_default())?,
            Cells::Made(text) => {
                scratch.clear();
                text.write(row, scratch);
                statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(ValueRef::Text(scratch)))?;
            }
            Cells::Binary(array) => statement.raw_bind_parameter(index, array.value(row))?,
            Cells::LargeBinary(array) => statement.raw_bind_parameter(index, array.value(row))?,
        }
        Ok(())
    }
}

fn cells_of(array: &dyn Array, affinity: Affinity) -> Option<Cells<'_>> {
    Some(match array.data_type() {
        DataType::Null => Cells::Null,
        DataType::Boolean => Cells::Boolean(array.as_boolean_opt()?),
        DataType::Int8 => Cells::Int(widen(array.as_primitive_opt::<t::Int8Type>()?.values())),
        DataType::Int16 => Cells::Int(widen(array.as_primitive_opt::<t::Int16Type>()?.values())),
        DataType::Int32 => Cells::Int(widen(array.as_primitive_opt::<t::Int32Type>()?.values())),
        DataType::Int64 => Cells::Int(widen(array.as_primitive_opt::<t::Int64Type>()?.values())),
        DataType::UInt8 => Cells::Int(widen(array.as_primitive_opt::<t::UInt8Type>()?.values())),
        DataType::UInt16 => Cells::Int(widen(array.as_primitive_opt::<t::UInt16Type>()?.values())),
        DataType::UInt32 => Cells::Int(widen(array.as_primitive_opt::<t::UInt32Type>()?.values())),
        DataType::UInt64 => {
            let values = widen(array.as_primitive_opt::<t::UInt64Type>()?.values());
            Cells::Decimal(Decimals {
                values: Cow::Owned(values),
                scale: 0,
                affinity,
                text: ColumnText::new(array).ok()?,
            })
        }
        DataType::Float32 => Cells::Float(widen(array.as_primitive_opt::<t::Float32Type>()?.values())),
        DataType::Float64 => Cells::Float(widen(array.as_primitive_opt::<t::Float64Type>()?.values())),
        DataType::Decimal128(_, scale) => {
            let values = Cow::Borrowed(&**array.as_primitive_opt::<t::Decimal128Type>()?.values());
            Cells::Decimal(Decimals { values, scale: *scale, affinity, text: ColumnText::new(array).ok()? })
        }
        DataType::Binary => Cells::Binary(array.as_binary_opt()?),
        DataType::LargeBinary => Cells::LargeBinary(array.as_binary_opt()?),
        _ => {
            let text = ColumnText::new(array).ok()?;
            if text.kind() == TextKind::Text { Cells::Text(text) } else { Cells::Made(text) }
        }
    })
}

fn widen<From: Copy, To: std::convert::From<From>>(values: &[From]) -> Vec<To> {
    values.iter().map(|value| To::from(*value)).collect()
}

/// Exact numbers, and what their column does to them.
struct Decimals<'a> {
    values: Cow<'a, [i128]>,
    scale: i8,
    affinity: Affinity,
    text: ColumnText<'a>,
}

impl Decimals<'_> {
    fn bind(
        &self,
        row: usize,
        index: usize,
        statement: &mut Statement<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), BindFailure> {
        let number = match self.affinity {
            Affinity::Text => None,
            _ => Number::exact(self.values[row], self.scale, || {
                let mut text = Vec::new();
                self.text.write(row, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            }),
        };
        match (number, self.affinity) {
            (Some(number), Affinity::Real) if !number.survives_as_real() => {
                return Err(BindFailure::NotExact);
            }
            (Some(Number::Integer(value)), _) => statement.raw_bind_parameter(index, value)?,
            (Some(Number::Real(value)), _) => statement.raw_bind_parameter(index, value)?,
            (None, Affinity::Text | Affinity::None) => {
                scratch.clear();
                self.text.write(row, scratch);
                statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(ValueRef::Text(scratch)))?;
            }
            (None, Affinity::Real | Affinity::Number) => return Err(BindFailure::NotExact),
        }
        Ok(())
    }
}
