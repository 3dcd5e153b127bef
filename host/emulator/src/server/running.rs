//! Requests that are being answered right now: orgs limit how many long ones run at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::state::lock;

/// When each running request began.
#[derive(Debug, Default)]
pub(crate) struct Running {
    began: Mutex<HashMap<u64, Instant>>,
    numbers: AtomicU64,
}

/// One running request; it runs until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    running: Arc<Running>,
    number: u64,
}

impl Running {
    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> Turn {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        lock(&self.began).insert(number, Instant::now());
        Turn { running: self.clone(), number }
    }

    /// Requests that have been running for that long.
    pub(super) fn longer_than(&self, time: Duration) -> usize {
        lock(&self.began).values().filter(|began| began.elapsed() >= time).count()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.running.began).remove(&self.number);
    }
}
