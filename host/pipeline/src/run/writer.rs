//! Whose turn it is to write, where the feeds of a run write into one database.
//!
//! A unit is a transaction that is open while its rows come in, and SQLite has one writer at a time: without turns, the
//! unit of one feed would find the database locked for as long as that of another takes.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Held from the beginning of a unit to its commit.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// The one right to write that the feeds of a run share; nothing where writers do not meet.
#[derive(Clone, Default)]
pub(crate) struct Writer(Option<Arc<Mutex<()>>>);

impl Writer {
    /// One that its clones share.
    pub(crate) fn one() -> Self {
        Self(Some(Arc::default()))
    }

    /// Waits for the turn; none where no turns are taken. Dropping the future gives up the place in the queue.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        match &self.0 {
            Some(mutex) => Some(Arc::clone(mutex).lock_owned().await),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clones_take_turns_and_others_do_not_wait() {
        let writer = Writer::one();
        let held = writer.turn().await;
        assert!(held.is_some() && Writer::default().turn().await.is_none());
        let other = writer.clone();
        let mut waiting = Box::pin(other.turn());
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("two turns at once"),
            () = std::future::ready(()) => {}
        }
        drop(held);
        assert!(waiting.await.is_some());
    }
}
