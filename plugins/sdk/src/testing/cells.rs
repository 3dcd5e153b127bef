//! Between a column's buffers and its cells.

use crate::column::{OFFSET_WIDTH, Primitive};
use crate::decimal::{format_decimal, parse_decimal};
use crate::{Bitmap, Buffers, DataType, Value, calendar};

/// The buffers that a guest would get for `cells`.
pub(super) fn encode(data_type: &DataType, cells: &[Value]) -> Buffers {
    let valid = Bitmap::from_fn(cells.len(), |row| cells[row] != Value::Null);
    let mut parts = Buffers { validity: None, offsets: Vec::new(), values: Vec::new() };
    match data_type {
        DataType::Null => return parts,
        DataType::Boolean => {
            parts.values = Bitmap::from_fn(cells.len(), |row| cells[row] == Value::Boolean(true)).into_bytes();
        }
        DataType::Utf8 | DataType::Binary => {
            parts.offsets.extend_from_slice(&0u32.to_le_bytes());
            for cell in cells {
                parts.values.extend_from_slice(bytes_of(cell));
                parts.offsets.extend_from_slice(&(parts.values.len() as u32).to_le_bytes());
            }
        }
        fixed => cells.iter().for_each(|cell| encode_fixed(fixed, cell, &mut parts.values)),
    }
    if !valid.is_full() {
        parts.validity = Some(valid.into_bytes());
    }
    parts
}

fn bytes_of(cell: &Value) -> &[u8] {
    match cell {
        Value::Text(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => &[],
    }
}

fn encode_fixed(data_type: &DataType, cell: &Value, out: &mut Vec<u8>) {
    let whole = match (data_type, cell) {
        (DataType::Float32, Value::Float(value)) => {
            return out.extend_from_slice(&(*value as f32).to_le_bytes());
        }
        (DataType::Float64, Value::Float(value)) => {
            return out.extend_from_slice(&value.to_le_bytes());
        }
        (DataType::Decimal128(shape), Value::Decimal(text)) => parse_decimal(text, shape.scale).unwrap_or_default(),
        (_, Value::Date(day)) => i128::from(*day),
        (_, Value::Int(value) | Value::Timestamp(value)) => i128::from(*value),
        _ => 0,
    };
    out.extend_from_slice(&whole.to_le_bytes()[..width(data_type)]);
}

/// Bytes of one value of a fixed-width type.
fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Int8 | DataType::Uint8 => 1,
        DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int32 | DataType::Uint32 | DataType::Float32 | DataType::Date32 => 4,
        DataType::Decimal128(_) => 16,
        _ => 8,
    }
}

/// The cells that a guest's buffers stand for, or the rule of `data.write` that they break.
pub(super) fn decode(data_type: &DataType, rows: usize, parts: &Buffers) -> Result<Vec<Value>, String> {
    let valid = match &parts.validity {
        Some(bytes) => checked_bitmap("validity", bytes, rows)?,
        None => Bitmap::filled(rows, true),
    };
    let cells: Vec<Value> = match data_type {
        DataType::Null => vec![Value::Null; rows],
        DataType::Boolean => {
            let bits = checked_bitmap("values", &parts.values, rows)?;
            (0..rows).map(|row| Value::Boolean(bits.get(row))).collect()
        }
        DataType::Utf8 | DataType::Binary => decode_blocks(data_type, rows, parts)?,
        DataType::Opaque(name) => return Err(format!("a column of type {name} cannot be written")),
        fixed => {
            exact("values", parts.values.len(), rows * width(fixed))?;
            parts.values.chunks_exact(width(fixed)).map(|bytes| decode_fixed(fixed, bytes)).collect()
        }
    };
    Ok(cells.into_iter().enumerate().map(|(row, cell)| if valid.get(row) { cell } else { Value::Null }).collect())
}

fn exact(what: &str, found: usize, expected: usize) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} has {found} bytes, expected {expected}")) }
}

fn checked_bitmap(what: &str, bytes: &[u8], rows: usize) -> Result<Bitmap, String> {
    exact(what, bytes.len(), rows.div_ceil(8))?;
    let bitmap = Bitmap::from_bytes(bytes.to_vec(), rows);
    if bitmap.as_bytes() != bytes {
        return Err(format!("{what} has bits set behind the last row"));
    }
    Ok(bitmap)
}

fn decode_blocks(data_type: &DataType, rows: usize, parts: &Buffers) -> Result<Vec<Value>, String> {
    exact("offsets", parts.offsets.len(), (rows + 1) * OFFSET_WIDTH)?;
    let offsets: Vec<usize> =
        parts.offsets.chunks_exact(OFFSET_WIDTH).map(|bytes| <i32 as Primitive>::from_le(bytes) as usize).collect();
    if offsets.first() != Some(&0) || offsets.last() != Some(&parts.values.len()) {
        return Err("offsets do not run from 0 to the length of the values".to_owned());
    }
    let mut cells = Vec::with_capacity(rows);
    for pair in offsets.windows(2) {
        let bytes = parts.values.get(pair[0]..pair[1]).ok_or("offsets run backwards")?;
        cells.push(match data_type {
            DataType::Binary => Value::Bytes(bytes.to_vec()),
            _ => Value::Text(String::from_utf8(bytes.to_vec()).map_err(|_| "values are not UTF-8")?),
        });
    }
    Ok(cells)
}

fn decode_fixed(data_type: &DataType, bytes: &[u8]) -> Value {
    match data_type {
        DataType::Float32 => Value::Float(f64::from(<f32 as Primitive>::from_le(bytes))),
        DataType::Float64 => Value::Float(<f64 as Primitive>::from_le(bytes)),
        DataType::Decimal128(shape) => Value::Decimal(format_decimal(<i128 as Primitive>::from_le(bytes), shape.scale)),
        DataType::Date32 => Value::Date(<i32 as Primitive>::from_le(bytes)),
        DataType::Timestamp(_) => Value::Timestamp(<i64 as Primitive>::from_le(bytes)),
        DataType::Int8 => Value::Int(<i8 as Primitive>::from_le(bytes).into()),
        DataType::Int16 => Value::Int(<i16 as Primitive>::from_le(bytes).into()),
        DataType::Int32 => Value::Int(<i32 as Primitive>::from_le(bytes).into()),
        DataType::Uint8 => Value::Int(<u8 as Primitive>::from_le(bytes).into()),
        DataType::Uint16 => Value::Int(<u16 as Primitive>::from_le(bytes).into()),
        DataType::Uint32 => Value::Int(<u32 as Primitive>::from_le(bytes).into()),
        _ => Value::Int(<i64 as Primitive>::from_le(bytes)),
    }
}

/// A cell as people read it; none for null.
pub(super) fn text(cell: &Value) -> Option<String> {
    Some(match cell {
        Value::Null => return None,
        Value::Boolean(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) | Value::Decimal(text) => text.clone(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::Date(day) => calendar::format_date(*day),
        Value::Timestamp(micros) => calendar::format_datetime(*micros),
    })
}
