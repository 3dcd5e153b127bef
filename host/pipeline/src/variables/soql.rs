//! Values as SOQL literals (SOQL and SOSL reference, "Date Formats", "Quoted String Escape Sequences").

use chrono::{DateTime, NaiveDate};
use rusqlite::types::Value;

/// The value as it stands outside quotes; what it is, is told by the value: a number, a moment, a date, true or false,
/// else text in quotes.
pub(super) fn literal(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Err(
            "is NULL, which no condition compares with\nhint: give a fall-back: COALESCE(…, '1900-01-01T00:00:00Z')"
                .to_owned(),
        ),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Real(number) if number.is_finite() => Ok(format!("{number:?}")),
        Value::Text(text) => match unquoted(text) {
            Some(literal) => Ok(literal),
            None => Ok(format!("'{}'", escaped(text)?)),
        },
        Value::Real(_) | Value::Blob(_) => Err("is no value that SOQL can write".to_owned()),
    }
}

/// The value as it stands inside quotes that are there already.
pub(super) fn inside(value: &Value) -> Result<String, String> {
    match text(value) {
        Some(text) => escaped(&text),
        None => Err("is NULL\nhint: give a fall-back: COALESCE(…, '')".to_owned()),
    }
}

/// The value as text; none for NULL.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(format!("{number:?}")),
        Value::Text(text) => Some(text.clone()),
        Value::Blob(bytes) => Some(format!("{} bytes", bytes.len())),
    }
}

/// Moments, dates and truth values stand without quotes. A moment as databases write it (`2024-06-10 06:13:20`) is UTC.
fn unquoted(text: &str) -> Option<String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc().to_rfc3339_opts(fraction(text), true));
    }
    let databases = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let naive = databases.iter().find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok());
    if let Some(moment) = naive {
        return Some(moment.and_utc().to_rfc3339_opts(fraction(text), true));
    }
    let is_date = text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let is_truth = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    (is_date || is_truth).then(|| text.to_owned())
}

/// SOQL knows milliseconds at most.
fn fraction(text: &str) -> chrono::SecondsFormat {
    if text.contains('.') { chrono::SecondsFormat::Millis } else { chrono::SecondsFormat::Secs }
}

fn escaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                return Err(format!(
                    "holds the control character {}, which SOQL cannot write",
                    control.escape_default()
                ));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_says_how_it_is_written() {
        for (value, expected) in [
            ("2024-06-10T06:13:20.123Z", "2024-06-10T06:13:20.123Z"),
            ("2024-06-10T08:13:20+02:00", "2024-06-10T06:13:20Z"),
            ("2024-06-10 06:13:20.123456", "2024-06-10T06:13:20.123Z"),
            ("2024-06-10", "2024-06-10"),
            ("2024-13-40", "'2024-13-40'"),
            ("TRUE", "TRUE"),
            ("a'b\\", r"'a\'b\\'"),
            ("12", "'12'"),
        ] {
            assert_eq!(literal(&Value::Text(value.into())).unwrap(), expected);
        }
        assert_eq!(literal(&Value::Real(0.5)).unwrap(), "0.5");
        assert_eq!(literal(&Value::Integer(-3)).unwrap(), "-3");
        assert!(literal(&Value::Text("a\0b".into())).is_err());
    }
}
