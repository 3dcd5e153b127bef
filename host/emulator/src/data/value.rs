//! The one text form in which a value is held: what a cell may hold, by field type.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::ids;
use super::number::Decimal;
use super::schema::{FieldDef, FieldType};

/// A datetime as it is held and as Bulk CSV shows it.
const MOMENT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// A cell's text in the form in which it is held, or what was expected instead.
pub fn canonical(field: &FieldDef, cell: &str) -> Result<String, String> {
    if cell.is_empty() {
        return Ok(String::new());
    }
    match field.kind {
        FieldType::Boolean => boolean(cell).map(str::to_owned).ok_or_else(|| "true or false".to_owned()),
        FieldType::Int | FieldType::Long => {
            cell.parse::<i64>().map(|value| value.to_string()).map_err(|_| "a whole number".to_owned())
        }
        FieldType::Double | FieldType::Currency | FieldType::Percent => decimal(field, cell),
        FieldType::Date => {
            date(cell).map(|date| date.to_string()).ok_or_else(|| "a date such as 2024-01-31".to_owned())
        }
        FieldType::DateTime => moment(cell)
            .map(|at| show_moment(&at))
            .ok_or_else(|| "a datetime such as 2024-01-31T10:00:00.000Z".to_owned()),
        FieldType::Time => time(cell).ok_or_else(|| "a time such as 10:30:00.000Z".to_owned()),
        FieldType::Id | FieldType::Reference => ids::normalise(cell.as_bytes())
            .map(|id| String::from_utf8_lossy(&id).into_owned())
            .ok_or_else(|| "an id of 15 or 18 characters".to_owned()),
        FieldType::Address | FieldType::Location => Err("no value: the field is made of others".to_owned()),
        _ => text(field, cell),
    }
}

fn boolean(cell: &str) -> Option<&'static str> {
    match cell.to_ascii_lowercase().as_str() {
        "true" | "1" => Some("true"),
        "false" | "0" => Some("false"),
        _ => None,
    }
}

/// Keeps every digit as written, since the text is the value.
fn decimal(field: &FieldDef, cell: &str) -> Result<String, String> {
    let whole = usize::from(field.precision.saturating_sub(field.scale));
    let fits = |value: &Decimal| value.needed_scale() <= i32::from(field.scale) && value.whole_digits() <= whole;
    match Decimal::parse(cell).filter(fits) {
        Some(_) => Ok(cell.trim_start_matches('+').to_owned()),
        None => Err(format!("a number with at most {whole} digits before and {} after the point", field.scale)),
    }
}

fn text(field: &FieldDef, cell: &str) -> Result<String, String> {
    let limit = usize::try_from(field.length).unwrap_or(usize::MAX);
    if limit > 0 && cell.chars().count() > limit {
        return Err(format!("at most {limit} characters"));
    }
    Ok(cell.to_owned())
}

/// A date as written in CSV and SOQL.
pub fn date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// A datetime as written in CSV and SOQL: `Z`, `+01:00` or `+0100`, with or without milliseconds.
pub fn moment(text: &str) -> Option<NaiveDateTime> {
    let utc =
        text.strip_suffix(['Z', 'z']).and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok());
    utc.or_else(|| {
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|at| at.with_timezone(&Utc).naive_utc())
    })
}

/// A datetime in the form in which it is held.
pub fn show_moment(at: &NaiveDateTime) -> String {
    at.format(MOMENT).to_string()
}

/// A time of day in the form in which it is held.
pub fn time(cell: &str) -> Option<String> {
    let plain = cell.strip_suffix(['Z', 'z']).unwrap_or(cell);
    NaiveTime::parse_from_str(plain, "%H:%M:%S%.f").ok().map(|time| time.format("%H:%M:%S%.3fZ").to_string())
}
