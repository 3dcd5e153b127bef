//! New columns, built value by value or in bulk.

use crate::column::{OFFSET_WIDTH, write};
use crate::{Bitmap, Buffers, Column, DataType, PluginError, Primitive};
use std::marker::PhantomData;

/// Nulls seen so far; nothing is kept until the first one.
#[derive(Debug, Default)]
struct Nulls {
    validity: Option<Bitmap>,
    rows: usize,
}

impl Nulls {
    #[inline]
    fn push(&mut self, valid: bool) {
        if !valid && self.validity.is_none() {
            self.validity = Some(Bitmap::filled(self.rows, true));
        }
        if let Some(validity) = &mut self.validity {
            validity.push(valid);
        }
        self.rows += 1;
    }

    fn finish(self) -> Option<Vec<u8>> {
        self.validity.map(Bitmap::into_bytes)
    }
}

/// Builds a fixed-width column.
#[derive(Debug)]
pub struct PrimitiveBuilder<T> {
    values: Vec<u8>,
    nulls: Nulls,
    of: PhantomData<T>,
}

impl<T: Primitive> PrimitiveBuilder<T> {
    /// Room for `rows` values.
    pub fn with_capacity(rows: usize) -> Self {
        PrimitiveBuilder { values: Vec::with_capacity(rows * T::WIDTH), nulls: Nulls::default(), of: PhantomData }
    }

    /// One value or null.
    #[inline]
    pub fn push(&mut self, value: Option<T>) {
        let start = self.values.len();
        self.values.resize(start + T::WIDTH, 0);
        value.unwrap_or_default().put_le(&mut self.values[start..]);
        self.nulls.push(value.is_some());
    }

    /// Hands the column to the host.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when `data_type` does not hold such values, or with the rule of
    /// `data.write` that the values break.
    pub fn finish(self, data_type: &DataType) -> Result<Column, PluginError> {
        if !T::fits(data_type) {
            return Err(PluginError::fatal(format!("{} values are no {} column", T::NAME, data_type.describe())));
        }
        let rows = self.nulls.rows;
        let parts = Buffers { validity: self.nulls.finish(), offsets: Vec::new(), values: self.values };
        write(data_type, rows, &parts)
    }
}

impl<T: Primitive> Extend<Option<T>> for PrimitiveBuilder<T> {
    fn extend<I: IntoIterator<Item = Option<T>>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

/// Builds a boolean column.
#[derive(Debug, Default)]
pub struct BooleanBuilder {
    values: Bitmap,
    nulls: Nulls,
}

impl BooleanBuilder {
    /// One value or null.
    pub fn push(&mut self, value: Option<bool>) {
        self.values.push(value.unwrap_or_default());
        self.nulls.push(value.is_some());
    }

    /// Hands the column to the host.
    ///
    /// # Errors
    /// What the host says of the new column.
    pub fn finish(self) -> Result<Column, PluginError> {
        let rows = self.nulls.rows;
        let values = self.values.into_bytes();
        write(&DataType::Boolean, rows, &Buffers { validity: self.nulls.finish(), offsets: Vec::new(), values })
    }
}

/// Builds a text column in one block, without an allocation a row.
#[derive(Debug)]
pub struct Utf8Builder {
    offsets: Vec<u8>,
    text: String,
    nulls: Nulls,
}

impl Utf8Builder {
    /// Room for `rows` texts of together `bytes`.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity((rows + 1) * OFFSET_WIDTH);
        offsets.extend_from_slice(&0i32.to_le_bytes());
        Utf8Builder { offsets, text: String::with_capacity(bytes), nulls: Nulls::default() }
    }

    /// One text or null.
    #[inline]
    pub fn push(&mut self, value: Option<&str>) {
        if let Some(value) = value {
            self.text.push_str(value);
        }
        self.end_row(value.is_some());
    }

    /// One text that `append` writes straight behind the earlier ones. It may only append.
    #[inline]
    pub fn push_with(&mut self, append: impl FnOnce(&mut String)) {
        append(&mut self.text);
        self.end_row(true);
    }

    /// Hands the column to the host.
    ///
    /// # Errors
    /// [`PluginError::Data`] when the texts are 2 GiB or more, else what the host says.
    pub fn finish(self) -> Result<Column, PluginError> {
        if i32::try_from(self.text.len()).is_err() {
            return Err(PluginError::data("a text column of one batch has to stay below 2 GiB; use smaller batches"));
        }
        let rows = self.nulls.rows;
        let parts = Buffers { validity: self.nulls.finish(), offsets: self.offsets, values: self.text.into_bytes() };
        write(&DataType::Utf8, rows, &parts)
    }

    #[inline]
    fn end_row(&mut self, valid: bool) {
        // Beyond i32::MAX the offset is wrong, and `finish` refuses the column.
        self.offsets.extend_from_slice(&(self.text.len() as u32).to_le_bytes());
        self.nulls.push(valid);
    }
}
