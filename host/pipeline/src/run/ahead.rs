//! Parts that are fetched ahead of the workers: several connections at a time, whatever the number of workers, and the
//! rows that wait in memory that all parts share.

use std::sync::Arc;

use forcepump_salesforce::PartRef;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::reader::{Pieces, Reading, Room, read};

/// Rows that wait for a worker, for each part that may be fetched at a time, in KiB: a batch or two.
const WAITING_KIB: usize = 2 << 10;

type Part = Result<(PartRef, Pieces), forcepump_salesforce::Error>;

/// The parts under way, in the order in which they were begun.
pub(crate) struct Ahead {
    reading: Arc<Reading>,
    begun: Mutex<mpsc::Receiver<Part>>,
    beginning: JoinHandle<()>,
}

impl Ahead {
    /// Begins to fetch, `parts` at a time.
    pub(crate) fn start(reading: &Arc<Reading>, parts: usize) -> Self {
        let (sender, begun) = mpsc::channel(parts);
        let beginning = tokio::spawn(begin(Arc::clone(reading), parts, sender));
        Self { reading: Arc::clone(reading), begun: Mutex::new(begun), beginning }
    }

    /// The part that was begun first and that no worker has, or none when there are no more, or the run stops.
    pub(crate) async fn take(&self) -> Result<Option<(PartRef, Pieces)>, forcepump_salesforce::Error> {
        let mut begun = self.begun.lock().await;
        if self.reading.pages.is_stopped() {
            return Ok(None);
        }
        let part = begun.recv().await.transpose()?;
        if let Some((_, pieces)) = &part {
            pieces.wanted();
        }
        Ok(part)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.beginning.abort();
    }
}

async fn begin(reading: Arc<Reading>, parts: usize, sender: mpsc::Sender<Part>) {
    let at_a_time = Arc::new(Semaphore::new(parts));
    let waiting = Arc::new(Semaphore::new(parts * WAITING_KIB));
    while let Ok(turn) = Arc::clone(&at_a_time).acquire_owned().await {
        let part = match reading.pages.take().await {
            Ok(Some(part)) => {
                let room = Room::shared(&waiting, WAITING_KIB, turn);
                Ok((part.clone(), read(&reading, part, room)))
            }
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let failed = part.is_err();
        if sender.send(part).await.is_err() || failed {
            return;
        }
    }
}
