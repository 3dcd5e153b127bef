//! The batches of a job as they end: which files can be fetched by now, and whether more may come.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{BatchInfo, BatchState, Job};
use crate::error::{Error, Result};
use crate::words::jobs::of_reason;

/// Looks at a job that was split without a chunk to be seen, before the object is asked whether it has rows at all.
const PATIENT_LOOKS: u32 = 5;

/// One file of a complete batch. May be fetched any number of times for 7 days.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileRef {
    pub(crate) batch: String,
    pub(crate) result: String,
    /// Number among the files of its batch, from 0.
    pub(crate) number: usize,
    /// Files of its batch.
    pub(crate) of: usize,
    /// Rows of the file, where the batch has no other.
    pub(crate) rows: Option<u64>,
}

/// What is kept of a file that is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownFile {
    pub(crate) batch: String,
    pub(crate) result: String,
    pub(crate) number: usize,
    pub(crate) of: usize,
}

/// What is known of the next file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextFile {
    File(FileRef),
    /// Look again after that time.
    Later(Duration),
    /// Every batch is complete, and every file was given.
    End,
}

/// The batches of one job.
#[derive(Debug)]
pub(crate) struct Batches {
    job: Job,
    /// Whether there are rows at all, as the REST API counts them.
    probe: Probe,
    /// Files are given in the order of the list, not of completion.
    in_order: bool,
    ready: VecDeque<FileRef>,
    /// Batches that were looked at for the last time.
    done: HashSet<String>,
    /// Files that an earlier process has committed, by batch and number, as far as they were not passed yet.
    known: HashMap<String, BTreeMap<usize, KnownFile>>,
    rows: u64,
    ended: bool,
    /// How many batches the last look saw, when all of them had ended.
    confirming: Option<usize>,
    without_chunks: u32,
    pause: Duration,
    next_look: Instant,
    last_change: Instant,
    state: String,
}

/// A query that tells whether the job can have rows.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) soql: String,
    pub(crate) all: bool,
}

/// What one look found.
#[derive(Default)]
struct Look {
    under_way: bool,
    split: bool,
    chunks: usize,
    all: usize,
    original: bool,
}

impl Batches {
    pub(crate) fn new(job: Job, probe: Probe, in_order: bool) -> Self {
        let now = Instant::now();
        let pause = job.client().options().poll_min_delay;
        Self {
            job,
            probe,
            in_order,
            ready: VecDeque::new(),
            done: HashSet::new(),
            known: HashMap::new(),
            rows: 0,
            ended: false,
            confirming: None,
            without_chunks: 0,
            pause,
            next_look: now,
            last_change: now,
            state: "Queued".to_owned(),
        }
    }

    /// Leaves out files that are committed.
    pub(crate) fn without(mut self, known: Vec<KnownFile>) -> Self {
        for file in known {
            self.known.entry(short(&file.batch).to_owned()).or_default().insert(file.number, file);
        }
        self
    }

    /// Rows of the batches that are complete by now; of all once the end is reached.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The state of the job in one word, and whether a file is there or none will come.
    pub(crate) fn state(&self) -> (&str, bool) {
        (&self.state, self.ended || !self.ready.is_empty())
    }

    /// The next file to fetch, as far as known. Looks at the job at most once, and not too often.
    pub(crate) async fn next(&mut self) -> Result<NextFile> {
        if self.ready.is_empty() && !self.ended {
            let now = Instant::now();
            if now < self.next_look {
                return Ok(NextFile::Later(self.next_look - now));
            }
            self.look().await?;
        }
        Ok(match self.ready.pop_front() {
            Some(file) => NextFile::File(file),
            None if self.ended => match self.known.values().flat_map(BTreeMap::values).next() {
                None => NextFile::End,
                Some(file) => return Err(self.cut_otherwise(&file.batch)),
            },
            None => NextFile::Later(self.next_look.saturating_duration_since(Instant::now())),
        })
    }

    /// Looks at the job without taking a file.
    pub(crate) async fn look_once(&mut self) -> Result<Option<Duration>> {
        if self.state().1 {
            return Ok(None);
        }
        let now = Instant::now();
        if now >= self.next_look {
            self.look().await?;
        }
        let waits = (!self.state().1).then(|| self.next_look.saturating_duration_since(Instant::now()));
        Ok(waits)
    }

    async fn look(&mut self) -> Result<()> {
        let batches = self.job.batches().await?;
        let before = self.done.len();
        let mut look = Look { all: batches.len(), ..Look::default() };
        for batch in &batches {
            self.look_at(batch, &mut look).await?;
        }
        let options = self.job.client().options();
        let (shortest, longest) = (options.poll_min_delay, options.poll_max_delay);
        let now = Instant::now();
        if self.done.len() > before {
            (self.last_change, self.pause) = (now, shortest);
        }
        self.state = if look.under_way { "InProgress" } else { "Completed" }.to_owned();
        self.end(&look).await?;
        self.check_progress()?;
        self.next_look = now + self.job.client().between_polls(self.pause);
        self.pause = (self.pause * 2).min(longest);
        Ok(())
    }

    async fn look_at(&mut self, batch: &BatchInfo, look: &mut Look) -> Result<()> {
        let is_original = batch.id.get(..15) == self.job.batch.get(..15);
        let splits = is_original && self.job.chunked;
        look.original |= is_original;
        look.chunks += usize::from(!is_original);
        match &batch.state {
            state if state.is_under_way() => look.under_way = true,
            BatchState::NotProcessed if splits => look.split = true,
            BatchState::NotProcessed => return Err(self.ended_by_someone(batch)),
            BatchState::Failed => return Err(self.failed(batch, splits)),
            BatchState::Completed if self.done.contains(&batch.id) => {}
            // what comes later in the list waits for what comes earlier
            BatchState::Completed if self.in_order && look.under_way => look.under_way = true,
            BatchState::Completed => self.take(batch).await?,
            state => {
                return Err(Error::protocol(
                    self.job.words(),
                    format!("batch {} has the state {state:?}, which is not known; not taken as success", batch.id),
                ));
            }
        }
        Ok(())
    }

    async fn take(&mut self, batch: &BatchInfo) -> Result<()> {
        let rows = batch.number_records_processed.ok_or_else(|| {
            let detail = format!(
                "batch {} is complete, but its numberRecordsProcessed is missing; without it a short result would pass as whole",
                batch.id
            );
            Error::protocol(self.job.words(), detail)
        })?;
        let known = self.known.remove(short(&batch.id)).unwrap_or_default();
        let is_whole = known.values().next().is_some_and(|file| file.of == known.len());
        if !is_whole {
            let results = self.job.files(&batch.id).await?;
            self.offer(&batch.id, results, &known, rows)?;
        }
        self.rows += rows;
        self.done.insert(batch.id.clone());
        Ok(())
    }

    /// Gives the files of a batch that are not committed.
    fn offer(
        &mut self,
        batch: &str,
        results: Vec<String>,
        known: &BTreeMap<usize, KnownFile>,
        rows: u64,
    ) -> Result<()> {
        let of = results.len();
        let is_same = |file: &KnownFile| {
            file.of == of && results.get(file.number).is_some_and(|r| short(r) == short(&file.result))
        };
        if !known.values().all(is_same) {
            return Err(self.cut_otherwise(batch));
        }
        let alone = (of == 1).then_some(rows);
        let files = results.into_iter().enumerate().filter(|(number, _)| !known.contains_key(number));
        self.ready.extend(files.map(|(number, result)| FileRef {
            batch: batch.to_owned(),
            result,
            number,
            of,
            rows: alone,
        }));
        Ok(())
    }

    /// What is committed cannot be told from what is not.
    fn cut_otherwise(&self, batch: &str) -> Error {
        Error::Lost {
            what: self.job.words(),
            detail: format!(
                "batch {batch} has other files than when some of them were committed; what remains cannot be told"
            ),
        }
    }

    /// Decides whether all is there. Chunks can come late: with chunking, a second look and the job's own counters must
    /// agree.
    async fn end(&mut self, look: &Look) -> Result<()> {
        if look.under_way || !look.original {
            self.confirming = None;
            return Ok(());
        }
        if !self.job.chunked {
            self.ended = true;
            return Ok(());
        }
        if look.split && look.chunks == 0 {
            return self.end_without_chunks().await;
        }
        if self.confirming != Some(look.all) {
            self.confirming = Some(look.all);
            self.pause = self.job.client().options().poll_min_delay;
            return Ok(());
        }
        let info = self.job.info().await?;
        let waits = [info.number_batches_queued, info.number_batches_in_progress].iter().flatten().any(|n| *n > 0);
        let total = info.number_batches_total.unwrap_or(0);
        self.ended = !waits && total <= look.all as u64;
        Ok(())
    }

    async fn end_without_chunks(&mut self) -> Result<()> {
        self.without_chunks += 1;
        if self.job.info().await?.has_ended_badly() {
            return Err(self.error("Aborted", SOMEONE.to_owned()));
        }
        if self.without_chunks < PATIENT_LOOKS {
            return Ok(());
        }
        if self.job.client().query(&self.probe.soql, self.probe.all).await?.total_size == 0 {
            self.ended = true;
            return Ok(());
        }
        let text = "the query was split, but none of its chunks can be seen, although there are rows; run again, or leave pk_chunking out";
        Err(self.error("NotProcessed", text.to_owned()))
    }

    fn check_progress(&self) -> Result<()> {
        let waited = self.last_change.elapsed();
        match self.job.client().options().job_stuck_after {
            Some(limit) if !self.ended && waited > limit => Err(self.error(
                &self.state,
                format!(
                    "no change for {:.0} s; wait for Salesforce, narrow `where`, or allow a longer time without change",
                    waited.as_secs_f64()
                ),
            )),
            _ => Ok(()),
        }
    }

    fn failed(&self, batch: &BatchInfo, splits: bool) -> Error {
        let reason = batch.state_message.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let reason = reason.unwrap_or("Salesforce gave no reason; see Setup > Bulk Data Load Jobs");
        let which = match (splits, self.job.chunked) {
            (true, _) => "the query could not be split into chunks",
            (false, true) => "a chunk failed",
            (false, false) => "its batch failed",
        };
        let split = if self.job.chunked { "" } else { "; or split it by ids with pk_chunking" };
        let hint = of_reason(reason).map(|words| words.lines(split)).unwrap_or_default();
        self.error("Failed", format!("{which} (batch {}): {reason}{hint}", batch.id))
    }

    fn ended_by_someone(&self, batch: &BatchInfo) -> Error {
        self.error("Aborted", format!("batch {} was not processed: {SOMEONE}", batch.id))
    }

    fn error(&self, state: &str, message: String) -> Error {
        let (id, object) = (self.job.id.clone(), self.job.object.clone());
        Error::Job { id, object, state: state.to_owned(), message }
    }
}

/// Ids have 15 characters, or 18 with a checksum; JSON gives the short ones.
fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

const SOMEONE: &str = "someone stopped the job (Setup > Bulk Data Load Jobs shows who), or another run did; run again";
