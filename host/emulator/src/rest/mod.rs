//! REST below `/services/data`: versions, limits, describes, records, queries.

mod composite;
mod limits;
mod query;
mod records;
mod sobjects;
mod tooling;
mod versions;

pub(crate) use composite::composite;
pub(crate) use limits::{limits, record_count};
pub(crate) use query::{Cursors, query, query_more};
pub(crate) use records::{changes, create, delete, update};
pub(crate) use sobjects::{describe, record, record_by_key, sobject, sobjects};
pub(crate) use tooling::tooling_query;
pub(crate) use versions::{resources, versions};
