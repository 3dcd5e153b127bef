//! The parts of an extract, handed to workers until there are no more, or the run stops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use forcepump_salesforce::{Extract, PartRef};
use tokio::sync::Notify;

/// Shared by the workers.
pub(crate) struct PageQueue {
    extract: Extract,
    stop: Notify,
    stopped: AtomicBool,
    /// rows announced when it was told last
    told: AtomicU64,
}

impl PageQueue {
    pub(crate) fn new(extract: Extract, told: u64) -> Self {
        Self { extract, stop: Notify::new(), stopped: AtomicBool::new(false), told: AtomicU64::new(told) }
    }

    /// The next part, or none when every part was handed out or the run stops.
    pub(crate) async fn take(&self) -> Result<Option<PartRef>, forcepump_salesforce::Error> {
        let stop = self.stop.notified();
        tokio::pin!(stop);
        // Registered before looking, so that nothing told in between is missed.
        stop.as_mut().enable();
        if self.stopped.load(Ordering::Acquire) {
            return Ok(None);
        }
        tokio::select! {
            biased;
            () = stop => Ok(None),
            part = self.extract.next_part() => part,
        }
    }

    /// Rows announced by now, when they are more than were told before.
    pub(crate) async fn grown(&self) -> Option<u64> {
        let rows = self.extract.announced().await;
        (self.told.swap(rows, Ordering::AcqRel) < rows).then_some(rows)
    }

    /// Whether nobody takes another part.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Nobody takes another part.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }
}
