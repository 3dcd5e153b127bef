//! What the destination holds: each file and each table that the host carried rows to.

use std::collections::BTreeMap;

use super::{Facts, VerifyCheck, files, tables};
use crate::error::Error;
use crate::session::Session;
use crate::state::PlaceKind;

/// Comparisons of all places of a feed.
pub(super) fn checks(session: &Session, facts: &Facts, feed: &str) -> Result<Vec<VerifyCheck>, Error> {
    let mut checks = Vec::new();
    let mut databases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in facts.places_of(feed) {
        match &row.place {
            PlaceKind::File { .. } => checks.push(files::check(facts, row)),
            PlaceKind::Table { database, table, .. } => {
                let tables = databases.entry(database).or_default();
                if !tables.contains(&table.as_str()) {
                    tables.push(table);
                }
            }
        }
    }
    for (database, tables) in databases {
        checks.extend(tables::checks(session, facts, feed, (database, &tables))?);
    }
    if facts.places_of(feed).next().is_none() && facts.written(feed) > 0 {
        let plugin = &session.pipeline().file.destination.plugin;
        let note = format!(
            "the host did not carry the rows of `{plugin}`, so it cannot count them again; the run committed {} rows by the plugin's word",
            facts.written(feed)
        );
        checks.push(VerifyCheck::unknown(feed, "rows in the destination", note));
    }
    Ok(checks)
}
