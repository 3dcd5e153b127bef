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
        // Without an exponent, which SOQL may not know.
        Value::Real(number) if number.is_finite() => Ok(number.to_string()),
        Value::Text(text) => match unquoted(text) {
            Some(literal) => Ok(literal),
            None => Ok(format!("'{}'", escaped(text)?)),
        },
        Value::Real(_) | Value::Blob(_) => Err("is no value that SOQL can write".to_owned()),
    }
}

/// Whether what comes next is a list: the text so far ends with the word `IN`, `INCLUDES` or `EXCLUDES`.
pub(super) fn wants_list(before: &str) -> bool {
    let trimmed = before.trim_end();
    let word = trimmed.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next().unwrap_or_default();
    trimmed.len() < before.len() && ["IN", "INCLUDES", "EXCLUDES"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The value as a list in brackets: the elements of a JSON array, as `json_array(…)` makes it, or the one value.
pub(super) fn list(value: &Value) -> Result<String, String> {
    let elements = match value {
        Value::Text(text) if text.starts_with('[') => serde_json::from_str::<Vec<serde_json::Value>>(text).ok(),
        _ => None,
    };
    let Some(elements) = elements else { return Ok(format!("({})", literal(value)?)) };
    let element = |element: serde_json::Value| match element {
        serde_json::Value::String(text) => literal(&Value::Text(text)),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(truth) => Ok(truth.to_string()),
        serde_json::Value::Null => Ok("null".to_owned()),
        _ => Err("is a list of lists, which SOQL cannot write".to_owned()),
    };
    let elements: Vec<String> = elements.into_iter().map(element).collect::<Result<_, _>>()?;
    match elements.len() {
        0 => Err("is an empty list, which SOQL cannot write\nhint: put a value into it that no row has".to_owned()),
        _ => Ok(format!("({})", elements.join(", "))),
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

/// Moments, dates, date literals with a number and truth values stand without quotes.
fn unquoted(text: &str) -> Option<String> {
    if let Some(moment) = moment(text) {
        return Some(moment.to_rfc3339_opts(fraction(text), true));
    }
    let is_date = text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let is_truth = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    (is_date || is_truth || is_counted_literal(text)).then(|| text.to_owned())
}

/// A moment as RFC 3339, Salesforce (`+0000`) and databases (`2024-06-10 06:13:20`, which is UTC) write it.
fn moment(text: &str) -> Option<DateTime<chrono::Utc>> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let zoned = match text.strip_suffix(['Z', 'z']) {
        Some(utc) => format!("{utc}+0000"),
        None => text.to_owned(),
    };
    let days = ["%Y-%m-%dT", "%Y-%m-%d "];
    let forms = ["%H:%M:%S%.f", "%H:%M"].into_iter().flat_map(|time| days.map(|day| format!("{day}{time}")));
    forms.into_iter().find_map(|form| {
        let with_zone = DateTime::parse_from_str(&zoned, &format!("{form}%z")).map(|moment| moment.to_utc());
        let without = || chrono::NaiveDateTime::parse_from_str(text, &form).map(|moment| moment.and_utc());
        with_zone.or_else(|_| without()).ok()
    })
}

/// `LAST_N_DAYS:7` and the like: no other text looks so.
fn is_counted_literal(text: &str) -> bool {
    let Some((word, number)) = text.split_once(':') else { return false };
    let is_word = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let begins = ["LAST_N_", "NEXT_N_", "N_"].iter().any(|begin| word.starts_with(begin));
    is_word && begins && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
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
            ("2024-06-10T06:13:20.000+0000", "2024-06-10T06:13:20.000Z"),
            ("2024-06-10T06:13Z", "2024-06-10T06:13:00Z"),
            ("2024-06-10 06:13:20+02:00", "2024-06-10T04:13:20Z"),
            ("2024-06-10 06:13:20 UTC", "2024-06-10T06:13:20Z"),
            ("2024-06-10 06:13", "2024-06-10T06:13:00Z"),
            ("2024-06-10 25:13", "'2024-06-10 25:13'"),
            ("LAST_N_DAYS:7", "LAST_N_DAYS:7"),
            ("N_MONTHS_AGO:2", "N_MONTHS_AGO:2"),
            ("LAST_N_DAYS:x", "'LAST_N_DAYS:x'"),
            ("TODAY", "'TODAY'"),
            ("2024-06-10", "2024-06-10"),
            ("2024-13-40", "'2024-13-40'"),
            ("TRUE", "TRUE"),
            ("a'b\\", r"'a\'b\\'"),
            ("12", "'12'"),
        ] {
            assert_eq!(literal(&Value::Text(value.into())).unwrap(), expected);
        }
        assert_eq!(literal(&Value::Real(0.5)).unwrap(), "0.5");
        assert_eq!(literal(&Value::Real(2e18)).unwrap(), "2000000000000000000");
        assert_eq!(literal(&Value::Real(1e-7)).unwrap(), "0.0000001");
        assert_eq!(literal(&Value::Integer(-3)).unwrap(), "-3");
        assert!(literal(&Value::Text("a\0b".into())).is_err());
    }
}
