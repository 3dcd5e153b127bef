//! `forcepump rejects`: what a run refused, shown, counted and exported.

use forcepump_emulator::Options;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::{orgs, tables};

const PIPELINE: &str = "name = \"refusing\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n\
    [destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
/// Names of the small org with a 1 in them.
const REFUSED: usize = 13;

/// A run that refused rows; its id.
fn bench() -> (Org, Bench, String) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT CHECK (Name NOT LIKE '%1%'), AnnualRevenue TEXT)")
        .expect("a table");
    drop(db);
    bench.write("p.toml", PIPELINE);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!(report["rows"]["rejected"], REFUSED);
    let run = report["run_id"].as_str().expect("a run").to_owned();
    (org, bench, run)
}

#[test]
fn the_first_rows_are_shown_with_their_reasons() {
    let (_org, bench, run) = bench();
    for name in ["latest", &run] {
        let ran = bench.run(&["rejects", name]).ends(0);
        assert!(ran.stdout.starts_with(&format!("{run}, {REFUSED} rows refused\n")), "{}", ran.stdout);
        assert!(ran.stdout.contains("sqlite") && ran.stdout.contains("CHECK"), "{}", ran.stdout);
        assert_eq!(ran.stdout.matches(" 001g").count(), REFUSED, "{}", ran.stdout);
    }
    let listed = bench.run(&["rejects", "latest", "--json"]).ends(0).json();
    assert_eq!((&listed["total"], listed["rows"].as_array().map(Vec::len)), (&REFUSED.into(), Some(REFUSED)));
    let elsewhere = Bench::new();
    let folder = bench.path("").display().to_string();
    let pipeline = bench.path("p.toml").display().to_string();
    for place in [&folder, &pipeline] {
        let ran = elsewhere.run(&["rejects", "latest", "--pipeline-folder", place]).ends(0);
        assert!(ran.stdout.starts_with(&run), "{}", ran.stdout);
    }
}

#[test]
fn reasons_are_counted_and_rows_are_filtered() {
    let (_org, bench, _) = bench();
    let counted = bench.run(&["rejects", "latest", "--count", "--json"]).ends(0).json();
    assert_eq!((&counted["total"], &counted["counts"][0]["rows"]), (&REFUSED.into(), &REFUSED.into()));
    assert_eq!(counted["counts"][0]["plugin"], "sqlite");
    let code = counted["counts"][0]["code"].as_str().expect("a code").to_owned();
    let rows =
        |args: &[&str]| bench.run(&[&["rejects", "latest", "--json"], args].concat()).ends(0).json()["total"].clone();
    assert_eq!(rows(&["--code", &code, "--plugin", "sqlite"]), REFUSED);
    assert_eq!((rows(&["--code", "other"]), rows(&["--plugin", "decode"])), (0.into(), 0.into()));
    assert!(bench.run(&["rejects", "latest", "--count"]).ends(0).stdout.contains(&code));
}

#[test]
fn rows_are_exported_as_csv_and_as_they_are() {
    let (_org, bench, run) = bench();
    bench.run(&["rejects", "latest", "--export", "r.csv"]).ends(0);
    let table = tables::csv(&bench.read("r.csv"));
    assert_eq!(table.rows.len(), REFUSED);
    for name in
        ["_run", "_unit", "_row", "_plugin", "_digest", "_id", "_code", "_reason", "Id", "Name", "AnnualRevenue"]
    {
        assert!(table.columns.iter().any(|column| column == name), "{name}: {:?}", table.columns);
    }
    assert!(table.column("Name").iter().flatten().all(|name| name.starts_with("Account, ") && name.contains('1')));
    assert_eq!(bench.run(&["rejects", "latest", "--format", "csv"]).ends(0).stdout, bench.read("r.csv"));
    bench.run(&["rejects", "latest", "--export", "r.jsonl"]).ends(0);
    let lines = bench.read(&format!(".forcepump/runs/{run}/rejects.jsonl"));
    assert_eq!(bench.read("r.jsonl"), lines);
    assert_eq!(bench.run(&["rejects", "latest", "--format", "jsonl"]).ends(0).stdout, lines);
    let ran = bench.run(&["rejects", "latest", "--export", "r.xlsx"]).ends(2);
    assert!(ran.stderr.contains(".csv or .jsonl"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_not_there_is_answered_with_the_nearest() {
    let (_org, bench, run) = bench();
    let wrong = format!("{}x", &run[..run.len() - 1]);
    let ran = bench.run(&["rejects", &wrong]).ends(2);
    assert!(ran.stderr.contains(&run) && ran.stderr.contains("latest"), "{}", ran.stderr);
    let ran = Bench::new().run(&["rejects", "latest"]).ends(2);
    assert!(ran.stderr.contains("--pipeline-folder"), "{}", ran.stderr);
}

/// A file with more rows than are shown, one that would steer a terminal, and one that was cut.
#[test]
fn many_rows_are_cut_and_none_steers_the_terminal() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path(".forcepump/runs/r")).expect("a folder");
    let line = |row: usize, reason: &str| {
        let line = serde_json::json!({ "run": "r", "unit": "p1", "row": row, "stage": "mine", "id": null, "code": "c", "reason": reason, "values": { "A": "=1+1", "B": null } });
        format!("{line}\n")
    };
    let mut text = line(0, "\u{1b}[31mred\u{202e}");
    (1..60).for_each(|row| text.push_str(&line(row, "why")));
    bench.write(".forcepump/runs/r/rejects.jsonl", &format!("{text}{{\"run\": \"r\", \"un"));
    let ran = bench.run(&["rejects", "r"]).ends(0);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{202e}'), "{}", ran.stdout);
    assert!(ran.stdout.contains("60 rows refused") && ran.stdout.contains("10 more"), "{}", ran.stdout);
    assert!(ran.stderr.contains("line 61"), "{}", ran.stderr);
    let csv = bench.run(&["rejects", "r", "--format", "csv"]).ends(0).stdout;
    assert!(csv.lines().nth(2).is_some_and(|line| line.ends_with("c,why,,=1+1,")), "{csv}");
    let counts: Value = bench.run(&["rejects", "r", "--count", "--json"]).ends(0).json();
    assert_eq!((&counts["total"], &counts["counts"][0]["rows"]), (&60.into(), &59.into()));
}
