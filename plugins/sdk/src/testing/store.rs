//! The `data` calls over cells in memory.

use super::cells;
use crate::bindings::imports::forcepump::plugin::types::RowRange;
use crate::{Bitmap, Buffers, Column, DataType, OnCastError, Schema, Selection, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A column that the stand-in holds.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) data_type: DataType,
    pub(crate) cells: Vec<Value>,
}

/// A column under a number.
#[derive(Debug, Clone)]
struct Numbered {
    column: Stored,
    /// `open` listed it under `reads`, or it was made of what may be read
    readable: bool,
}

#[derive(Debug, Default)]
struct Call {
    columns: Vec<Numbered>,
    inputs: usize,
    /// batches made in the call, by their columns; the first is number 1
    batches: Vec<Vec<Column>>,
}

/// Batches beyond the call.
#[derive(Debug)]
struct Kept {
    batches: BTreeMap<u32, Vec<Numbered>>,
    next: u32,
    /// how many there may be
    room: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Kept { batches: BTreeMap::new(), next: FIRST_RETAINED, room: usize::MAX }
    }
}

/// Numbers from here on are retained batches, as with the host.
const FIRST_RETAINED: u32 = 1 << 31;

thread_local! {
    static CALL: RefCell<Call> = RefCell::new(Call::default());
    static KEPT: RefCell<Kept> = RefCell::new(Kept::default());
}

/// A new instance: nothing is retained, and there is room.
pub(crate) fn begin_instance() {
    KEPT.set(Kept::default());
}

/// How many batches are retained.
pub(crate) fn retained() -> usize {
    KEPT.with_borrow(|kept| kept.batches.len())
}

/// Lets at most that many batches be retained.
pub(crate) fn set_room(batches: usize) {
    KEPT.with_borrow_mut(|kept| kept.room = batches);
}

/// Starts a call on these input columns.
pub(crate) fn begin_call(columns: Vec<Stored>, readable: Option<Vec<u32>>) {
    let inputs = columns.len();
    let open = |number: u32| readable.as_ref().is_none_or(|readable| readable.contains(&number));
    let columns = columns.into_iter().zip(0..).map(|(column, number)| Numbered { column, readable: open(number) });
    CALL.set(Call { columns: columns.collect(), inputs, batches: Vec::new() });
}

/// A column of the call, as the host would look it up.
pub(crate) fn get(of: Column) -> Result<Stored, String> {
    numbered(of).map(|numbered| numbered.column)
}

fn numbered(of: Column) -> Result<Numbered, String> {
    CALL.with_borrow(|call| call.columns.get(of as usize).cloned().ok_or_else(|| format!("there is no column {of}")))
}

/// A column that the guest may see, as the host would look it up.
pub(crate) fn delivered(of: Column) -> Result<Stored, String> {
    check_readable(of)?;
    get(of)
}

/// The input columns of the call: batch 0.
pub(crate) fn batch(of: u32) -> Result<Vec<Stored>, String> {
    if of != 0 {
        return Err(format!("there is no batch {of}"));
    }
    CALL.with_borrow(|call| Ok(call.columns[..call.inputs].iter().map(|numbered| numbered.column.clone()).collect()))
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
    if of == 0 {
        return CALL.with_borrow(|call| Ok((0..call.inputs as u32).collect()));
    }
    sheet(of).map(|columns| columns.into_iter().map(push).collect())
}

/// The columns of a batch: of the call, or retained.
fn sheet(of: u32) -> Result<Vec<Numbered>, String> {
    let unknown = || format!("there is no batch {of}");
    if of >= FIRST_RETAINED {
        return KEPT.with_borrow(|kept| kept.batches.get(&of).cloned()).ok_or_else(unknown);
    }
    CALL.with_borrow(|call| {
        let Some(index) = of.checked_sub(1) else { return Ok(call.columns[..call.inputs].to_vec()) };
        let numbers = call.batches.get(index as usize).ok_or_else(unknown)?;
        Ok(numbers.iter().map(|number| call.columns[*number as usize].clone()).collect())
    })
}

pub(crate) fn assemble(shape: &Schema, columns: &[Column]) -> Result<u32, String> {
    if shape.fields.len() != columns.len() {
        return Err(format!("the schema has {} fields, {} columns are given", shape.fields.len(), columns.len()));
    }
    let given = columns.iter().map(|number| numbered(*number)).collect::<Result<Vec<_>, _>>()?;
    let rows = given.first().map_or(0, |first| first.column.cells.len());
    for (field, Numbered { column, .. }) in shape.fields.iter().zip(&given) {
        if column.data_type != field.data_type {
            return Err(format!("the column `{}` has another type than its field", field.name));
        }
        if column.cells.len() != rows {
            return Err(format!("the column `{}` has {} rows, {rows} are needed", field.name, column.cells.len()));
        }
    }
    CALL.with_borrow_mut(|call| {
        call.batches.push(columns.to_vec());
        Ok(call.batches.len() as u32)
    })
}

pub(crate) fn retain(of: u32) -> Result<u32, String> {
    let columns = sheet(of)?;
    KEPT.with_borrow_mut(|kept| {
        if kept.batches.len() >= kept.room {
            return Err(format!("the plugin's memory has room for {} batches", kept.room));
        }
        let number = kept.next;
        kept.next += 1;
        kept.batches.insert(number, columns);
        Ok(number)
    })
}

pub(crate) fn release(retained: u32) {
    KEPT.with_borrow_mut(|kept| kept.batches.remove(&retained));
}

fn add(column: Stored) -> Column {
    push(Numbered { column, readable: true })
}

fn push(column: Numbered) -> Column {
    CALL.with_borrow_mut(|call| {
        call.columns.push(column);
        (call.columns.len() - 1) as u32
    })
}

fn check_readable(of: Column) -> Result<(), String> {
    match numbered(of)?.readable {
        true => Ok(()),
        false => Err(format!("column {of} is not among the columns that open said it reads")),
    }
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
    check_readable(of)?;
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
    let Numbered { column, readable } = numbered(of)?;
    let cells = selected_rows(rows, column.cells.len())?.into_iter().map(|row| column.cells[row].clone()).collect();
    Ok(push(Numbered { column: Stored { data_type: column.data_type, cells }, readable }))
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
