//! Dates and instants as text and as numbers, in the proleptic Gregorian calendar.

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// Seconds in a day.
const DAY_SECONDS: i64 = 86_400;
/// From 0000-03-01, where the count of days below starts, to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;
/// Days in 400 years.
const ERA_DAYS: i64 = 146_097;

/// Days since 1970-01-01 of `YYYY-MM-DD`; none when that is no date.
pub fn parse_date(text: &str) -> Option<i32> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    i32::try_from(days(year, month, day)).ok()
}

/// Microseconds since the epoch of `YYYY-MM-DDThh:mm:ss[.ffffff](Z|+hh:mm|-hh:mm)`; none when that is
/// no instant.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = number(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let second = number(parts.next()?, 2).filter(|second| *second < 60)?;
    if parts.next().is_some() || fraction.len() > 6 {
        return None;
    }
    let micros = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<6}"), 6)? };
    let seconds = hour * 3600 + minute * 60 + second - zone_seconds(zone)?;
    (i64::from(parse_date(date)?) * DAY_SECONDS + seconds).checked_mul(MICROS)?.checked_add(micros)
}

/// `YYYY-MM-DD` of days since 1970-01-01.
pub fn format_date(day: i32) -> String {
    let shifted = i64::from(day) + EPOCH_DAY;
    let era = shifted.div_euclid(ERA_DAYS);
    let of_era = shifted.rem_euclid(ERA_DAYS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{:02}", of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ`, with microseconds when they are not whole milliseconds.
pub fn format_datetime(micros: i64) -> String {
    let seconds = micros.div_euclid(MICROS);
    let fraction = micros.rem_euclid(MICROS);
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    let date = format_date(i32::try_from(seconds.div_euclid(DAY_SECONDS)).unwrap_or(i32::MAX));
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = if fraction % 1000 == 0 { format!("{:03}", fraction / 1000) } else { format!("{fraction:06}") };
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{fraction}Z")
}

/// Howard Hinnant's `days_from_civil`, <https://howardhinnant.github.io/date_algorithms.html>.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - EPOCH_DAY
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    let value = number(&digits, 4)?;
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}

/// Exactly `digits` ASCII digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        for (text, day) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("0001-01-01", -719_162)] {
            assert_eq!(parse_date(text), Some(day), "{text}");
            assert_eq!(format_date(day), text);
        }
        for day in (-800_000..800_000).step_by(997) {
            assert_eq!(parse_date(&format_date(day)).filter(|_| day > -719_529), (day > -719_529).then_some(day));
        }
    }

    #[test]
    fn wrong_dates_are_none() {
        for text in ["2023-02-29", "2023-13-01", "2023-00-10", "23-01-01", "2023-1-1", "x", "2023-01-01T", ""] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn instants_go_both_ways() {
        assert_eq!(parse_datetime("2024-04-16T19:00:00.000+0000"), parse_datetime("2024-04-16T19:00:00Z"));
        assert_eq!(parse_datetime("2024-04-16T21:00:00+02:00"), parse_datetime("2024-04-16T19:00:00Z"));
        assert_eq!(parse_datetime("1969-12-31T23:59:59.5Z"), Some(-500_000));
        assert_eq!(format_datetime(-500_000), "1969-12-31T23:59:59.500Z");
        assert_eq!(format_datetime(1), "1970-01-01T00:00:00.000001Z");
        assert_eq!(parse_datetime("2024-04-16T24:00:00Z"), None);
        assert_eq!(parse_datetime("2024-04-16T19:00:00"), None);
    }
}
