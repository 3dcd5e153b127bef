//! Where a generated cell is written: as held text, or as a CSV cell. One generator serves both.

use super::pool::Pool;

/// Receives one cell.
pub trait Sink {
    /// A whole cell from a pool.
    fn pooled(&mut self, pool: &Pool, index: usize);
    /// A whole cell that needs no escaping; empty is null.
    fn cell(&mut self, text: &[u8]);
    /// A whole cell: `±mantissa × 10^-scale`, at most 15 digits.
    fn decimal(&mut self, negative: bool, mantissa: u64, scale: u32);
    /// A whole cell put together from parts that need no escaping.
    fn parts(&mut self, write: impl FnOnce(&mut Vec<u8>));
}

/// Appends the text alone.
pub struct TextSink<'a>(pub &'a mut Vec<u8>);

/// Appends the cell with its quotes.
pub struct CsvSink<'a>(pub &'a mut Vec<u8>);

impl Sink for TextSink<'_> {
    fn pooled(&mut self, pool: &Pool, index: usize) {
        self.0.extend_from_slice(pool.text(index));
    }

    fn cell(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    fn decimal(&mut self, negative: bool, mantissa: u64, scale: u32) {
        if negative && mantissa > 0 {
            self.0.push(b'-');
        }
        let mut digits = [b'0'; 20];
        let count = digits_of(mantissa, &mut digits).max(scale as usize + 1);
        let (whole, part) = digits[20 - count..].split_at(count - scale as usize);
        self.0.extend_from_slice(whole);
        if scale > 0 {
            self.0.push(b'.');
            self.0.extend_from_slice(part);
        }
    }

    fn parts(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.0);
    }
}

impl Sink for CsvSink<'_> {
    #[inline]
    fn pooled(&mut self, pool: &Pool, index: usize) {
        self.0.extend_from_slice(pool.csv(index));
    }

    #[inline]
    fn cell(&mut self, text: &[u8]) {
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
    }

    #[inline]
    fn decimal(&mut self, negative: bool, mantissa: u64, scale: u32) {
        let mut cell = [b'0'; 32];
        let used = java_cell(negative, mantissa, scale, &mut cell);
        self.0.extend_from_slice(&cell[..used]);
    }

    #[inline]
    fn parts(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(b'"');
        write(self.0);
        self.0.push(b'"');
    }
}

/// Two digits for each number below a hundred.
const PAIRS: [[u8; 2]; 100] = pairs();

const fn pairs() -> [[u8; 2]; 100] {
    let mut out = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        out[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    out
}

/// The two digits of a number below a hundred.
#[inline]
pub fn pair(number: u64) -> [u8; 2] {
    PAIRS[(number % 100) as usize]
}

/// Writes a number to the end of `out`, which is filled with zeros; gives its digits, none for 0.
#[inline]
pub fn digits_of(mut number: u64, out: &mut [u8; 20]) -> usize {
    let mut place = out.len();
    while number >= 100 {
        place -= 2;
        out[place..place + 2].copy_from_slice(&pair(number));
        number /= 100;
    }
    if number >= 10 {
        place -= 2;
        out[place..place + 2].copy_from_slice(&pair(number));
    } else if number > 0 {
        place -= 1;
        out[place] = b'0' + number as u8;
    }
    out.len() - place
}

/// Writes `"±mantissa × 10^-scale"` as Java prints a double; gives the bytes used. Exact while the mantissa has
/// at most 15 digits, for then the shortest form of the double is the decimal itself.
#[inline]
fn java_cell(negative: bool, mut mantissa: u64, mut scale: u32, out: &mut [u8; 32]) -> usize {
    out[0] = b'"';
    let mut used = 1;
    if mantissa == 0 {
        out[1..5].copy_from_slice(b"0.0\"");
        return 5;
    }
    if negative {
        out[1] = b'-';
        used = 2;
    }
    while scale > 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        scale -= 1;
    }
    let mut digits = [b'0'; 20];
    let count = digits_of(mantissa, &mut digits);
    let shown = &digits[20 - count..];
    let point = count as i32 - scale as i32;
    let mut put = |text: &[u8]| {
        out[used..used + text.len()].copy_from_slice(text);
        used += text.len();
    };
    if (1..=7).contains(&point) {
        let (whole, part) = shown.split_at(point as usize);
        put(whole);
        put(b".");
        put(if part.is_empty() { b"0" } else { part });
    } else if (-2..=0).contains(&point) {
        put(b"0.");
        put(&b"00"[..point.unsigned_abs() as usize]);
        put(shown);
    } else {
        let kept = shown.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
        put(&shown[..1]);
        put(b".");
        put(if kept > 1 { &shown[1..kept] } else { b"0" });
        put(b"E");
        let exponent = point - 1;
        if exponent < 0 {
            put(b"-");
        }
        let exponent = u64::from(exponent.unsigned_abs());
        let exponent = &PAIRS[(exponent % 100) as usize];
        put(if exponent[0] == b'0' { &exponent[1..] } else { exponent });
    }
    put(b"\"");
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::number::java_double;

    #[test]
    fn fast_decimals_agree_with_the_slow_way() {
        let mut seed = 1u64;
        for step in 0..20_000u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step | 1);
            let mantissa = (seed >> 11) % 10u64.pow((seed % 15) as u32 + 1);
            let (scale, negative) = ((seed >> 7) as u32 % 7, seed & 1 == 1);
            let (mut fast, mut text, mut slow) = (Vec::new(), Vec::new(), vec![b'"']);
            CsvSink(&mut fast).decimal(negative, mantissa, scale);
            TextSink(&mut text).decimal(negative, mantissa, scale);
            java_double(&text, &mut slow);
            slow.push(b'"');
            assert_eq!(
                String::from_utf8_lossy(&fast),
                String::from_utf8_lossy(&slow),
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
    }
}
