//! The operator's wish to stop, seen by every task of a run.

use std::sync::Arc;

use tokio::sync::watch;

/// A switch that is turned once; clones share it.
#[derive(Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Turns the switch.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether the switch was turned.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the switch is turned.
    pub async fn cancelled(&self) {
        let mut seen = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail before the switch is turned.
        let _ = seen.wait_for(|turned| *turned).await;
    }

    /// Runs the work unless the switch is turned first.
    pub async fn race<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => None,
            done = work => Some(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turned_switch_wins_over_work_that_never_ends() {
        let cancel = Cancel::new();
        assert_eq!(cancel.race(async { 1 }).await, Some(1));
        cancel.clone().cancel();
        assert!(cancel.is_cancelled());
        assert_eq!(cancel.race(std::future::pending::<u8>()).await, None);
    }
}
