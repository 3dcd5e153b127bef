//! Random bytes: SHA-256 in counter mode over a key from the operating system or a fixed seed.

use sha2::{Digest, Sha256};

use crate::grants::Seed;

/// A stream of random bytes that belongs to one instance.
pub struct RandomSource {
    seed: Option<Seed>,
    key: Option<[u8; 32]>,
    counter: u64,
}

impl RandomSource {
    /// A source that nobody asked yet.
    pub fn new(seed: Option<Seed>) -> Self {
        RandomSource { seed, key: None, counter: 0 }
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
            self.key = Some(hash.finalize().into());
            self.counter = 0;
        }
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> wasmtime::Result<Vec<u8>> {
        let key = self.key()?;
        let mut bytes = Vec::with_capacity(count.next_multiple_of(32));
        while bytes.len() < count {
            let block = Sha256::new().chain_update(key).chain_update(self.counter.to_le_bytes());
            bytes.extend_from_slice(&block.finalize());
            self.counter += 1;
        }
        bytes.truncate(count);
        Ok(bytes)
    }

    fn key(&mut self) -> wasmtime::Result<[u8; 32]> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        let mut key = [0u8; 32];
        match self.seed {
            None => wasmtime::bail!("the capability `random` is not granted"),
            Some(Seed::Fixed(seed)) => key[..8].copy_from_slice(&seed.to_le_bytes()),
            Some(Seed::System) => {
                getrandom::fill(&mut key).map_err(|error| wasmtime::format_err!("no random bytes: {error}"))?
            }
        }
        self.key = Some(key);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_bytes(lane: u32) -> Vec<u8> {
        let mut source = RandomSource::new(Some(Seed::Fixed(7)));
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
        assert!(RandomSource::new(None).bytes(1).is_err());
        assert_eq!(RandomSource::new(Some(Seed::System)).bytes(40).expect("granted").len(), 40);
    }
}
