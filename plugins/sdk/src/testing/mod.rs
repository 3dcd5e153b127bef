//! A stand-in for the host, so that a plugin's tests are plain `cargo test`.
//!
//! It keeps columns in memory, one test thread at a time, and holds the plugin to the contract's
//! rules: a column that `open` did not list under `reads` cannot be read, computed columns have the
//! negotiated type and length, a rejected row is not selected.

mod cells;
pub mod files;
pub mod http;
mod run;
pub mod sql;
pub(crate) mod store;
mod table;

pub use run::{DestinationRun, Processed, TransformRun, target};
pub use table::Table;

use crate::logging::Level;
use std::cell::{Cell, RefCell};

/// When every run of the stand-in takes place: 2024-01-01T00:00:00Z.
const AS_OF_MICROS: i64 = 1_704_067_200_000_000;

thread_local! {
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static METRICS: RefCell<Vec<(String, f64)>> = const { RefCell::new(Vec::new()) };
    static CLOCK: Cell<i64> = const { Cell::new(AS_OF_MICROS) };
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// How many batches the plugin of this thread holds by [`crate::data::retain`].
pub fn retained_batches() -> usize {
    store::retained()
}

/// Lets the plugin of this thread, once it is open, retain at most that many batches: the host refuses by bytes.
pub fn retain_at_most(batches: usize) {
    store::set_room(batches);
}

/// Every log line since the last call, as level and text with fields.
pub fn take_log() -> Vec<(Level, String)> {
    LOG.take()
}

/// Every metric since the last call, as name and amount.
pub fn take_metrics() -> Vec<(String, f64)> {
    METRICS.take()
}

pub(crate) fn record_log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    LOG.with_borrow_mut(|log| log.push((level, format!("{message}{fields}"))));
}

pub(crate) fn record_metric(name: &str, amount: f64) {
    METRICS.with_borrow_mut(|metrics| metrics.push((name.to_owned(), amount)));
}

/// Sets the clock that [`crate::clock`] shows, in microseconds since the epoch; it stands still.
pub fn set_clock(micros: i64) {
    CLOCK.set(micros);
}

/// Starts the bytes of [`crate::random`] anew: the same seed gives the same bytes.
pub fn set_seed(seed: u64) {
    RANDOM.set(seed);
}

pub(crate) fn clock() -> i64 {
    CLOCK.get()
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    (0..len).map(|_| random_word() as u8).collect()
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn random_word() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = RANDOM.get().wrapping_add(STEP);
    RANDOM.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_follow_the_seed() {
        set_seed(7);
        let first = random_bytes(32);
        assert_ne!(first, random_bytes(32));
        set_seed(7);
        assert_eq!(first, random_bytes(32));
    }
}
