//! Dates and date literals as ranges of days or moments, in the user's time zone, which here is GMT.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta};

use crate::soql::ast::Literal;

use super::value;

/// Days of a week, which begins on Sunday in the user's locale, `en_US`.
const WEEK_DAYS: u64 = 7;
const QUARTER_MONTHS: u32 = 3;
const YEAR_MONTHS: u32 = 12;

/// From the first moment to the moment after the last.
pub type Span = (NaiveDateTime, NaiveDateTime);

/// The moments that a literal stands for; `None` when it is no date or cannot exist.
pub fn span(literal: &Literal, now: NaiveDateTime) -> Option<Span> {
    let today = now.date();
    match literal {
        Literal::Date(text) => days(value::date(text)?, 1),
        Literal::DateTime(text) => {
            let at = value::moment(text)?;
            Some((at, at.checked_add_signed(TimeDelta::milliseconds(1))?))
        }
        Literal::Relative(name, count) => relative(name, u64::from(count.unwrap_or(0)), today),
        _ => None,
    }
}

fn days(from: NaiveDate, count: u64) -> Option<Span> {
    between(from, from.checked_add_days(Days::new(count))?)
}

fn between(from: NaiveDate, until: NaiveDate) -> Option<Span> {
    Some((from.and_hms_opt(0, 0, 0)?, until.and_hms_opt(0, 0, 0)?))
}

fn relative(name: &str, count: u64, today: NaiveDate) -> Option<Span> {
    let plain = name.replace("FISCAL_", "");
    match plain.as_str() {
        "YESTERDAY" => return days(today.checked_sub_days(Days::new(1))?, 1),
        "TODAY" => return days(today, 1),
        "TOMORROW" => return days(today.checked_add_days(Days::new(1))?, 1),
        // Days, unlike the longer units, count today in (SOQL reference, "Date formats and date literals").
        "LAST_90_DAYS" => return days(today.checked_sub_days(Days::new(90))?, 91),
        "NEXT_90_DAYS" => return days(today.checked_add_days(Days::new(1))?, 90),
        "LAST_N_DAYS" => return days(today.checked_sub_days(Days::new(count))?, count + 1),
        "NEXT_N_DAYS" => return days(today.checked_add_days(Days::new(1))?, count),
        _ => {}
    }
    let count = i64::try_from(count).ok()?;
    let (unit, first, units) = if let Some(unit) = plain.strip_prefix("LAST_N_") {
        (unit, -count, count)
    } else if let Some(unit) = plain.strip_prefix("NEXT_N_") {
        (unit, 1, count)
    } else if let Some(unit) = plain.strip_prefix("N_").and_then(|unit| unit.strip_suffix("_AGO")) {
        (unit, -count, 1)
    } else {
        let (when, unit) = plain.split_once('_')?;
        (unit, ["LAST", "THIS", "NEXT"].iter().position(|known| *known == when)? as i64 - 1, 1)
    };
    let unit = unit.trim_end_matches('S');
    let start = start_of(unit, today)?;
    between(shift(unit, start, first)?, shift(unit, start, first.checked_add(units)?)?)
}

fn start_of(unit: &str, today: NaiveDate) -> Option<NaiveDate> {
    match unit {
        "DAY" => Some(today),
        "WEEK" => today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_sunday()))),
        "MONTH" => today.with_day(1),
        "QUARTER" => today.with_day(1)?.with_month0(today.month0() / QUARTER_MONTHS * QUARTER_MONTHS),
        "YEAR" => NaiveDate::from_ymd_opt(today.year(), 1, 1),
        _ => None,
    }
}

fn shift(unit: &str, from: NaiveDate, units: i64) -> Option<NaiveDate> {
    let count = units.unsigned_abs();
    let months = match unit {
        "DAY" => return shift_days(from, units, count),
        "WEEK" => return shift_days(from, units, count.checked_mul(WEEK_DAYS)?),
        "MONTH" => 1,
        "QUARTER" => QUARTER_MONTHS,
        _ => YEAR_MONTHS,
    };
    let months = Months::new(u32::try_from(count).ok()?.checked_mul(months)?);
    if units < 0 { from.checked_sub_months(months) } else { from.checked_add_months(months) }
}

fn shift_days(from: NaiveDate, units: i64, days: u64) -> Option<NaiveDate> {
    if units < 0 { from.checked_sub_days(Days::new(days)) } else { from.checked_add_days(Days::new(days)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, count: Option<u32>) -> String {
        let now = NaiveDate::from_ymd_opt(2024, 5, 15).and_then(|day| day.and_hms_opt(12, 0, 0)).unwrap_or_default();
        let literal = Literal::Relative(name.to_owned(), count);
        span(&literal, now).map(|(from, until)| format!("{} {}", from.date(), until.date())).unwrap_or_default()
    }

    #[test]
    fn date_literals_are_the_documented_ranges() {
        for (name, count, range) in [
            ("TODAY", None, "2024-05-15 2024-05-16"),
            ("THIS_WEEK", None, "2024-05-12 2024-05-19"),
            ("LAST_WEEK", None, "2024-05-05 2024-05-12"),
            ("THIS_MONTH", None, "2024-05-01 2024-06-01"),
            ("LAST_QUARTER", None, "2024-01-01 2024-04-01"),
            ("NEXT_FISCAL_YEAR", None, "2025-01-01 2026-01-01"),
            ("LAST_90_DAYS", None, "2024-02-15 2024-05-16"),
            ("LAST_N_DAYS", Some(1), "2024-05-14 2024-05-16"),
            ("NEXT_N_DAYS", Some(2), "2024-05-16 2024-05-18"),
            ("LAST_N_MONTHS", Some(2), "2024-03-01 2024-05-01"),
            ("NEXT_N_WEEKS", Some(1), "2024-05-19 2024-05-26"),
            ("N_DAYS_AGO", Some(3), "2024-05-12 2024-05-13"),
            ("N_QUARTERS_AGO", Some(1), "2024-01-01 2024-04-01"),
            ("LAST_N_YEARS", Some(u32::MAX), ""),
        ] {
            assert_eq!(shown(name, count), range, "{name}:{count:?}");
        }
    }
}
