//! Days since 1970 as text, from a table.

use std::sync::LazyLock;

use chrono::{Days, NaiveDate};

use super::sink::pair;

/// First day of the table, 2005-01-01, in days since 1970.
const FIRST_DAY: u64 = 12_784;
/// Days in the table: to the end of 2044.
const DAYS: u64 = 14_610;

static TABLE: LazyLock<Vec<[u8; 10]>> = LazyLock::new(|| {
    let first = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
    (0..DAYS)
        .map(|day| {
            let date = first.checked_add_days(Days::new(FIRST_DAY + day)).unwrap_or(first);
            date.format("%Y-%m-%d").to_string().into_bytes().try_into().unwrap_or(*b"2005-01-01")
        })
        .collect()
});

/// The day as `2024-01-31`; days outside 2005 to 2044 wrap around.
#[inline]
pub fn day(since_1970: u64) -> [u8; 10] {
    let index = since_1970.saturating_sub(FIRST_DAY) % DAYS;
    TABLE.get(index as usize).copied().unwrap_or(*b"2005-01-01")
}

/// The second as `2024-01-31T10:00:00.000Z`.
#[inline]
pub fn second(since_1970: u64) -> [u8; 24] {
    let mut out = *b"2005-01-01T00:00:00.000Z";
    out[..10].copy_from_slice(&day(since_1970 / 86_400));
    let clock = since_1970 % 86_400;
    out[11..13].copy_from_slice(&pair(clock / 3_600));
    out[14..16].copy_from_slice(&pair(clock / 60 % 60));
    out[17..19].copy_from_slice(&pair(clock % 60));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_shown_in_utc() {
        assert_eq!(&second(1_713_294_000), b"2024-04-16T19:00:00.000Z");
        assert_eq!(&second(1_709_164_799), b"2024-02-28T23:59:59.000Z");
        assert_eq!(&day(19_782), b"2024-02-29");
    }
}
