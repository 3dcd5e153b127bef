//! The table that says which units are in the database.

use forcepump_plugin_sdk::sql::{Connection, query_texts};
use forcepump_plugin_sdk::{PluginError, Target, Value};

/// The note of a run's end, in the place of a unit's id; no unit is named so.
const CONCLUDED: &str = "(concluded)";
/// The note of a run that ended without success, and whose side table is gone.
const DISCARDED: &str = "(discarded)";

/// Creates the table.
pub(crate) fn create(connection: &Connection) -> Result<(), PluginError> {
    connection.execute(
        "CREATE TABLE IF NOT EXISTS _forcepump_units (\
         target TEXT NOT NULL, feed TEXT NOT NULL, run TEXT NOT NULL, unit TEXT NOT NULL, \
         rows INTEGER NOT NULL, as_of INTEGER NOT NULL, \
         PRIMARY KEY (target, feed, run, unit)) WITHOUT ROWID",
        &[],
    )?;
    Ok(())
}

/// The notes of one run, one feed and one table.
#[derive(Debug)]
pub(crate) struct Ledger {
    table: String,
    feed: String,
    run: String,
    as_of: i64,
}

impl Ledger {
    pub(crate) fn new(target: &Target, table: &str) -> Self {
        Ledger {
            table: table.to_lowercase(),
            feed: target.feed.clone(),
            run: target.run_id.clone(),
            as_of: target.as_of,
        }
    }

    /// Rows of a unit that is in, none when it is not.
    pub(crate) fn rows_of(&self, connection: &Connection, unit: &str) -> Result<Option<u64>, PluginError> {
        let mut params = self.key();
        params.push(Value::Text(unit.to_owned()));
        let statement = "SELECT rows FROM _forcepump_units WHERE target = ? AND feed = ? AND run = ? AND unit = ?";
        let found = query_texts(connection, statement, &params, 1)?;
        let rows = found.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        Ok(rows.map(|rows| rows.parse().unwrap_or_default()))
    }

    /// Whether any unit of the run is in.
    pub(crate) fn has_units(&self, connection: &Connection) -> Result<bool, PluginError> {
        let statement = "SELECT count(*) FROM _forcepump_units WHERE target = ? AND feed = ? AND run = ?";
        let counted = query_texts(connection, statement, &self.key(), 1)?;
        Ok(counted.first().and_then(|row| row.first()).is_some_and(|count| count.as_deref() != Some("0")))
    }

    /// Notes that a unit is in; a second time it changes nothing.
    pub(crate) fn note(&self, connection: &Connection, unit: &str, rows: u64) -> Result<(), PluginError> {
        let mut params = self.key();
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        params.extend([Value::Text(unit.to_owned()), Value::Int(rows), Value::Int(self.as_of)]);
        connection.execute("INSERT OR IGNORE INTO _forcepump_units VALUES (?, ?, ?, ?, ?, ?)", &params)?;
        Ok(())
    }

    pub(crate) fn is_concluded(&self, connection: &Connection) -> Result<bool, PluginError> {
        Ok(self.rows_of(connection, CONCLUDED)?.is_some())
    }

    pub(crate) fn note_concluded(&self, connection: &Connection) -> Result<(), PluginError> {
        self.note(connection, CONCLUDED, 0)
    }

    pub(crate) fn is_discarded(&self, connection: &Connection) -> Result<bool, PluginError> {
        Ok(self.rows_of(connection, DISCARDED)?.is_some())
    }

    pub(crate) fn note_discarded(&self, connection: &Connection) -> Result<(), PluginError> {
        self.note(connection, DISCARDED, 0)
    }

    fn key(&self) -> Vec<Value> {
        [&self.table, &self.feed, &self.run].map(|text| Value::Text(text.clone())).to_vec()
    }
}
