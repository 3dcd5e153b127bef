//! Overwriting: a side table is filled, and takes the place of the old one at the end.

use crate::config::Settings;
use crate::ddl;
use crate::ledger::Ledger;
use forcepump_plugin_sdk::sql::{Connection, query_texts, quote};
use forcepump_plugin_sdk::{Ending, PluginError, Target, Value};

/// Indices and views that one table can carry over; far above what people have.
const DEPENDENTS_MAX: u32 = 10_000;

/// Makes the side table, unless this run has filled some of it already.
pub(crate) fn prepare(connection: &Connection, target: &Target, settings: &Settings) -> Result<(), PluginError> {
    let ledger = Ledger::new(target, &settings.table);
    if ledger.is_concluded(connection)? {
        return Ok(());
    }
    if ledger.is_discarded(connection)? {
        return Err(PluginError::fatal(format!(
            "run {} ended without success and its rows are gone; start a new run",
            target.run_id
        )));
    }
    refuse_followed(connection, &settings.table)?;
    let side = settings.side_table();
    if ledger.has_units(connection)? {
        return ddl::create_or_widen(connection, &side, &target.input.fields);
    }
    // What is there was left by another run, which can no longer end.
    ddl::drop(connection, &side)?;
    ddl::create(connection, &side, &target.input.fields)
}

/// Dropping a table carries out the actions of the foreign keys that name it: with `ON DELETE CASCADE` the rows of
/// other tables would go with the old ones (<https://sqlite.org/foreignkeys.html>, section 5).
fn refuse_followed(connection: &Connection, table: &str) -> Result<(), PluginError> {
    let statement = "SELECT m.name FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f \
                     WHERE m.type = 'table' AND m.name <> ?1 COLLATE NOCASE AND f.\"table\" = ?1 COLLATE NOCASE \
                     AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') LIMIT 1";
    let found = query_texts(connection, statement, &[Value::Text(table.to_owned())], 1)?;
    let Some(Some(follower)) = found.into_iter().next().and_then(|row| row.into_iter().next()) else {
        return Ok(());
    };
    let message = format!(
        "overwriting \"{table}\" would change rows of \"{follower}\", whose foreign key follows deletions; \
         use the mode merge, or another table"
    );
    Err(PluginError::config("", message))
}

/// Swaps the side table in, or drops it. The caller holds a transaction.
pub(crate) fn conclude(
    connection: &Connection,
    target: &Target,
    settings: &Settings,
    how: Ending,
) -> Result<(), PluginError> {
    let ledger = Ledger::new(target, &settings.table);
    if ledger.is_concluded(connection)? || ledger.is_discarded(connection)? {
        return Ok(());
    }
    if how != Ending::Complete {
        ddl::drop(connection, &settings.side_table())?;
        return ledger.note_discarded(connection);
    }
    swap_in(connection, settings)?;
    ledger.note_concluded(connection)
}

fn swap_in(connection: &Connection, settings: &Settings) -> Result<(), PluginError> {
    let dependents = dependents(connection, &settings.table)?;
    // A view that names a missing table would stop the renaming.
    for view in dependents.iter().filter(|dependent| dependent.is_view) {
        connection.execute(&format!("DROP VIEW {}", quote(&view.name)), &[])?;
    }
    ddl::drop(connection, &settings.table)?;
    let (side, table) = (quote(&settings.side_table()), quote(&settings.table));
    connection.execute(&format!("ALTER TABLE {side} RENAME TO {table}"), &[])?;
    for dependent in &dependents {
        connection.execute(&dependent.sql, &[]).map_err(|error| lost(dependent, &settings.table, error.into()))?;
    }
    Ok(())
}

/// An index of the table, or a view of the database.
struct Dependent {
    name: String,
    is_view: bool,
    sql: String,
}

/// What goes with the old table and is made anew on the new one: its indices, and every view, as
/// views may stand on each other. The indices that SQLite makes by itself have no text.
fn dependents(connection: &Connection, table: &str) -> Result<Vec<Dependent>, PluginError> {
    let statement = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL \
                     AND ((type = 'index' AND tbl_name = ? COLLATE NOCASE) OR type = 'view') ORDER BY rowid";
    let found = query_texts(connection, statement, &[Value::Text(table.to_owned())], DEPENDENTS_MAX)?;
    let dependents = found.into_iter().filter_map(|row| match <[Option<String>; 3]>::try_from(row) {
        Ok([Some(name), kind, Some(sql)]) => Some(Dependent { name, is_view: kind.as_deref() == Some("view"), sql }),
        _ => None,
    });
    Ok(dependents.collect())
}

fn lost(dependent: &Dependent, table: &str, error: PluginError) -> PluginError {
    match error {
        PluginError::Fatal(message) => PluginError::Fatal(format!(
            "\"{}\" does not fit the new columns of \"{table}\": {message}; drop it, or keep the columns that it needs",
            dependent.name
        )),
        other => other,
    }
}
