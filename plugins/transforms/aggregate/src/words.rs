//! A group in words, for errors that name it.

use forcepump_plugin_sdk::{DataType, TimeUnit, calendar, decimal};
use forcepump_transform_common::KeyColumns;

/// Characters of one value that are shown.
const SHOWN_CHARS: usize = 60;

/// `Industry = "Energy", Year = 2024`; "all rows" where there is one group only.
pub fn group(columns: &KeyColumns, key: &[u8]) -> String {
    let values = columns.values(key);
    let named = columns.fields().zip(values);
    let words: Vec<String> =
        named.map(|(field, bytes)| format!("{} = {}", field.name, value(&field.data_type, bytes))).collect();
    if words.is_empty() { "of all rows".to_owned() } else { words.join(", ") }
}

fn value(data_type: &DataType, bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let signed = || {
        let mut word = [if bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 }; 16];
        let len = bytes.len().min(16);
        word[..len].copy_from_slice(&bytes[..len]);
        i128::from_le_bytes(word)
    };
    match data_type {
        DataType::Utf8 => format!("{:?}", String::from_utf8_lossy(bytes).chars().take(SHOWN_CHARS).collect::<String>()),
        DataType::Boolean => (bytes == [1]).to_string(),
        DataType::Decimal128(shape) => decimal::format_decimal(signed(), shape.scale),
        DataType::Date32 => i32::try_from(signed()).map(calendar::format_date).unwrap_or_default(),
        DataType::Timestamp(shape) if shape.unit == TimeUnit::Microsecond => {
            i64::try_from(signed()).map(calendar::format_datetime).unwrap_or_default()
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => signed().to_string(),
        other => format!("a value of type {}", other.describe()),
    }
}
