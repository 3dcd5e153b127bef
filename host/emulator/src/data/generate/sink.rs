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

    /// Lengths are known where this is inlined, so that a cell of fixed length is one copy.
    #[inline(always)]
    fn cell(&mut self, text: &[u8]) {
        const ROOM: usize = 40;
        if text.len() + 2 > ROOM {
            return self.parts(|out| out.extend_from_slice(text));
        }
        let mut cell = [b'"'; ROOM];
        cell[1..text.len() + 1].copy_from_slice(text);
        self.0.extend_from_slice(&cell[..text.len() + 2]);
    }

    #[inline]
    fn decimal(&mut self, negative: bool, mantissa: u64, scale: u32) {
        let mut cell = [b'0'; 64];
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

/// Sixteen digits of a number below 10^16, and zeros behind them so that fixed lengths can be copied from anywhere.
#[inline]
fn sixteen_digits(number: u64) -> [u8; 48] {
    let mut out = [b'0'; 48];
    let halves = [(number / 100_000_000) as u32, (number % 100_000_000) as u32];
    for (half, place) in halves.into_iter().zip([0, 8]) {
        for (divisor, pair_place) in [(1_000_000, 0), (10_000, 2), (100, 4), (1, 6)] {
            let place = place + pair_place;
            out[place..place + 2].copy_from_slice(&PAIRS[(half / divisor % 100) as usize]);
        }
    }
    out
}

/// Writes `"±mantissa × 10^-scale"` as Java prints a double; gives the bytes used. Exact while the mantissa has
/// at most 15 digits, for then the shortest form of the double is the decimal itself.
///
/// Copies sixteen bytes wherever fewer are meant, and overwrites the rest: fixed lengths are what makes it fast.
#[inline]
fn java_cell(negative: bool, mut mantissa: u64, scale: u32, out: &mut [u8; 64]) -> usize {
    out[0] = b'"';
    if mantissa == 0 {
        out[1..5].copy_from_slice(b"0.0\"");
        return 5;
    }
    let mut used = 1;
    if negative {
        out[1] = b'-';
        used = 2;
    }
    let mut scale = scale as i32;
    while mantissa.is_multiple_of(10) {
        mantissa /= 10;
        scale -= 1;
    }
    let count = mantissa.ilog10() as usize + 1;
    let digits = sixteen_digits(mantissa);
    let shown = &digits[16 - count..];
    let point = count as i32 - scale;
    if (1..=7).contains(&point) {
        let point = point as usize;
        out[used..used + 16].copy_from_slice(&shown[..16]);
        out[used + point] = b'.';
        out[used + point + 1..used + point + 17].copy_from_slice(&shown[point..point + 16]);
        used += point + 1 + count.saturating_sub(point).max(1);
    } else if (-2..=0).contains(&point) {
        let zeros = point.unsigned_abs() as usize;
        out[used..used + 4].copy_from_slice(b"0.00");
        out[used + 2 + zeros..used + 18 + zeros].copy_from_slice(&shown[..16]);
        used += 2 + zeros + count;
    } else {
        out[used] = shown[0];
        out[used + 1] = b'.';
        out[used + 2..used + 18].copy_from_slice(&shown[1..17]);
        used += 2 + (count - 1).max(1);
        out[used] = b'E';
        used += 1;
        let exponent = point - 1;
        if exponent < 0 {
            out[used] = b'-';
            used += 1;
        }
        let exponent = PAIRS[(exponent.unsigned_abs() % 100) as usize];
        let skip = usize::from(exponent[0] == b'0');
        out[used] = exponent[skip];
        out[used + 1] = exponent[1];
        used += 2 - skip;
    }
    out[used] = b'"';
    used + 1
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
