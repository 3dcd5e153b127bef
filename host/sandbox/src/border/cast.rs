//! Host-side casts between the contract's types.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use forcepump_batch::ColumnText;

use crate::bindings::forcepump::plugin::data::OnCastError;
use crate::border::accept::check_array;
use crate::text::clean;

/// Bytes of an error text.
const MAX_TEXT_BYTES: usize = 512;

/// Casts a column. `tell` says whether an error may quote the value at fault.
pub fn cast(array: &ArrayRef, to: &DataType, on_error: OnCastError, tell: bool) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: on_error == OnCastError::Null, ..CastOptions::default() };
    let from = array.data_type().clone();
    let failed = |reason: &str| match tell {
        true => format!("{from} cannot be cast to {to}: {}", clean(reason, MAX_TEXT_BYTES)),
        false => format!("{from} cannot be cast to {to}"),
    };
    let target = by_offset_type(to);
    // The values are the guest's choice; a cast that panics on one is an error of the call.
    let cast = AssertUnwindSafe(|| match canonical_text(array, to) {
        Some(text) => text,
        None => cast_with_options(&by_offset(array), &target, &options),
    });
    let cast = catch_unwind(cast).map_err(|_| failed("the value is out of range"))?;
    let cast = cast.map_err(|error| failed(&error.to_string()))?;
    check_array(&cast).map_err(|error| failed(&error))?;
    Ok(if target == *to { cast } else { with_zone(&cast, to) })
}

/// The text that CSV, JSON and SQL have for the same value, so that a plugin sees no other. None when the cast is
/// not one to text, or from a type that is text or bytes already.
fn canonical_text(array: &ArrayRef, to: &DataType) -> Option<Result<ArrayRef, ArrowError>> {
    if *to != DataType::Utf8 || matches!(array.data_type(), DataType::Null | DataType::Utf8 | DataType::Binary) {
        return None;
    }
    let column = ColumnText::new(array).ok()?;
    let mut text = Vec::new();
    let mut lengths = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let start = text.len();
        if !column.is_null(row) {
            column.write(row, &mut text);
        }
        lengths.push(text.len() - start);
    }
    if i32::try_from(text.len()).is_err() {
        return Some(Err(ArrowError::OffsetOverflowError(text.len())));
    }
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
    let text = StringArray::try_new(offsets, Buffer::from_vec(text), array.nulls().cloned());
    Some(text.map(|text| Arc::new(text) as ArrayRef))
}

/// Flattens a large, view or dictionary column; others come back as they are.
pub fn flatten(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| error.to_string())
}

/// Arrow knows `UTC` by its offset only.
fn by_offset_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            DataType::Timestamp(*unit, Some("+00:00".into()))
        }
        other => other.clone(),
    }
}

fn by_offset(array: &ArrayRef) -> ArrayRef {
    let target = by_offset_type(array.data_type());
    if target == *array.data_type() { Arc::clone(array) } else { with_zone(array, &target) }
}

fn with_zone(array: &ArrayRef, to: &DataType) -> ArrayRef {
    let DataType::Timestamp(unit, zone) = to else { return Arc::clone(array) };
    let zone = zone.clone();
    match unit {
        TimeUnit::Second => Arc::new(array.as_primitive::<TimestampSecondType>().clone().with_timezone_opt(zone)),
        TimeUnit::Millisecond => {
            Arc::new(array.as_primitive::<TimestampMillisecondType>().clone().with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone_opt(zone))
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Decimal128Array, TimestampMicrosecondArray};

    use super::*;

    fn text(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string::<i32>().iter().collect()
    }

    #[test]
    fn decimals_become_text_with_all_digits() {
        let array = Decimal128Array::from(vec![Some(123_450), None]);
        let array: ArrayRef = Arc::new(array.with_precision_and_scale(18, 4).expect("fits"));
        let cast = cast(&array, &DataType::Utf8, OnCastError::Fail, true).expect("casts");
        assert_eq!(text(&cast), [Some("12.3450"), None]);
    }

    #[test]
    fn instants_in_utc_become_text_and_come_back() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let array = TimestampMicrosecondArray::from(vec![1_713_294_000_000_000]);
        let array: ArrayRef = Arc::new(array.with_timezone("UTC"));
        let there = cast(&array, &DataType::Utf8, OnCastError::Fail, true).expect("casts");
        assert_eq!(text(&there), [Some("2024-04-16T19:00:00.000Z")]);
        let back = cast(&there, &utc, OnCastError::Fail, true).expect("casts");
        assert_eq!(&back, &array);
    }

    #[test]
    fn a_bad_value_is_null_or_an_error_that_keeps_quiet_when_told_to() {
        let array: ArrayRef = Arc::new(StringArray::from(vec!["7", "secret"]));
        let cast_as = |on_error, tell| cast(&array, &DataType::Int32, on_error, tell);
        assert_eq!(cast_as(OnCastError::Null, true).expect("casts").null_count(), 1);
        assert!(cast_as(OnCastError::Fail, true).expect_err("fails").contains("secret"));
        assert!(!cast_as(OnCastError::Fail, false).expect_err("fails").contains("secret"));
    }
}
