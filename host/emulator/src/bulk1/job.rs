//! Jobs and batches as they are held.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::chunking::Chunking;
use super::wire::Form;
use crate::data::{Chunk, Prepared, QueryMode};
use crate::ids::id18;
use crate::server::ApiVersion;

/// Key prefix of batches.
pub(super) const BATCH_PREFIX: [u8; 3] = *b"751";
/// Key prefix of query results.
pub(super) const RESULT_PREFIX: [u8; 3] = *b"752";

/// States of a Bulk 1.0 job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ClassicJobState {
    /// Takes batches.
    Open,
    /// Takes no more batches; those it has still run.
    Closed,
    /// Stopped by somebody.
    Aborted,
    /// Given up by the server.
    Failed,
}

/// States of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BatchState {
    /// Waits.
    Queued,
    /// Runs.
    InProgress,
    /// Results are ready.
    Completed,
    /// Ended without results.
    Failed,
    /// Cut into chunks, or left over when its job was aborted.
    NotProcessed,
}

impl BatchState {
    /// Whether the batch never changes again.
    pub fn is_terminal(self) -> bool {
        !matches!(self, BatchState::Queued | BatchState::InProgress)
    }
}

/// A Bulk 1.0 job as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicJobRecord {
    /// 18 character id.
    pub id: String,
    /// Object of the job.
    pub object: String,
    /// `query` or `queryAll`.
    pub operation: String,
    /// `CSV`, `JSON` or `XML`.
    pub content_type: String,
    /// Where it stands.
    pub state: ClassicJobState,
    /// Whether it was created with PK chunking.
    pub pk_chunking: bool,
    /// Its batches, in their order.
    pub batches: Vec<ClassicBatchRecord>,
}

/// A batch of a Bulk 1.0 job as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicBatchRecord {
    /// 18 character id.
    pub id: String,
    /// Where it stands.
    pub state: BatchState,
    /// Rows of its result.
    pub rows: u64,
    /// The statement.
    pub soql: String,
}

/// What a job's results are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    Csv,
    Xml,
    Json,
}

impl ContentType {
    pub(super) fn named(name: &str) -> Option<ContentType> {
        Some(match name {
            "CSV" => ContentType::Csv,
            "XML" => ContentType::Xml,
            "JSON" => ContentType::Json,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ContentType::Csv => "CSV",
            ContentType::Xml => "XML",
            ContentType::Json => "JSON",
        }
    }

    /// The form in which batches are shown.
    pub(super) fn form(self) -> Form {
        if self == ContentType::Json { Form::Json } else { Form::Xml }
    }
}

/// How a batch ends.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    Complete,
    Failed(String),
    Never,
}

/// What a batch is to its job.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// Runs its statement.
    Plain,
    /// Is cut: the chunks wait here until they are batches of their own.
    Original {
        waiting: Vec<(String, Chunk, Fate)>,
        /// Looks during which chunks appear little by little.
        late: u32,
    },
    /// One chunk; `part` of `parts` in thousandths of the time a plain batch takes.
    Chunk { from: u64, until: u64 },
}

/// One batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) serial: u64,
    pub(super) id: String,
    pub(super) soql: String,
    pub(super) created: DateTime<Utc>,
    pub(super) modified: DateTime<Utc>,
    /// When the time of its chunking, or its own, began.
    pub(super) began: DateTime<Utc>,
    pub(super) state: BatchState,
    pub(super) message: Option<String>,
    pub(super) looks: u32,
    /// Added to the number of records, by a fault.
    pub(super) lie: i64,
    pub(super) fate: Fate,
    pub(super) role: Role,
    pub(super) prepared: Option<Prepared>,
}

impl Batch {
    pub(super) fn new(serial: u64, soql: String, now: DateTime<Utc>) -> Batch {
        Batch {
            serial,
            id: id18(BATCH_PREFIX, serial),
            soql,
            created: now,
            modified: now,
            began: now,
            state: BatchState::Queued,
            message: None,
            looks: 0,
            lie: 0,
            fate: Fate::Complete,
            role: Role::Plain,
            prepared: None,
        }
    }

    /// Rows of its result; none before it is complete.
    pub(super) fn rows(&self) -> u64 {
        match (&self.prepared, self.state) {
            (Some(prepared), BatchState::Completed) => prepared.total(),
            _ => 0,
        }
    }

    pub(super) fn enter(&mut self, state: BatchState, now: DateTime<Utc>) {
        self.state = state;
        self.modified = now;
    }

    pub(super) fn fail(&mut self, message: String, now: DateTime<Utc>) {
        self.message = Some(message);
        self.enter(BatchState::Failed, now);
    }

    /// Milliseconds that it ran; zero until it is complete.
    pub(super) fn taken_ms(&self) -> u64 {
        let taken = u64::try_from((self.modified - self.created).num_milliseconds()).unwrap_or(0);
        if self.state == BatchState::Completed { taken.max(1) } else { 0 }
    }
}

/// One job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) all: bool,
    pub(super) object: String,
    pub(super) created_by: String,
    pub(super) created: DateTime<Utc>,
    pub(super) modified: DateTime<Utc>,
    pub(super) state: ClassicJobState,
    pub(super) serial_mode: bool,
    pub(super) content: ContentType,
    pub(super) version: ApiVersion,
    pub(super) chunking: Option<Chunking>,
    pub(super) crlf: bool,
    pub(super) batches: Vec<Batch>,
    pub(super) vanished: bool,
    pub(super) stuck: bool,
}

impl Job {
    pub(super) fn operation(&self) -> &'static str {
        if self.all { "queryAll" } else { "query" }
    }

    pub(super) fn mode(&self) -> QueryMode {
        QueryMode::Bulk1 { all: self.all, csv: self.content == ContentType::Csv }
    }

    pub(super) fn concurrency(&self) -> &'static str {
        if self.serial_mode { "Serial" } else { "Parallel" }
    }

    pub(super) fn enter(&mut self, state: ClassicJobState, now: DateTime<Utc>) {
        self.state = state;
        self.modified = now;
    }

    /// Batches in that state.
    pub(super) fn count(&self, state: BatchState) -> usize {
        self.batches.iter().filter(|batch| batch.state == state).count()
    }

    pub(super) fn record(&self) -> ClassicJobRecord {
        let batch = |batch: &Batch| ClassicBatchRecord {
            id: batch.id.clone(),
            state: batch.state,
            rows: batch.rows(),
            soql: batch.soql.clone(),
        };
        ClassicJobRecord {
            id: self.id.clone(),
            object: self.object.clone(),
            operation: self.operation().to_owned(),
            content_type: self.content.name().to_owned(),
            state: self.state,
            pk_chunking: self.chunking.is_some(),
            batches: self.batches.iter().map(batch).collect(),
        }
    }
}
