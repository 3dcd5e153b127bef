//! Functions of one value: parts of dates, and values as a user of `en_US` sees them.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::number::Decimal;
use super::schema::FieldType;
use super::value;

const QUARTER_MONTHS: u32 = 3;
const WEEK_DAYS: u32 = 7;

/// A function over a field; dates are in the user's time zone, which here is GMT, and the fiscal year is the calendar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    HourInDay,
    WeekInMonth,
    WeekInYear,
    /// `FORMAT()`, with the number of decimals that the field shows.
    Format(u8),
}

impl Function {
    /// The date function of that name.
    pub fn named(name: &str) -> Option<Function> {
        Some(match name.to_ascii_uppercase().as_str() {
            "CALENDAR_YEAR" | "FISCAL_YEAR" => Function::Year,
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Function::Quarter,
            "CALENDAR_MONTH" | "FISCAL_MONTH" => Function::Month,
            "DAY_IN_MONTH" => Function::DayInMonth,
            "DAY_IN_WEEK" => Function::DayInWeek,
            "DAY_IN_YEAR" => Function::DayInYear,
            "DAY_ONLY" => Function::DayOnly,
            "HOUR_IN_DAY" => Function::HourInDay,
            "WEEK_IN_MONTH" => Function::WeekInMonth,
            "WEEK_IN_YEAR" => Function::WeekInYear,
            _ => return None,
        })
    }

    /// Whether it takes values of that type.
    pub fn takes(self, kind: FieldType) -> bool {
        match self {
            Function::Format(_) => true,
            Function::DayOnly | Function::HourInDay => kind == FieldType::DateTime,
            _ => matches!(kind, FieldType::Date | FieldType::DateTime),
        }
    }

    /// The type of what it gives.
    pub fn kind(self) -> FieldType {
        match self {
            Function::Format(_) => FieldType::String,
            Function::DayOnly => FieldType::Date,
            _ => FieldType::Int,
        }
    }

    /// Appends what it gives for the text of a value; null for null.
    pub fn apply(self, kind: FieldType, text: &[u8], out: &mut Vec<u8>) {
        let text = std::str::from_utf8(text).unwrap_or_default();
        if let Function::Format(scale) = self {
            return out.extend_from_slice(shown(kind, text, scale).as_bytes());
        }
        let at = match kind {
            FieldType::Date => value::date(text).and_then(|day| day.and_hms_opt(0, 0, 0)),
            _ => value::moment(text),
        };
        if let Some(at) = at {
            out.extend_from_slice(self.part(at).as_bytes());
        }
    }

    fn part(self, at: NaiveDateTime) -> String {
        let number = match self {
            Function::Year => return at.year().to_string(),
            Function::DayOnly | Function::Format(_) => return at.date().to_string(),
            Function::Quarter => at.month0() / QUARTER_MONTHS + 1,
            Function::Month => at.month(),
            Function::DayInMonth => at.day(),
            Function::DayInWeek => at.weekday().number_from_sunday(),
            Function::DayInYear => at.ordinal(),
            Function::HourInDay => at.hour(),
            Function::WeekInMonth => at.day0() / WEEK_DAYS + 1,
            Function::WeekInYear => at.ordinal0() / WEEK_DAYS + 1,
        };
        number.to_string()
    }
}

/// A value as `FORMAT()` gives it.
fn shown(kind: FieldType, text: &str, scale: u8) -> String {
    let number = || Decimal::parse(text).map(Decimal::to_f64);
    match kind {
        _ if text.is_empty() => String::new(),
        FieldType::Currency => number().map_or_else(String::new, |value| {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}${}", grouped(value.abs(), scale))
        }),
        FieldType::Percent => number().map_or_else(String::new, |value| format!("{}%", grouped(value, scale))),
        kind if kind.is_number() => number().map_or_else(String::new, |value| grouped(value, scale)),
        FieldType::Date => {
            value::date(text).map_or_else(String::new, |day| format!("{}/{}/{}", day.month(), day.day(), day.year()))
        }
        FieldType::DateTime => value::moment(text).map_or_else(String::new, |at| {
            format!("{}/{}/{}, {}", at.month(), at.day(), at.year(), at.format("%-I:%M %p"))
        }),
        _ => text.to_owned(),
    }
}

/// A number with commas between thousands.
fn grouped(value: f64, scale: u8) -> String {
    let text = format!("{value:.*}", usize::from(scale));
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_moment() {
        for (name, expected) in [
            ("CALENDAR_YEAR", "2024"),
            ("FISCAL_QUARTER", "4"),
            ("calendar_month", "12"),
            ("DAY_IN_MONTH", "31"),
            ("DAY_IN_WEEK", "3"),
            ("DAY_IN_YEAR", "366"),
            ("DAY_ONLY", "2024-12-31"),
            ("HOUR_IN_DAY", "23"),
            ("WEEK_IN_MONTH", "5"),
            ("WEEK_IN_YEAR", "53"),
        ] {
            let mut out = Vec::new();
            if let Some(function) = Function::named(name) {
                function.apply(FieldType::DateTime, b"2024-12-31T23:05:00.000Z", &mut out);
                function.apply(FieldType::DateTime, b"", &mut out);
            }
            assert_eq!(String::from_utf8_lossy(&out), expected, "{name}");
        }
        assert!(!Function::DayOnly.takes(FieldType::Date) && Function::Year.takes(FieldType::Date));
    }

    #[test]
    fn values_as_a_user_sees_them() {
        for (kind, text, scale, expected) in [
            (FieldType::Currency, "-1234567.5", 2, "-$1,234,567.50"),
            (FieldType::Percent, "12.5", 1, "12.5%"),
            (FieldType::Int, "999", 0, "999"),
            (FieldType::Double, "-1000", 0, "-1,000"),
            (FieldType::Date, "2024-01-31", 0, "1/31/2024"),
            (FieldType::DateTime, "2024-01-31T13:05:00.000Z", 0, "1/31/2024, 1:05 PM"),
            (FieldType::String, "as it is", 0, "as it is"),
            (FieldType::Currency, "", 2, ""),
        ] {
            assert_eq!(shown(kind, text, scale), expected);
        }
    }
}
