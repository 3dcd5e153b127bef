//! Rows that come late, and clocks that step back, between incremental runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use forcepump_emulator::data::QueryMode;
use forcepump_emulator::{Edit, Options};
use serde_json::json;

use crate::harness::{Bench, Org};
use crate::held;
use crate::process::{Fate, Running, When};

const COLUMNS: [&str; 3] = ["Id", "Name", "SystemModstamp"];
const ROWS: u64 = 120;

fn pipeline(mode: &str, incremental: &str) -> String {
    format!(
        "name = \"late\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"SystemModstamp\"]\napi = \"bulk2\"\n\
         [source.incremental]\n{incremental}\n[destination]\nplugin = \"sqlite\"\n{mode}\nconfig = {{ table = \"account\" }}\n\
         grant = {{ sql = {{ db = \"sqlite:out.db\" }} }}\n"
    )
}

const APPEND: &str = "mode = \"append\"";
const MERGE: &str = "mode = \"merge\"\nkeys = [\"Id\"]";

fn org() -> (Org, Bench) {
    let org = Org::with(Options { generate: vec![("Account".to_owned(), ROWS)], page_size: 4, ..Options::default() });
    let bench = Bench::on(&org);
    (org, bench)
}

fn create(org: &Org, name: &str, stamp: DateTime<Utc>) -> String {
    let fields = json!({ "Name": name }).as_object().cloned().unwrap_or_default();
    org.emulator().edit_late(&Edit::Create { object: "Account".into(), fields }, stamp).expect("a record")
}

/// Runs, and gives the end of the window.
fn run(bench: &Bench) -> DateTime<Utc> {
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let to = report["window"]["to"].as_str().expect("a window");
    DateTime::parse_from_rfc3339(to).expect("a moment").with_timezone(&Utc)
}

#[track_caller]
fn table_is_source(org: &Org, bench: &Bench) {
    let expected = held::of_org(org, "SELECT Id, Name, SystemModstamp FROM Account", QueryMode::Bulk2);
    let table = held::in_sqlite(bench).expect("a table");
    let found = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
    held::same(&expected, &found).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn rows_that_appear_behind_the_cursor_are_in_the_next_run_once() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(APPEND, ""));
    let cursor = run(&bench);
    for (number, seconds) in [1, 60, 9 * 60 + 55].into_iter().enumerate() {
        create(&org, &format!("late {number}"), cursor - TimeDelta::seconds(seconds));
    }
    org.emulator().clock().step(TimeDelta::minutes(1));
    let second = run(&bench);
    assert!(second > cursor);
    table_is_source(&org, &bench);
    run(&bench);
    table_is_source(&org, &bench);
}

#[test]
fn a_longer_overlap_appends_no_row_again() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(APPEND, "overlap_minutes = 1"));
    let cursor = run(&bench);
    create(&org, "late", cursor - TimeDelta::seconds(30));
    org.emulator().clock().step(TimeDelta::minutes(1));
    bench.write("p.toml", &pipeline(APPEND, "overlap_minutes = 52560000"));
    run(&bench);
    table_is_source(&org, &bench);
    // What this run has read it remembers as far back as its overlap says.
    run(&bench);
    table_is_source(&org, &bench);
}

#[test]
fn a_cursor_after_the_clock_is_told() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(MERGE, ""));
    run(&bench);
    org.emulator().clock().step(TimeDelta::minutes(-30));
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(ran.stderr.contains("which is after Salesforce's clock"), "{ran:?}");
}

#[test]
fn rows_that_are_later_than_the_overlap_are_missed_and_a_wider_one_has_them() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(MERGE, ""));
    let cursor = run(&bench);
    let id = create(&org, "far too late", cursor - TimeDelta::minutes(25));
    org.emulator().clock().step(TimeDelta::minutes(1));
    run(&bench);
    let table = held::in_sqlite(&bench).expect("a table");
    assert!(!table.column("Id").contains(&Some(id)), "what the overlap promises is not more than it says");
    bench.write("p.toml", &pipeline(MERGE, "overlap_minutes = 30"));
    run(&bench);
    table_is_source(&org, &bench);
}

#[test]
fn a_clock_that_steps_back_within_the_overlap_loses_and_doubles_nothing() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(APPEND, ""));
    let cursor = run(&bench);
    let clock = org.emulator().clock().clone();
    clock.step(TimeDelta::minutes(-8));
    create(&org, "by the clock that was set back", clock.now());
    assert_eq!(run(&bench), cursor, "a cursor never moves back");
    clock.step(TimeDelta::minutes(30));
    create(&org, "by the clock that is right again", clock.now() - TimeDelta::minutes(6));
    run(&bench);
    table_is_source(&org, &bench);
}

#[test]
fn a_run_that_was_killed_after_the_clock_stepped_back_is_still_the_newest() {
    let (org, bench) = org();
    bench.write("p.toml", &pipeline(APPEND, "").replace("[source.incremental]\n", ""));
    let run = ["run", "p.toml", "--json"];
    bench.run(&run).ends(0);
    std::fs::remove_file(bench.path(held::DATABASE)).expect("the rows go");
    org.emulator().clock().step(TimeDelta::hours(-3));
    let kill = When::Answered(20, Duration::ZERO);
    match Running::start(&bench, &run).killed(&org, kill).unwrap_or_else(|wrong| panic!("{wrong}")) {
        Fate::Killed => {}
        Fate::Ended(ran) => panic!("it was too fast: {ran:?}"),
    }
    bench.run(&run).ends(0);
    table_is_source(&org, &bench);
}
