//! Random bytes: SHA-256 in counter mode over a key from the operating system or a fixed seed.

use sha2::{Digest, Sha256};

use crate::grants::Seed;

/// What the fixed stream of a guest without a grant is made of, beside the plugin's digest.
const UNGRANTED: &[u8] = b"forcepump: random is not granted";

/// A stream of random bytes that belongs to one instance.
pub struct RandomSource {
    seed: Option<Seed>,
    ungranted: Stream,
    granted: Option<Stream>,
}

/// SHA-256 in counter mode.
struct Stream {
    key: [u8; 32],
    counter: u64,
}

impl Stream {
    fn new(key: [u8; 32]) -> Self {
        Stream { key, counter: 0 }
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count.next_multiple_of(32));
        while bytes.len() < count {
            let block = Sha256::new().chain_update(self.key).chain_update(self.counter.to_le_bytes());
            bytes.extend_from_slice(&block.finalize());
            self.counter += 1;
        }
        bytes.truncate(count);
        bytes
    }
}

impl RandomSource {
    /// A source that nobody asked yet.
    pub fn new(seed: Option<Seed>, plugin_digest: &str) -> Self {
        let key = Sha256::new().chain_update(UNGRANTED).chain_update(plugin_digest.as_bytes()).finalize();
        RandomSource { seed, ungranted: Stream::new(key.into()), granted: None }
    }

    /// Binds a fixed seed to what the instance works on, so that two lanes differ and two runs
    /// do not.
    pub fn bind(&mut self, plugin_digest: &str, feed: &str, lane: u32) {
        if let Some(Seed::Fixed(seed)) = self.seed {
            let mut hash = Sha256::new();
            hash.update(seed.to_le_bytes());
            hash.update(plugin_digest.as_bytes());
            hash.update((feed.len() as u64).to_le_bytes());
            hash.update(feed.as_bytes());
            hash.update(lane.to_le_bytes());
            self.granted = Some(Stream::new(hash.finalize().into()));
        }
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> wasmtime::Result<Vec<u8>> {
        Ok(self.stream()?.bytes(count))
    }

    /// The next bytes for a WASI guest, whose language may need some to start at all: without the grant they are the
    /// same in every instance of the plugin.
    pub fn wasi_bytes(&mut self, count: usize) -> wasmtime::Result<Vec<u8>> {
        if self.seed.is_none() {
            return Ok(self.ungranted.bytes(count));
        }
        self.bytes(count)
    }

    fn stream(&mut self) -> wasmtime::Result<&mut Stream> {
        if self.granted.is_none() {
            self.granted = Some(Stream::new(self.fresh_key()?));
        }
        self.granted.as_mut().ok_or_else(|| wasmtime::format_err!("no random bytes"))
    }

    fn fresh_key(&self) -> wasmtime::Result<[u8; 32]> {
        let mut key = [0u8; 32];
        match self.seed {
            None => wasmtime::bail!("the capability `random` is not granted"),
            Some(Seed::Fixed(seed)) => key[..8].copy_from_slice(&seed.to_le_bytes()),
            Some(Seed::System) => {
                getrandom::fill(&mut key).map_err(|error| wasmtime::format_err!("no random bytes: {error}"))?
            }
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_bytes(lane: u32) -> Vec<u8> {
        let mut source = RandomSource::new(Some(Seed::Fixed(7)), "digest");
        source.bind("digest", "Account", lane);
        source.bytes(100).expect("granted")
    }

    #[test]
    fn a_fixed_seed_repeats_and_lanes_differ() {
        assert_eq!(first_bytes(0), first_bytes(0));
        assert_ne!(first_bytes(0), first_bytes(1));
    }

    #[test]
    fn without_a_grant_there_are_none() {
        assert!(RandomSource::new(None, "digest").bytes(1).is_err());
        assert_eq!(RandomSource::new(Some(Seed::System), "digest").bytes(40).expect("granted").len(), 40);
    }

    #[test]
    fn a_wasi_guest_without_a_grant_has_a_stream_of_its_plugin() {
        let first = |digest| RandomSource::new(None, digest).wasi_bytes(16).expect("always");
        assert_eq!(first("a"), first("a"));
        assert_ne!(first("a"), first("b"));
        let mut source = RandomSource::new(None, "a");
        assert_ne!(source.wasi_bytes(16).expect("always"), source.wasi_bytes(16).expect("always"));
    }
}
