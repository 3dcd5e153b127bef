//! Bits in Arrow's order: validity, booleans, and which rows go on.

use crate::Selection;

/// One bit a row, least significant bit first; the bits behind the last row are zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Bitmap {
    bytes: Vec<u8>,
    len: usize,
}

impl Bitmap {
    /// `len` bits, all of them `bit`.
    pub fn filled(len: usize, bit: bool) -> Self {
        let mut bitmap = Bitmap { bytes: vec![if bit { 0xff } else { 0 }; len.div_ceil(8)], len };
        bitmap.clear_padding();
        bitmap
    }

    /// One bit for each row, by asking.
    pub fn from_fn(len: usize, mut bit: impl FnMut(usize) -> bool) -> Self {
        let mut bytes = Vec::with_capacity(len.div_ceil(8));
        for start in (0..len).step_by(8) {
            let byte = (start..len.min(start + 8)).fold(0u8, |byte, row| byte | u8::from(bit(row)) << (row - start));
            bytes.push(byte);
        }
        Bitmap { bytes, len }
    }

    /// Takes bytes as they are; missing ones count as zero.
    pub fn from_bytes(mut bytes: Vec<u8>, len: usize) -> Self {
        bytes.resize(len.div_ceil(8), 0);
        let mut bitmap = Bitmap { bytes, len };
        bitmap.clear_padding();
        bitmap
    }

    /// How many bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit of a row; false behind the end.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        self.bytes.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    }

    /// Sets the bit of a row; behind the end it does nothing.
    #[inline]
    pub fn set(&mut self, row: usize, bit: bool) {
        if row >= self.len {
            return;
        }
        let mask = 1u8 << (row % 8);
        if bit {
            self.bytes[row / 8] |= mask;
        } else {
            self.bytes[row / 8] &= !mask;
        }
    }

    /// One more bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, bit);
    }

    /// How many bits are set.
    pub fn count(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether every bit is set.
    pub fn is_full(&self) -> bool {
        self.count() == self.len
    }

    /// Set where both are.
    #[must_use]
    pub fn and(self, other: &Bitmap) -> Self {
        self.zip(other, |left, right| left & right)
    }

    /// Set where either is.
    #[must_use]
    pub fn or(self, other: &Bitmap) -> Self {
        self.zip(other, |left, right| left | right)
    }

    /// Set where this is and the other is not.
    #[must_use]
    pub fn and_not(self, other: &Bitmap) -> Self {
        self.zip(other, |left, right| left & !right)
    }

    fn zip(mut self, other: &Bitmap, combine: impl Fn(u8, u8) -> u8) -> Self {
        for (index, byte) in self.bytes.iter_mut().enumerate() {
            *byte = combine(*byte, other.bytes.get(index).copied().unwrap_or(0));
        }
        self.clear_padding();
        self
    }

    /// The bytes, ceil(len / 8) of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, ceil(len / 8) of them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn clear_padding(&mut self) {
        let used = self.len % 8;
        if let Some(last) = self.bytes.last_mut().filter(|_| used != 0) {
            *last &= (1u8 << used) - 1;
        }
    }
}

/// The rows whose bit is set go on.
impl From<Bitmap> for Selection {
    fn from(bitmap: Bitmap) -> Self {
        match bitmap.count() {
            0 => Selection::None,
            all if all == bitmap.len => Selection::All,
            _ => Selection::Mask(bitmap.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_stays_zero() {
        assert_eq!(Bitmap::filled(10, true).into_bytes(), [0xff, 0b11]);
        assert_eq!(Bitmap::from_bytes(vec![0xff, 0xff], 9).into_bytes(), [0xff, 1]);
        let inverted = Bitmap::filled(3, true).and_not(&Bitmap::from_fn(3, |row| row == 1));
        assert_eq!(inverted.into_bytes(), [0b101]);
    }

    #[test]
    fn pushing_and_asking_agree() {
        let mut pushed = Bitmap::default();
        (0..19).for_each(|row| pushed.push(row % 3 == 0));
        assert_eq!(pushed, Bitmap::from_fn(19, |row| row % 3 == 0));
        assert_eq!(pushed.count(), 7);
        assert!(pushed.get(18) && !pushed.get(19));
    }

    #[test]
    fn a_selection_is_as_short_as_can_be() {
        assert_eq!(Selection::from(Bitmap::filled(9, true)), Selection::All);
        assert_eq!(Selection::from(Bitmap::filled(9, false)), Selection::None);
        assert_eq!(Selection::from(Bitmap::from_fn(9, |row| row == 8)), Selection::Mask(vec![0, 1]));
    }
}
