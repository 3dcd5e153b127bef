//! What becomes of one value.

use forcepump_plugin_sdk::{Column, PluginError, Utf8Builder, Utf8Column};
use sha2::{Digest, Sha256};

/// Bytes in a block of SHA-256, which HMAC pads its key to.
const BLOCK_BYTES: usize = 64;
/// Bytes of the digest that a token shows: 64 bits, at which two of a hundred million values are
/// alike with a probability under one in three thousand.
const TOKEN_BYTES: usize = 8;
/// What a token starts with, so that nobody takes it for a value.
const TOKEN_PREFIX: &str = "tok_";

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// the same text in place of every value
    Redact(String),
    /// nothing in place of every value
    Null,
    /// all of the keyed digest
    Hash,
    /// some of the keyed digest, marked as a token
    Tokenise,
    /// stars, and that many characters at the end
    KeepLast(usize),
}

impl Method {
    pub(crate) fn needs_salt(&self) -> bool {
        matches!(self, Method::Hash | Method::Tokenise)
    }
}

/// How a computed column is made.
#[derive(Debug)]
pub(crate) enum Rule {
    Redact(String),
    Hash(Key),
    Tokenise(Key),
    KeepLast(usize),
}

impl Rule {
    /// None when nothing has to be computed.
    pub(crate) fn of(method: &Method, salt: &str) -> Option<Self> {
        Some(match method {
            Method::Null => return None,
            Method::Redact(text) => Rule::Redact(text.clone()),
            // Two uses of one salt must not give values that can be held against each other.
            Method::Hash => Rule::Hash(Key::new(salt, "hash")),
            Method::Tokenise => Rule::Tokenise(Key::new(salt, "tokenise")),
            Method::KeepLast(kept) => Rule::KeepLast(*kept),
        })
    }

    /// Whether the result depends on more than where the nulls are.
    pub(crate) fn needs_values(&self) -> bool {
        !matches!(self, Rule::Redact(_))
    }

    /// A column without nulls, when values do not matter.
    pub(crate) fn fill(&self, rows: usize) -> Result<Column, PluginError> {
        let mut out = Utf8Builder::with_capacity(rows, 0);
        (0..rows).for_each(|_| out.push_with(|text| self.append("", text)));
        out.finish()
    }

    /// A column with nulls where they were.
    pub(crate) fn apply(&self, values: &Utf8Column) -> Result<Column, PluginError> {
        let mut out = Utf8Builder::with_capacity(values.len(), self.expected_bytes(values));
        for value in values.iter() {
            match value {
                Some(value) => out.push_with(|text| self.append(value, text)),
                None => out.push(None),
            }
        }
        out.finish()
    }

    fn expected_bytes(&self, values: &Utf8Column) -> usize {
        match self {
            Rule::Redact(text) => values.len() * text.len(),
            Rule::Hash(_) => values.len() * 2 * 32,
            Rule::Tokenise(_) => values.len() * (TOKEN_PREFIX.len() + 2 * TOKEN_BYTES),
            Rule::KeepLast(_) => values.values().len(),
        }
    }

    fn append(&self, value: &str, out: &mut String) {
        match self {
            Rule::Redact(text) => out.push_str(text),
            Rule::Hash(key) => append_hex(&key.digest(value), out),
            Rule::Tokenise(key) => {
                out.push_str(TOKEN_PREFIX);
                append_hex(&key.digest(value)[..TOKEN_BYTES], out);
            }
            Rule::KeepLast(kept) => append_stars(value, *kept, out),
        }
    }
}

fn append_stars(value: &str, kept: usize, out: &mut String) {
    let count = value.chars().count();
    // A value no longer than what may be seen would be seen whole: all of it is hidden instead.
    let hidden = if count > kept { count - kept } else { count };
    for (index, character) in value.chars().enumerate() {
        out.push(if index < hidden { '*' } else { character });
    }
}

fn append_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// HMAC-SHA256 (RFC 2104) with the key already taken in: each value costs two blocks, not four.
#[derive(Clone)]
pub(crate) struct Key {
    inner: Sha256,
    outer: Sha256,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// `purpose` keeps apart what the same salt is used for.
    fn new(salt: &str, purpose: &str) -> Self {
        let key = Key::of_bytes(salt.as_bytes());
        Key::of_bytes(&key.digest(purpose))
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let mut block = [0u8; BLOCK_BYTES];
        if bytes.len() > BLOCK_BYTES {
            block[..32].copy_from_slice(&Sha256::digest(bytes));
        } else {
            block[..bytes.len()].copy_from_slice(bytes);
        }
        let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Key { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn digest(&self, value: &str) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(value.as_bytes()).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let mut text = String::new();
        append_hex(bytes, &mut text);
        text
    }

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn the_keyed_digest_is_hmac() {
        assert_eq!(
            hex(&Key::of_bytes(b"Jefe").digest("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&Key::of_bytes(&[0xaa; 131]).digest("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn hash_and_token_share_no_digits() {
        assert_ne!(Key::new("salt", "hash").digest("x"), Key::new("salt", "tokenise").digest("x"));
    }

    #[test]
    fn stars_count_characters() {
        let cut = |value: &str, kept| {
            let mut out = String::new();
            append_stars(value, kept, &mut out);
            out
        };
        assert_eq!(cut("Zoë", 1), "**ë");
        assert_eq!(cut("ab", 5), "**");
        assert_eq!(cut("", 0), "");
        assert_eq!(cut("abc", 0), "***");
    }
}
