//! A local Salesforce, written from the published wire facts.

pub mod data;
pub mod soql;
