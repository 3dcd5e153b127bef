//! How an extract begins: by a new job, or by going on with one of another process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Mutex, Notify};

use super::beginnings::Beginnings;
use super::memory::{JobMemory, Known, KnownRun, PartMemory};
use super::rest::RestQuery;
use super::{Api, Extract, ExtractOptions, Inner, Pages2, PartRef, Place, Source};
use crate::bulk1::{self, Batches, KnownFile, Probe};
use crate::bulk2::{KnownPage, QueryJob, QueryOptions};
use crate::client::Client;
use crate::error::Result;
use crate::resolved::check_api_version;
use crate::schema::ResolvedQuery;
use crate::soql::{Select, Selected};

impl Extract {
    /// Creates the job, where the API has jobs; REST asks nothing yet.
    ///
    /// # Errors
    /// What Salesforce says of the query; no job is left behind then.
    pub async fn create(client: &Client, query: &ResolvedQuery, options: &ExtractOptions) -> Result<Self> {
        let source = match options.api {
            Api::Bulk2 => {
                let wanted = QueryOptions {
                    action: options.action,
                    max_records: options.max_records,
                    api_version: options.api_version.clone(),
                };
                let job = QueryJob::create(client, &query.soql, wanted).await?;
                bulk2(job, &query.select, Known::default())
            }
            Api::Bulk1 => {
                let wanted = job_options(client, options)?;
                let job = bulk1::Job::create(client, &query.object, &query.soql, &wanted).await?;
                bulk1(job, &query.select, options, Vec::new())
            }
            Api::Rest => Source::Rest(Arc::new(RestQuery::new(client, &query.soql, options)?)),
        };
        Ok(Self::begun(source, false))
    }

    /// Goes on with what another process began: `done` are the memories ([`Extract::memory_of`]) of the parts that are
    /// committed, which do not come again. Asks nothing yet: whether the job still lives is heard by [`Extract::wait`],
    /// [`Extract::next_part`] and [`Extract::fetch`], whose errors then are [`crate::Error::is_lost`].
    ///
    /// A REST query of which nothing is committed is run anew: its first page comes with the query alone.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for a memory that cannot be read; [`crate::Error::Lost`] when nothing can follow what is committed.
    pub fn attach(
        client: &Client,
        query: &ResolvedQuery,
        options: &ExtractOptions,
        memory: &JobMemory,
        done: &[String],
    ) -> Result<Self> {
        let known = Known::read(memory.api, done)?;
        let options =
            ExtractOptions { api: memory.api, api_version: Some(memory.api_version.clone()), ..options.clone() };
        let id = memory.job_id.as_deref().unwrap_or_default();
        let source = match memory.api {
            Api::Bulk2 => {
                let job = QueryJob::remembered(client, id, &query.object, &memory.api_version, options.max_records)?;
                bulk2(job, &query.select, known)
            }
            Api::Bulk1 => {
                let mut wanted = job_options(client, &options)?;
                wanted.chunking = memory.chunked.then(|| options.pk_chunking.clone().unwrap_or_default());
                let batch = memory.batch.as_deref().unwrap_or_default();
                let job = bulk1::Job::remembered(client, id, &query.object, batch, &wanted)?;
                bulk1(job, &query.select, &options, known.files)
            }
            Api::Rest => {
                let rest = RestQuery::new(client, &query.soql, &options)?;
                Source::Rest(Arc::new(rest.without(memory.total, known.runs)?))
            }
        };
        Ok(Self::begun(source, true))
    }

    fn begun(source: Source, attached: bool) -> Self {
        let (announced, aborted) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { source, attached, changed: Notify::new(), announced, aborted }))
    }

    /// What another process needs to go on with this job. Of REST it says more once [`Extract::wait`] is over.
    pub fn job_memory(&self) -> JobMemory {
        let memory = |api_version: &str| JobMemory {
            api: self.api(),
            job_id: self.job_id().map(str::to_owned),
            api_version: api_version.to_owned(),
            total: None,
            batch: None,
            chunked: false,
        };
        match &self.0.source {
            Source::Bulk2(bulk2) => memory(bulk2.job.api_version()),
            Source::Bulk1 { job, .. } => {
                JobMemory { batch: Some(job.batch.clone()), chunked: job.chunked, ..memory(job.api_version()) }
            }
            Source::Rest(query) => {
                let total = query.has_begun().then(|| self.0.announced.load(Ordering::Acquire));
                JobMemory { total, ..memory(query.api_version()) }
            }
        }
    }

    /// What is to be kept with a part that is committed, so that a later process knows what follows it. `None` before
    /// the part was read to its end.
    pub fn memory_of(&self, part: &PartRef) -> Option<String> {
        let memory = match (&self.0.source, &part.place) {
            (Source::Bulk2(bulk2), Place::Page(page)) => {
                let (next, listed) = bulk2.heads().get(&page.index).cloned()?;
                let begins = bulk2.beginnings.of(page.index);
                let page = KnownPage { locator: page.locator.clone(), next, listed, begins };
                PartMemory::Page { number: part.index, page }
            }
            (Source::Bulk1 { .. }, Place::File(file)) => PartMemory::File(KnownFile {
                batch: file.batch.clone(),
                result: file.result.clone(),
                number: file.number,
                of: file.of,
            }),
            (Source::Rest(query), Place::Rest(run)) => {
                let run = KnownRun { start: run.start.clone(), end: query.end_of(run)? };
                PartMemory::Run { number: part.index, run }
            }
            _ => return None,
        };
        memory.text()
    }
}

fn job_options(client: &Client, options: &ExtractOptions) -> Result<bulk1::JobOptions> {
    let api_version = match &options.api_version {
        Some(version) => check_api_version(version)?,
        None => client.api_version().to_owned(),
    };
    let chunking = options.pk_chunking.clone();
    Ok(bulk1::JobOptions { action: options.action, format: options.format, chunking, api_version })
}

fn bulk2(job: QueryJob, select: &Select, known: Known) -> Source {
    let digests = known.pages.iter().filter_map(|(index, page)| Some((*index, page.begins.as_deref()?)));
    Source::Bulk2(Pages2 {
        beginnings: Arc::new(Beginnings::known(digests)),
        has_ids: has_ids(select),
        heads: std::sync::Mutex::default(),
        pages: Mutex::new(job.pages_without(known.pages)),
        job,
    })
}

fn bulk1(job: bulk1::Job, select: &Select, options: &ExtractOptions, known: Vec<KnownFile>) -> Source {
    let probe = Probe { soql: select.probe(), all: options.sees_all() };
    let batches = Batches::new(job.clone(), probe, options.in_order).without(known);
    Source::Bulk1 { job, batches: Mutex::new(batches), next_index: AtomicU64::new(0) }
}

fn has_ids(select: &Select) -> bool {
    let is_id = |item: &Selected| matches!(item, Selected::Field(path) if path.to_string().eq_ignore_ascii_case("Id"));
    select.fields.iter().any(is_id)
}
