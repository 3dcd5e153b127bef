//! Bulk API 1.0 queries: `/services/async/NN.N/job` and what lies below, with PK chunking.
//!
//! Ingest jobs are refused. A job moves when a client looks at it, or by time where the options say so; each look moves
//! all its batches by one step.

mod answer;
mod batches;
mod chunking;
mod info;
mod job;
mod jobs;
mod request;
mod results;
mod route;
mod steps;
mod store;
mod wire;

pub(crate) use answer::answer;
pub(crate) use info::classic_json;
pub(crate) use route::Resource;
pub(crate) use store::Jobs;
pub(crate) use wire::instead;

pub use job::{BatchState, ClassicBatchRecord, ClassicJobRecord, ClassicJobState};
