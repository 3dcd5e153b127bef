//! `forcepump verify` of runs of every kind: equal after them, and what was tampered with is named.

use forcepump_emulator::{Edit, Options};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::changing::{Things, lead_to, rows, things};
use crate::harness::{Bench, Org};
use crate::orgs::{self, script_of};

/// The code of a difference.
const DIFFERS: i32 = 8;
const MERGE: &str = "mode = \"merge\"\nkeys = [\"Id\"]";

/// A table `things` of `crm.db`.
fn pipeline(source: &str, mode: &str) -> String {
    format!(
        "name = \"kept\"\n[source]\nconnection = \"org\"\n{source}\n[destination]\nplugin = \"sqlite\"\n{mode}\nconfig = {{ table = \"things\" }}\ngrant.sql = {{ db = \"sqlite:crm.db\" }}\n"
    )
}

fn change(bench: &Bench, sql: &str) {
    let db = Connection::open(bench.path("crm.db")).expect("a database");
    assert_eq!(db.execute(sql, []).unwrap_or_else(|error| panic!("{sql}: {error}")), 1, "{sql}");
}

/// What `verify --keys` says of a run in which nothing differs: its checks by name, each with its state.
#[track_caller]
fn equal(bench: &Bench, run: &str) -> Vec<(String, String)> {
    let found = bench.run(&["verify", run, "--keys", "--json"]).ends(0).json();
    let checks = found["checks"].as_array().expect("checks");
    assert!(checks.iter().any(|check| check["state"] == "equal"), "{found:#}");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    checks.iter().map(|check| (text(&check["what"]), text(&check["state"]))).collect()
}

/// The same, where everything can be compared.
#[track_caller]
fn all_equal(bench: &Bench, run: &str) {
    let checks = equal(bench, run);
    assert!(checks.iter().all(|(_, state)| state == "equal"), "{checks:#?}");
}

/// The differences of a run, each as one text with feed, numbers, note and examples.
#[track_caller]
fn differences(bench: &Bench, run: &str) -> Vec<String> {
    let found = bench.run(&["verify", run, "--keys", "--json"]).ends(DIFFERS).json();
    let checks = found["checks"].as_array().expect("checks").iter();
    checks.filter(|check| check["state"] == "differs").map(Value::to_string).collect()
}

#[track_caller]
fn names(found: &[String], parts: &[&str]) {
    let one = found.iter().any(|text| parts.iter().all(|part| text.contains(part)));
    assert!(one, "{parts:?} stand in none of {found:#?}");
}

fn id_of(bench: &Bench, name: &str) -> String {
    rows(bench, &format!("SELECT Id FROM things WHERE Name = '{name}'")).pop().expect("a row")
}

/// The sums of `show --units` of the newest run.
fn units_wrote(bench: &Bench) -> u64 {
    let shown = bench.run(&["show", "latest", "--units", "--json"]).ends(0).json();
    let units = shown["units"].as_array().expect("units").iter();
    let sums = units.map(|unit| {
        let count = |name: &str| unit[name].as_u64().expect("a count");
        assert_eq!(count("read") + count("added"), count("filtered") + count("rejected") + count("written"), "{unit}");
        count("written")
    });
    let sum = sums.sum();
    assert_eq!(shown["report"]["rows"]["written"].as_u64(), Some(sum), "{shown:#}");
    assert_eq!(shown["report"]["receipt"].as_str().map(str::len), Some(64));
    sum
}

const CHANGING: &str =
    "object = \"Thing__c\"\nfields = [\"Id\", \"Name\", \"Size__c\", \"SystemModstamp\"]\n[source.incremental]\n";

#[test]
fn deleted_rows_are_compared_by_their_ids() {
    let things = Things::new(6);
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline(&format!("{CHANGING}deletes = \"delete\""), MERGE));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    equal(&bench, "latest");
    let (t1, t2, t4) = (id_of(&bench, "T1"), id_of(&bench, "T2"), id_of(&bench, "T4"));
    things.delete(&t1);
    things.delete(&t4);
    things.update(&t2, &json!({ "Size__c": 22 }));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(units_wrote(&bench), 3);
    let checks = equal(&bench, "latest");
    assert!(
        checks.contains(&("ids deleted at the source that the destination has".into(), "equal".into())),
        "{checks:?}"
    );
    change(&bench, &format!("INSERT INTO things (Id, Name) VALUES ('{t4}', 'back')"));
    names(&differences(&bench, "latest"), &["Thing__c", "deleted at the source", &t4, "written again"]);
    change(&bench, &format!("DELETE FROM things WHERE Id = '{t4}'"));
    equal(&bench, "latest");
    change(&bench, &format!("UPDATE things SET Id = 'a02000000000000AAA' WHERE Id = '{t2}'"));
    names(&differences(&bench, "latest"), &["the destination lacks", &t2]);
    change(&bench, &format!("UPDATE things SET Id = '{t2}' WHERE Size__c = 22"));
    things.delete(&t2);
    names(&differences(&bench, "latest"), &["rows of Thing__c at the source", "left the window"]);
}

#[test]
fn flagged_rows_are_there() {
    let things = Things::new(6);
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline(&format!("{CHANGING}deletes = \"flag\""), MERGE));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    equal(&bench, "latest");
    let t1 = id_of(&bench, "T1");
    things.delete(&t1);
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(units_wrote(&bench), 1);
    equal(&bench, "latest");
    change(&bench, &format!("DELETE FROM things WHERE Id = '{t1}'"));
    names(&differences(&bench, "latest"), &["the destination lacks", &t1]);
}

#[test]
fn a_backfill_adds_no_row_to_what_runs_have_noted() {
    let csv =
        |field: &str, value: &str| format!("Name,Budget__c{field}\nAcme,12.5{value}\nBolt,7{value}\nCord,{value}\n");
    for mode in [MERGE, "mode = \"append\""] {
        let before = things(&csv("", ""));
        let bench = Bench::on(&before);
        bench.write("p.toml", &pipeline("object = \"Thing__c\"\n[source.incremental]", mode));
        let first =
            bench.run(&["run", "p.toml", "--json"]).ends(0).json()["run_id"].as_str().expect("a run").to_owned();
        let after = things(&csv(",Fresh__c", ",one"));
        lead_to(&bench, &after);
        bench.run(&["run", "p.toml"]).ends(0);
        let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
        assert_eq!((&filled["rows"]["written"], units_wrote(&bench)), (&3.into(), 3), "{mode}: {filled:#}");
        equal(&bench, "latest");
        equal(&bench, &first);
        change(&bench, "DELETE FROM things WHERE Name = 'Bolt'");
        names(&differences(&bench, "latest"), &["the destination lacks"]);
        names(&differences(&bench, &first), &["the destination lacks"]);
    }
}

const CONTACTS: &str = "object = \"Contact\"\nfields = [\"Id\", \"LastName\", \"SystemModstamp\"]\napi = \"bulk2\"";

#[test]
fn slices_are_counted_each() {
    let slow = Org::with(Options { query_timeout_rows: Some(700), ..Options::default() });
    for (org, source) in
        [(&slow, CONTACTS.to_owned()), (&Org::demo(), format!("{CONTACTS}\n[source.incremental]\nslice = \"400d\""))]
    {
        let bench = Bench::on(org);
        bench.write("p.toml", &pipeline(&source, "mode = \"append\""));
        bench.run(&["run", "p.toml"]).ends(0);
        assert_eq!(Some(units_wrote(&bench)), org.emulator().rows("Contact"), "{source}");
        let found = bench.run(&["verify", "latest", "--json"]).ends(0).json();
        assert_eq!(found["state"], "equal", "{found:#}");
        change(&bench, "DELETE FROM things WHERE Id = (SELECT max(Id) FROM things)");
        let words = bench.run(&["verify", "latest"]).ends(DIFFERS).stdout;
        assert!(words.contains("rows of table things") && words.contains("were deleted from the table"), "{words}");
        change(&bench, "DELETE FROM _forcepump_units WHERE unit = (SELECT max(unit) FROM _forcepump_units)");
        let words = bench.run(&["verify", "latest"]).ends(DIFFERS).stdout;
        assert!(words.contains("rows committed, not noted"), "{words}");
    }
}

#[test]
fn a_feed_that_failed_is_named_and_the_others_are_compared() {
    let fault = "[[fault]]\non = { path = \"*/sobjects/Contact/describe\", times = 1 }\ndo = { kind = \"status\", code = 403, error_code = \"INSUFFICIENT_ACCESS\", message = \"insufficient access rights on object\" }\n";
    let org = Org::with(Options { faults: script_of(fault), ..Options::default() });
    let bench = Bench::on(&org);
    let text = pipeline("objects = [\"Account\", \"Contact\", \"Lead\"]\nfields = [\"Id\"]", "mode = \"append\"");
    bench.write("p.toml", &text.replace("\"things\"", "\"sf_{object}\""));
    bench.run(&["run", "p.toml"]).ends(7);
    let checks = equal(&bench, "latest");
    assert!(checks.contains(&("the feed Contact as a whole".into(), "unknown".into())), "{checks:#?}");
    // Of Contact no id is there to be compared either.
    assert_eq!(checks.iter().filter(|(_, state)| state != "equal").count(), 2, "{checks:#?}");
    let words = bench.run(&["verify", "latest"]).ends(0).stdout;
    assert!(words.contains("INSUFFICIENT_ACCESS") && words.contains("forcepump resume"), "{words}");
    change(&bench, "DELETE FROM sf_Lead WHERE Id = (SELECT min(Id) FROM sf_Lead)");
    let found = differences(&bench, "latest");
    names(&found, &["\"feed\":\"Lead\"", "sf_Lead"]);
    assert!(!found.iter().any(|text| text.contains("Account")), "{found:#?}");
    bench.run(&["run", "p.toml"]).ends(0);
    let found = differences(&bench, "latest");
    assert!(found.iter().all(|text| text.contains("\"feed\":\"Lead\"")), "{found:#?}");
}

#[test]
fn what_a_filter_left_out_is_not_missing_and_what_was_deleted_is() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let filter = "[[transform]]\nplugin = \"filter\"\nconfig = { where = \"AnnualRevenue >= 10\" }\n[destination]";
    let source = "object = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]";
    bench.write("p.toml", &pipeline(source, "mode = \"append\"").replacen("[destination]", filter, 1));
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(units_wrote(&bench), 30);
    equal(&bench, "latest");
    let id = id_of(&bench, "Account, 20");
    change(&bench, &format!("DELETE FROM things WHERE Id = '{id}'"));
    names(&differences(&bench, "latest"), &["rows of table things", "\"expected\":30", "\"found\":29"]);
    org.emulator().edit(&Edit::Delete { object: "Account".to_owned(), id }).expect("deleted");
    names(&differences(&bench, "latest"), &["rows of Account at the source", "\"expected\":40", "\"found\":39"]);
}

/// The state as a kill leaves it between the destination's commits and the notes of them.
fn forget_the_answers(bench: &Bench) {
    let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    db.execute_batch(
        "UPDATE unit SET standing = 2, token = ''; DELETE FROM unit_place WHERE kind = 'file'; UPDATE job SET done = 0;
         UPDATE feed SET concluded = 0; UPDATE run SET state = 'running', ended_at = NULL, report = NULL",
    )
    .expect("the state as it was");
}

#[test]
fn a_unit_whose_commit_was_not_answered_is_counted_when_the_run_has_gone_on() {
    let source = "object = \"Account\"\napi = \"bulk2\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]";
    let files = |plugin: &str, mode: &str| {
        let config = "config = { table = \"things\" }\ngrant.sql = { db = \"sqlite:crm.db\" }";
        pipeline(source, mode)
            .replace("\"sqlite\"", &format!("\"{plugin}\""))
            .replace(config, "grant.files = { out = \"out\" }")
    };
    for text in [
        pipeline(source, "mode = \"append\""),
        pipeline(source, "mode = \"overwrite\""),
        pipeline(source, MERGE),
        files("csv", "mode = \"append\""),
        files("parquet", "mode = \"overwrite\""),
    ] {
        let org = orgs::small(Options::default());
        let bench = Bench::on(&org);
        bench.write("p.toml", &text);
        let first = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        forget_the_answers(&bench);
        let again = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!((&again["run_id"], &again["receipt"]), (&first["run_id"], &first["receipt"]), "{text}");
        assert_eq!(units_wrote(&bench), 40);
        let checks = equal(&bench, "latest");
        let unknown: Vec<_> = checks.iter().filter(|(_, state)| state != "equal").collect();
        assert_eq!(unknown.len(), usize::from(text.contains("merge")), "{text}: {checks:#?}");
        org.is_tidy();
    }
}

#[test]
fn what_was_read_in_the_place_of_a_lost_job_is_counted_with_it() {
    let (org, bench) = crate::resume::killed_before_a_job_is_lost();
    assert!(org.emulator().lose_job(&org.job().id));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], 40, "{report:#}");
    all_equal(&bench, "latest");
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute("DELETE FROM account WHERE Name = 'Account, 30'", []).expect("deleted");
    names(&differences(&bench, "latest"), &["rows of table account", "\"expected\":40", "\"found\":39"]);
}
