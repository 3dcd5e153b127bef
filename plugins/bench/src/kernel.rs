//! The work of the two-column transform, the same code in the guest and in the native comparison.
//!
//! The loops are functions of their own, as in any kernel library: a compiler that shares out registers function by
//! function, as the engine's does, keeps a short loop in them and spills a long function's.

/// What each number is multiplied by.
pub const FACTOR: f64 = 1.19;
/// Rows whose scaled number is below go no further.
pub const THRESHOLD: f64 = 595.0;

/// Puts all texts of a column into upper case, in place.
#[inline(never)]
pub fn upper(text: &mut str) {
    text.make_ascii_uppercase();
}

/// One scaled number.
#[inline]
pub fn scale(number: f64) -> f64 {
    number * FACTOR
}

/// The rows that go on, one bit each, least significant bit first, unused bits zero.
#[inline(never)]
pub fn keep(numbers: &[f64]) -> Vec<u8> {
    let bit = |number: &f64| u8::from(scale(*number) >= THRESHOLD);
    let byte = |eight: &[f64]| eight.iter().rev().fold(0, |byte, number| byte << 1 | bit(number));
    numbers.chunks(8).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_in_the_order_of_the_rows() {
        let mut numbers = vec![0.0; 10];
        numbers[1] = 1000.0;
        numbers[9] = 1000.0;
        assert_eq!(keep(&numbers), [0b10, 0b10]);
    }
}
