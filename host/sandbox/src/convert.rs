//! Values, rejects and errors of the contract, checked on the way in.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::parse::parse_decimal;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use forcepump_batch::RowReject;

use crate::bindings::forcepump::plugin::types as wit;
use crate::error::{ConfigProblem, PluginError};
use crate::limits::{MAX_CODE_BYTES, MAX_ERROR_TEXT_BYTES, MAX_REASON_BYTES};
use crate::provider::Value;
use crate::text::clean;

/// Config problems that one error may list.
const MAX_PROBLEMS: usize = 100;
/// Digits of a decimal's text, sign and point included, with room for zeros.
const MAX_DECIMAL_BYTES: usize = 128;

/// A cell that a guest gives; the error is the broken rule.
pub fn value_from_wit(value: wit::Value) -> Result<Value, String> {
    Ok(match value {
        wit::Value::Null => Value::Null,
        wit::Value::Boolean(value) => Value::Boolean(value),
        wit::Value::Int(value) => Value::Int(value),
        wit::Value::Float(value) => Value::Float(value),
        wit::Value::Text(value) => Value::Text(value),
        wit::Value::Bytes(value) => Value::Bytes(value),
        wit::Value::Decimal(text) if is_decimal(&text) => Value::Decimal(text),
        wit::Value::Decimal(text) => {
            return Err(format!("`{}` is no decimal such as 12.50", clean(&text, MAX_DECIMAL_BYTES)));
        }
        wit::Value::Date(days) => Value::Date(days),
        wit::Value::Timestamp(micros) => Value::Timestamp(micros),
    })
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_DECIMAL_BYTES && digits(whole) && digits(fraction)
}

/// One row of a constant column; the error is the broken rule.
pub fn constant(value: wit::Value, to: &DataType) -> Result<ArrayRef, String> {
    let array: ArrayRef = match value_from_wit(value)? {
        Value::Null => return Ok(new_null_array(to, 1)),
        Value::Boolean(value) => Arc::new(BooleanArray::from(vec![value])),
        Value::Int(value) => Arc::new(Int64Array::from(vec![value])),
        Value::Float(value) => Arc::new(Float64Array::from(vec![value])),
        Value::Text(value) => Arc::new(StringArray::from(vec![value])),
        Value::Bytes(value) => Arc::new(BinaryArray::from(vec![value.as_slice()])),
        Value::Decimal(text) => return decimal_constant(&text, to),
        Value::Date(days) => Arc::new(Date32Array::from(vec![days])),
        Value::Timestamp(micros) => {
            let zone = match to {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone_opt(zone))
        }
    };
    if !fits(array.data_type(), to) {
        return Err(format!("a constant of type {} does not fit {to}", array.data_type()));
    }
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(&array, to, &exact).map_err(|error| clean(&error.to_string(), 512))?;
    crate::border::accept::check_array(&array)?;
    Ok(array)
}

/// Which constants may become which types, without a change of meaning.
fn fits(from: &DataType, to: &DataType) -> bool {
    match from {
        DataType::Int64 => to.is_integer() || to.is_floating(),
        DataType::Float64 => to.is_floating(),
        DataType::Timestamp(..) => matches!(to, DataType::Timestamp(..)),
        other => other == to,
    }
}

fn decimal_constant(text: &str, to: &DataType) -> Result<ArrayRef, String> {
    let DataType::Decimal128(precision, scale) = *to else {
        return Err(format!("a decimal constant does not fit {to}"));
    };
    let places = text.split_once('.').map_or(0, |(_, places)| places.trim_end_matches('0').len());
    if places > usize::try_from(scale).unwrap_or(0) || scale < 0 {
        return Err(format!("the constant {text} has more decimals than {to} holds"));
    }
    let value = parse_decimal::<Decimal128Type>(text, precision, scale);
    let value = value.map_err(|_| format!("the constant {text} does not fit {to}"))?;
    let array = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale);
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|error| error.to_string())
}

/// The rejects of a driver, as the guest gets them.
pub fn rejects_to_wit(rejects: Vec<RowReject>) -> Vec<wit::Reject> {
    rejects
        .into_iter()
        .map(|RowReject { row, code, reason, column }| wit::Reject { row, code, reason, column })
        .collect()
}

/// Rejects that a guest gives: rows in range and not twice, codes well formed, reasons cut.
pub fn rejects_from_wit(rejects: Vec<wit::Reject>, rows: usize, columns: usize) -> Result<Vec<RowReject>, String> {
    if rejects.len() > rows {
        return Err(format!("{} rejects are given for {rows} rows", rejects.len()));
    }
    let mut seen = HashSet::with_capacity(rejects.len());
    rejects
        .into_iter()
        .map(|reject| {
            if !seen.insert(reject.row) {
                return Err(format!("row {} is rejected twice", reject.row));
            }
            reject_from_wit(reject, rows, columns)
        })
        .collect()
}

fn reject_from_wit(reject: wit::Reject, rows: usize, columns: usize) -> Result<RowReject, String> {
    let wit::Reject { row, code, reason, column } = reject;
    if row as usize >= rows {
        return Err(format!("row {row} is rejected, the batch has {rows} rows"));
    }
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if code.is_empty() || code.len() > MAX_CODE_BYTES || !code.bytes().all(word) {
        let code = clean(&code, MAX_CODE_BYTES);
        return Err(format!("the reject code `{code}` does not match [a-z0-9_]{{1,{MAX_CODE_BYTES}}}"));
    }
    if let Some(column) = column.filter(|column| *column as usize >= columns) {
        return Err(format!("a reject names column {column}, the batch has {columns}"));
    }
    Ok(RowReject { row, code, reason: clean(&reason, MAX_REASON_BYTES), column })
}

/// What a plugin says went wrong, cut and stripped.
pub fn plugin_error(error: wit::PluginError) -> PluginError {
    let cut = |text: String| clean(&text, MAX_ERROR_TEXT_BYTES);
    match error {
        wit::PluginError::Config(problems) => {
            let problems = problems.into_iter().take(MAX_PROBLEMS);
            PluginError::Config(
                problems
                    .map(|wit::ConfigProblem { pointer, message }| ConfigProblem {
                        pointer: cut(pointer),
                        message: cut(message),
                    })
                    .collect(),
            )
        }
        wit::PluginError::Schema(text) => PluginError::Schema(cut(text)),
        wit::PluginError::Data(text) => PluginError::Data(cut(text)),
        wit::PluginError::Retryable(wit::RetryAdvice { after_ms, reason }) => {
            PluginError::Retryable { after_ms, reason: cut(reason) }
        }
        wit::PluginError::Fatal(text) => PluginError::Fatal(cut(text)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    fn reject(row: u32, code: &str) -> wit::Reject {
        wit::Reject { row, code: code.into(), reason: "no\n\u{1b}good".into(), column: None }
    }

    #[test]
    fn rejects_keep_to_the_rules() {
        let good = rejects_from_wit(vec![reject(1, "bad_value")], 2, 1).expect("good");
        assert_eq!(good[0].reason, "no good");
        for (rejects, rule) in [
            (vec![reject(2, "a")], "row 2 is rejected, the batch has 2 rows"),
            (vec![reject(0, "a"), reject(0, "a")], "row 0 is rejected twice"),
            (vec![reject(0, "")], "the reject code `` does not match [a-z0-9_]{1,48}"),
            (vec![reject(0, "Bad")], "the reject code `Bad` does not match [a-z0-9_]{1,48}"),
            (vec![reject(0, "a"), reject(1, "a"), reject(1, "a")], "3 rejects are given for 2 rows"),
        ] {
            assert_eq!(rejects_from_wit(rejects, 2, 1).expect_err("refused"), rule);
        }
    }

    #[test]
    fn constants_fit_exactly_or_not_at_all() {
        let decimal = |text: &str| constant(wit::Value::Decimal(text.into()), &DataType::Decimal128(5, 2));
        assert_eq!(decimal("12.50").expect("fits").as_primitive::<Decimal128Type>().value(0), 1250);
        assert_eq!(decimal("-0.500").expect("fits").as_primitive::<Decimal128Type>().value(0), -50);
        assert!(decimal("12.505").is_err());
        assert!(decimal("12345.00").is_err());
        assert!(decimal("1e3").is_err());
        assert!(constant(wit::Value::Int(300), &DataType::Int8).is_err());
        assert!(constant(wit::Value::Text("x".into()), &DataType::Int8).is_err());
        assert!(constant(wit::Value::Date(i32::MAX), &DataType::Date32).is_err());
        assert_eq!(constant(wit::Value::Null, &DataType::Utf8).expect("fits").null_count(), 1);
    }
}
