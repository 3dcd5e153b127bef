//! Secret texts that follow from the seed: tokens, codes, cookies.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha512};

/// A series of texts, none twice.
#[derive(Debug)]
pub(crate) struct Secrets {
    seed: u64,
    purpose: String,
    made: u64,
}

impl Secrets {
    pub(crate) fn new(seed: u64, purpose: &str) -> Secrets {
        Secrets { seed, purpose: purpose.to_owned(), made: 0 }
    }

    /// How many were made; also a number for what the last one names.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// The next text of letters, digits, `.` and `_`, as in real tokens; at most 172 characters.
    pub(crate) fn next(&mut self, chars: usize) -> String {
        self.made += 1;
        let text = STANDARD_NO_PAD.encode(self.hash(0)) + &STANDARD_NO_PAD.encode(self.hash(1));
        text.replace('+', ".").replace('/', "_").chars().take(chars).collect()
    }

    /// The next text of that many capital hexadecimal digits, as device users type it; at most 128.
    pub(crate) fn next_hex(&mut self, chars: usize) -> String {
        self.made += 1;
        self.hash(0).iter().map(|byte| format!("{byte:02X}")).collect::<String>().chars().take(chars).collect()
    }

    fn hash(&self, part: u8) -> Vec<u8> {
        let mut hash = Sha512::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.purpose.as_bytes());
        hash.update(self.made.to_le_bytes());
        hash.update([part]);
        hash.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_follow_from_the_seed_and_never_repeat() {
        let (mut one, mut other) = (Secrets::new(1, "codes"), Secrets::new(1, "codes"));
        let text = one.next(96);
        assert_eq!(text.len(), 96);
        assert_eq!(text, other.next(96));
        assert_ne!(one.next(96), text);
        assert_ne!(Secrets::new(1, "cookies").next(96), text);
        assert!(one.next_hex(8).chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_lowercase()));
    }
}
