//! Numbers as exact decimals, and as Java prints a double (`Double.toString`), which is what Salesforce sends.

use std::cmp::Ordering;
use std::io::Write as _;

/// Digits that survive the way through a double unchanged whatever their value.
const SAFE_DIGITS: usize = 15;
/// Digits of mantissa kept; more than any field can hold.
const MAX_DIGITS: usize = 38;

/// An exact decimal: `mantissa × 10^-scale`.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    scale: i32,
}

impl Decimal {
    /// A whole number.
    pub fn whole(value: i64) -> Decimal {
        Decimal { mantissa: i128::from(value), scale: 0 }
    }

    /// Reads `-1.50`, `.5`, `1.2E3`; `None` for anything else or more than 38 digits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (digits, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.as_bytes().first()? {
            b'-' => (true, digits.get(1..)?),
            b'+' => (false, digits.get(1..)?),
            _ => (false, digits),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let mut mantissa: i128 = 0;
        let mut seen = 0;
        for digit in whole.bytes().chain(part.bytes()) {
            seen += usize::from(mantissa != 0 || digit != b'0');
            if !digit.is_ascii_digit() || seen > MAX_DIGITS {
                return None;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let scale = i32::try_from(part.len()).ok()?.checked_sub(exponent)?;
        Some(Decimal { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// Digits after the point that are needed to write the number down.
    pub fn needed_scale(self) -> i32 {
        let (mut mantissa, mut scale) = (self.mantissa, self.scale);
        while scale > 0 && mantissa % 10 == 0 && mantissa != 0 {
            mantissa /= 10;
            scale -= 1;
        }
        if mantissa == 0 { 0 } else { scale }
    }

    /// Digits before the point.
    pub fn whole_digits(self) -> usize {
        let digits = self.mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log as usize + 1);
        digits.saturating_add_signed(-(self.scale as isize)).min(if self.mantissa == 0 { 0 } else { usize::MAX })
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        format!("{}e{}", self.mantissa, -i64::from(self.scale)).parse().unwrap_or(f64::NAN)
    }

    /// The sum, exact; `None` when it no longer fits.
    pub fn add(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        Some(Decimal { mantissa: self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?, scale })
    }

    /// `percent` hundredths of the number, as text rounded half up to two digits after the point.
    pub fn percent(self, percent: Decimal) -> Option<String> {
        let product = self.mantissa.checked_mul(percent.mantissa)?;
        let scale = u32::try_from(self.scale.checked_add(percent.scale)?).ok()?;
        let unit = 10i128.checked_pow(scale)?;
        let cents = product.checked_add(product.signum() * unit / 2)? / unit;
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        Some(format!("{sign}{}.{:02}", cents / 100, cents % 100))
    }

    fn at_scale(self, scale: i32) -> Option<i128> {
        let shift = u32::try_from(scale.checked_sub(self.scale)?).ok()?;
        self.mantissa.checked_mul(10i128.checked_pow(shift)?)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at_scale(scale), other.at_scale(scale)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

/// Appends a decimal's text as `Double.toString` would print it: `100.0`, `1.2345678E7`, `1.0E-4`.
/// Text that is no number is appended as it is.
pub fn java_double(text: &[u8], out: &mut Vec<u8>) {
    let mut digits = [0u8; SAFE_DIGITS];
    if let Some((negative, count, point)) = significant(text, &mut digits) {
        return layout(negative, &digits[..count], point, out);
    }
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match value {
        Some(value) => java_f64(value, out),
        None => out.extend_from_slice(text),
    }
}

/// Significant digits of plain decimal text, and where the point stands (digits before it); `None` when
/// there are too many digits, or an exponent: then the double decides which digits remain.
fn significant(text: &[u8], digits: &mut [u8; SAFE_DIGITS]) -> Option<(bool, usize, i32)> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let (mut count, mut zeros, mut point, mut after) = (0usize, 0usize, 0i32, false);
    for &c in text {
        match c {
            b'.' if !after => after = true,
            b'0' if count == 0 => point -= i32::from(after),
            b'0' => {
                zeros += 1;
                point += i32::from(!after);
            }
            b'1'..=b'9' => {
                let used = count + zeros;
                digits.get_mut(count..used)?.fill(b'0');
                *digits.get_mut(used)? = c;
                (count, zeros) = (used + 1, 0);
                point += i32::from(!after);
            }
            _ => return None,
        }
    }
    (!text.is_empty()).then_some((negative, count, point))
}

/// Appends a double as `Double.toString` would print it.
pub fn java_f64(value: f64, out: &mut Vec<u8>) {
    let mut text = [0u8; 40];
    let mut rest = text.as_mut_slice();
    if !value.is_finite() || write!(rest, "{:e}", value.abs()).is_err() {
        return;
    }
    let left = rest.len();
    let text = &text[..40 - left];
    let (mantissa, exponent) = text.split_at(text.iter().position(|c| *c == b'e').unwrap_or(text.len()));
    let exponent: i32 =
        std::str::from_utf8(exponent.get(1..).unwrap_or_default()).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut digits = [0u8; 24];
    let mut count = 0;
    for (place, digit) in digits.iter_mut().zip(mantissa.iter().filter(|c| c.is_ascii_digit())) {
        *place = *digit;
        count += 1;
    }
    let count = if value == 0.0 { 0 } else { count };
    layout(value.is_sign_negative(), &digits[..count], exponent + 1, out);
}

/// `digits` are without zeros at either end; `point` is how many of them stand before the point.
fn layout(negative: bool, digits: &[u8], point: i32, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    if digits.is_empty() {
        return out.extend_from_slice(b"0.0");
    }
    let count = digits.len();
    match point {
        1..=7 => {
            let whole = point as usize;
            out.extend_from_slice(&digits[..whole.min(count)]);
            out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(count)));
            out.push(b'.');
            out.extend_from_slice(if count > whole { &digits[whole..] } else { b"0" });
        }
        -2..=0 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
            out.extend_from_slice(digits);
        }
        _ => {
            out.extend_from_slice(&digits[..1]);
            out.push(b'.');
            out.extend_from_slice(if count > 1 { &digits[1..] } else { b"0" });
            out.push(b'E');
            let _ = write!(out, "{}", point - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(text: &str) -> String {
        let mut out = Vec::new();
        java_double(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (text, printed) in [
            ("100", "100.0"),
            ("23.00", "23.0"),
            ("0.5", "0.5"),
            ("12345678", "1.2345678E7"),
            ("90000000", "9.0E7"),
            ("16147805824397", "1.6147805824397E13"),
            ("0.0001", "1.0E-4"),
            ("0.001", "0.001"),
            ("9999999", "9999999.0"),
            ("9999999.99", "9999999.99"),
            ("10000000", "1.0E7"),
            ("-0.00123", "-0.00123"),
            ("-0.000999", "-9.99E-4"),
            ("0", "0.0"),
            ("0.00", "0.0"),
            ("1001000.50", "1001000.5"),
            ("123456789012345678", "1.23456789012345677E17"),
            ("0.1234567890123456789", "0.12345678901234568"),
            ("1.5e10", "1.5E10"),
        ] {
            // 123456789012345678 has two shortest forms of 17 digits; Java and Rust may pick either last digit.
            let got = java(text);
            assert!(
                got == printed || (text.len() == 18 && got == "1.2345678901234568E17"),
                "{text} → {got}, not {printed}"
            );
        }
    }

    #[test]
    fn decimals_compare_exactly() {
        let parse = |text| Decimal::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(parse("1.50"), parse("15e-1"));
        assert!(parse("123456789012345678.1") > parse("123456789012345678"));
        assert!(parse("-0.0000000000000000001") < parse("0"));
        assert_eq!(parse("100.00").needed_scale(), 0);
        assert_eq!(parse("0.10").needed_scale(), 1);
        assert_eq!(parse("1234.5").whole_digits(), 4);
        assert!(Decimal::parse("1x").is_none() && Decimal::parse("-").is_none() && Decimal::parse("").is_none());
    }

    #[test]
    fn short_decimals_need_no_double() {
        for value in [1.5f64, 1234.25, 0.125, 99999.99, 1e7, 123456789.5, 0.0625] {
            let mut direct = Vec::new();
            java_f64(value, &mut direct);
            assert_eq!(java(&format!("{value}")).as_bytes(), direct);
        }
    }
}
