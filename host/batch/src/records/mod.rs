//! Records that name their own fields: the JSON and XML results of the REST API and of Bulk API 1.0, onto the same
//! columns, with the same rejects, as CSV.

mod cells;
mod feed;
mod json;
mod json_scan;
mod names;
mod rows;
mod xml;
mod xml_scan;

pub use json::JsonDecoder;
pub use xml::XmlDecoder;
