//! What a session is to do: a run that goes on, begins anew, fills in fields, or reads refused rows again.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{Adopted, Session, Start};
use crate::again::Retry;
use crate::backfill;
use crate::error::Error;
use crate::file::Pipeline;
use crate::incremental::Window;
use crate::run;
use crate::run::writer::Writer;

impl Session {
    /// Reads rejected rows of a former run again, in the place of the pipeline's rows.
    #[must_use]
    pub fn retrying(self, retry: Retry) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// The rows that are read again; none in any other run.
    pub(crate) fn retry(&self) -> Option<&Retry> {
        self.settled.get().or(self.retry.as_ref())
    }

    /// The rows that are read again are these from now on.
    pub(crate) fn settle(&self, retry: Retry) {
        // A session runs once: who came first stays.
        let _ = self.settled.set(retry);
    }

    /// Makes it an error when the lock file has no entry for the pipeline.
    #[must_use]
    pub fn locked(self, locked: bool) -> Self {
        Self { locked, ..self }
    }

    /// Values that stand in the place of the pipeline file's variables.
    #[must_use]
    pub fn with_variables(self, given: BTreeMap<String, String>) -> Self {
        Self { given, ..self }
    }

    /// The columns that rows of former runs have nothing in, since they were not read by all runs, by feed: of the one
    /// that is named, or of all.
    ///
    /// # Errors
    /// [`Error::Input`] for a feed that the pipeline does not have, or that cannot be filled in; [`Error::Source`] when the
    /// login fails, [`Error::Host`] when the state cannot be read.
    pub async fn columns_to_fill(&self, only: Option<&str>) -> Result<BTreeMap<String, Vec<String>>, Error> {
        backfill::columns(self, only).await
    }

    /// A session whose run fills fields in, for the rows that former runs have read, in the place of a run of the pipeline.
    /// `fields`: by feed.
    ///
    /// # Errors
    /// [`Error::Input`] when a feed is not incremental, or its destination cannot change rows.
    pub fn filling_in(self, fields: BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        if !self.has_feeds() {
            return self.filling_in_one(fields.into_values().next().unwrap_or_default());
        }
        for feed in self.pipeline.feeds().iter().filter(|feed| fields.contains_key(feed.feed().unwrap_or_default())) {
            let named = |error| Error::Feeds(vec![(feed.feed().unwrap_or_default().to_owned(), error)]);
            backfill::pipeline(feed).map_err(named)?;
        }
        Ok(Self { filling: Some(Vec::new()), filling_feeds: fields, ..self })
    }

    /// The same of a session of one feed.
    pub(crate) fn filling_in_one(self, fields: Vec<String>) -> Result<Self, Error> {
        let pipeline = backfill::pipeline(&self.pipeline)?;
        Ok(Self { pipeline, filling: Some(fields), ..self })
    }

    /// The fields that the run fills in; none of a run of the pipeline.
    pub(crate) fn filling(&self) -> Option<&[String]> {
        self.filling.as_deref()
    }

    /// Begins a new run, whatever run of the pipeline is unfinished: that one is given up.
    #[must_use]
    pub fn fresh(self, fresh: bool) -> Self {
        let start = if fresh { Start::Fresh } else { self.start };
        Self { start, ..self }
    }

    /// Goes on with that run, or with none.
    #[must_use]
    pub fn going_on_with(self, run: &str) -> Self {
        Self { start: Start::GoOnWith(run.to_owned()), ..self }
    }

    /// Id of the run that this session may do: unique, and sorts by time; of an unfinished run that goes on, its own.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.adopted.get().map_or(&self.run_id, |adopted| &adopted.run_id)
    }

    /// How the run begins.
    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// The session has the beginning of an unfinished run from now on, and of an incremental one its window.
    pub(crate) fn adopt(&self, adopted: Adopted, window: Option<Window>) {
        // A session runs once: who came first stays.
        let _ = self.adopted.set(adopted);
        if let Some(window) = window {
            let _ = self.window.set(window);
        }
    }

    /// The same for a new run.
    pub(crate) fn anew(&self) -> Self {
        let anew = self.with_pipeline(self.pipeline.clone(), self.given.clone());
        Self { retry: self.retry.clone(), ..anew }
    }

    /// The same org and host with another pipeline, or the same one as it was.
    pub(crate) fn with_pipeline(&self, pipeline: Pipeline, given: BTreeMap<String, String>) -> Self {
        Self {
            host: self.host.clone(),
            pipeline,
            client: self.client.clone(),
            connection: self.connection.clone(),
            org: self.org.clone(),
            locked: self.locked,
            run_id: run::start::new_run_id(),
            submitted_at: chrono::Utc::now().timestamp_micros(),
            given,
            start: Start::Fresh,
            adopted: OnceLock::new(),
            retry: None,
            settled: OnceLock::new(),
            window: OnceLock::new(),
            now: Arc::default(),
            writer: Writer::default(),
            filling: self.filling.clone(),
            filling_feeds: self.filling_feeds.clone(),
        }
    }
}
