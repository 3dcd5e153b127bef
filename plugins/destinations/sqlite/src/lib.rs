//! Writes rows into a table of a SQLite database: append, overwrite, merge, update and delete.
//!
//! A unit is one transaction, which also notes the unit in the table `_forcepump_units`; a unit that
//! is noted already is taken as done. Overwriting fills a side table that takes the place of the old
//! one when the run is complete.

mod config;
mod ddl;
mod ledger;
mod swap;
mod unit;

use config::Settings;
use forcepump_plugin_sdk::sql::Connection;
use forcepump_plugin_sdk::{
    Batch, Description, Destination, Ending, MetricKind, Plan, PluginError, Target, WriteMode, WriteOutcome,
    export_destination,
};
use unit::Unit;

/// The granted connection.
const DATABASE: &str = "db";
/// Counts rows that an update or a delete found no match for; the host counts them as written.
const UNMATCHED_METRIC: &str = "unmatched_rows";

/// A destination for one table; the value is one unit.
#[derive(Debug)]
pub struct Sqlite {
    unit: Unit,
}

impl Destination for Sqlite {
    fn describe() -> Description {
        Description::new("sqlite", env!("CARGO_PKG_VERSION"), "writes rows into a table of a SQLite database")
            .config_schema(include_str!("../config.schema.json"))
            .needs("sql", DATABASE, "the database that the rows go into")
            .metric(
                UNMATCHED_METRIC,
                MetricKind::Counter,
                "1",
                "rows to be updated or deleted whose keys no row of the table has: they change nothing",
            )
    }

    /// Deleting needs the keys and nothing else.
    fn columns(target: &Target) -> Result<Vec<u32>, PluginError> {
        Ok(match target.mode {
            WriteMode::Delete => target.keys.clone(),
            _ => (0..target.input.fields.len() as u32).collect(),
        })
    }

    fn prepare(target: &Target) -> Result<Plan, PluginError> {
        let settings = Settings::parse(target)?;
        let connection = Connection::open(DATABASE)?;
        connection.begin()?;
        ledger::create(&connection)?;
        match target.mode {
            WriteMode::Overwrite => swap::prepare(&connection, target, &settings)?,
            _ => ddl::create_or_widen(&connection, &settings.table, &target.input.fields)?,
        }
        ddl::index_keys(&connection, target, &settings.table)?;
        connection.commit()?;
        Ok(Plan::one_lane())
    }

    fn begin(target: &Target, unit: &str) -> Result<Self, PluginError> {
        let settings = Settings::parse(target)?;
        Ok(Sqlite { unit: Unit::begin(Connection::open(DATABASE)?, target, &settings, unit)? })
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError> {
        let rejects = self.unit.write(batch)?;
        Ok(if rejects.is_empty() { WriteOutcome::Accepted } else { WriteOutcome::Partial(rejects) })
    }

    fn commit(&mut self) -> Result<String, PluginError> {
        self.unit.commit()
    }

    fn abandon(self) -> Result<(), PluginError> {
        self.unit.abandon()
    }

    fn conclude(target: &Target, how: Ending, _tokens: &[String]) -> Result<(), PluginError> {
        if target.mode != WriteMode::Overwrite {
            return Ok(());
        }
        let settings = Settings::parse(target)?;
        let connection = Connection::open(DATABASE)?;
        connection.begin()?;
        swap::conclude(&connection, target, &settings, how)?;
        connection.commit()?;
        Ok(())
    }
}

export_destination!(Sqlite);

#[cfg(test)]
mod tests;
