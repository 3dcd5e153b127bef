//! `forcepump retry-rejects`: refused rows, read again by their ids, once what refused them is mended.

use forcepump_emulator::Options;
use rusqlite::Connection;

use crate::harness::{Bench, Org};
use crate::{guests, orgs};

/// Names of the small org with a 1 in them.
const REFUSED: usize = 13;

fn pipeline(source: &str, mode: &str, keys: &str) -> String {
    format!(
        "name = \"refusing\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n{source}\
         [destination]\nplugin = \"sqlite\"\nmode = \"{mode}\"\n{keys}[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = {{ db = \"sqlite:out.db\" }}\n"
    )
}

/// A run into a table that refuses names with a 1 in them.
fn refused(text: &str) -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch(
        "CREATE TABLE rule (part TEXT); INSERT INTO rule VALUES ('1');
         CREATE TABLE account (Id TEXT PRIMARY KEY, Name TEXT, AnnualRevenue TEXT);
         CREATE TRIGGER no BEFORE INSERT ON account WHEN EXISTS (SELECT 1 FROM rule WHERE instr(NEW.Name, part))
         BEGIN SELECT RAISE(ABORT, 'refused by rule'); END;",
    )
    .expect("a table");
    bench.write("p.toml", text);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!(report["rows"]["rejected"], REFUSED);
    (org, bench)
}

fn mend(bench: &Bench, part: &str) {
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute("UPDATE rule SET part = ?1", [part]).expect("a rule");
}

fn rows(bench: &Bench) -> (i64, i64) {
    let db = Connection::open(bench.path("out.db")).expect("a database");
    let sql = "SELECT count(*), count(DISTINCT Id) FROM account";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("counts")
}

fn open(bench: &Bench, run: &str) -> u64 {
    bench.run(&["rejects", run, "--json"]).ends(0).json()["total"].as_u64().expect("a number")
}

#[test]
fn rows_that_are_mended_go_through_once_and_are_not_open_any_more() {
    let (_org, bench) = refused(&pipeline("", "append", ""));
    let first = bench.run(&["runs", "--json"]).ends(0).json()[0]["run_id"].as_str().expect("a run").to_owned();
    assert_eq!(open(&bench, &first), REFUSED as u64);
    // Nothing is mended yet: refused once more, and still open.
    let again = bench.run(&["retry-rejects", &first, "--json"]).ends(3).json();
    assert_eq!((&again["retry_of"], &again["rows"]["read"]), (&first.clone().into(), &REFUSED.into()));
    assert_eq!((rows(&bench), open(&bench, &first)), ((27, 27), REFUSED as u64));
    // Names with a 1 and a 3 stay refused: 13, 31.
    mend(&bench, "3");
    let again = bench.run(&["retry-rejects", &first, "--json"]).ends(3).json();
    assert_eq!((&again["rows"]["written"], &again["rows"]["rejected"]), (&11.into(), &2.into()), "{again}");
    assert_eq!((rows(&bench), open(&bench, &first)), ((38, 38), 2));
    assert_eq!(bench.run(&["rejects", &first, "--all", "--json"]).ends(0).json()["total"], REFUSED);
    mend(&bench, "x");
    let ran = bench.run(&["retry-rejects", &first]).ends(0);
    assert!(ran.stderr.contains("11 rejected rows went through"), "{}", ran.stderr);
    assert_eq!((rows(&bench), open(&bench, &first)), ((40, 40), 0));
    // Also by way of the retries' own names: what went through is not written twice.
    for run in [&first, "latest"] {
        let ran = bench.run(&["retry-rejects", run]).ends(0);
        assert!(ran.stdout.contains("no row of run"), "{}", ran.stdout);
    }
    assert_eq!(rows(&bench), (40, 40));
}

/// A transform that breaks on two of the rows, unless told otherwise.
fn fickle(breaks: &str, destination: &str) -> String {
    format!(
        "name = \"bad\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = \"SELECT Id, Name FROM Account ORDER BY Ext_Id__c\"\n\
         [[transform]]\nplugin = \"./fickle.wasm\"\nconfig = {{ column = \"Name\", breaks = {{ {breaks} }} }}\n{}{destination}",
        guests::GRANTED
    )
}

#[test]
fn overwriting_does_not_take_the_other_rows_away() {
    let sqlite = "[destination]\nplugin = \"sqlite\"\nmode = \"overwrite\"\nconfig = { table = \"account\" }\ngrant = { sql = { db = \"sqlite:out.db\" } }\n";
    let breaks = "\"Account, 7\" = \"trap\", \"Account, 21\" = \"trap\"";
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    bench.write("p.toml", &fickle(breaks, sqlite));
    bench.run(&["run", "p.toml"]).ends(3);
    assert_eq!(rows(&bench), (38, 38));
    bench.write("p.toml", &fickle("", sqlite));
    let ran = bench.run(&["retry-rejects", "latest"]).ends(0);
    assert!(ran.stderr.contains("written in the mode append, so that the others stay"), "{}", ran.stderr);
    assert_eq!(rows(&bench), (40, 40));
    let replaced = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let first = bench.run(&["runs", "--json"]).ends(0).json()[2]["run_id"].as_str().expect("a run").to_owned();
    let refused = bench.run(&["retry-rejects", &first]).ends(2);
    assert!(refused.stderr.contains(replaced["run_id"].as_str().expect("a run")), "{}", refused.stderr);
    org.is_tidy();
}

#[test]
fn files_of_a_retry_stand_beside_the_others() {
    let csv = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    bench.write("p.toml", &fickle("\"Account, 7\" = \"trap\"", csv));
    bench.run(&["run", "p.toml"]).ends(3);
    bench.write("p.toml", &fickle("", csv));
    let report = bench.run(&["retry-rejects", "latest", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], 1);
    let lines: usize = std::fs::read_dir(bench.path("out/Account"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "csv"))
        .map(|path| std::fs::read_to_string(path).expect("a file").lines().count() - 1)
        .sum();
    assert_eq!(lines, 40);
    assert!(bench.run(&["verify", "latest"]).ends(0).stdout.contains("nothing differs"));
}

#[test]
fn rows_mended_at_the_source_are_read_as_they_are_now() {
    let (org, bench) = refused(&pipeline("api = \"bulk2\"\n", "merge", "keys = [\"Id\"]\n"));
    let rejected = bench.run(&["rejects", "latest", "--json"]).ends(0).json();
    let run = rejected["run"].as_str().expect("a run").to_owned();
    let ids: Vec<String> = rejected["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect();
    let fields = serde_json::from_value(serde_json::json!({ "Name": "mended" })).expect("fields");
    let edit = forcepump_emulator::Edit::Update { object: "Account".into(), id: ids[0].clone(), fields };
    org.emulator().edit(&edit).expect("an edit");
    org.emulator()
        .edit(&forcepump_emulator::Edit::Delete { object: "Account".into(), id: ids[1].clone() })
        .expect("an edit");
    let report = bench.run(&["retry-rejects", &run, "--json"]).ends(3).json();
    assert_eq!((&report["rows"]["read"], &report["rows"]["written"]), (&(REFUSED - 1).into(), &1.into()), "{report}");
    assert_eq!(open(&bench, &run), REFUSED as u64 - 1);
    let db = Connection::open(bench.path("out.db")).expect("a database");
    let name: String =
        db.query_row("SELECT Name FROM account WHERE Id = ?1", [&ids[0]], |row| row.get(0)).expect("the row");
    assert_eq!(name, "mended");
}

#[test]
fn a_changed_transform_and_a_retry_move_no_cursor() {
    let source = "[source.incremental]\noverlap_minutes = 0\n";
    let mask = "[[transform]]\nplugin = \"mask\"\nconfig = { columns = { Name = { keep_last = 0 } } }\n";
    let text = pipeline(source, "append", "");
    let (_org, bench) = refused(&text);
    let run = bench.run(&["runs", "--json"]).ends(0).json()[0]["run_id"].as_str().expect("a run").to_owned();
    let cursor = |bench: &Bench| -> i64 {
        let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
        db.query_row("SELECT value FROM cursor", [], |row| row.get(0)).expect("a cursor")
    };
    let before = cursor(&bench);
    bench.write("p.toml", &text.replacen("[destination]", &format!("{mask}[destination]"), 1));
    let report = bench.run(&["retry-rejects", &run, "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], REFUSED, "{report}");
    assert_eq!((cursor(&bench), rows(&bench)), (before, (40, 40)));
}
