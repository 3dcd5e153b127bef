//! The `data` calls over cells in memory.

use super::cells;
use crate::bindings::imports::forcepump::plugin::types::RowRange;
use crate::{Bitmap, Buffers, Column, DataType, OnCastError, Selection, Value};
use std::cell::RefCell;

/// A column that the stand-in holds.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) data_type: DataType,
    pub(crate) cells: Vec<Value>,
}

#[derive(Debug, Default)]
struct Call {
    columns: Vec<Stored>,
    inputs: usize,
    /// batches made in the call, by their columns; the first is number 1
    batches: Vec<Vec<Column>>,
    /// input columns that may be read; none for all
    readable: Option<Vec<u32>>,
}

thread_local! {
    static CALL: RefCell<Call> = RefCell::new(Call::default());
}

/// Starts a call on these input columns.
pub(crate) fn begin_call(columns: Vec<Stored>, readable: Option<Vec<u32>>) {
    let inputs = columns.len();
    CALL.set(Call { columns, inputs, batches: Vec::new(), readable });
}

/// A column of the call, as the host would look it up.
pub(crate) fn get(of: Column) -> Result<Stored, String> {
    CALL.with_borrow(|call| call.columns.get(of as usize).cloned().ok_or_else(|| format!("there is no column {of}")))
}

/// The input columns of the call: batch 0.
pub(crate) fn batch(of: u32) -> Result<Vec<Stored>, String> {
    if of != 0 {
        return Err(format!("there is no batch {of}"));
    }
    CALL.with_borrow(|call| Ok(call.columns[..call.inputs].to_vec()))
}

/// Makes a batch of the call; gives its number.
pub(crate) fn add_batch(columns: Vec<Stored>) -> u32 {
    let columns = columns.into_iter().map(add).collect();
    CALL.with_borrow_mut(|call| {
        call.batches.push(columns);
        call.batches.len() as u32
    })
}

pub(crate) fn columns(of: u32) -> Result<Vec<Column>, String> {
    CALL.with_borrow(|call| match of.checked_sub(1) {
        None => Ok((0..call.inputs as u32).collect()),
        Some(index) => call.batches.get(index as usize).cloned().ok_or_else(|| format!("there is no batch {of}")),
    })
}

fn add(column: Stored) -> Column {
    CALL.with_borrow_mut(|call| {
        call.columns.push(column);
        (call.columns.len() - 1) as u32
    })
}

fn check_readable(of: Column) -> Result<(), String> {
    let withheld = CALL.with_borrow(|call| {
        let input = (of as usize) < call.inputs;
        input && call.readable.as_ref().is_some_and(|readable| !readable.contains(&of))
    });
    if withheld { Err(format!("column {of} is not among the columns that open said it reads")) } else { Ok(()) }
}

pub(crate) fn read(of: Column, rows: Option<RowRange>) -> Result<Buffers, String> {
    check_readable(of)?;
    let column = get(of)?;
    if let DataType::Opaque(name) = &column.data_type {
        return Err(format!("column {of} of type {name} cannot be read"));
    }
    let (start, len) = rows.map_or((0, column.cells.len()), |range| (range.offset as usize, range.len as usize));
    let cells = column.cells.get(start..start + len).ok_or("rows are out of range")?;
    Ok(cells::encode(&column.data_type, cells))
}

pub(crate) fn null_count(of: Column) -> Result<u32, String> {
    Ok(get(of)?.cells.iter().filter(|cell| **cell == Value::Null).count() as u32)
}

pub(crate) fn write(data_type: &DataType, rows: u32, parts: &Buffers) -> Result<Column, String> {
    let cells = cells::decode(data_type, rows as usize, parts)?;
    Ok(add(Stored { data_type: data_type.clone(), cells }))
}

pub(crate) fn cast(of: Column, to: &DataType, on_error: OnCastError) -> Result<Column, String> {
    check_readable(of)?;
    let column = get(of)?;
    if *to != DataType::Utf8 {
        return Err(format!("the stand-in casts to text only, not to {} ({on_error:?})", to.describe()));
    }
    let cells = column.cells.iter().map(|cell| cells::text(cell).map_or(Value::Null, Value::Text)).collect();
    Ok(add(Stored { data_type: DataType::Utf8, cells }))
}

pub(crate) fn select(of: Column, rows: &Selection) -> Result<Column, String> {
    let column = get(of)?;
    let cells = selected_rows(rows, column.cells.len())?.into_iter().map(|row| column.cells[row].clone()).collect();
    Ok(add(Stored { data_type: column.data_type, cells }))
}

/// Numbers of the selected rows, or the rule that the selection breaks.
pub(crate) fn selected_rows(selection: &Selection, rows: usize) -> Result<Vec<usize>, String> {
    match selection {
        Selection::All => Ok((0..rows).collect()),
        Selection::None => Ok(Vec::new()),
        Selection::Mask(bytes) => {
            let bitmap = Bitmap::from_bytes(bytes.clone(), rows);
            if bitmap.as_bytes() != bytes {
                return Err(format!("the mask has {} bytes or bits behind row {rows}", bytes.len()));
            }
            Ok((0..rows).filter(|row| bitmap.get(*row)).collect())
        }
        Selection::Take(taken) => match taken.iter().find(|row| **row as usize >= rows) {
            Some(row) => Err(format!("row {row} is out of range")),
            None => Ok(taken.iter().map(|row| *row as usize).collect()),
        },
    }
}
