//! Constant columns: a JSON value and perhaps a type make a typed value.

use forcepump_plugin_sdk::decimal::parse_decimal;
use forcepump_plugin_sdk::{DataType, Value, calendar};
use serde_json::Value as Json;

/// Digits of a decimal constant's type.
const DECIMAL_PRECISION: u8 = 38;

/// Type and value of a constant, or what is wrong with it.
pub(crate) fn typed(value: &Json, kind: Option<&str>) -> Result<(DataType, Value), String> {
    let kind = kind.unwrap_or_else(|| natural(value));
    let data_type = data_type(kind, value)?;
    if value.is_null() {
        return Ok((data_type, Value::Null));
    }
    let typed = convert(kind, value).ok_or_else(|| format!("{value} is no {kind}; {}", expected(kind)))?;
    Ok((data_type, typed))
}

fn natural(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_i64() => "long",
        Json::Number(_) => "double",
        _ => "text",
    }
}

fn data_type(kind: &str, value: &Json) -> Result<DataType, String> {
    Ok(match kind {
        "text" => DataType::Utf8,
        "boolean" => DataType::Boolean,
        "int" => DataType::Int32,
        "long" => DataType::Int64,
        "double" => DataType::Float64,
        "decimal" => DataType::decimal(DECIMAL_PRECISION, scale_of(value)),
        "date" => DataType::Date32,
        "datetime" => DataType::timestamp_utc(),
        other => {
            return Err(format!(
                "unknown type \"{other}\"; expected text, boolean, int, long, double, decimal, date or datetime"
            ));
        }
    })
}

fn convert(kind: &str, value: &Json) -> Option<Value> {
    match kind {
        "text" => value.as_str().map(|text| Value::Text(text.to_owned())),
        "boolean" => value.as_bool().map(Value::Boolean),
        "int" => value.as_i64().filter(|whole| i32::try_from(*whole).is_ok()).map(Value::Int),
        "long" => value.as_i64().map(Value::Int),
        "double" => value.as_f64().map(Value::Float),
        "decimal" => {
            let text = decimal_text(value);
            parse_decimal(&text, scale_of(value)).map(|_| Value::Decimal(text))
        }
        "date" => value.as_str().and_then(calendar::parse_date).map(Value::Date),
        "datetime" => value.as_str().and_then(calendar::parse_datetime).map(Value::Timestamp),
        _ => None,
    }
}

fn expected(kind: &str) -> &'static str {
    match kind {
        "text" => "put it in quotes",
        "boolean" => "expected true or false",
        "int" => "expected a whole number of 32 bits",
        "long" => "expected a whole number of 64 bits",
        "double" => "expected a number",
        "decimal" => "expected a text such as \"12.50\"",
        "date" => "expected a text such as \"2024-01-31\"",
        _ => "expected a text such as \"2024-01-31T12:00:00Z\"",
    }
}

fn decimal_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// As many digits behind the point as the constant has.
fn scale_of(value: &Json) -> i8 {
    let text = decimal_text(value);
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    i8::try_from(digits).unwrap_or(i8::MAX)
}
