//! `forcepump retry-rejects`: refused rows, read again by their ids, once what refused them is mended.

use forcepump_emulator::Options;
use rusqlite::Connection;

use crate::changing::Things;
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

/// Refuses rows of a table by a part of their name, as long as the rule holds.
fn rule(bench: &Bench, table: &str, on: &str, row: &str) {
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS rule (part TEXT); DELETE FROM rule; INSERT INTO rule VALUES ('1');
         CREATE TRIGGER no_{table} BEFORE {on} ON {table} WHEN EXISTS (SELECT 1 FROM rule WHERE instr({row}.Name, part))
         BEGIN SELECT RAISE(ABORT, 'refused by rule'); END;"
    ))
    .expect("a rule");
}

fn count(bench: &Bench, sql: &str) -> u64 {
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or_else(|error| panic!("{sql}: {error}")).unsigned_abs()
}

fn newest(bench: &Bench) -> String {
    bench.run(&["runs", "--json"]).ends(0).json()[0]["run_id"].as_str().expect("a run").to_owned()
}

#[test]
fn the_rejects_of_several_feeds_go_into_the_table_of_each() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let objects = "objects = [\"Account\", \"Contact\", \"Lead\"]";
    let text = pipeline("api = \"bulk2\"\n", "append", "").replace("object = \"Account\"", objects);
    let text = text.replace("[\"Id\", \"Name\", \"AnnualRevenue\"]", "[\"Id\", \"Name\"]");
    bench.write("p.toml", &text.replace("\"account\"", "\"sf_{object}\""));
    let db = Connection::open(bench.path("out.db")).expect("a database");
    for object in ["Account", "Contact"] {
        db.execute_batch(&format!("CREATE TABLE sf_{object} (Id TEXT, Name TEXT)")).expect("a table");
        rule(&bench, &format!("sf_{object}"), "INSERT", "NEW");
        mend(&bench, "a");
    }
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    let first = newest(&bench);
    let refused = open(&bench, &first);
    assert!(refused > 100 && report["rows"]["rejected"] == refused, "{report:#}");
    mend(&bench, "Mar");
    let again = bench.run(&["retry-rejects", &first, "--json"]).json();
    let (read, written) = (again["rows"]["read"].as_u64(), again["rows"]["written"].as_u64().expect("a count"));
    assert_eq!(read, Some(refused), "{again:#}");
    assert_eq!(open(&bench, &first), refused - written);
    mend(&bench, "nobody is named so");
    bench.run(&["retry-rejects", &first]).ends(0);
    assert_eq!(open(&bench, &first), 0);
    for object in ["Account", "Contact", "Lead"] {
        let rows = org.emulator().rows(object).expect("rows");
        assert_eq!(count(&bench, &format!("SELECT count(*) FROM sf_{object}")), rows, "{object}");
        assert_eq!(count(&bench, &format!("SELECT count(DISTINCT Id) FROM sf_{object}")), rows, "{object}");
    }
    for run in [&first, "latest"] {
        let ran = bench.run(&["verify", run, "--keys"]).ends(0);
        assert!(ran.stdout.contains("nothing differs"), "{}", ran.stdout);
    }
    org.is_tidy();
}

#[test]
fn a_table_with_retried_rows_is_equal_and_without_one_of_them_it_is_not() {
    for (mode, keys) in [("append", ""), ("merge", "keys = [\"Id\"]\n")] {
        let (_org, bench) = refused(&pipeline("", mode, keys));
        let first = newest(&bench);
        bench.run(&["verify", &first, "--keys"]).ends(0);
        mend(&bench, "x");
        bench.run(&["retry-rejects", &first]).ends(0);
        for run in [&first, "latest"] {
            let found = bench.run(&["verify", run, "--keys", "--json"]).ends(0).json();
            assert_ne!(found["state"], "differs", "{found:#}");
        }
        let id = bench.run(&["rejects", &first, "--all", "--json"]).ends(0).json()["rows"][3]["id"].clone();
        let id = id.as_str().expect("an id").to_owned();
        assert_eq!(count(&bench, &format!("SELECT count(*) FROM account WHERE Id = '{id}'")), 1);
        let db = Connection::open(bench.path("out.db")).expect("a database");
        db.execute("DELETE FROM account WHERE Id = ?1", [&id]).expect("deleted");
        for run in [&first, "latest"] {
            let words = bench.run(&["verify", run, "--keys"]).ends(8).stdout;
            assert!(words.contains(&id) && words.contains("the destination lacks"), "{mode}: {words}");
        }
    }
}

#[test]
fn an_overwritten_table_is_equal_after_a_retry() {
    let sqlite = "[destination]\nplugin = \"sqlite\"\nmode = \"overwrite\"\nconfig = { table = \"account\" }\ngrant = { sql = { db = \"sqlite:out.db\" } }\n";
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    bench.write("p.toml", &fickle("", sqlite));
    bench.run(&["run", "p.toml"]).ends(0);
    bench.write("p.toml", &fickle("\"Account, 7\" = \"trap\", \"Account, 21\" = \"trap\"", sqlite));
    bench.run(&["run", "p.toml"]).ends(3);
    let first = newest(&bench);
    bench.write("p.toml", &fickle("\"Account, 21\" = \"trap\"", sqlite));
    bench.run(&["retry-rejects", &first]).ends(3);
    bench.write("p.toml", &fickle("", sqlite));
    bench.run(&["retry-rejects", "latest"]).ends(0);
    assert_eq!(rows(&bench), (40, 40));
    for run in [&first, "latest"] {
        let found = bench.run(&["verify", run, "--keys", "--json"]).ends(0).json();
        let checks = found["checks"].as_array().expect("checks");
        let table = checks.iter().find(|check| check["what"] == "rows of table account").expect("the table");
        assert_eq!((&table["state"], &table["found"]), (&"equal".into(), &40.into()), "{found:#}");
    }
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute("DELETE FROM account WHERE Name = 'Account, 7'", []).expect("deleted");
    for run in [&first, "latest"] {
        let words = bench.run(&["verify", run]).ends(8).stdout;
        assert!(words.contains("rows of table account: 40 then, 39 now"), "{words}");
    }
}

/// A run that has deleted one of five things, and is made to have refused its deletion.
fn undeleted_row() -> (Things, Bench, String) {
    let things = Things::new(5);
    let bench = Bench::on(&things.org);
    let source = "[source.incremental]\ndeletes = \"delete\"\noverlap_minutes = 0\n";
    let text = pipeline(source, "merge", "keys = [\"Id\"]\n").replace("Account", "Thing__c");
    bench.write("p.toml", &text.replace("\"AnnualRevenue\"", "\"Size__c\""));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    let db = Connection::open(bench.path("out.db")).expect("a database");
    let id: String = db.query_row("SELECT Id FROM account WHERE Name = 'T1'", [], |row| row.get(0)).expect("the row");
    things.delete(&id);
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench), (4, 4));
    db.execute("INSERT INTO account (Id, Name) VALUES (?1, 'T1')", [&id]).expect("the row as it was");
    refuse(&bench, "Thing__c", "d-p00000", &id);
    (things, bench, id)
}

/// The newest run has refused a row, as far as its rejects file tells.
fn refuse(bench: &Bench, feed: &str, unit: &str, id: &str) {
    let run = newest(bench);
    std::fs::create_dir_all(bench.path(&format!(".forcepump/runs/{run}"))).expect("a folder");
    let line = serde_json::json!({
        "run": run, "feed": feed, "unit": unit, "row": 0, "stage": "plugin", "id": id, "code": "plugin_trap", "reason": "broke",
        "column": null, "values": {},
    });
    bench.write(&format!(".forcepump/runs/{run}/rejects.jsonl"), &format!("{line}\n"));
}

#[test]
fn a_deletion_that_was_refused_is_tried_again_as_one() {
    let (_things, bench, _) = undeleted_row();
    let run = newest(&bench);
    let again = bench.run(&["retry-rejects", &run, "--json"]).ends(0).json();
    assert_eq!((&again["rows"]["read"], &again["deleted"]), (&1.into(), &1.into()), "{again:#}");
    assert_eq!((rows(&bench), open(&bench, &run)), ((4, 4), 0));
    let units = bench.run(&["show", "latest", "--units", "--json"]).ends(0).json()["units"].clone();
    assert!(units[0]["unit"].as_str().is_some_and(|unit| unit.starts_with("rd-")), "{units:#}");
    bench.run(&["verify", "latest", "--keys"]).ends(0);
}

#[test]
fn a_row_that_is_undeleted_is_not_deleted_by_a_retry() {
    let (things, bench, id) = undeleted_row();
    things.undelete(&id);
    let run = newest(&bench);
    let again = bench.run(&["retry-rejects", &run]).ends(0);
    assert!(again.stderr.contains("1 row did not come"), "{}", again.stderr);
    assert_eq!((rows(&bench), open(&bench, &run)), ((5, 5), 1));
}

#[test]
fn what_cannot_be_retried_says_what_to_do() {
    let (_things, bench, id) = undeleted_row();
    bench.run(&["backfill", "p.toml", "--fields", "Size__c"]).ends(0);
    refuse(&bench, "Thing__c", "p00000", &id);
    let said = bench.run(&["retry-rejects", "latest"]).ends(2).stderr;
    assert!(said.contains("forcepump backfill") && said.contains("--fields Size__c"), "{said}");

    // A run that failed is begun anew, and reads its rows again.
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    let sqlite = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\nconfig = { table = \"account\" }\ngrant = { sql = { db = \"sqlite:out.db\" } }\n";
    let text = fickle("\"Account, 3\" = \"trap\"", sqlite).replacen("[source]", "max_rejects = 0\n[source]", 1);
    bench.write("p.toml", &text);
    let failed = bench.run(&["run", "p.toml", "--json"]).json();
    assert_eq!((&failed["state"], &failed["rows"]["written"]), (&"failed".into(), &0.into()), "{failed:#}");
    let said = bench.run(&["retry-rejects", "latest"]).ends(2).stderr;
    assert!(said.contains("failed") && said.contains("run the pipeline"), "{said}");
}

/// Kills a retry in the middle of its second page, after one unit; gives the run that refused the rows.
fn cut_off() -> (Org, Bench, String) {
    let stall =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 5 }\ndo = { kind = \"stall\", after_bytes = 100 }\n";
    let org = orgs::small(Options { faults: orgs::script_of(stall), ..Options::default() });
    let bench = Bench::on(&org);
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT, AnnualRevenue TEXT)").expect("a table");
    rule(&bench, "account", "INSERT", "NEW");
    mend(&bench, "Account");
    let text = pipeline("api = \"bulk2\"\nparallel_pages = 1\n", "append", "");
    bench.write("p.toml", &text);
    bench.run(&["run", "p.toml"]).ends(3);
    let first = newest(&bench);
    assert_eq!((open(&bench, &first), org.asked("/results")), (40, 3));
    mend(&bench, "Account, 1");
    let mut command = bench.command(&["retry-rejects", &first]);
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it starts");
    orgs::wait_until("a unit is committed", || open(&bench, &first) < 40 && org.asked("/results") == 5);
    child.kill().expect("a signal");
    child.wait().expect("its end");
    (org, bench, first)
}

#[test]
fn a_retry_that_was_cut_off_goes_on_by_either_name() {
    for how in ["first", "retry", "resume"] {
        let (org, bench, first) = cut_off();
        let retry = newest(&bench);
        let words = bench.run(&["show", "latest"]).ends(0).stdout;
        assert!(words.contains(&format!("forcepump retry-rejects {retry} goes on")), "{words}");
        let args = match how {
            "first" => ["retry-rejects", &first, "--json"],
            "retry" => ["retry-rejects", &retry, "--json"],
            _ => ["resume", &retry, "--json"],
        };
        let report = bench.run(&args).ends(3).json();
        assert_eq!((&report["run_id"], &report["retry_of"]), (&retry.clone().into(), &first.clone().into()), "{how}");
        assert_eq!((&report["rows"]["read"], &report["went_on"]["units"]), (&40.into(), &1.into()), "{report:#}");
        // Account, 1 and 10 to 19 stay refused.
        assert_eq!((rows(&bench), open(&bench, &first)), ((29, 29), 11), "{how}");
        org.is_tidy();
    }
}

#[test]
fn a_retry_that_cannot_go_on_is_begun_anew_unless_rows_may_be_doubled() {
    let mask = "[[transform]]\nplugin = \"mask\"\nconfig = { columns = { Name = { keep_last = 0 } } }\n[destination]";
    let (org, bench, first) = cut_off();
    let text = bench.read("p.toml");
    bench.write("p.toml", &text.replacen("[destination]", mask, 1));
    let ran = bench.run(&["retry-rejects", &first]).ends(0);
    assert!(ran.stderr.contains("is given up, as the pipeline file has changed"), "{}", ran.stderr);
    assert_eq!((rows(&bench), open(&bench, &first)), ((40, 40), 0));
    org.is_tidy();

    let (_org, bench, first) = cut_off();
    let state = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let forget = "UPDATE unit SET standing = 2, token = '' WHERE unit LIKE 'r-%'; DELETE FROM mended";
    state.execute_batch(forget).expect("the state as a kill leaves it");
    bench.write("p.toml", &text.replacen("[destination]", mask, 1));
    let before = rows(&bench);
    let said = bench.run(&["retry-rejects", &first]).ends(2).stderr;
    assert!(said.contains("may be in the destination") && said.contains("--fresh") && said.contains("undo"), "{said}");
    bench.write("p.toml", &text);
    // The rows that were refused in the unit of which the answer was lost stay open.
    bench.run(&["retry-rejects", &first]).ends(3);
    assert_eq!((rows(&bench), open(&bench, &first)), ((29, 29), 11));
    assert!(before.0 > 0);
}
