//! A run that was killed while its unit was committed, and rows that changed before it goes on: a REST query is asked anew,
//! and gives other rows under the same name.

use forcepump_emulator::Edit;
use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Bench, Org};
use crate::held;
use crate::orgs;

const COLUMNS: [&str; 3] = ["Id", "Name", "SystemModstamp"];

fn pipeline(source: &str, mode: &str) -> String {
    format!(
        "name = \"reread\"\n[source]\nconnection = \"org\"\n{source}\nfields = [\"Id\", \"Name\", \"SystemModstamp\"]\napi = \"rest\"\n\
         [destination]\nplugin = \"sqlite\"\n{mode}\nconfig = {{ table = \"account\" }}\ngrant = {{ sql = {{ db = \"sqlite:out.db\" }} }}\n"
    )
}

const OBJECT: &str = "object = \"Account\"";
const MERGE: &str = "mode = \"merge\"\nkeys = [\"Id\"]";
const APPEND: &str = "mode = \"append\"";

/// The state as a kill leaves it between the destination's commit and the note of it.
fn unsure(bench: &Bench) {
    let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    db.execute_batch(
        "UPDATE unit SET standing = 1; UPDATE job SET done = 0; UPDATE feed SET concluded = 0; DELETE FROM feed_end;
         DELETE FROM unit_place;
         UPDATE run SET state = 'running', ended_at = NULL, report = NULL",
    )
    .expect("the state as it was");
}

/// A whole run that seems to have been killed, and a row that has another name since.
fn killed(source: &str, mode: &str) -> (Org, Bench) {
    let org = orgs::small(forcepump_emulator::Options::default());
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline(source, mode));
    bench.run(&["run", "p.toml"]).ends(0);
    unsure(&bench);
    let id = held::in_sqlite(&bench).expect("a table").column("Id").remove(7).expect("an id");
    let fields = json!({ "Name": "another" }).as_object().cloned().unwrap_or_default();
    org.emulator().edit(&Edit::Update { object: "Account".to_owned(), id, fields }).expect("an edit");
    (org, bench)
}

#[track_caller]
fn table_is_source(org: &Org, bench: &Bench) {
    let expected =
        held::of_org(org, "SELECT Id, Name, SystemModstamp FROM Account", forcepump_emulator::data::QueryMode::Bulk2);
    let table = held::in_sqlite(bench).expect("a table");
    let found = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
    held::same(&expected, &found).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn a_unit_that_the_destination_has_with_other_rows_is_read_anew() {
    // One feed of several begins anew within its run.
    for (source, expected) in [(OBJECT, &["complete", "given-up"][..]), ("objects = [\"Account\"]", &["complete"])] {
        let (org, bench) = killed(source, MERGE);
        let ran = bench.run(&["run", "p.toml"]).ends(0);
        assert!(ran.stderr.contains("is given up, as rows of its unit p00000 have changed"), "{}", ran.stderr);
        table_is_source(&org, &bench);
        let runs = bench.run(&["runs", "--json"]).ends(0).json();
        let states: Vec<&str> = runs.as_array().into_iter().flatten().filter_map(|run| run["state"].as_str()).collect();
        assert_eq!(states, expected, "{source}");
    }
}

#[test]
fn rows_that_were_appended_are_not_doubled_for_it() {
    for source in [OBJECT, "objects = [\"Account\"]"] {
        let (org, bench) = killed(source, APPEND);
        let refused = bench.run(&["run", "p.toml"]);
        assert_ne!(refused.code, 0);
        for part in ["rows of its unit p00000 have changed", "with other values", "--fresh"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
        assert_eq!(held::in_sqlite(&bench).map(|table| table.rows.len() as u64), org.emulator().rows("Account"));
    }
}

#[test]
fn a_unit_that_the_destination_has_not_is_written_as_it_is_now() {
    for mode in [MERGE, APPEND] {
        let (org, bench) = killed(OBJECT, mode);
        // The commit was asked for, and the transaction is lost.
        let db = Connection::open(bench.path("out.db")).expect("a database");
        db.execute_batch("DELETE FROM account; DELETE FROM _forcepump_units").expect("no rows");
        let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!(run["went_on"]["units"], 0, "{run:#}");
        table_is_source(&org, &bench);
        assert_eq!(bench.run(&["runs", "--json"]).ends(0).json().as_array().map(Vec::len), Some(1));
    }
}
