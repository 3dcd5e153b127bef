//! From the guest into Arrow memory: the one door through which guest data becomes ours.
//!
//! The checks come in the order of the contract; each copies nothing, and only a block that passed
//! all of them is copied, once, into aligned memory and given to Arrow's validating constructors.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, DecimalType};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, NullArray, StringArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, TimeUnit};

use crate::limits::MAX_ROWS;

/// First and last day of the years 0001 to 9999, counted from 1970-01-01.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;
/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The buffers of one column as they lie in guest memory.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Bitmap of the rows that are not null.
    pub validity: Option<&'a [u8]>,
    /// Offsets, little-endian i32.
    pub offsets: &'a [u8],
    /// Values.
    pub values: &'a [u8],
}

/// Offsets with these bytes that were checked before, when there are such.
pub type KnownOffsets<'a> = &'a dyn Fn(&[u8]) -> Option<OffsetBuffer<i32>>;

/// Checks the buffers and builds a column; the error names the broken rule.
///
/// `known` is asked first for the offsets of a text: a guest that changes letters and not lengths gives back
/// those that it read, and a comparison costs less than a copy and its checks.
pub fn accept(data_type: &DataType, rows: u32, parts: Parts<'_>, known: KnownOffsets<'_>) -> Result<ArrayRef, String> {
    if rows > MAX_ROWS {
        return Err(format!("{rows} rows are more than the {MAX_ROWS} of one column"));
    }
    let rows = rows as usize;
    let nulls = validity(rows, parts.validity)?;
    match data_type {
        DataType::Null => null_column(rows, parts),
        DataType::Boolean => boolean_column(rows, parts, nulls),
        DataType::Utf8 | DataType::Binary => block_column(data_type, rows, parts, nulls, known),
        other => fixed_column(other, rows, parts, nulls),
    }
}

fn validity(rows: usize, bits: Option<&[u8]>) -> Result<Option<NullBuffer>, String> {
    let Some(bits) = bits else { return Ok(None) };
    check_bitmap("validity", rows, bits)?;
    let bits = BooleanBuffer::new(Buffer::from_slice_ref(bits), 0, rows);
    Ok(Some(NullBuffer::new(bits)).filter(|nulls| nulls.null_count() > 0))
}

/// A bitmap has exactly the bytes that its rows need, and its unused bits are zero.
pub fn check_bitmap(what: &str, rows: usize, bits: &[u8]) -> Result<(), String> {
    let length = rows.div_ceil(8);
    if bits.len() != length {
        return Err(format!("{what} has {} bytes, {rows} rows need {length}", bits.len()));
    }
    let unused = length * 8 - rows;
    match bits.last() {
        Some(last) if unused > 0 && last >> (8 - unused) != 0 => {
            Err(format!("{what} has unused bits that are not zero"))
        }
        _ => Ok(()),
    }
}

fn no_offsets(parts: Parts<'_>) -> Result<(), String> {
    match parts.offsets.len() {
        0 => Ok(()),
        length => Err(format!("offsets has {length} bytes, this type has none")),
    }
}

fn exact_values(parts: Parts<'_>, expected: usize) -> Result<(), String> {
    match parts.values.len() {
        length if length == expected => Ok(()),
        length => Err(format!("values has {length} bytes, the rows need {expected}")),
    }
}

fn null_column(rows: usize, parts: Parts<'_>) -> Result<ArrayRef, String> {
    no_offsets(parts)?;
    exact_values(parts, 0)?;
    if parts.validity.is_some_and(|bits| bits.iter().any(|byte| *byte != 0)) {
        return Err("a column of type null has a row that is not null".into());
    }
    Ok(Arc::new(NullArray::new(rows)))
}

fn boolean_column(rows: usize, parts: Parts<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef, String> {
    no_offsets(parts)?;
    check_bitmap("values", rows, parts.values)?;
    let values = BooleanBuffer::new(Buffer::from_slice_ref(parts.values), 0, rows);
    Ok(Arc::new(BooleanArray::new(values, nulls)))
}

fn block_column(
    data_type: &DataType,
    rows: usize,
    parts: Parts<'_>,
    nulls: Option<NullBuffer>,
    known: KnownOffsets<'_>,
) -> Result<ArrayRef, String> {
    let offsets = checked_offsets(rows, parts, known)?;
    let values = Buffer::from_slice_ref(parts.values);
    let refused = |error| format!("the column is refused: {error}");
    if *data_type == DataType::Binary {
        let array = BinaryArray::try_new(offsets, values, nulls).map_err(refused)?;
        return Ok(Arc::new(array));
    }
    // Arrow's own validation is the check; ours runs over a refused column only, to name the place.
    match StringArray::try_new(offsets.clone(), values, nulls) {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(check_text(&offsets, parts.values).err().unwrap_or_else(|| refused(error))),
    }
}

fn checked_offsets(rows: usize, parts: Parts<'_>, known: KnownOffsets<'_>) -> Result<OffsetBuffer<i32>, String> {
    let expected = (rows + 1) * size_of::<i32>();
    if parts.offsets.len() != expected {
        let length = parts.offsets.len();
        return Err(format!("offsets has {length} bytes, {rows} rows need {expected}"));
    }
    let offsets = match known(parts.offsets) {
        Some(offsets) => offsets,
        None => new_offsets(parts.offsets, rows)?,
    };
    let last = offsets[rows];
    if usize::try_from(last) != Ok(parts.values.len()) {
        return Err(format!("the last offset is {last}, values has {} bytes", parts.values.len()));
    }
    Ok(offsets)
}

fn new_offsets(bytes: &[u8], rows: usize) -> Result<OffsetBuffer<i32>, String> {
    let offsets = ScalarBuffer::<i32>::new(Buffer::from_slice_ref(bytes), 0, rows + 1);
    if offsets[0] != 0 {
        return Err(format!("the first offset is {}, it must be 0", offsets[0]));
    }
    // Without a branch in the loop it is vectorised; the row is looked for only when there is one.
    let shrinks = offsets.windows(2).fold(false, |found, pair| found | (pair[0] > pair[1]));
    if let Some(row) = shrinks.then(|| offsets.windows(2).position(|pair| pair[0] > pair[1])).flatten() {
        return Err(format!("the offsets shrink at row {row}"));
    }
    Ok(OffsetBuffer::new(offsets))
}

fn check_text(offsets: &OffsetBuffer<i32>, values: &[u8]) -> Result<(), String> {
    let text = simdutf8::basic::from_utf8(values);
    let text = text.map_err(|_| {
        let place = std::str::from_utf8(values).err().map_or(0, |error| error.valid_up_to());
        format!("values is not UTF-8 at byte {place}")
    })?;
    let inside = offsets.iter().position(|offset| !text.is_char_boundary(*offset as usize));
    inside.map_or(Ok(()), |row| Err(format!("the offset of row {row} lies within a character")))
}

fn fixed_column(
    data_type: &DataType,
    rows: usize,
    parts: Parts<'_>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    let width = data_type.primitive_width();
    let width = width.ok_or("a column of an opaque type cannot be written")?;
    no_offsets(parts)?;
    exact_values(parts, rows * width)?;
    let values = Buffer::from_slice_ref(parts.values);
    check_range(data_type, rows, &values, nulls.as_ref())?;
    let data = ArrayData::try_new(
        data_type.clone(),
        rows,
        nulls.map(|nulls| nulls.into_inner().into_inner()),
        0,
        vec![values],
        vec![],
    );
    Ok(make_array(data.map_err(|error| format!("the column is refused: {error}"))?))
}

/// The range check for a column that the host made from guest data by a cast.
pub fn check_array(array: &ArrayRef) -> Result<(), String> {
    let temporal = matches!(array.data_type(), DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..));
    if !temporal {
        return Ok(());
    }
    let data = array.to_data();
    let width = data.data_type().primitive_width().unwrap_or(0);
    let Some(values) = data.buffers().first() else { return Ok(()) };
    let values = values.slice_with_length(data.offset() * width, data.len() * width);
    check_range(data.data_type(), data.len(), &values, data.nulls())
}

/// Decimals within their precision, days and instants within the years 0001 to 9999, times within
/// a day. What lies under a null is not looked at.
fn check_range(data_type: &DataType, rows: usize, values: &Buffer, nulls: Option<&NullBuffer>) -> Result<(), String> {
    let is_value = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let wrong = match data_type {
        DataType::Decimal128(precision, _) => {
            let values = ScalarBuffer::<i128>::new(values.clone(), 0, rows);
            let fits = |value: &i128| Decimal128Type::is_valid_decimal_precision(*value, *precision);
            values.iter().enumerate().position(|(row, value)| !fits(value) && is_value(row))
        }
        DataType::Date32 => {
            let values = ScalarBuffer::<i32>::new(values.clone(), 0, rows);
            let fits = |value: &i32| DAYS.contains(&i64::from(*value));
            values.iter().enumerate().position(|(row, value)| !fits(value) && is_value(row))
        }
        DataType::Time64(unit) => {
            let day = DAY_SECONDS * per_second(*unit);
            first_outside(rows, values, 0..=day - 1, is_value)
        }
        DataType::Timestamp(unit, _) => {
            let day = DAY_SECONDS.saturating_mul(per_second(*unit));
            let first = DAYS.start().saturating_mul(day);
            let last = (DAYS.end() + 1).saturating_mul(day).saturating_sub(1);
            first_outside(rows, values, first..=last, is_value)
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |row| Err(format!("the value of row {row} is out of range for {data_type}")))
}

fn first_outside(
    rows: usize,
    values: &Buffer,
    range: std::ops::RangeInclusive<i64>,
    is_value: impl Fn(usize) -> bool,
) -> Option<usize> {
    let values = ScalarBuffer::<i64>::new(values.clone(), 0, rows);
    values.iter().enumerate().position(|(row, value)| !range.contains(value) && is_value(row))
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests;
