//! Record ids: a key prefix, the row's number in base 62, and three characters that guard against lost case.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Between prefix and number: the pod that this org pretends to live on, and a reserved character.
const POD: &[u8; 3] = b"gK0";
/// Characters of an id without and with its checksum.
pub const SHORT_CHARS: usize = 15;
/// Characters of an id with its checksum.
pub const LONG_CHARS: usize = 18;

/// An id with its checksum.
pub type Id = [u8; LONG_CHARS];

/// The three checksum characters of the first fifteen.
pub fn checksum(id: &[u8]) -> [u8; 3] {
    let mut out = *b"AAA";
    for (block, check) in id.chunks(5).zip(&mut out) {
        let bits = block
            .iter()
            .enumerate()
            .filter(|(_, c)| c.is_ascii_uppercase())
            .fold(0usize, |bits, (k, _)| bits | (1 << k));
        *check = CHECKS.get(bits).copied().unwrap_or(b'A');
    }
    out
}

/// Two digits in base 62 for each number below 62².
const PAIRS: [[u8; 2]; 3_844] = {
    let mut out = [[0; 2]; 3_844];
    let mut number = 0;
    while number < out.len() {
        out[number] = [DIGITS[number / 62], DIGITS[number % 62]];
        number += 1;
    }
    out
};

/// The id of row `number` of the object with this prefix.
#[inline]
pub fn of_row(prefix: [u8; 3], number: u64) -> Id {
    /// 62⁵: the last five digits make up a block of the checksum.
    const BLOCK: u64 = 916_132_832;
    let number = number + 1;
    let (high, low) = (number / BLOCK, number % BLOCK);
    let mut id = *b"000gK0000000000AAA";
    id[..3].copy_from_slice(&prefix);
    if high > 0 {
        id[6..8].copy_from_slice(&PAIRS[(high / 3_844 % 3_844) as usize]);
        id[8..10].copy_from_slice(&PAIRS[(high % 3_844) as usize]);
    }
    id[10] = DIGITS[(low / (3_844 * 3_844) % 62) as usize];
    id[11..13].copy_from_slice(&PAIRS[(low / 3_844 % 3_844) as usize]);
    id[13..15].copy_from_slice(&PAIRS[(low % 3_844) as usize]);
    for (block, check) in [0, 5, 10].into_iter().zip(SHORT_CHARS..LONG_CHARS) {
        // Unrolled, for this runs once for each id of generated CSV.
        let bit = |place: usize| usize::from(id[block + place].is_ascii_uppercase()) << place;
        id[check] = CHECKS[bit(0) | bit(1) | bit(2) | bit(3) | bit(4)];
    }
    id
}

/// The row number in an id that [`of_row`] made; `None` for any other id.
pub fn row_of(id: &[u8]) -> Option<u64> {
    let digits = id.get(3..SHORT_CHARS)?.strip_prefix(POD)?;
    let number = digits.iter().try_fold(0u64, |number, digit| {
        let value = DIGITS.iter().position(|d| d == digit)?;
        Some(number * 62 + value as u64)
    })?;
    number.checked_sub(1)
}

/// What follows the key prefix, as a number in base 62: ids of one object in their order.
pub fn number_of(id: &Id) -> u128 {
    id[3..SHORT_CHARS].iter().fold(0, |number, digit| {
        let value = DIGITS.iter().position(|known| known == digit).unwrap_or(0);
        number * 62 + value as u128
    })
}

/// The 15 characters of the id with this number, the opposite of [`number_of`].
pub fn of_number(prefix: [u8; 3], number: u128) -> String {
    let mut id = [b'0'; SHORT_CHARS];
    id[..3].copy_from_slice(&prefix);
    let mut rest = number;
    for digit in id[3..].iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    id.into_iter().map(char::from).collect()
}

/// A 15 or 18 character id as 18 characters; `None` when it cannot be one. The checksum of 18 is not questioned.
pub fn normalise(text: &[u8]) -> Option<Id> {
    if !(text.len() == SHORT_CHARS || text.len() == LONG_CHARS) || !text.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut id = [b'A'; LONG_CHARS];
    id[..SHORT_CHARS].copy_from_slice(&text[..SHORT_CHARS]);
    let check = checksum(&text[..SHORT_CHARS]);
    id[SHORT_CHARS..].copy_from_slice(&check);
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_recorded_ids() {
        for id in [
            "0015500001QdQWaAAN",
            "006ak00000OQ4RxAAL",
            "01gRO0000016PIAYA2",
            "750ak000009AVi5AAG",
            "012000000000000AAA",
        ] {
            assert_eq!(checksum(&id.as_bytes()[..15]), id.as_bytes()[15..], "{id}");
        }
    }

    #[test]
    fn numbers_follow_the_arithmetic_of_the_guide() {
        for (number, digits) in [(250_000, "132G"), (500_000, "264W"), (750_000, "396m")] {
            let id = of_number(*b"001", number);
            assert_eq!(id, format!("00100000000{digits}"));
            assert_eq!(normalise(id.as_bytes()).map(|id| number_of(&id)), Some(number));
        }
        assert_eq!(number_of(&of_row(*b"001", 9)), number_of(&of_row(*b"001", 0)) + 9);
    }

    #[test]
    fn rows_and_ids_are_one_to_one() {
        for row in [0, 1, 61, 62, 3_843, 5_000_000, 916_132_830, 916_132_831, u64::from(u32::MAX), 1 << 50] {
            let id = of_row(*b"001", row);
            assert_eq!(row_of(&id), Some(row));
            assert_eq!(normalise(&id[..15]), Some(id));
            assert!(id[3..].starts_with(POD));
        }
        assert_eq!(row_of(b"001000000000000AAA"), None);
        assert_eq!(normalise(b"abc"), None);
    }
}
