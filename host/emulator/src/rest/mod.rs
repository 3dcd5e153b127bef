//! REST below `/services/data`: versions, limits, describes, records, queries.

mod batch;
mod collections;
mod composite;
mod limits;
mod query;
mod records;
mod sobjects;
mod subrequest;
mod tooling;
mod tree;
mod upsert;
mod versions;
mod xml;

pub(crate) use batch::batch;
pub(crate) use collections::collections;
pub(crate) use composite::composite;
pub(crate) use limits::{limits, record_count};
pub(crate) use query::{Cursors, Piece, batch_of, first_piece, next_piece, query, query_more};
pub(crate) use records::{changes, create, delete, update};
pub(crate) use sobjects::{describe, name_pages, record, record_by_key, sobject, sobjects};
pub(crate) use tooling::tooling_query;
pub(crate) use tree::tree;
pub(crate) use upsert::{Key, NotUpserted, delete_by_key, upsert};
pub(crate) use versions::{resources, tooling_resources, versions};
pub(crate) use xml::{as_xml, xml_root};
