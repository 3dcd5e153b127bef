//! States as bytes: what they are of, how long they are, and a digest, so that another or a damaged one is noticed.

use forcepump_plugin_sdk::PluginError;
use sha2::{Digest, Sha256};

/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;
/// Bytes of a checkpoint that the host takes.
const MAX_BYTES: usize = 16 << 20;
/// Bytes that a reader hands on as one number at most: ten of seven bits.
const VARINT_BYTES: usize = 10;

/// A state in the making: it never takes more memory than a checkpoint may have.
#[derive(Debug)]
pub struct Seal<'a> {
    sealed: Vec<u8>,
    way_out: &'a str,
}

impl<'a> Seal<'a> {
    /// `kind` names the plugin and the version of its form, `shape` what the state depends on: configuration and
    /// columns; `way_out` is what an operator can do when it gets too large.
    pub fn new(kind: &str, shape: &str, way_out: &'a str) -> Self {
        let mut sealed = Vec::new();
        put_block(kind.as_bytes(), &mut sealed);
        sealed.extend_from_slice(&Sha256::digest(shape));
        Seal { sealed, way_out }
    }

    /// Appends bytes as they are.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when the state is more than the host or the memory takes, with the bound.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), PluginError> {
        if self.sealed.len() + bytes.len() + DIGEST_BYTES > MAX_BYTES {
            let way_out = self.way_out;
            return Err(PluginError::fatal(format!(
                "the state has more than the {MAX_BYTES} bytes of a checkpoint; {way_out}"
            )));
        }
        let room = self.sealed.try_reserve(bytes.len() + DIGEST_BYTES);
        room.map_err(|_| PluginError::fatal("the memory has no room to save the state; raise limits.memory_mib"))?;
        self.sealed.extend_from_slice(bytes);
        Ok(())
    }

    /// The whole, with its digest.
    pub fn finish(mut self) -> Vec<u8> {
        let digest = Sha256::digest(&self.sealed);
        self.sealed.extend_from_slice(&digest);
        self.sealed
    }
}

/// What was put into a [`Seal`] of the same kind and shape.
///
/// # Errors
/// [`PluginError::Fatal`] that says how it differs.
pub fn open<'a>(kind: &str, shape: &str, sealed: &'a [u8]) -> Result<&'a [u8], PluginError> {
    let unfit = |what: &str| PluginError::fatal(format!("the saved state {what}; start the run anew, without it"));
    let damaged = || unfit("is damaged: its length or its digest is wrong");
    let (content, digest) = sealed.len().checked_sub(DIGEST_BYTES).map(|at| sealed.split_at(at)).ok_or_else(damaged)?;
    if Sha256::digest(content).as_slice() != digest {
        return Err(damaged());
    }
    let mut rest = Reader(content);
    if rest.block() != Some(kind.as_bytes()) {
        return Err(unfit("is of another plugin, or of another version of this one"));
    }
    if rest.take(DIGEST_BYTES) != Some(Sha256::digest(shape).as_slice()) {
        return Err(unfit("was made with another configuration, or for other columns"));
    }
    Ok(rest.0)
}

/// Appends bytes with their length before them.
pub fn put_block(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
#[inline]
pub(crate) fn put_varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes bytes from the front; behind the end there is nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// All of `bytes` are left.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next bytes, as many as there are in the array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    /// A number that [`put_block`] puts before its bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for step in 0..VARINT_BYTES {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f).checked_shl(7 * step as u32)?;
            if byte < 0x80 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    /// Bytes that [`put_block`] put.
    #[inline]
    pub fn block(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_whole_or_not_at_all() {
        let mut seal = Seal::new("dedupe 1", "Id:text", "");
        seal.put(b"the ").and_then(|()| seal.put(b"keys")).expect("small");
        let sealed = seal.finish();
        assert_eq!(open("dedupe 1", "Id:text", &sealed), Ok(b"the keys".as_slice()));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open("dedupe 1", "Id:text", &changed).is_err(), "byte {place}");
            assert!(open("dedupe 1", "Id:text", &sealed[..place]).is_err(), "cut at {place}");
        }
        let said = |kind, shape| format!("{:?}", open(kind, shape, &sealed));
        assert!(said("dedupe 2", "Id:text").contains("another version"));
        assert!(said("dedupe 1", "Name:text").contains("other columns"));
    }

    #[test]
    fn what_is_too_large_names_the_way_out() {
        let mut seal = Seal::new("k", "s", "use fewer keys");
        let mebibyte = vec![0; 1 << 20];
        let error = (0..16).find_map(|_| seal.put(&mebibyte).err()).expect("too large");
        assert!(format!("{error:?}").contains("16777216 bytes of a checkpoint; use fewer keys"), "{error:?}");
        assert!(seal.finish().len() <= MAX_BYTES);
    }

    #[test]
    fn numbers_of_any_size_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, usize::MAX] {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            assert_eq!(Reader::new(&bytes).varint(), Some(number));
        }
        assert_eq!(Reader::new(&[0xff; 11]).varint(), None);
    }
}
