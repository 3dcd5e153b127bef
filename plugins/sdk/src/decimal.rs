//! Exact decimals as text and as scaled integers.

/// The integer that is ten to the `scale` times `text`; none when that is no plain decimal, or has
/// more digits than fit without rounding.
pub fn parse_decimal(text: &str, scale: i8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let value = rescale(value, i32::try_from(fraction.len()).ok()?, i32::from(scale))?;
    Some(if negative { -value } else { value })
}

/// All digits of `value`, the last `scale` of them behind the point.
pub fn format_decimal(value: i128, scale: i8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

/// `value` at another scale; none when digits would be lost or it does not fit.
pub fn rescale(value: i128, from: i32, to: i32) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    let factor = 10i128.checked_pow(from.abs_diff(to))?;
    if to >= from {
        return value.checked_mul(factor);
    }
    (value % factor == 0).then_some(value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_integer_agree() {
        for (text, scale, value) in [("12.50", 2, 1250), ("-0.05", 2, -5), ("7", 0, 7), ("1200", -2, 12)] {
            assert_eq!(parse_decimal(text, scale), Some(value), "{text}");
            assert_eq!(format_decimal(value, scale), text);
        }
        assert_eq!(parse_decimal("1.500", 1), Some(15));
    }

    #[test]
    fn nothing_is_rounded() {
        for (text, scale) in [("1.55", 1), ("", 2), (".", 2), ("1e3", 2), ("--1", 0), ("1.2.3", 2)] {
            assert_eq!(parse_decimal(text, scale), None, "{text}");
        }
        assert_eq!(parse_decimal(&"9".repeat(39), 0), None);
        assert_eq!(parse_decimal("99999999999999999999999999999999999999", 0).map(|v| v / 10i128.pow(37)), Some(9));
    }
}
