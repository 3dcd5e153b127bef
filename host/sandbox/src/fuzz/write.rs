//! `data.write`: buffers of every type, right and wrong.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::{DataType, Field, Schema};

use crate::bindings::forcepump::plugin::types as wit;
use crate::border::accept::{Parts, accept};
use crate::border::lend::lend;
use crate::border::{Access, Border, Column, Sheet};
use crate::fuzz::Choices;
use crate::limits::Limits;

/// The buffers of one column.
struct Given {
    rows: u32,
    validity: Option<Vec<u8>>,
    offsets: Vec<u8>,
    values: Vec<u8>,
}

impl Given {
    fn bytes(&self) -> usize {
        self.validity.as_ref().map_or(0, Vec::len) + self.offsets.len() + self.values.len()
    }

    fn parts(&self) -> Parts<'_> {
        Parts { validity: self.validity.as_deref(), offsets: &self.offsets, values: &self.values }
    }
}

/// Writes one column. What is accepted is valid by Arrow's own full validation, has the type and length that was asked
/// for, and can be read and written again without a change, whole and in part.
pub fn data_write(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let said = data_type(&mut choices);
    let mut border = border();
    // The width of a type that is refused does not matter.
    let assumed = border.admit(&said, 0).unwrap_or(DataType::Int32);
    let mut given = well_formed(&mut choices, &assumed);
    if choices.once_in(3) {
        damage(&mut choices, &mut given);
    }
    let Ok(data_type) = border.admit(&said, given.bytes()) else { return false };
    let known = |bytes: &[u8]| border.known_offsets(bytes);
    let Ok(array) = accept(&data_type, given.rows, given.parts(), &known) else { return false };
    array.to_data().validate_full().expect("what is accepted is valid");
    assert_eq!((array.len(), array.data_type()), (given.rows as usize, &data_type));
    assert_eq!(&again(&array), &array);
    let start = choices.below(array.len() + 1);
    let part = array.slice(start, choices.below(array.len() - start + 1));
    assert_eq!(&again(&part), &part);
    border.write(array).expect("there is room for one column");
    true
}

/// A border with a batch, whose offsets are known.
fn border() -> Border {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "", "é"]));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]));
    let mut border = Border::new(&Limits { output_bytes: 4 << 10, ..Limits::default() });
    let rows = text.len();
    border.begin(Sheet { schema, columns: vec![Column { array: text, access: Access::Open }], rows });
    border
}

/// The column as a guest that reads it would write it.
fn again(array: &ArrayRef) -> ArrayRef {
    let (validity, offsets, values) = lend(array).expect("a type of the contract").parts();
    let rows = u32::try_from(array.len()).expect("few rows");
    let given = Given { rows, validity, offsets, values };
    accept(array.data_type(), rows, given.parts(), &|_| None).expect("what was accepted once")
}

fn data_type(choices: &mut Choices<'_>) -> wit::DataType {
    use wit::{DataType as T, TimeUnit};
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    match choices.below(21) {
        0 => T::Utf8,
        1 => T::Int32,
        2 => T::Boolean,
        3 => T::Int64,
        4 => T::Float64,
        5 => T::Binary,
        6 => T::Date32,
        7 => T::Null,
        8 => T::Int8,
        9 => T::Int16,
        10 => T::Uint8,
        11 => T::Uint16,
        12 => T::Uint32,
        13 => T::Uint64,
        14 => T::Float32,
        15 | 16 => {
            let precision = u8::try_from(1 + choices.below(40)).unwrap_or(1);
            T::Decimal128(wit::DecimalShape { precision, scale: choices.pick(&[0, 2, 10, -3, 127]).unwrap_or(0) })
        }
        17 => T::Time64(units[2 + choices.below(2)]),
        18 | 19 => {
            let zone = choices.pick(&[None, Some("UTC"), Some("+02:00"), Some("Mars/Phobos")]).flatten();
            let unit = units[choices.below(4)];
            T::Timestamp(wit::TimestampShape { unit, zone: zone.map(str::to_owned) })
        }
        _ => T::Opaque("List".to_owned()),
    }
}

/// Buffers as a careful guest would make them, but for values that may be out of range.
fn well_formed(choices: &mut Choices<'_>, data_type: &DataType) -> Given {
    let rows = choices.below(20);
    let bitmap = |choices: &mut Choices<'_>| {
        let mut bits = choices.bytes(rows.div_ceil(8));
        if let Some(last) = bits.last_mut().filter(|_| !rows.is_multiple_of(8)) {
            *last &= (1 << (rows % 8)) - 1;
        }
        bits
    };
    let nulls = choices.below(3) == 1;
    let validity = match data_type {
        DataType::Null => nulls.then(|| vec![0; rows.div_ceil(8)]),
        _ => nulls.then(|| bitmap(choices)),
    };
    let (offsets, values) = match data_type {
        DataType::Null => (Vec::new(), Vec::new()),
        DataType::Boolean => (Vec::new(), bitmap(choices)),
        DataType::Utf8 | DataType::Binary => texts(choices, rows, data_type),
        other => (Vec::new(), numbers(choices, rows, other.primitive_width().unwrap_or(1))),
    };
    Given { rows: u32::try_from(rows).unwrap_or(0), validity, offsets, values }
}

fn texts(choices: &mut Choices<'_>, rows: usize, data_type: &DataType) -> (Vec<u8>, Vec<u8>) {
    let (mut offsets, mut values) = (0i32.to_le_bytes().to_vec(), Vec::new());
    for _ in 0..rows {
        let text = choices.pick(&["a", "", "é", "日本", "a longer text", "\0"]).unwrap_or_default();
        match data_type {
            DataType::Utf8 => values.extend_from_slice(text.as_bytes()),
            _ => values.extend(choices.bytes(text.len())),
        }
        offsets.extend_from_slice(&i32::try_from(values.len()).unwrap_or(0).to_le_bytes());
    }
    (offsets, values)
}

/// Mostly small ones, which every type holds.
fn numbers(choices: &mut Choices<'_>, rows: usize, width: usize) -> Vec<u8> {
    let wild = choices.once_in(4);
    (0..rows)
        .flat_map(|_| match wild {
            true => choices.bytes(width),
            false => {
                let mut value = vec![0; width];
                value[0] = u8::try_from(choices.below(10)).unwrap_or(0);
                value
            }
        })
        .collect()
}

fn damage(choices: &mut Choices<'_>, given: &mut Given) {
    let Given { rows, validity, offsets, values } = given;
    match choices.below(8) {
        0 => change(choices, values),
        1 => change(choices, offsets),
        2 => change(choices, validity.get_or_insert_default()),
        3 => *rows = rows.wrapping_add(1),
        4 => *rows = choices.pick(&[0, 1, 1 << 24, (1 << 24) + 1, u32::MAX]).unwrap_or(0),
        5 => *offsets = choices.bytes(offsets.len()),
        6 => values.extend(choices.bytes(1)),
        _ => drop(values.pop()),
    }
}

fn change(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let place = choices.below(bytes.len() + 1);
    match (bytes.get_mut(place), choices.below(3)) {
        (Some(byte), 0) => *byte ^= 1 << choices.below(8),
        (Some(byte), 1) => *byte = 0xff,
        (Some(_), _) => bytes.truncate(place),
        (None, _) => bytes.push(1),
    }
}
