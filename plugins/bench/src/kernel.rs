//! The work of the two-column transform, the same code in the guest and in the native comparison.
//!
//! The loops are functions of their own and work in blocks, as in any kernel library. The engine shares out registers
//! function by function, and at each turn of a loop it asks whether the call's time is up.

/// What each number is multiplied by.
pub const FACTOR: f64 = 1.19;
/// Rows whose scaled number is below go no further.
pub const THRESHOLD: f64 = 595.0;

/// Bytes of a text that one turn of a loop changes.
const TEXT_BLOCK: usize = 64;
/// Numbers that one turn of a loop compares: as many as a byte of the mask has bits.
const NUMBER_BLOCK: usize = 8;

/// Puts all texts of a column into upper case, in place.
#[inline(never)]
pub fn upper(text: &mut str) {
    // SAFETY: an ASCII letter becomes another one, so what was UTF-8 stays UTF-8.
    let bytes = unsafe { text.as_bytes_mut() };
    let (blocks, rest) = bytes.as_chunks_mut::<TEXT_BLOCK>();
    blocks.iter_mut().for_each(|block| block.make_ascii_uppercase());
    rest.make_ascii_uppercase();
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
    let (blocks, rest) = numbers.as_chunks::<NUMBER_BLOCK>();
    let mut mask = Vec::with_capacity(numbers.len().div_ceil(NUMBER_BLOCK));
    mask.extend(blocks.iter().map(|block| byte(block)));
    mask.extend(rest.chunks(NUMBER_BLOCK).map(byte));
    mask
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
