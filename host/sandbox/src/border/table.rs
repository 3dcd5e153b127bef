//! Columns and batches as the border has them: Arrow's, and whose bytes are closed to the guest.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use super::cast;

/// Bytes that a field of a schema takes beside its name and metadata, near enough for a cap.
const FIELD_BYTES: usize = 256;

/// Whether the bytes of a column may enter the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// They may.
    Open,
    /// The plugin did not list the column under `reads`.
    Undeclared,
    /// The pipeline withholds the column.
    Withheld,
}

/// One column under a number.
#[derive(Debug, Clone)]
pub struct Column {
    /// The values.
    pub array: ArrayRef,
    /// Inherited by whatever is made of it.
    pub access: Access,
}

impl Column {
    /// The column, unless its bytes are closed to the guest.
    pub fn readable(&self) -> Result<&Self, String> {
        match self.access {
            Access::Open => Ok(self),
            Access::Undeclared => Err("the plugin did not list this column under `reads`".into()),
            Access::Withheld => Err(WITHHELD.into()),
        }
    }

    /// The column, unless the pipeline withholds it: what can be made of a column tells of its values, be it by a
    /// failure, a length or a charge.
    pub(super) fn workable(&self) -> Result<&Self, String> {
        match self.access {
            Access::Withheld => Err(WITHHELD.into()),
            Access::Open | Access::Undeclared => Ok(self),
        }
    }
}

/// What a plugin is told that reaches for a withheld column.
pub(super) const WITHHELD: &str = "the pipeline withholds this column from the plugin; it can only be kept";

/// One batch under a number.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Names and types.
    pub schema: SchemaRef,
    /// The columns, in the order of the schema.
    pub columns: Vec<Column>,
    /// Length of each column.
    pub rows: usize,
}

impl Sheet {
    /// The batch for a host function. A withheld column must not get out that way and back in.
    pub fn batch(&self) -> Result<RecordBatch, String> {
        let columns = self.columns.iter().map(|column| match column.access {
            Access::Withheld => column.readable().map(|column| Arc::clone(&column.array)),
            _ => Ok(Arc::clone(&column.array)),
        });
        let columns = columns.collect::<Result<Vec<_>, String>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| format!("the batch does not fit its schema: {error}"))
    }

    /// The sheet as a guest may have it: a column of nulls stands where one is withheld, so that no call of the guest
    /// can reach what is not there.
    pub(super) fn without_withheld(mut self) -> Self {
        let rows = self.rows;
        for column in self.columns.iter_mut().filter(|column| column.access == Access::Withheld) {
            column.array = Arc::new(NullArray::new(rows));
        }
        self
    }

    pub(super) fn bytes(&self) -> usize {
        let arrays: usize = self.columns.iter().map(|column| column.array.get_array_memory_size()).sum();
        arrays + schema_bytes(&self.schema)
    }
}

/// Bytes of names and metadata, near enough for a cap.
pub(super) fn schema_bytes(schema: &SchemaRef) -> usize {
    let texts = |metadata: &arrow_schema::Metadata| -> usize {
        metadata.iter().map(|(key, value)| key.len() + value.len() + FIELD_BYTES).sum()
    };
    let fields = schema.fields().iter().map(|field| FIELD_BYTES + field.name().len() + texts(field.metadata()));
    fields.sum::<usize>() + texts(schema.metadata())
}

/// A column fits a field: type, length, and no null where none may be.
pub fn check_column(field: &arrow_schema::Field, array: &ArrayRef, rows: usize) -> Result<(), String> {
    let name = field.name();
    if array.data_type() != field.data_type() {
        let (is, needed) = (array.data_type(), field.data_type());
        return Err(format!("the column `{name}` has the type {is}, {needed} was settled"));
    }
    if array.len() != rows {
        return Err(format!("the column `{name}` has {} rows, {rows} are needed", array.len()));
    }
    let nulls = array.logical_null_count();
    if !field.is_nullable() && nulls > 0 {
        return Err(format!("the column `{name}` has {nulls} nulls and is declared without"));
    }
    Ok(())
}

/// A batch as a sheet with flattened types.
pub fn sheet(batch: &RecordBatch, access: impl Fn(usize) -> Access) -> Result<Sheet, String> {
    let schema = crate::contract::flattened_schema(batch.schema_ref());
    let columns = batch.columns().iter().zip(schema.fields()).enumerate();
    let columns = columns.map(|(number, (array, field))| {
        let array = cast::flatten(array, field.data_type())?;
        Ok(Column { array, access: access(number) })
    });
    let columns = columns.collect::<Result<Vec<_>, String>>()?;
    Ok(Sheet { schema, columns, rows: batch.num_rows() })
}
