//! One unit: a transaction from `begin` to `commit`.

use crate::UNMATCHED_METRIC;
use crate::config::Settings;
use crate::ddl;
use crate::ledger::Ledger;
use forcepump_plugin_sdk::sql::{Connection, InsertMode, InsertOptions, query_texts, quote};
use forcepump_plugin_sdk::{Batch, PluginError, Reject, Target, WriteMode, metrics};

/// A unit that is being written.
#[derive(Debug)]
pub(crate) struct Unit {
    connection: Connection,
    ledger: Ledger,
    id: String,
    table: String,
    state: State,
    rows: u64,
    /// rows that came to be updated or deleted, and whose keys no row of the table has
    unmatched: u64,
}

/// What is done with a batch.
#[derive(Debug)]
enum State {
    /// the unit is in already: its rows are taken and forgotten
    Done,
    /// straight into a table
    Insert { into: String, options: InsertOptions },
    /// into a stage, and from there on by statements; the stage is empty between two batches
    Staged { stage: String, keys: Vec<String>, unmatched: String, statement: String },
}

impl Unit {
    pub(crate) fn begin(
        connection: Connection,
        target: &Target,
        settings: &Settings,
        id: &str,
    ) -> Result<Self, PluginError> {
        let ledger = Ledger::new(target, &settings.table);
        connection.begin()?;
        let noted = ledger.rows_of(&connection, id)?;
        let state = match noted {
            Some(_) => State::Done,
            None => State::new(&connection, target, settings)?,
        };
        Ok(Unit {
            connection,
            ledger,
            id: id.to_owned(),
            table: settings.table.clone(),
            state,
            rows: noted.unwrap_or_default(),
            unmatched: 0,
        })
    }

    /// Takes a batch; gives the rows that the database refuses.
    pub(crate) fn write(&mut self, batch: &Batch<'_>) -> Result<Vec<Reject>, PluginError> {
        match &self.state {
            State::Done => Ok(Vec::new()),
            State::Insert { into, options } => {
                let inserted = self.connection.bulk_insert(into, batch.handle(), options)?;
                self.rows += inserted.rows;
                Ok(inserted.rejects)
            }
            State::Staged { stage, keys, unmatched, statement } => {
                let options = options(InsertMode::Replace, keys.clone());
                let staged = self.connection.bulk_insert(stage, batch.handle(), &options)?;
                self.unmatched += count(&self.connection, unmatched)?;
                self.rows += self.connection.execute(statement, &[])?;
                self.connection.execute(&format!("DELETE FROM {}", quote(stage)), &[])?;
                Ok(staged.rejects)
            }
        }
    }

    /// Makes the unit durable, together with the note that it is in.
    pub(crate) fn commit(&mut self) -> Result<String, PluginError> {
        if let State::Staged { stage, .. } = &self.state {
            ddl::drop(&self.connection, stage)?;
        }
        self.ledger.note(&self.connection, &self.id, self.rows)?;
        self.connection.commit()?;
        if self.unmatched > 0 {
            metrics::count(UNMATCHED_METRIC, self.unmatched);
        }
        Ok(format!("{} rows in {}", self.rows, self.table))
    }

    pub(crate) fn abandon(self) -> Result<(), PluginError> {
        Ok(self.connection.rollback()?)
    }
}

impl State {
    fn new(connection: &Connection, target: &Target, settings: &Settings) -> Result<Self, PluginError> {
        let keys: Vec<String> = target.key_names()?.into_iter().map(str::to_owned).collect();
        let table = settings.table.clone();
        Ok(match target.mode {
            WriteMode::Append => State::Insert { into: table, options: options(InsertMode::Append, Vec::new()) },
            WriteMode::Overwrite => {
                State::Insert { into: settings.side_table(), options: options(InsertMode::Append, Vec::new()) }
            }
            WriteMode::Merge => State::Insert { into: table, options: options(InsertMode::Upsert, keys) },
            WriteMode::Update | WriteMode::Delete => {
                let stage = settings.stage_table();
                create_stage(connection, target, &table, &stage, &keys)?;
                let statement = match target.mode {
                    WriteMode::Delete => delete(&table, &stage, &keys),
                    _ => update(target, &table, &stage, &keys),
                };
                let unmatched = unmatched(&table, &stage, &keys);
                State::Staged { stage, keys, unmatched, statement }
            }
        })
    }
}

fn options(mode: InsertMode, keys: Vec<String>) -> InsertOptions {
    InsertOptions { mode, columns: Vec::new(), keys, collect_rejects: true }
}

/// A table like the target's in the columns that come. It lives in the transaction only, since a
/// granted connection has no temporary tables. Of two rows with the same keys the later one wins.
fn create_stage(
    connection: &Connection,
    target: &Target,
    table: &str,
    stage: &str,
    keys: &[String],
) -> Result<(), PluginError> {
    let columns = match target.mode {
        WriteMode::Delete => keys.to_vec(),
        _ => target.input.fields.iter().map(|field| field.name.clone()).collect(),
    };
    let columns = quoted(&columns).join(", ");
    ddl::drop(connection, stage)?;
    let (stage_name, table) = (quote(stage), quote(table));
    connection.execute(&format!("CREATE TABLE {stage_name} AS SELECT {columns} FROM {table} WHERE 0"), &[])?;
    let index = quote(&format!("{stage}__key"));
    let keys = quoted(keys).join(", ");
    connection.execute(&format!("CREATE UNIQUE INDEX {index} ON {stage_name} ({keys})"), &[])?;
    Ok(())
}

fn update(target: &Target, table: &str, stage: &str, keys: &[String]) -> String {
    let fields = target.input.fields.iter().zip(0u32..);
    let changed: Vec<String> = fields
        .filter(|(_, column)| !target.keys.contains(column))
        .map(|(field, _)| format!("{0} = s.{0}", quote(&field.name)))
        .collect();
    let (table, stage) = (quote(table), quote(stage));
    format!("UPDATE {table} SET {} FROM {stage} AS s WHERE {}", changed.join(", "), matching(&table, keys))
}

fn delete(table: &str, stage: &str, keys: &[String]) -> String {
    let (table, stage) = (quote(table), quote(stage));
    format!("DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM {stage} AS s WHERE {})", matching(&table, keys))
}

/// Counts the staged rows whose keys no row of the table has.
fn unmatched(table: &str, stage: &str, keys: &[String]) -> String {
    let (table, stage) = (quote(table), quote(stage));
    format!(
        "SELECT count(*) FROM {stage} AS s WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {})",
        matching(&table, keys)
    )
}

fn count(connection: &Connection, statement: &str) -> Result<u64, PluginError> {
    let counted = query_texts(connection, statement, &[], 1)?;
    let count = counted.into_iter().next().and_then(|row| row.into_iter().next().flatten());
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
}

fn matching(table: &str, keys: &[String]) -> String {
    let pairs: Vec<String> = quoted(keys).into_iter().map(|key| format!("{table}.{key} = s.{key}")).collect();
    pairs.join(" AND ")
}

fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| quote(name)).collect()
}
