//! For benchmarks alone: runs that keep nothing of their units, to be held against those that do.

use std::sync::atomic::{AtomicBool, Ordering};

static BARE: AtomicBool = AtomicBool::new(false);

/// Makes the runs of this process record no unit, no id and no hash, until it is called with `false`. Such a run cannot go
/// on and cannot be verified.
#[doc(hidden)]
pub fn without_records(bare: bool) {
    BARE.store(bare, Ordering::Relaxed);
}

/// Whether runs record nothing now.
pub(crate) fn is_bare() -> bool {
    BARE.load(Ordering::Relaxed)
}
