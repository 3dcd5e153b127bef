//! Exact numbers from text: whole numbers and decimals, plain or in scientific notation.

/// Why a text is not the number that its column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// It is no number at all.
    Syntax,
    /// It has digits beyond the column's decimal places.
    Scale,
    /// It has more digits than the column.
    Range,
}

/// Digits that always fit a `u64`.
const FAST_DIGITS: usize = 18;
/// Digits of the largest decimal column.
const MAX_DIGITS: usize = 38;

/// 10^0 to 10^38, all that an `i128` can hold.
const POWERS: [i128; MAX_DIGITS + 1] = {
    let mut powers = [1; MAX_DIGITS + 1];
    let mut exponent = 1;
    while exponent <= MAX_DIGITS {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The unscaled value of `text` in a decimal column of `precision` digits, `scale` of them after the point.
///
/// Takes `-12.50`, `+3`, `.5`, `1.2345678E7`, `1.0E-4`; trailing zeros beyond the scale are dropped, other
/// digits beyond it are an error: nothing is rounded.
#[inline]
pub(crate) fn parse_decimal(text: &[u8], precision: u8, scale: u8) -> Result<i128, NumberError> {
    match parse_plain(text, scale) {
        Some(value) if value.unsigned_abs() < limit(precision) => Ok(value),
        _ => parse_any(text, precision, scale),
    }
}

/// The first absolute value that `precision` digits cannot hold.
fn limit(precision: u8) -> u128 {
    POWERS.get(usize::from(precision)).map_or(0, |power| power.unsigned_abs())
}

/// The common case: optional sign, up to 18 digits, a point, no digits beyond the scale.
#[inline(always)]
fn parse_plain(text: &[u8], scale: u8) -> Option<i128> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // Java writes a whole double with `.0`; what is left must have no point then.
    let (unsigned, mut point_allowed) = match unsigned {
        [whole @ .., b'.', b'0'] => (whole, false),
        _ => (unsigned, unsigned.len() > 1),
    };
    if unsigned.is_empty() || unsigned.len() > FAST_DIGITS {
        return None;
    }
    let mut value = 0u64;
    let mut places = 0;
    for (at, byte) in unsigned.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + u64::from(digit);
        } else if *byte == b'.' && point_allowed {
            point_allowed = false;
            places = unsigned.len() - at - 1;
        } else {
            return None;
        }
    }
    let missing = usize::from(scale).checked_sub(places)?;
    let scaled = i128::from(value).checked_mul(*POWERS.get(missing)?)?;
    Some(if negative { -scaled } else { scaled })
}

/// A number taken apart: its digits are `whole` followed by `fraction`, times ten to `exponent`.
struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// Any spelling; slower, and the judge of what is wrong.
#[cold]
fn parse_any(text: &[u8], precision: u8, scale: u8) -> Result<i128, NumberError> {
    let parts = split(text).ok_or(NumberError::Syntax)?;
    let all_digits = parts.whole.iter().chain(parts.fraction);
    let leading_zeros = all_digits.clone().take_while(|digit| **digit == b'0').count();
    let count = parts.whole.len() + parts.fraction.len();
    let trailing_zeros = all_digits.clone().rev().take_while(|digit| **digit == b'0').count();
    if leading_zeros == count {
        return Ok(0);
    }
    let significant = all_digits.skip(leading_zeros).take(count - leading_zeros - trailing_zeros);
    // The last significant digit stands for ten to `place`.
    let place = parts.exponent - parts.fraction.len() as i64 + trailing_zeros as i64;
    let shift = place + i64::from(scale);
    let digits = (count - leading_zeros - trailing_zeros) as i64;
    if shift < 0 {
        return Err(NumberError::Scale);
    }
    if digits + shift > i64::from(precision) || digits + shift > MAX_DIGITS as i64 {
        return Err(NumberError::Range);
    }
    let value = significant.fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let value = value * POWERS[shift as usize];
    Ok(if parts.negative { -value } else { value })
}

fn split(text: &[u8]) -> Option<Parts<'_>> {
    let (negative, unsigned) = split_sign(text);
    let (mantissa, exponent) = match unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let only_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    let some_digits = !whole.is_empty() || !fraction.is_empty();
    (only_digits && some_digits).then_some(Parts { negative, whole, fraction, exponent })
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// A signed exponent; one too large to matter is held at a bound that no column reaches.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    const BOUND: i64 = 1_000_000_000_000;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| (value * 10 + i64::from(digit - b'0')).min(BOUND));
    Some(if negative { -value } else { value })
}

/// A whole number; `5.0` and `1.2E3` are whole too.
#[inline]
pub(crate) fn parse_int64(text: &[u8]) -> Result<i64, NumberError> {
    const INT64_DIGITS: u8 = 19;
    let value = parse_decimal(text, INT64_DIGITS, 0)?;
    i64::try_from(value).map_err(|_| NumberError::Range)
}

/// A whole number of 32 bits.
#[inline]
pub(crate) fn parse_int32(text: &[u8]) -> Result<i32, NumberError> {
    i32::try_from(parse_int64(text)?).map_err(|_| NumberError::Range)
}

/// Appends a decimal with all of its `scale` places, without an exponent.
pub(crate) fn write_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    if value < 0 {
        out.push(b'-');
    }
    let Ok(places) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        let zeros = if value == 0 { 0 } else { usize::from(scale.unsigned_abs()) };
        out.resize(out.len() + zeros, b'0');
        return;
    };
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if places > 0 {
        out.push(b'.');
        out.resize(out.len() + places - fraction.len(), b'0');
        out.extend_from_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str, scale: u8) -> Result<i128, NumberError> {
        parse_decimal(text.as_bytes(), 18, scale)
    }

    #[test]
    fn java_doubles_are_exact() {
        for (text, scale, value) in [
            ("100.0", 0, 100),
            ("100.0", 2, 10_000),
            ("0.5", 2, 50),
            (".5", 1, 5),
            ("5.", 0, 5),
            ("1.2345678E7", 0, 12_345_678),
            ("-9.0E7", 2, -9_000_000_000),
            ("1.0E-4", 4, 1),
            ("1.6147805824397E13", 2, 1_614_780_582_439_700),
            ("+7", 0, 7),
            ("-0.0", 2, 0),
            ("0E999999999999999999999", 2, 0),
            ("1200e-2", 0, 12),
            ("000000000000000000000000000000000000000000012.50", 2, 1_250),
        ] {
            assert_eq!(decimal(text, scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn nothing_is_rounded_or_guessed() {
        for text in [
            "", "-", ".", "1,5", "1.2.3", "1.5.0", ".0.0", "-", "E5", "1E", "1E+", "0x10", "NaN", " 1", "1 ", "--1",
            "∞",
        ] {
            assert_eq!(decimal(text, 2), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(decimal("0.125", 2), Err(NumberError::Scale));
        assert_eq!(decimal("1E-999999999999999999999", 2), Err(NumberError::Scale));
        assert_eq!(decimal("1E17", 2), Err(NumberError::Range));
        assert_eq!(decimal("1E999999999999999999999", 2), Err(NumberError::Range));
        assert_eq!(decimal("10000000000000000", 2), Err(NumberError::Range));
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(parse_int32(b"5.0"), Ok(5));
        assert_eq!(parse_int32(b"1.2E3"), Ok(1_200));
        assert_eq!(parse_int32(b"-2147483648"), Ok(i32::MIN));
        assert_eq!(parse_int32(b"2147483648"), Err(NumberError::Range));
        assert_eq!(parse_int64(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(parse_int64(b"9223372036854775808"), Err(NumberError::Range));
        assert_eq!(parse_int64(b"5.5"), Err(NumberError::Scale));
    }

    proptest! {
        #[test]
        fn every_decimal_is_read_back(value in -(POWERS[38] - 1)..POWERS[38], scale in 0..=38u8) {
            let mut text = Vec::new();
            write_decimal(value, scale as i8, &mut text);
            prop_assert_eq!(parse_decimal(&text, 38, scale), Ok(value));
        }

        #[test]
        fn fast_and_slow_agree(text in "-?[0-9]{0,10}\\.?[0-9]{0,9}(\\.0)?", scale in 0..12u8) {
            prop_assert_eq!(parse_decimal(text.as_bytes(), 18, scale), parse_any(text.as_bytes(), 18, scale));
        }

        #[test]
        fn any_bytes_are_answered(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (parse_decimal(&text, 38, 38), parse_int32(&text));
        }
    }
}
