//! Dates, times of day and instants: fixed-format text to numbers and back, proleptic Gregorian.

/// Microseconds in a second.
pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
/// Seconds in a day.
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// Fraction digits that a microsecond column can hold.
const MICRO_DIGITS: usize = 6;
/// Length of `2024-04-16`.
const DATE_LEN: usize = 10;

/// Days from 1970-01-01 to a date of the years 1 and later (Hinnant, "chrono-compatible date algorithms").
#[inline(always)]
fn days_from_civil(year: u32, month: u32, day: u32) -> i32 {
    // The year begins in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + day_of_year) as i32 - 719_468
}

/// Year, month and day of a day number; the inverse of [`days_from_civil`], for years before 1 too.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The number that ASCII digits spell, or `None` when one of them is no digit.
#[inline(always)]
fn digits<const N: usize>(text: [u8; N]) -> Option<u32> {
    let mut value = 0;
    let mut all_digits = true;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit < 10;
        value = value * 10 + u32::from(digit);
    }
    all_digits.then_some(value)
}

#[inline(always)]
fn date_of(text: &[u8; DATE_LEN]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let (year, month, day) = (digits([y1, y2, y3, y4])?, digits([m1, m2])?, digits([d1, d2])?);
    let plausible = year >= 1 && (1..=12).contains(&month) && day >= 1;
    if !plausible || (day > 28 && day > days_in_month(year, month)) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

#[inline(always)]
fn seconds_of(text: &[u8; 8]) -> Option<u32> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text else {
        return None;
    };
    let (hour, minute, second) = (digits([h1, h2])?, digits([m1, m2])?, digits([s1, s2])?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Days since 1970-01-01 of `YYYY-MM-DD`, years 0001 to 9999.
#[inline]
pub(crate) fn parse_date(text: &[u8]) -> Option<i32> {
    date_of(text.try_into().ok()?)
}

/// Microseconds since the epoch of `YYYY-MM-DDTHH:mm:ss[.fraction](Z|+hhmm|+hh:mm)`.
///
/// A zone is required: without one the instant would be a guess.
#[inline]
pub(crate) fn parse_datetime(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<DATE_LEN>()?;
    let (separator, rest) = rest.split_first_chunk::<1>()?;
    let (clock, rest) = rest.split_first_chunk::<8>()?;
    if separator != b"T" {
        return None;
    }
    let seconds = i64::from(date_of(date)?) * SECONDS_PER_DAY + i64::from(seconds_of(clock)?);
    if let [b'.', m1, m2, m3, b'Z'] = *rest {
        return Some(seconds * MICROS_PER_SECOND + i64::from(digits([m1, m2, m3])?) * 1_000);
    }
    let (micros, zone) = parse_fraction(rest)?;
    Some((seconds - parse_zone(zone)?) * MICROS_PER_SECOND + micros)
}

/// Microseconds since midnight of `HH:mm:ss[.fraction][Z]`.
#[inline]
pub(crate) fn parse_time(text: &[u8]) -> Option<i64> {
    let (clock, rest) = text.split_first_chunk::<8>()?;
    let seconds = i64::from(seconds_of(clock)?);
    let (micros, zone) = parse_fraction(rest)?;
    matches!(zone, b"" | b"Z").then_some(seconds * MICROS_PER_SECOND + micros)
}

/// Milliseconds in a day.
const MILLIS_PER_DAY: i64 = SECONDS_PER_DAY * 1_000;
/// Milliseconds of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59.999Z, which text is held to as well.
const MILLIS_RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

fn millis_of(text: &str) -> Option<i64> {
    text.parse().ok().filter(|millis| MILLIS_RANGE.contains(millis))
}

/// Microseconds since the epoch of an instant that is given in milliseconds.
pub(crate) fn datetime_of_millis(text: &str) -> Option<i64> {
    Some(millis_of(text)? * 1_000)
}

/// Days since the epoch of a midnight that is given in milliseconds.
pub(crate) fn date_of_millis(text: &str) -> Option<i32> {
    let millis = millis_of(text)?;
    if millis % MILLIS_PER_DAY != 0 {
        return None;
    }
    i32::try_from(millis / MILLIS_PER_DAY).ok()
}

/// Microseconds since midnight of a time of day that is given in milliseconds.
pub(crate) fn time_of_millis(text: &str) -> Option<i64> {
    Some(text.parse().ok().filter(|millis| (0..MILLIS_PER_DAY).contains(millis))? * 1_000)
}

/// Microseconds of an optional `.fraction`, and what follows it; finer digits must be zeros.
fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = rest.split_at(length);
    let finer = fraction.get(MICRO_DIGITS..).unwrap_or_default();
    if length == 0 || finer.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let mut micros = 0;
    for place in 0..MICRO_DIGITS {
        let digit = fraction.get(place).map_or(0, |byte| byte - b'0');
        micros = micros * 10 + i64::from(digit);
    }
    Some((micros, zone))
}

/// Seconds east of UTC.
fn parse_zone(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [b'Z'] => return Some(0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, digits([h1, h2])?, digits([m1, m2])?),
        _ => return None,
    };
    if hours >= 24 || minutes >= 60 {
        return None;
    }
    let seconds = i64::from(hours * 3600 + minutes * 60);
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Appends `value` with at least `width` digits.
fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value).as_bytes();
    out.resize(out.len() + width.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text);
}

/// Appends `YYYY-MM-DD`; years before 0000 get a sign, years after 9999 more digits.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    }
    push_padded(out, year.unsigned_abs(), 4);
    out.push(b'-');
    push_padded(out, u64::from(month), 2);
    out.push(b'-');
    push_padded(out, u64::from(day), 2);
}

/// Appends `HH:mm:ss.SSS`, with six or nine places when the nanoseconds need them.
pub(crate) fn write_time(seconds: u32, nanos: u32, out: &mut Vec<u8>) {
    for (value, separator) in [(seconds / 3600, b':'), (seconds / 60 % 60, b':'), (seconds % 60, b'.')] {
        push_padded(out, u64::from(value), 2);
        out.push(separator);
    }
    if nanos.is_multiple_of(1_000_000) {
        push_padded(out, u64::from(nanos / 1_000_000), 3);
    } else if nanos.is_multiple_of(1_000) {
        push_padded(out, u64::from(nanos / 1_000), 6);
    } else {
        push_padded(out, u64::from(nanos), 9);
    }
}

/// Appends `YYYY-MM-DDTHH:mm:ss.SSS` of an instant given in whole seconds and nanoseconds.
pub(crate) fn write_datetime(seconds: i64, nanos: u32, out: &mut Vec<u8>) {
    write_date(seconds.div_euclid(SECONDS_PER_DAY), out);
    out.push(b'T');
    write_time(seconds.rem_euclid(SECONDS_PER_DAY) as u32, nanos, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn milliseconds_are_held_to_the_range_of_text() {
        assert_eq!(datetime_of_millis("1713294000000"), parse_datetime(b"2024-04-16T19:00:00.000Z"));
        assert_eq!(datetime_of_millis("-62135596800000"), parse_datetime(b"0001-01-01T00:00:00.000Z"));
        assert_eq!(datetime_of_millis("253402300799999"), parse_datetime(b"9999-12-31T23:59:59.999Z"));
        assert_eq!((datetime_of_millis("253402300800000"), datetime_of_millis("1.5")), (None, None));
        assert_eq!(date_of_millis("1713225600000"), parse_date(b"2024-04-16"));
        assert_eq!((date_of_millis("-86400000"), date_of_millis("1713225600001")), (Some(-1), None));
        assert_eq!(time_of_millis("37800000"), parse_time(b"10:30:00.000Z"));
        assert_eq!((time_of_millis("86400000"), time_of_millis("-1")), (None, None));
    }

    #[test]
    fn known_days() {
        for (text, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016)] {
            assert_eq!(parse_date(text.as_bytes()), Some(days), "{text}");
        }
        assert_eq!(parse_date(b"0001-01-01"), Some(-719_162));
        assert_eq!(parse_date(b"9999-12-31"), Some(2_932_896));
    }

    #[test]
    fn impossible_dates() {
        for text in [
            "0000-01-01",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-04-31",
            "2024-4-1",
            "2024/04/01",
            "",
            "2024-04-011",
            "２024-01-01",
        ] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn instants() {
        let expected = Some(1_713_294_000_000_000);
        for text in [
            "2024-04-16T19:00:00.000Z",
            "2024-04-16T19:00:00Z",
            "2024-04-16T19:00:00.000+0000",
            "2024-04-16T19:00:00.000+00:00",
            "2024-04-16T21:30:00.000+02:30",
            "2024-04-16T14:00:00.0-0500",
            "2024-04-16T19:00:00.0000000Z",
        ] {
            assert_eq!(parse_datetime(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(parse_datetime(b"1969-12-31T23:59:59.999999Z"), Some(-1));
        for text in [
            "2024-04-16T19:00:00.000",
            "2024-04-16 19:00:00.000Z",
            "2024-04-16T24:00:00.000Z",
            "2024-04-16T19:00:60.000Z",
            "2024-04-16T19:00:00.Z",
            "2024-04-16T19:00:00.0000001Z",
            "2024-04-16T19:00:00.000+24:00",
            "2024-04-16",
            "1713294000000",
        ] {
            assert_eq!(parse_datetime(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        assert_eq!(parse_time(b"10:30:00.000Z"), Some(37_800_000_000));
        assert_eq!(parse_time(b"10:30:00"), Some(37_800_000_000));
        assert_eq!(parse_time(b"23:59:59.999999"), Some(86_399_999_999));
        for text in ["24:00:00", "10:30", "10:30:00.", "10:30:00+01:00"] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_read_back(days in -719_162..=2_932_896i32) {
            let mut text = Vec::new();
            write_date(i64::from(days), &mut text);
            prop_assert_eq!(parse_date(&text), Some(days));
        }

        #[test]
        fn every_instant_is_read_back(micros in -62_135_596_800_000_000..=253_402_300_799_999_999i64) {
            let (seconds, rest) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
            let mut text = Vec::new();
            write_datetime(seconds, rest as u32 * 1_000, &mut text);
            text.push(b'Z');
            prop_assert_eq!(parse_datetime(&text), Some(micros));
        }

        #[test]
        fn any_bytes_are_answered(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_date(&text), parse_time(&text), parse_datetime(&text));
        }
    }
}
