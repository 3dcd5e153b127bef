//! A table of keys that holds their bytes, so that two keys are never taken for one, in as little memory as that takes.

use std::hash::{DefaultHasher, Hasher};

use crate::room::{NoRoom, push};
use crate::saved::{Reader, put_varint};

/// Bits of a place that count within a chunk.
const CHUNK_BITS: u32 = 20;
/// Bytes of a chunk. Chunks never move, so that growing needs no second copy of the keys.
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
/// Chunks that a place of 32 bits can name.
const MAX_CHUNKS: usize = 1 << (32 - CHUNK_BITS);
/// Slots of the first table.
const FIRST_SLOTS: usize = 1 << 10;

/// Keys in the order in which they were added, found by their bytes.
#[derive(Debug, Default)]
pub struct KeyTable {
    chunks: Vec<Vec<u8>>,
    /// where each key begins: chunk and place in it
    places: Vec<u32>,
    /// number of a key plus 1, or 0; at most three quarters are taken
    slots: Vec<u32>,
}

/// Where a key stands, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is there, under that number.
    Known(u32),
    /// It is not there.
    New(
        /// its hash, for [`KeyTable::add`]
        u64,
    ),
}

impl KeyTable {
    /// How many keys.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Looks a key up.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Place {
        let hash = hash(key);
        if self.slots.is_empty() {
            return Place::New(hash);
        }
        let mut slot = hash as usize & (self.slots.len() - 1);
        while self.slots[slot] != 0 {
            let number = self.slots[slot] - 1;
            if self.get(number) == key {
                return Place::Known(number);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        Place::New(hash)
    }

    /// Adds a key that [`KeyTable::find`] did not find; gives its number.
    ///
    /// # Errors
    /// [`NoRoom`]; the keys are as they were.
    pub fn add(&mut self, key: &[u8], hash: u64) -> Result<u32, NoRoom> {
        if (self.places.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow()?;
        }
        let number = u32::try_from(self.places.len()).map_err(|_| NoRoom)?;
        let place = self.store(key)?;
        push(&mut self.places, place)?;
        occupy(&mut self.slots, hash, number);
        Ok(number)
    }

    /// The bytes of a key; empty when there is none of that number.
    #[inline]
    pub fn get(&self, number: u32) -> &[u8] {
        let Some(place) = self.places.get(number as usize) else { return &[] };
        let chunk = &self.chunks[(place >> CHUNK_BITS) as usize];
        let mut rest = Reader::new(&chunk[*place as usize & (CHUNK_BYTES - 1)..]);
        rest.block().unwrap_or_default()
    }

    /// Every key, in the order in which it was added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..).take(self.len()).map(|number| self.get(number))
    }

    fn grow(&mut self) -> Result<(), NoRoom> {
        let mut slots = Vec::new();
        let count = (self.slots.len() * 2).max(FIRST_SLOTS);
        slots.try_reserve_exact(count)?;
        slots.resize(count, 0);
        for (key, number) in self.iter().zip(0..) {
            occupy(&mut slots, hash(key), number);
        }
        self.slots = slots;
        Ok(())
    }

    fn store(&mut self, key: &[u8]) -> Result<u32, NoRoom> {
        // Ten bytes are the longest varint.
        let most = key.len() + 10;
        let fits = self.chunks.last().is_some_and(|last| last.len() + most <= CHUNK_BYTES);
        if !fits {
            if self.chunks.len() == MAX_CHUNKS {
                return Err(NoRoom);
            }
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(most.max(CHUNK_BYTES))?;
            push(&mut self.chunks, chunk)?;
        }
        let index = self.chunks.len() - 1;
        let chunk = &mut self.chunks[index];
        let place = (index as u32) << CHUNK_BITS | chunk.len() as u32;
        put_varint(key.len(), chunk);
        chunk.extend_from_slice(key);
        Ok(place)
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

fn occupy(slots: &mut [u32], hash: u64, number: u32) {
    let mut slot = hash as usize & (slots.len() - 1);
    while slots[slot] != 0 {
        slot = (slot + 1) & (slots.len() - 1);
    }
    slots[slot] = number + 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(table: &mut KeyTable, key: &[u8]) -> u32 {
        match table.find(key) {
            Place::Known(number) => number,
            Place::New(hash) => table.add(key, hash).expect("room"),
        }
    }

    #[test]
    fn keys_keep_their_numbers_through_every_growth() {
        let mut table = KeyTable::default();
        for round in 0..2 {
            for number in 0..100_000u32 {
                assert_eq!(added(&mut table, &number.to_le_bytes()), number, "round {round}");
            }
        }
        assert_eq!(table.len(), 100_000);
        assert_eq!(table.get(99_999), 99_999u32.to_le_bytes());
        assert_eq!(table.get(100_000), b"");
    }

    #[test]
    fn long_keys_and_empty_ones_have_their_place() {
        let mut table = KeyTable::default();
        let long = vec![7; CHUNK_BYTES * 2];
        for (number, key) in [b"".as_slice(), &long, b"a", &long[1..], b"b"].into_iter().enumerate() {
            assert_eq!(added(&mut table, key) as usize, number);
            assert_eq!(added(&mut table, key) as usize, number);
        }
        assert_eq!(table.get(1).len(), CHUNK_BYTES * 2);
        assert_eq!(table.iter().last(), Some(b"b".as_slice()));
    }
}
