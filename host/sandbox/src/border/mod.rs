//! The columns and batches of one call, by the numbers under which the guest knows them.

pub mod accept;
mod cast;
pub mod lend;
pub mod selection;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

use crate::bindings::forcepump::plugin::data::OnCastError;
use crate::bindings::forcepump::plugin::types as wit;
use crate::contract::{OpaqueTypes, from_wit, is_opaque, schema_from_wit, schema_to_wit};
use crate::limits::{Limits, MAX_BATCHES, MAX_COLUMNS_PER_CALL};
use lend::{Lent, lend};
use selection::{Chosen, RowCap};
use table::schema_bytes;
pub use table::{Access, Column, Sheet, check_column, sheet};

/// Numbers from here on are retained batches.
const FIRST_RETAINED: u32 = 1 << 31;

/// All that the `data` interface works on.
pub struct Border {
    columns: Vec<Column>,
    sheets: Vec<Sheet>,
    /// The call has a batch: it is number 0, and its columns come first.
    has_batch: bool,
    retained: BTreeMap<u32, Sheet>,
    next_retained: u32,
    /// Retained batches that are a call's own, unchanged.
    retained_whole: BTreeSet<u32>,
    retained_bytes: usize,
    made_bytes: usize,
    made_columns: usize,
    fan_out: u32,
    rows: u32,
    output_bytes: usize,
    opaque: OpaqueTypes,
    /// The last mask of this call: a guest filters its own columns by the mask it answers with.
    last_mask: Option<LastMask>,
}

struct LastMask {
    rows: usize,
    bytes: Vec<u8>,
    chosen: Arc<Chosen>,
}

impl Border {
    /// An empty border under these limits.
    pub fn new(limits: &Limits) -> Self {
        Border {
            columns: Vec::new(),
            sheets: Vec::new(),
            has_batch: false,
            retained: BTreeMap::new(),
            next_retained: FIRST_RETAINED,
            retained_whole: BTreeSet::new(),
            retained_bytes: 0,
            made_bytes: 0,
            made_columns: 0,
            fan_out: limits.fan_out,
            rows: limits.rows,
            output_bytes: limits.output_bytes,
            opaque: OpaqueTypes::new(),
            last_mask: None,
        }
    }

    /// Names the Arrow types outside the contract that the input has.
    pub fn set_opaque(&mut self, opaque: OpaqueTypes) {
        self.opaque = opaque;
    }

    /// The Arrow types outside the contract that the input has.
    pub fn opaque(&self) -> &OpaqueTypes {
        &self.opaque
    }

    /// Starts a call over a batch. Of the withheld columns only their numbers get here.
    pub fn begin(&mut self, sheet: Sheet) {
        self.end();
        let sheet = sheet.without_withheld();
        self.columns.extend(sheet.columns.iter().cloned());
        self.sheets.push(sheet);
        self.has_batch = true;
    }

    /// Ends a call: all of its numbers are free again.
    pub fn end(&mut self) {
        self.columns.clear();
        self.sheets.clear();
        self.has_batch = false;
        self.last_mask = None;
        self.made_bytes = 0;
        self.made_columns = 0;
    }

    /// Bytes of the retained batches.
    pub fn retained_bytes(&self) -> usize {
        self.retained_bytes
    }

    /// The column of that number.
    pub fn column(&self, number: u32) -> Result<&Column, String> {
        let found = self.columns.get(number as usize);
        found.ok_or_else(|| format!("column {number} is not known, there are {}", self.columns.len()))
    }

    /// The batch of that number.
    pub fn sheet(&self, number: u32) -> Result<&Sheet, String> {
        let found =
            if number >= FIRST_RETAINED { self.retained.get(&number) } else { self.sheets.get(number as usize) };
        found.ok_or_else(|| format!("batch {number} is not known"))
    }

    /// Whether the batch of that number is the batch of a call as the host gave it.
    pub fn is_whole(&self, number: u32) -> bool {
        number == 0 && self.has_batch || self.retained_whole.contains(&number)
    }

    /// Whether batches are retained.
    pub fn retains(&self) -> bool {
        !self.retained.is_empty()
    }

    /// Books bytes that the host is about to make for the call.
    pub fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.room_for(bytes)?;
        self.made_bytes += bytes;
        Ok(())
    }

    /// Bytes that may still be booked.
    pub fn room(&self) -> usize {
        self.output_bytes.saturating_sub(self.made_bytes)
    }

    fn room_for(&self, bytes: usize) -> Result<(), String> {
        if self.made_bytes.saturating_add(bytes) > self.output_bytes {
            let key = Limits::key("output_mib", self.output_bytes);
            return Err(format!("the call makes more than its {} bytes ({key})", self.output_bytes));
        }
        Ok(())
    }

    fn push(&mut self, column: Column) -> Result<u32, String> {
        if self.made_columns >= MAX_COLUMNS_PER_CALL {
            return Err(format!("the call makes more than {MAX_COLUMNS_PER_CALL} columns"));
        }
        self.made_columns += 1;
        let number = u32::try_from(self.columns.len()).map_err(|_| "too many columns")?;
        self.columns.push(column);
        Ok(number)
    }

    /// The offsets of a text or byte column of the current batch, when they have exactly these bytes.
    pub fn known_offsets(&self, bytes: &[u8]) -> Option<OffsetBuffer<i32>> {
        let columns = self.sheets.first()?.columns.iter();
        let mut offsets = columns.filter_map(|column| match column.array.data_type() {
            DataType::Utf8 => Some(column.array.as_string::<i32>().offsets()),
            DataType::Binary => Some(column.array.as_binary::<i32>().offsets()),
            _ => None,
        });
        // Columns of a slice may begin at another offset than 0; those never compare equal to what was read.
        let same = |offsets: &&OffsetBuffer<i32>| offsets[0] == 0 && *offsets.inner().inner().as_slice() == *bytes;
        offsets.find(same).cloned()
    }

    /// `data.read`.
    pub fn read(&self, of: u32, rows: Option<wit::RowRange>) -> Result<Lent, String> {
        let array = &self.column(of)?.readable()?.array;
        let Some(wit::RowRange { offset, len }) = rows else { return lend(array) };
        let end = u64::from(offset) + u64::from(len);
        if end > array.len() as u64 {
            return Err(format!("rows {offset} to {end} are asked for, there are {}", array.len()));
        }
        lend(&array.slice(offset as usize, len as usize))
    }

    /// `data.null-count`.
    pub fn null_count(&self, of: u32) -> Result<u32, String> {
        let array = &self.column(of)?.readable()?.array;
        Ok(u32::try_from(array.logical_null_count()).unwrap_or(u32::MAX))
    }

    /// The first half of `data.write`: what may be written.
    pub fn admit(&mut self, data_type: &wit::DataType, bytes: usize) -> Result<DataType, String> {
        self.charge(bytes)?;
        if let wit::DataType::Opaque(_) = data_type {
            return Err("a column of an opaque type cannot be written".into());
        }
        from_wit(data_type, &self.opaque)
    }

    /// The second half of `data.write`: the checked buffers become a column.
    pub fn write(&mut self, array: ArrayRef) -> Result<u32, String> {
        self.push(Column { array, access: Access::Open })
    }

    /// `data.cast`.
    pub fn cast(&mut self, of: u32, to: &wit::DataType, on_error: OnCastError) -> Result<u32, String> {
        let Column { array, access } = self.column(of)?.workable()?.clone();
        let to = from_wit(to, &self.opaque)?;
        if is_opaque(&to) {
            return Err("a column cannot be cast to an opaque type".into());
        }
        // The least that comes out, before it is made: a column of nulls or bits costs next to nothing until then.
        let width = if to == DataType::Boolean { 0 } else { to.primitive_width().unwrap_or(size_of::<i32>()) };
        self.room_for(array.len().saturating_mul(width))?;
        let array = cast::cast(&array, &to, on_error, access == Access::Open)?;
        self.charge(array.get_array_memory_size())?;
        self.push(Column { array, access })
    }

    /// How many rows may come out of that many.
    pub fn row_cap(&self, rows: usize) -> RowCap {
        RowCap::new(rows, self.fan_out, self.rows)
    }

    /// Checks a selection over `rows` rows.
    pub fn chosen(&mut self, selection: &wit::Selection, rows: usize, cap: RowCap) -> Result<Arc<Chosen>, String> {
        let wit::Selection::Mask(bytes) = selection else {
            return Chosen::check(selection, rows, cap).map(Arc::new);
        };
        if let Some(last) = self.last_mask.as_ref().filter(|last| last.rows == rows && last.bytes == *bytes) {
            return Ok(Arc::clone(&last.chosen));
        }
        let chosen = Arc::new(Chosen::check(selection, rows, cap)?);
        self.last_mask = Some(LastMask { rows, bytes: bytes.clone(), chosen: Arc::clone(&chosen) });
        Ok(chosen)
    }

    /// `data.select`.
    pub fn select(&mut self, of: u32, rows: &wit::Selection) -> Result<u32, String> {
        let Column { array, access } = self.column(of)?.workable()?.clone();
        let batch_rows = self.sheets.first().map_or(0, |sheet| sheet.rows);
        let cap = self.row_cap(array.len().max(batch_rows));
        let chosen = self.chosen(rows, array.len(), cap)?;
        self.charge(chosen.bytes(&array))?;
        let array = chosen.apply(&array)?;
        self.push(Column { array, access })
    }

    /// `data.assemble`.
    pub fn assemble(&mut self, shape: &wit::Schema, numbers: &[u32]) -> Result<u32, String> {
        let schema = schema_from_wit(shape, &self.opaque)?;
        if schema.fields().len() != numbers.len() {
            let fields = schema.fields().len();
            return Err(format!("the schema has {fields} fields, {} columns are given", numbers.len()));
        }
        let columns = numbers.iter().map(|number| self.column(*number)?.workable().cloned());
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = columns.first().map_or(0, |column| column.array.len());
        for (field, column) in schema.fields().iter().zip(&columns) {
            check_column(field, &column.array, rows)?;
        }
        // The arrays are there already; names and metadata are the guest's to choose.
        self.charge(schema_bytes(&schema))?;
        self.add_sheet(Sheet { schema, columns, rows })
    }

    /// A batch that a host function made for the guest.
    pub fn add_sheet(&mut self, sheet: Sheet) -> Result<u32, String> {
        if self.sheets.len() >= MAX_BATCHES {
            return Err(format!("the call holds more than {MAX_BATCHES} batches"));
        }
        let number = u32::try_from(self.sheets.len()).map_err(|_| "too many batches")?;
        self.sheets.push(sheet);
        Ok(number)
    }

    /// A batch that a driver gave: its types are flattened and its bytes charged.
    pub fn add_batch(&mut self, batch: &RecordBatch) -> Result<(wit::Schema, u32), String> {
        let sheet = sheet(batch, |_| Access::Open)?;
        self.charge(sheet.bytes())?;
        let shape = schema_to_wit(&sheet.schema);
        Ok((shape, self.add_sheet(sheet)?))
    }

    /// `data.retain`. `room` is what the guest's memory limit leaves.
    pub fn retain(&mut self, of: u32, room: usize) -> Result<u32, String> {
        let sheet = self.sheet(of)?.clone();
        let bytes = sheet.bytes();
        if bytes > room {
            return Err(format!(
                "the batch has {bytes} bytes, the plugin's memory (limits.memory_mib) has room for {room}"
            ));
        }
        if self.retained.len() >= MAX_BATCHES {
            return Err(format!("more than {MAX_BATCHES} batches are retained"));
        }
        let number = self.next_retained;
        self.next_retained = number.checked_add(1).ok_or("no number is left for a batch")?;
        self.retained_bytes += bytes;
        if self.is_whole(of) {
            self.retained_whole.insert(number);
        }
        self.retained.insert(number, sheet);
        Ok(number)
    }

    /// `data.release`; an unknown number is nothing to release.
    pub fn release(&mut self, retained: u32) {
        if let Some(sheet) = self.retained.remove(&retained) {
            self.retained_bytes -= sheet.bytes();
            self.retained_whole.remove(&retained);
        }
    }

    /// `data.columns`.
    pub fn columns_of(&mut self, of: u32) -> Result<Vec<u32>, String> {
        if of == 0 && self.has_batch {
            let count = self.sheets.first().map_or(0, |sheet| sheet.columns.len());
            return Ok((0..count).filter_map(|number| u32::try_from(number).ok()).collect());
        }
        let columns = self.sheet(of)?.columns.clone();
        columns.into_iter().map(|column| self.push(column)).collect()
    }
}

#[cfg(test)]
mod tests;
