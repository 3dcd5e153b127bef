//! `forcepump verify`: what differs later from what a run left, at the source and in the destination.

use forcepump_emulator::{Edit, Options};
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs;

/// The code of a difference.
const DIFFERS: i32 = 8;

fn pipeline(api: &str, destination: &str) -> String {
    format!(
        "name = \"kept\"\n[source]\nconnection = \"org\"\napi = \"{api}\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n{destination}"
    )
}

fn files(plugin: &str) -> String {
    format!(
        "[destination]\nplugin = \"{plugin}\"\nmode = \"append\"\n[destination.grant]\nfiles = {{ out = \"out\" }}\n"
    )
}

fn sqlite(mode: &str) -> String {
    let keys = if ["merge", "delete"].contains(&mode) { "keys = [\"Id\"]\n" } else { "" };
    format!(
        "[destination]\nplugin = \"sqlite\"\nmode = \"{mode}\"\n{keys}config = {{ table = \"account\" }}\ngrant = {{ sql = {{ db = \"sqlite:out.db\" }} }}\n"
    )
}

/// A run into a destination.
fn ran(destination: &str) -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline("bulk2", destination));
    bench.run(&["run", "p.toml"]).ends(0);
    (org, bench)
}

/// What differs, with the numbers of then and of now.
fn differences(bench: &Bench, args: &[&str]) -> Vec<(String, Value, Value, String)> {
    let found = bench.run(&[&["verify", "latest", "--json"], args].concat()).ends(DIFFERS).json();
    let checks = found["checks"].as_array().expect("checks").iter().filter(|check| check["state"] == "differs");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    checks
        .map(|check| {
            let note = format!("{} {}", text(&check["note"]), check["examples"]);
            (text(&check["what"]), check["expected"].clone(), check["found"].clone(), note)
        })
        .collect()
}

fn a_file(bench: &Bench) -> std::path::PathBuf {
    let folder = std::fs::read_dir(bench.path("out/Account")).expect("the folder");
    let mut files: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| !path.to_string_lossy().contains("manifest"));
    files.sort();
    files.swap_remove(0)
}

#[test]
fn nothing_differs_after_a_run_by_numbers_and_by_ids() {
    let destinations = ["csv", "jsonl", "parquet"].map(files).into_iter();
    for destination in destinations.chain(["append", "overwrite", "merge"].map(sqlite)) {
        let (_org, bench) = ran(&destination);
        let ran = bench.run(&["verify", "latest", "--keys"]).ends(0);
        assert!(ran.stdout.contains("nothing differs"), "{destination}: {}", ran.stdout);
        assert!(!ran.stdout.contains("differs ") && ran.stdout.contains("equal"), "{destination}: {}", ran.stdout);
    }
}

#[test]
fn several_feeds_in_pages_of_a_few_rows_are_counted_each() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let source = "objects = [\"Account\", \"Contact\"]\nmax_records = 700\napi = \"bulk2\"";
    let destination = sqlite("append").replace("\"account\"", "\"sf_{object}\"");
    bench.write("p.toml", &format!("name = \"two\"\n[source]\nconnection = \"org\"\n{source}\n{destination}"));
    let units = bench.run(&["run", "p.toml", "--json"]).ends(0).json()["units"].as_u64();
    assert!(units > Some(2), "{units:?}");
    let ran = bench.run(&["verify", "latest", "--keys"]).ends(0);
    assert!(ran.stdout.contains("nothing differs") && !ran.stdout.contains("unknown"), "{}", ran.stdout);
}

#[test]
fn a_file_that_was_changed_cut_or_removed_is_named() {
    for plugin in ["csv", "parquet"] {
        let (_org, bench) = ran(&files(plugin));
        let path = a_file(&bench);
        let bytes = std::fs::read(&path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();

        std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("a file");
        let found = differences(&bench, &[]);
        assert!(found.len() == 1 && found[0].0.contains(&name) && found[0].3.contains("were committed"), "{found:?}");

        let mut other = bytes.clone();
        let middle = other.len() / 2;
        other[middle] ^= 1;
        std::fs::write(&path, &other).expect("a file");
        let found = differences(&bench, &[]);
        assert!(found.len() == 1 && found[0].3.contains("SHA-256"), "{found:?}");

        std::fs::remove_file(&path).expect("removed");
        let found = differences(&bench, &[]);
        assert!(found.len() == 1 && found[0].1 == 15 && found[0].3.contains("is gone"), "{found:?}");
    }
}

#[test]
fn a_row_that_was_deleted_from_a_table_or_added_to_it_is_counted_and_named() {
    let change = |bench: &Bench, sql: &str| {
        let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
        assert_eq!(db.execute(sql, []).expect("a statement"), 1);
    };
    for mode in ["append", "overwrite"] {
        let (_org, bench) = ran(&sqlite(mode));
        change(&bench, "DELETE FROM account WHERE Name = 'Account, 7'");
        let found = differences(&bench, &[]);
        assert_eq!((found.len(), &found[0].1, &found[0].2), (1, &40.into(), &39.into()), "{mode}: {found:?}");
        let found = differences(&bench, &["--keys"]);
        assert_eq!((found.len(), &found[1].2), (2, &1.into()), "{mode}: {found:?}");
        assert!(found[1].0.contains("destination lacks") && found[1].3.contains("001"), "{found:?}");
    }
    let (_org, bench) = ran(&sqlite("overwrite"));
    change(&bench, "INSERT INTO account (Id, Name) VALUES ('001000000000999AAA', 'x')");
    let found = differences(&bench, &["--keys"]);
    assert_eq!((found.len(), &found[0].2), (2, &41.into()), "{found:?}");
    assert!(found[1].0.contains("source lacks") && found[1].3.contains("001000000000999AAA"), "{found:?}");
    let (_org, bench) = ran(&sqlite("append"));
    change(&bench, "DELETE FROM _forcepump_units WHERE unit = 'p00001'");
    let found = differences(&bench, &[]);
    assert!(found[0].3.contains("p00001: 15 rows committed, not noted"), "{found:?}");
    std::fs::remove_file(bench.path("out.db")).expect("removed");
    let found = differences(&bench, &[]);
    assert!(found.len() == 1 && found[0].3.contains("is gone"), "{found:?}");
}

#[test]
fn rows_that_were_made_or_deleted_at_the_source_since_are_counted_and_named() {
    let (org, bench) = ran(&sqlite("overwrite"));
    let made = Edit::Create {
        object: "Account".to_owned(),
        fields: serde_json::from_value(serde_json::json!({ "Name": "late" })).expect("fields"),
    };
    let made = org.emulator().edit(&made).expect("a record");
    let found = differences(&bench, &["--keys"]);
    assert_eq!((&found[0].1, &found[0].2), (&40.into(), &41.into()), "{found:?}");
    assert!(found[1].0.contains("destination lacks") && found[1].3.contains(&made), "{found:?}");
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    let there: String = db.query_row("SELECT min(Id) FROM account", [], |row| row.get(0)).expect("an id");
    org.emulator().edit(&Edit::Delete { object: "Account".to_owned(), id: there.clone() }).expect("deleted");
    let found = differences(&bench, &["--keys"]);
    let extra = found.iter().find(|difference| difference.0.contains("source lacks")).expect("a difference");
    assert!(extra.3.contains(&there), "{found:?}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let nowhere = bench.run(&["verify", "latest"]).ends(2);
    assert!(nowhere.stderr.contains("no run"), "{}", nowhere.stderr);
    bench.write("p.toml", &pipeline("rest", &sqlite("delete")));
    bench.run(&["run", "p.toml"]).ends(0);
    let ran = bench.run(&["verify", "latest", "--keys"]).ends(0);
    assert!(ran.stdout.contains("unknown") && ran.stdout.contains("cannot be compared"), "{}", ran.stdout);
}
