//! Sealing: what a token file is on disk, and how it is opened again.
//!
//! Layout: `FPTK`, version, id of the key (8 bytes), nonce (12 bytes), then ChaCha20-Poly1305 over the content. The
//! associated data are all bytes before the nonce and the connection's name: a file renamed is a file refused.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use secrecy::zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
const MAGIC: &[u8; 4] = b"FPTK";
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const HEAD_BYTES: usize = MAGIC.len() + 1 + KEY_ID_BYTES;

/// The key that everything in a store is sealed with.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Why a file cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// Not a token file at all, or one cut off within its head.
    Foreign,
    /// Written by a newer Forcepump, in this version of the layout.
    Newer(u8),
    /// Sealed with another key.
    OtherKey,
    /// Changed, cut off, or of another connection.
    Broken,
}

impl Key {
    pub(super) fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A fresh one from the system's random bytes; none when the system has none.
    pub(super) fn random() -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self::new(bytes))
    }

    /// Tells keys apart without saying anything of them.
    fn id(&self) -> [u8; KEY_ID_BYTES] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()), b"forcepump token store key id");
        let mut id = [0; KEY_ID_BYTES];
        id.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        id
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, self.0.as_slice()).ok().map(LessSafeKey::new)
    }
}

fn head(key: &Key) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let bytes = MAGIC.iter().copied().chain([VERSION]).chain(key.id());
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    head
}

fn associated(head: &[u8], name: &str) -> Aad<Vec<u8>> {
    Aad::from([head, name.as_bytes()].concat())
}

/// Seals the content under a fresh nonce; none when the system has no random bytes.
pub(super) fn seal(key: &Key, name: &str, content: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    let head = head(key);
    let mut sealed = content.to_vec();
    let aad = associated(&head, name);
    key.cipher()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
    Some([&head[..], &nonce[..], &sealed[..]].concat())
}

/// Opens what [`seal`] made with the same key for the same name.
pub(super) fn unseal(key: &Key, name: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Damage> {
    let (head_found, rest) = file.split_at_checked(HEAD_BYTES).ok_or(Damage::Foreign)?;
    let version = head_found.strip_prefix(MAGIC).and_then(|rest| rest.first()).ok_or(Damage::Foreign)?;
    if *version != VERSION {
        return Err(Damage::Newer(*version));
    }
    if head_found != head(key) {
        return Err(Damage::OtherKey);
    }
    let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(Damage::Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Damage::Broken)?;
    let mut content = Zeroizing::new(sealed.to_vec());
    let cipher = key.cipher().ok_or(Damage::Broken)?;
    let opened = cipher.open_in_place(nonce, associated(head_found, name), content.as_mut_slice());
    let length = opened.map_err(|_| Damage::Broken)?.len();
    content.truncate(length);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; KEY_BYTES])
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_and_name_only() {
        let file = seal(&key(1), "prod", b"s3cr3t").unwrap();
        assert!(!file.windows(6).any(|part| part == b"s3cr3t"));
        assert_eq!(unseal(&key(1), "prod", &file).unwrap().as_slice(), b"s3cr3t");
        assert_eq!(unseal(&key(2), "prod", &file), Err(Damage::OtherKey));
        assert_eq!(unseal(&key(1), "other", &file), Err(Damage::Broken));
        assert_ne!(file, seal(&key(1), "prod", b"s3cr3t").unwrap(), "a nonce was used twice");
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let file = seal(&key(1), "prod", b"some tokens").unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(unseal(&key(1), "prod", &changed).is_err(), "byte {at}");
            assert!(unseal(&key(1), "prod", &file[..at]).is_err(), "cut at {at}");
        }
        let mut newer = file;
        newer[4] = 2;
        assert_eq!(unseal(&key(1), "prod", &newer), Err(Damage::Newer(2)));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(file in proptest::collection::vec(any::<u8>(), 0..100), ours: bool) {
            let mut file = file;
            if ours {
                file.splice(0..0, head(&key(1)));
            }
            prop_assert!(unseal(&key(1), "prod", &file).is_err());
        }
    }
}
