//! The one canonical text of every value, shared by CSV, JSON and SQL.
//!
//! | Arrow type | text |
//! |---|---|
//! | text | itself |
//! | boolean | `true`, `false` |
//! | integers | digits |
//! | decimal | all its decimal places, never an exponent |
//! | float | the shortest text that is read back as the same number; `NaN`, `inf`, `-inf` |
//! | date | `2024-04-16` |
//! | time | `19:00:00.000`, six or nine places when the value needs them |
//! | timestamp with a zone | `2024-04-16T19:00:00.000Z`, in UTC, places as for time |
//! | timestamp without a zone | the same without `Z` |
//! | binary | base64 with padding |

use crate::calendar::{SECONDS_PER_DAY, write_date, write_datetime, write_time};
use crate::number::write_decimal;
use arrow_array::cast::AsArray;
use arrow_array::types as t;
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A column whose type has no canonical text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a column of the type {data_type} has no text form; cast it to a plain type first")]
pub struct TextError {
    /// The column's type.
    pub data_type: DataType,
}

/// How a value stands in a format that has bare words, such as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// `null`, whatever the row.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number; floats can still be `NaN` or infinite, which JSON has no word for.
    Number,
    /// Dates, times, timestamps and base64: text without quotes, backslashes or control characters.
    PlainText,
    /// Text that needs escaping.
    Text,
}

/// Writes the values of one column; its type is resolved once.
pub struct ColumnText<'a> {
    array: &'a dyn Array,
    kind: TextKind,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Utf8(&'a arrow_array::StringArray),
    LargeUtf8(&'a arrow_array::LargeStringArray),
    Utf8View(&'a arrow_array::StringViewArray),
    Binary(&'a arrow_array::BinaryArray),
    LargeBinary(&'a arrow_array::LargeBinaryArray),
    Boolean(&'a arrow_array::BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal(&'a [i128], i8),
    Date32(&'a [i32]),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Timestamp(&'a [i64], TimeUnit, bool),
}

impl<'a> ColumnText<'a> {
    /// Resolves the type of `array`.
    ///
    /// # Errors
    /// When the type is none of the table of this module.
    pub fn new(array: &'a dyn Array) -> Result<Self, TextError> {
        let unsupported = || TextError { data_type: array.data_type().clone() };
        let values = values_of(array).ok_or_else(unsupported)?;
        let kind = match values {
            Values::Null => TextKind::Null,
            Values::Boolean(_) => TextKind::Boolean,
            Values::Utf8(_) | Values::LargeUtf8(_) | Values::Utf8View(_) => TextKind::Text,
            Values::Binary(_)
            | Values::LargeBinary(_)
            | Values::Date32(_)
            | Values::Time32(..)
            | Values::Time64(..)
            | Values::Timestamp(..) => TextKind::PlainText,
            _ => TextKind::Number,
        };
        Ok(Self { array, kind, values })
    }

    /// How the column's values stand in a format that has bare words.
    pub fn kind(&self) -> TextKind {
        self.kind
    }

    /// Whether `row` is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.kind == TextKind::Null || self.array.is_null(row)
    }

    /// The text of `row` without a copy, for columns of the kind [`TextKind::Text`].
    #[inline]
    pub fn as_str(&self, row: usize) -> Option<&'a str> {
        match &self.values {
            Values::Utf8(array) => Some(array.value(row)),
            Values::LargeUtf8(array) => Some(array.value(row)),
            Values::Utf8View(array) => Some(array.value(row)),
            _ => None,
        }
    }

    /// Appends the text of `row`; what a null row appends means nothing.
    ///
    /// # Panics
    /// When `row` lies outside of the array.
    #[inline]
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Null => {}
            Values::Utf8(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::LargeUtf8(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::Utf8View(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::Binary(array) => write_base64(array.value(row), out),
            Values::LargeBinary(array) => write_base64(array.value(row), out),
            Values::Boolean(array) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
            }
            Values::Int8(values) => write_integer(values[row], out),
            Values::Int16(values) => write_integer(values[row], out),
            Values::Int32(values) => write_integer(values[row], out),
            Values::Int64(values) => write_integer(values[row], out),
            Values::UInt8(values) => write_integer(values[row], out),
            Values::UInt16(values) => write_integer(values[row], out),
            Values::UInt32(values) => write_integer(values[row], out),
            Values::UInt64(values) => write_integer(values[row], out),
            Values::Float32(values) => write_debug(values[row], out),
            Values::Float64(values) => write_debug(values[row], out),
            Values::Decimal(values, scale) => write_decimal(values[row], *scale, out),
            Values::Date32(values) => write_date(i64::from(values[row]), out),
            Values::Time32(values, unit) => write_clock(i64::from(values[row]), *unit, out),
            Values::Time64(values, unit) => write_clock(values[row], *unit, out),
            Values::Timestamp(values, unit, zoned) => {
                let (seconds, nanos) = split(values[row], *unit);
                write_datetime(seconds, nanos, out);
                if *zoned {
                    out.push(b'Z');
                }
            }
        }
    }
}

/// Appends the text of one value; a null appends nothing. For whole columns [`ColumnText`] is faster.
///
/// # Errors
/// When the type is none of the table of this module.
pub fn write_value(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), TextError> {
    let column = ColumnText::new(array)?;
    if !column.is_null(row) {
        column.write(row, out);
    }
    Ok(())
}

fn values_of(array: &dyn Array) -> Option<Values<'_>> {
    Some(match array.data_type() {
        DataType::Null => Values::Null,
        DataType::Utf8 => Values::Utf8(array.as_string_opt()?),
        DataType::LargeUtf8 => Values::LargeUtf8(array.as_string_opt()?),
        DataType::Utf8View => Values::Utf8View(array.as_string_view_opt()?),
        DataType::Binary => Values::Binary(array.as_binary_opt()?),
        DataType::LargeBinary => Values::LargeBinary(array.as_binary_opt()?),
        DataType::Boolean => Values::Boolean(array.as_boolean_opt()?),
        DataType::Int8 => Values::Int8(slice::<t::Int8Type>(array)?),
        DataType::Int16 => Values::Int16(slice::<t::Int16Type>(array)?),
        DataType::Int32 => Values::Int32(slice::<t::Int32Type>(array)?),
        DataType::Int64 => Values::Int64(slice::<t::Int64Type>(array)?),
        DataType::UInt8 => Values::UInt8(slice::<t::UInt8Type>(array)?),
        DataType::UInt16 => Values::UInt16(slice::<t::UInt16Type>(array)?),
        DataType::UInt32 => Values::UInt32(slice::<t::UInt32Type>(array)?),
        DataType::UInt64 => Values::UInt64(slice::<t::UInt64Type>(array)?),
        DataType::Float32 => Values::Float32(slice::<t::Float32Type>(array)?),
        DataType::Float64 => Values::Float64(slice::<t::Float64Type>(array)?),
        DataType::Decimal128(_, scale) => Values::Decimal(slice::<t::Decimal128Type>(array)?, *scale),
        DataType::Date32 => Values::Date32(slice::<t::Date32Type>(array)?),
        other => return temporal_of(array, other),
    })
}

fn temporal_of<'a>(array: &'a dyn Array, data_type: &DataType) -> Option<Values<'a>> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    Some(match data_type {
        DataType::Time32(Second) => Values::Time32(slice::<t::Time32SecondType>(array)?, Second),
        DataType::Time32(Millisecond) => Values::Time32(slice::<t::Time32MillisecondType>(array)?, Millisecond),
        DataType::Time64(Microsecond) => Values::Time64(slice::<t::Time64MicrosecondType>(array)?, Microsecond),
        DataType::Time64(Nanosecond) => Values::Time64(slice::<t::Time64NanosecondType>(array)?, Nanosecond),
        DataType::Timestamp(unit, zone) => {
            let values = match unit {
                Second => slice::<t::TimestampSecondType>(array)?,
                Millisecond => slice::<t::TimestampMillisecondType>(array)?,
                Microsecond => slice::<t::TimestampMicrosecondType>(array)?,
                Nanosecond => slice::<t::TimestampNanosecondType>(array)?,
            };
            Values::Timestamp(values, *unit, zone.is_some())
        }
        _ => return None,
    })
}

fn slice<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&[T::Native]> {
    let array: &PrimitiveArray<T> = array.as_primitive_opt()?;
    Some(array.values())
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_debug(value: impl std::fmt::Debug, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value:?}");
}

fn write_base64(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(value).as_bytes());
}

/// Whole seconds and nanoseconds of a count of `unit`.
fn split(value: i64, unit: TimeUnit) -> (i64, u32) {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    };
    let nanos = value.rem_euclid(per_second) * (NANOS_PER_SECOND / per_second);
    (value.div_euclid(per_second), nanos as u32)
}

/// A time of day; one outside of the day, which Arrow does not forbid, is taken modulo the day.
fn write_clock(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let (seconds, nanos) = split(value, unit);
    write_time(seconds.rem_euclid(SECONDS_PER_DAY) as u32, nanos, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array as a;

    fn text(array: &dyn Array, row: usize) -> String {
        let mut out = Vec::new();
        write_value(array, row, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_show_all_places() {
        let decimal = |value: i128, precision, scale| {
            let array = a::Decimal128Array::from(vec![value]);
            text(&array.with_precision_and_scale(precision, scale).unwrap(), 0)
        };
        for (value, scale, expected) in
            [(1_250, 2, "12.50"), (-5, 2, "-0.05"), (0, 3, "0.000"), (7, 0, "7"), (-12, -2, "-1200"), (0, -2, "0")]
        {
            assert_eq!(decimal(value, 18, scale), expected);
        }
        assert_eq!(decimal(1, 38, 38), format!("0.{}1", "0".repeat(37)));
    }

    #[test]
    fn instants_show_the_places_they_need() {
        let micros = a::TimestampMicrosecondArray::from(vec![1_713_294_000_000_000, -1]);
        assert_eq!(text(&micros, 0), "2024-04-16T19:00:00.000");
        let micros = micros.with_timezone("+02:00");
        assert_eq!(text(&micros, 0), "2024-04-16T19:00:00.000Z");
        assert_eq!(text(&micros, 1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(text(&a::TimestampNanosecondArray::from(vec![1]), 0), "1970-01-01T00:00:00.000000001");
        for value in [i64::MIN, i64::MAX] {
            assert!(!text(&a::TimestampSecondArray::from(vec![value]), 0).is_empty());
            assert!(!text(&a::Time64NanosecondArray::from(vec![value]), 0).is_empty());
        }
        for value in [i32::MIN, i32::MAX] {
            assert!(!text(&a::Date32Array::from(vec![value]), 0).is_empty());
        }
    }

    #[test]
    fn nulls_have_no_text_and_odd_types_no_form() {
        assert_eq!(text(&a::Int32Array::from(vec![None]), 0), "");
        assert_eq!(text(&a::NullArray::new(1), 0), "");
        let dictionary: a::DictionaryArray<t::Int8Type> = ["x"].into_iter().collect();
        assert!(ColumnText::new(&dictionary).is_err());
    }

    #[test]
    fn kinds_tell_what_needs_escaping() {
        let kind = |array: &dyn Array| ColumnText::new(array).unwrap().kind();
        assert_eq!(kind(&a::StringArray::from(vec!["\""])), TextKind::Text);
        assert_eq!(kind(&a::Date32Array::from(vec![0])), TextKind::PlainText);
        assert_eq!(kind(&a::Float64Array::from(vec![0.5])), TextKind::Number);
        assert_eq!(kind(&a::BooleanArray::from(vec![true])), TextKind::Boolean);
    }
}
