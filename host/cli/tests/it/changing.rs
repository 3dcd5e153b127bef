//! Orgs that change between runs: records by edits, fields by another emulator in the place of the first.

use chrono::TimeDelta;
use forcepump_emulator::{Edit, Options};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::harness::{Bench, Org};

/// Minutes that pass between two edits: more than the horizon, so that a run sees all edits before it.
const STEP_MINUTES: i64 = 60;

/// An org of some things, whose clock stands until it is moved on.
pub struct Things {
    /// the org
    pub org: Org,
}

/// An org whose things are this CSV; without a column `Id` or `SystemModstamp` these are made up.
pub fn things(csv: &str) -> Org {
    objects(&[("Thing__c", csv)])
}

/// An org of these objects with their rows.
pub fn objects(rows: &[(&str, &str)]) -> Org {
    let folder = tempfile::tempdir().expect("a folder");
    for (object, csv) in rows {
        std::fs::write(folder.path().join(format!("{object}.csv")), csv).expect("a file");
    }
    Org::with(Options { data: Some(folder.path().to_owned()), ..Options::default() })
}

/// The connection of a bench leads to another org from now on.
pub fn lead_to(bench: &Bench, org: &Org) {
    bench.write("connections.toml", &Bench::on(org).read("connections.toml"));
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().expect("fields").clone()
}

impl Things {
    /// Things named `T0`, `T1`, … in an org whose clock stands at the present.
    pub fn new(number: usize) -> Self {
        let rows: String = (0..number).map(|row| format!("T{row},{row},K{row}\n")).collect();
        let org = things(&format!("Name,Size__c,Key__c\n{rows}"));
        org.emulator().clock().freeze();
        Self { org }
    }

    /// Time passes, so that a run reads what was changed before.
    pub fn later(&self) {
        self.org.emulator().clock().step(TimeDelta::minutes(STEP_MINUTES));
    }

    /// A new thing; gives its id.
    pub fn create(&self, values: &Value) -> String {
        self.edit(&Edit::Create { object: "Thing__c".to_owned(), fields: fields(values) })
    }

    /// New values.
    pub fn update(&self, id: &str, values: &Value) {
        self.edit(&Edit::Update { object: "Thing__c".to_owned(), id: id.to_owned(), fields: fields(values) });
    }

    /// Into the recycle bin.
    pub fn delete(&self, id: &str) {
        self.edit(&Edit::Delete { object: "Thing__c".to_owned(), id: id.to_owned() });
    }

    /// Out of it.
    pub fn undelete(&self, id: &str) {
        self.edit(&Edit::Undelete { id: id.to_owned() });
    }

    fn edit(&self, edit: &Edit) -> String {
        self.org.emulator().edit(edit).unwrap_or_else(|error| panic!("{edit:?}: {error}"))
    }
}

/// Rows of a query over a bench's database, cells as text, joined by `|`.
pub fn rows(bench: &Bench, sql: &str) -> Vec<String> {
    let db = Connection::open(bench.path("crm.db")).expect("a database");
    let mut statement = db.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let cell = |row: &rusqlite::Row<'_>, column| {
        Ok(match row.get_ref(column)? {
            rusqlite::types::ValueRef::Null => "∅".to_owned(),
            rusqlite::types::ValueRef::Integer(value) => value.to_string(),
            rusqlite::types::ValueRef::Real(value) => value.to_string(),
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            rusqlite::types::ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
        })
    };
    let rows = statement
        .query_map([], |row| (0..columns).map(|column| cell(row, column)).collect::<rusqlite::Result<Vec<_>>>());
    rows.expect("rows").map(|row| row.expect("a row").join("|")).collect()
}
