//! The pages of a job, handed to workers: listed at once where the server offers that, else found one after the other.

use std::sync::atomic::{AtomicBool, Ordering};

use forcepump_salesforce::{NextPage, PageRef, Pages};
use tokio::sync::{Mutex, Notify};

/// Shared by the workers; wakes those who wait for a page that another one's answer names.
pub(crate) struct PageQueue {
    pages: Mutex<Pages>,
    changed: Notify,
    stopped: AtomicBool,
}

impl PageQueue {
    pub(crate) fn new(pages: Pages) -> Self {
        Self { pages: Mutex::new(pages), changed: Notify::new(), stopped: AtomicBool::new(false) }
    }

    /// The next page, or none when every page was handed out or the run stops.
    pub(crate) async fn take(&self) -> Result<Option<PageRef>, forcepump_salesforce::Error> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that nothing told in between is missed.
            changed.as_mut().enable();
            if self.stopped.load(Ordering::Acquire) {
                return Ok(None);
            }
            match self.pages.lock().await.next().await? {
                NextPage::Page(page) => return Ok(Some(page)),
                NextPage::End => return Ok(None),
                NextPage::Waiting => {}
            }
            changed.await;
        }
    }

    /// Tells what the head of a page's answer said of the page after it.
    pub(crate) async fn learned(&self, page: &PageRef, next: Option<&str>) -> Result<(), forcepump_salesforce::Error> {
        self.pages.lock().await.learned(page, next)?;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Nobody takes another page.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }
}
