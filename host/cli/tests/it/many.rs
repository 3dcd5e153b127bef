//! Cases of a seed, several beside each other: case `i` of seed `S` is case 0 of seed `S + i`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Cases beside each other: they wait more than they work.
const BESIDE: usize = 4;

/// A case and what came of it, or what is wrong with it.
pub struct Done<T> {
    /// draws it again
    pub seed: u64,
    /// its end
    pub end: Result<T, String>,
    /// how long it took
    pub took: Duration,
}

/// The number in a variable.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Tries cases from `seed` on until `enough` says so of those that are done.
pub fn all<T: Send>(
    seed: u64,
    enough: impl Fn(&[Done<T>]) -> bool + Sync,
    one: impl Fn(u64) -> Result<T, String> + Sync,
) -> Vec<Done<T>> {
    let (next, done) = (AtomicU64::new(seed), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while !enough(&done.lock().expect("a list")) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let started = Instant::now();
                    let end = catch_unwind(AssertUnwindSafe(|| one(seed)));
                    let end = end.unwrap_or_else(|_| Err("it panicked".to_owned()));
                    done.lock().expect("a list").push(Done { seed, end, took: started.elapsed() });
                }
            });
        }
    });
    let mut done: Vec<Done<T>> = done.into_inner().expect("a list");
    done.sort_by_key(|done| done.seed);
    done
}

/// What is wrong, each with its seed; fails when there is something.
#[track_caller]
pub fn none_is_wrong<T>(seed: u64, done: &[Done<T>]) {
    let told = |done: &Done<T>| Some(format!("── seed {}: {}", done.seed, done.end.as_ref().err()?));
    let bad: Vec<String> = done.iter().filter_map(told).collect();
    assert!(bad.is_empty(), "{} of {} from seed {seed}:\n{}", bad.len(), done.len(), bad.join("\n"));
}
