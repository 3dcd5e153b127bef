//! The batch of the current call.

use crate::column::read;
use crate::{
    BooleanColumn, Column, DataType, Field, OnCastError, PluginError, Primitive, PrimitiveColumn, Schema, Selection,
    Utf8Column, host,
};

/// The number of the current batch in calls that take one (`sql`, `files`).
const CURRENT_BATCH: u32 = 0;

/// The batch of the current call: columns by number, pulled when they are read.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    schema: &'a Schema,
    rows: u32,
    first_row: u64,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(schema: &'a Schema, rows: u32, first_row: u64) -> Self {
        Batch { schema, rows, first_row }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Number of the first row within the unit; always 0 in a destination.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The batch's columns.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// The batch's number, for [`crate::sql`] and [`crate::files`].
    pub fn handle(&self) -> u32 {
        CURRENT_BATCH
    }

    /// How many rows of a column are null; no data crosses.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when there is no such column.
    pub fn null_count(&self, column: u32) -> Result<u32, PluginError> {
        host::null_count(column).map_err(|reason| PluginError::fatal(format!("column {column}: {reason}")))
    }

    /// Reads a text column.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when the column has another type, or the host withholds it.
    pub fn utf8(&self, column: u32) -> Result<Utf8Column, PluginError> {
        self.expect(column, "text", |data_type| *data_type == DataType::Utf8)?;
        Utf8Column::from_buffers(read(column)?, self.rows())
    }

    /// Reads a boolean column.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn boolean(&self, column: u32) -> Result<BooleanColumn, PluginError> {
        self.expect(column, "boolean", |data_type| *data_type == DataType::Boolean)?;
        BooleanColumn::from_buffers(read(column)?, self.rows())
    }

    /// Reads a fixed-width column: `i32` for int32 and dates (days), `i64` for int64, timestamps and
    /// times (in their unit), `f64`, `i128` for decimals (times ten to the scale), and so on.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn primitive<T: Primitive>(&self, column: u32) -> Result<PrimitiveColumn<T>, PluginError> {
        self.expect(column, T::NAME, T::fits)?;
        PrimitiveColumn::from_buffers(read(column)?, self.rows())
    }

    /// Reads an int32 column.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn int32(&self, column: u32) -> Result<PrimitiveColumn<i32>, PluginError> {
        self.primitive(column)
    }

    /// Reads an int64 column.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn int64(&self, column: u32) -> Result<PrimitiveColumn<i64>, PluginError> {
        self.primitive(column)
    }

    /// Reads a float64 column.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn float64(&self, column: u32) -> Result<PrimitiveColumn<f64>, PluginError> {
        self.primitive(column)
    }

    /// Reads a date column: days since 1970-01-01.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn date32(&self, column: u32) -> Result<PrimitiveColumn<i32>, PluginError> {
        self.primitive(column)
    }

    /// Reads a timestamp column, in the unit that its type says.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn timestamp(&self, column: u32) -> Result<PrimitiveColumn<i64>, PluginError> {
        self.primitive(column)
    }

    /// Reads a decimal column: integers that are ten to the scale times too large.
    ///
    /// # Errors
    /// As [`Batch::utf8`].
    pub fn decimal128(&self, column: u32) -> Result<PrimitiveColumn<i128>, PluginError> {
        self.primitive(column)
    }

    /// Reads any readable column as the host's canonical text.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when the host cannot cast it.
    pub fn as_text(&self, column: u32) -> Result<Utf8Column, PluginError> {
        if self.field(column)?.data_type == DataType::Utf8 {
            return self.utf8(column);
        }
        let text = self.cast(column, &DataType::Utf8, OnCastError::Fail)?;
        Utf8Column::from_buffers(read(text)?, self.rows())
    }

    /// Casts a column on the host; gives the new column.
    ///
    /// # Errors
    /// [`PluginError::Data`] when a value does not fit and `on_error` says fail.
    pub fn cast(&self, column: Column, to: &DataType, on_error: OnCastError) -> Result<Column, PluginError> {
        host::cast(column, to, on_error).map_err(|reason| PluginError::data(format!("column {column}: {reason}")))
    }

    /// Filters or takes rows of a column on the host; gives the new column.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when the selection does not suit the column.
    pub fn select(&self, column: Column, rows: &Selection) -> Result<Column, PluginError> {
        host::select(column, rows).map_err(|reason| PluginError::fatal(format!("column {column}: {reason}")))
    }

    /// Keeps the batch beyond the call, under the number returned; see [`crate::data`].
    ///
    /// # Errors
    /// [`crate::data::Refused`] when the plugin's memory has no room for it, or too many are retained.
    pub fn retain(&self) -> Result<u32, crate::data::Refused> {
        crate::data::retain(CURRENT_BATCH)
    }

    /// Name and type of a column.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when there is none of that number.
    pub fn field(&self, column: u32) -> Result<&'a Field, PluginError> {
        self.schema.field(column)
    }

    fn expect(&self, column: u32, wanted: &str, fits: impl Fn(&DataType) -> bool) -> Result<(), PluginError> {
        let field = self.field(column)?;
        if fits(&field.data_type) {
            return Ok(());
        }
        let found = field.data_type.describe();
        Err(PluginError::fatal(format!("column \"{}\" is {found} and cannot be read as {wanted}", field.name)))
    }
}
