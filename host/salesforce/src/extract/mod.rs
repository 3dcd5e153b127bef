//! One way to read a query's result over Bulk API 2.0, Bulk API 1.0 and REST: create, wait, fetch part after part,
//! dispose.
//!
//! A *part* is what is fetched and written as one: a result page of Bulk 2.0, a file of a batch of Bulk 1.0, some pages
//! of REST. Parts may be under way side by side, and each may be fetched any number of times.

mod begin;
mod beginnings;
mod memory;
mod options;
mod refused;
mod rest;
mod wide;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use forcepump_batch::ResultFormat;
use tokio::sync::{Mutex, Notify};

pub use memory::JobMemory;
pub use options::{Api, ExtractOptions};
pub use refused::Refused;

use crate::body::BodyStream;
use crate::bulk1::{self, Batches, FileRef, NextFile};
use crate::bulk2::{NextPage, PageRef, Pages, QueryJob};
use crate::error::{Error, Result};
use beginnings::Beginnings;
use rest::{RestQuery, RestRef};

/// One part of a result; stays valid for the life of the extract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRef {
    /// Number in the result, from 0; files of Bulk 1.0 are numbered as they come.
    pub index: u64,
    place: Place,
}

impl PartRef {
    /// Names the part; the same in every process that reads the same job: `p00000` for a page or a run of pages,
    /// `751…-00000` for a file of a batch.
    pub fn unit(&self) -> String {
        match &self.place {
            Place::Page(_) | Place::Rest(_) => format!("p{:05}", self.index),
            Place::File(file) => format!("{}-{:05}", file.batch, file.number),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Page(PageRef),
    File(FileRef),
    Rest(RestRef),
}

/// A part under way.
pub struct PartBody {
    /// Rows of this part, where the server announces them.
    pub announced_rows: Option<u64>,
    /// How the bytes are to be read.
    pub format: ResultFormat,
    /// Plain bytes. Ends without an error only at the real end.
    pub body: BodyStream,
}

/// What is heard of an extract that is being waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// As Salesforce writes it.
    pub state: String,
    /// Rows so far; Salesforce may say 0 until the end.
    pub rows: u64,
}

/// A query whose result is being read. Cheap to clone.
#[derive(Clone)]
pub struct Extract(Arc<Inner>);

struct Inner {
    source: Source,
    /// The job is one of another process.
    attached: bool,
    /// What was learned from a part tells of the next.
    changed: Notify,
    /// Of the whole job, once told.
    announced: AtomicU64,
    aborted: AtomicBool,
}

enum Source {
    Bulk2(Pages2),
    Bulk1 { job: bulk1::Job, batches: Mutex<Batches>, next_index: AtomicU64 },
    Rest(Arc<RestQuery>),
}

/// The pages of a job of Bulk API 2.0.
struct Pages2 {
    job: QueryJob,
    pages: Mutex<Pages>,
    /// What the head of each page named as the next one, and whether the pages are listed.
    heads: std::sync::Mutex<HashMap<u64, (Option<String>, bool)>>,
    beginnings: Arc<Beginnings>,
    /// Each row can be told from every other.
    has_ids: bool,
}

impl Pages2 {
    fn heads(&self) -> MutexGuard<'_, HashMap<u64, (Option<String>, bool)>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, page: &PageRef) -> Result<PartBody> {
        let fetched = self.job.fetch(page).await?;
        let mut pages = self.pages.lock().await;
        pages.learned(page, fetched.next_locator.as_deref())?;
        let listed = pages.is_listed();
        drop(pages);
        self.heads().insert(page.index, (fetched.next_locator, listed));
        let body = match self.has_ids {
            true => {
                let what = format!("job {}, page {}", self.job.id(), page.index);
                self.beginnings.checked(what, page.index, fetched.body)
            }
            false => fetched.body,
        };
        Ok(PartBody { announced_rows: fetched.announced_rows, format: ResultFormat::Csv, body })
    }
}

impl Extract {
    /// The API that it reads by.
    pub fn api(&self) -> Api {
        match &self.0.source {
            Source::Bulk2(_) => Api::Bulk2,
            Source::Bulk1 { .. } => Api::Bulk1,
            Source::Rest(_) => Api::Rest,
        }
    }

    /// Id of the job; REST has none.
    pub fn job_id(&self) -> Option<&str> {
        match &self.0.source {
            Source::Bulk2(bulk2) => Some(bulk2.job.id()),
            Source::Bulk1 { job, .. } => Some(&job.id),
            Source::Rest(_) => None,
        }
    }

    /// What it is, for messages: `job 750…`, `the query`.
    pub fn words(&self) -> String {
        self.job_id().map_or_else(|| "the query".to_owned(), |id| format!("job {id}"))
    }

    /// Waits until the first part can be fetched, or it is known that there is none; `progress` hears of every look.
    ///
    /// # Errors
    /// [`Error::Job`] when the job failed, was aborted or is stuck; [`Error::Cancelled`] as soon as `cancel` resolves.
    pub async fn wait(
        &self,
        mut progress: impl FnMut(Progress) + Send,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        tokio::select! {
            biased;
            () = cancel => Err(Error::Cancelled { what: self.words() }),
            done = self.become_ready(&mut progress) => done.map_err(|error| self.seen_later(error)),
        }
    }

    async fn become_ready(&self, progress: &mut (impl FnMut(Progress) + Send)) -> Result<()> {
        match &self.0.source {
            Source::Bulk2(Pages2 { job, .. }) => {
                let polled = |info: &crate::bulk2::JobInfo| {
                    let rows = info.number_records_processed.unwrap_or(0);
                    progress(Progress { state: info.state.as_str().to_owned(), rows });
                };
                let info = job.wait(polled, std::future::pending()).await?;
                let rows = info.number_records_processed.ok_or_else(|| no_total(job.id()))?;
                self.0.announced.store(rows, Ordering::Release);
                Ok(())
            }
            Source::Bulk1 { batches, .. } => loop {
                let mut batches = batches.lock().await;
                let pause = batches.look_once().await?;
                let (state, _) = batches.state();
                progress(Progress { state: state.to_owned(), rows: batches.rows() });
                drop(batches);
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Ok(()),
                }
            },
            Source::Rest(query) => {
                let rows = query.begin().await?;
                self.0.announced.store(rows, Ordering::Release);
                progress(Progress { state: "Open".to_owned(), rows });
                Ok(())
            }
        }
    }

    /// Rows of the whole result as Salesforce announces them. A job in chunks tells of those that are complete by now,
    /// and of all once [`Extract::next_part`] has said that there are no more.
    pub async fn announced(&self) -> u64 {
        match &self.0.source {
            Source::Bulk1 { batches, .. } => batches.lock().await.rows(),
            _ => self.0.announced.load(Ordering::Acquire),
        }
    }

    /// The next part, each once; waits until it is known. `None`: there are no more.
    ///
    /// # Errors
    /// When a part that was announced cannot come any more.
    pub async fn next_part(&self) -> Result<Option<PartRef>> {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // registered before looking, so that nothing told in between is missed
            changed.as_mut().enable();
            let pause = match self.look().await.map_err(|error| self.seen_later(error))? {
                Next::Part(part) => return Ok(Some(part)),
                Next::End => return Ok(None),
                Next::Later(pause) => pause,
            };
            match pause {
                Some(pause) => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    async fn look(&self) -> Result<Next> {
        Ok(match &self.0.source {
            Source::Bulk2(bulk2) => match bulk2.pages.lock().await.next().await? {
                NextPage::Page(page) => Next::Part(PartRef { index: page.index, place: Place::Page(page) }),
                NextPage::Waiting => Next::Later(None),
                NextPage::End => Next::End,
            },
            Source::Bulk1 { batches, next_index, .. } => match batches.lock().await.next().await? {
                NextFile::File(file) => {
                    let index = next_index.fetch_add(1, Ordering::Relaxed);
                    Next::Part(PartRef { index, place: Place::File(file) })
                }
                NextFile::Later(pause) => Next::Later(Some(pause)),
                NextFile::End => Next::End,
            },
            Source::Rest(query) => match query.next()? {
                rest::NextRun::Run(run) => Next::Part(PartRef { index: run.index, place: Place::Rest(run) }),
                rest::NextRun::Waiting => Next::Later(None),
                rest::NextRun::End => Next::End,
            },
        })
    }

    /// Asks for a part. After an error of kind [`crate::ErrorKind::Interrupted`], of the call or of the body, drop what
    /// was read and ask for the same part again.
    ///
    /// # Errors
    /// What Salesforce says; a part of another kind than it should be.
    pub async fn fetch(&self, part: &PartRef) -> Result<PartBody> {
        match (&self.0.source, &part.place) {
            (Source::Bulk2(bulk2), Place::Page(page)) => {
                let fetched = bulk2.fetch(page).await;
                self.0.changed.notify_waiters();
                fetched
            }
            (Source::Bulk1 { job, .. }, Place::File(file)) => {
                let (format, body) = job.fetch(file).await?;
                Ok(PartBody { announced_rows: file.rows, format, body })
            }
            (Source::Rest(query), Place::Rest(run)) => {
                let inner = Arc::clone(&self.0);
                let body = rest::body(Arc::clone(query), run.clone(), move || inner.changed.notify_waiters());
                Ok(PartBody { announced_rows: None, format: ResultFormat::Json, body })
            }
            _ => Err(Error::protocol(self.words(), "a part of another extract was asked for")),
        }
    }

    /// Stops the job. `false`: it had ended already, or there is none.
    ///
    /// # Errors
    /// What Salesforce says.
    pub async fn abort(&self) -> Result<bool> {
        let stopped = match &self.0.source {
            Source::Bulk2(bulk2) => bulk2.job.abort().await?,
            Source::Bulk1 { job, .. } => job.abort().await?,
            Source::Rest(_) => false,
        };
        self.0.aborted.store(stopped, Ordering::Release);
        Ok(stopped)
    }

    /// Leaves nothing behind in the org that counts: deletes a job of Bulk 2.0, closes one of Bulk 1.0.
    ///
    /// # Errors
    /// What Salesforce says.
    pub async fn dispose(&self) -> Result<()> {
        match &self.0.source {
            Source::Bulk2(bulk2) => bulk2.job.delete().await,
            Source::Bulk1 { .. } if self.0.aborted.load(Ordering::Acquire) => Ok(()),
            Source::Bulk1 { job, .. } => job.close().await,
            Source::Rest(_) => Ok(()),
        }
    }
}

impl Extract {
    /// A job that failed while nobody looked gives nothing any more, as one that was deleted.
    fn seen_later(&self, error: Error) -> Error {
        match error {
            Error::Job { state, message, .. } if self.0.attached && state == "Failed" => Error::Lost {
                what: format!("query {}", self.words()),
                detail: format!("it ended as Failed: {message}"),
            },
            other => other,
        }
    }
}

enum Next {
    Part(PartRef),
    Later(Option<Duration>),
    End,
}

/// Without the job's own count a missing page could pass as the end (Bulk API 2.0 guide: every complete job has it).
fn no_total(id: &str) -> Error {
    Error::protocol(
        format!("job {id}"),
        "it is complete, but its numberRecordsProcessed is missing; without it a short result would pass as whole\n  \
         hint: run again; if it happens again, report the job id to Salesforce",
    )
}
