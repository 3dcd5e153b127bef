//! Bulk API 2.0 query jobs: `/jobs/query` and what lies below.

mod create;
mod job;
mod list;
mod manage;
mod pages;
mod results;
mod store;

pub(crate) use create::create;
pub(crate) use list::{list, refuse_ingest};
pub(crate) use manage::{abort, delete, get};
pub(crate) use pages::result_pages;
pub(crate) use results::results;
pub(crate) use store::Jobs;

pub use job::{JobRecord, JobState};
