//! Queries that run for too long: read in slices, which are halved as often as it takes, and nothing missed or doubled.

use std::collections::BTreeSet;

use forcepump_emulator::{FaultScript, Options};
use rusqlite::Connection;

use crate::harness::{Bench, Org};

fn pipeline(source: &str) -> String {
    format!(
        r#"
name = "contacts"
[source]
connection = "org"
{source}
[destination]
plugin = "sqlite"
config = {{ table = "contacts" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

const OBJECT: &str = "object = \"Contact\"\nfields = [\"Id\", \"LastName\", \"SystemModstamp\"]";

/// An org that gives up queries over more rows than that.
fn slow(most: u64) -> Org {
    Org::with(Options { query_timeout_rows: Some(most), ..Options::default() })
}

/// Rows in the table, and how many of them are different ones.
fn rows(bench: &Bench) -> (u64, u64) {
    let db = Connection::open(bench.path("crm.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    (count("SELECT COUNT(*) FROM contacts"), count("SELECT COUNT(DISTINCT Id) FROM contacts"))
}

/// Statements of the jobs that were made.
fn finished(org: &Org) -> usize {
    let jobs = org.emulator().jobs();
    jobs.iter().filter(|job| job.state == forcepump_emulator::JobState::JobComplete).count()
}

#[test]
fn a_query_over_too_many_rows_is_halved_until_it_passes() {
    let incremental = format!("{OBJECT}\n[source.incremental]");
    for (name, source) in [
        ("by ids", format!("{OBJECT}\napi = \"bulk2\"")),
        ("by ids, REST", format!("{OBJECT}\napi = \"rest\"")),
        ("by ids, Bulk 1.0", format!("{OBJECT}\napi = \"bulk1\"")),
        ("by ids, any API", OBJECT.to_owned()),
        (
            "a query",
            "query = \"SELECT Id, LastName, SystemModstamp FROM Contact c WHERE c.LastName != null\"".to_owned(),
        ),
        ("by time", format!("{}\n", incremental.replace("[source.", "api = \"bulk2\"\n[source."))),
        ("by time, any API", incremental),
    ] {
        let org = slow(200);
        let bench = Bench::on(&org);
        bench.write("p.toml", &pipeline(&source));
        let whole = org.emulator().rows("Contact").unwrap();
        let run = bench.run(&["run", "p.toml", "--json"]).ends(0);
        let report = run.json();
        assert_eq!(report["rows"]["announced"].as_u64(), Some(whole), "{name}");
        assert_eq!(report["rows"]["written"].as_u64(), Some(whole), "{name}");
        assert!(report["units"].as_u64() >= Some(4), "{name}: {report}");
        assert_eq!(rows(&bench), (whole, whole), "{name}");
        let left = org.emulator().jobs().iter().filter(|job| !job.deleted).count();
        assert_eq!(left, 0, "{name}: no job stays in the org");
    }
}

#[test]
fn a_window_is_read_in_the_slices_that_the_file_wants() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let source = format!("{OBJECT}\napi = \"bulk2\"\n[source.incremental]\nslice = \"60d\"");
    bench.write("p.toml", &pipeline(&source));
    let whole = org.emulator().rows("Contact").unwrap();
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("in slices of 60d"), "{plan}");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"].as_u64(), Some(whole));
    assert_eq!(rows(&bench), (whole, whole));
    assert!(finished(&org) > 3, "{:?}", org.emulator().jobs());
    // the next window is short: one slice
    let before = org.emulator().jobs().len();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(org.emulator().jobs().len(), before + 1);
    assert_eq!(rows(&bench), (whole, whole));
}

#[test]
fn units_of_slices_have_names_of_their_own() {
    let org = slow(300);
    let bench = Bench::on(&org);
    let files = pipeline(&format!("{OBJECT}\napi = \"bulk2\"\nmax_records = 50"))
        .replace("\"sqlite\"", "\"csv\"")
        .replace("config = { table = \"contacts\" }", "config = {}")
        .replace("grant.sql = { db = \"sqlite:crm.db\" }", "grant.files = { out = \"out\" }");
    bench.write("p.toml", &files);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let files: Vec<_> = report["results"][0]["files"].as_array().into_iter().flatten().collect();
    let names: BTreeSet<_> = files.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!((names.len(), files.len()), (files.len(), report["units"].as_u64().unwrap() as usize));
    let mut ids = BTreeSet::new();
    let mut lines = 0;
    for name in names {
        let text = bench.read(&format!("out/{name}"));
        for line in text.lines().skip(1) {
            lines += 1;
            ids.insert(line.split(',').next().unwrap().to_owned());
        }
    }
    let whole = org.emulator().rows("Contact").unwrap() as usize;
    assert_eq!((lines, ids.len()), (whole, whole));
}

#[test]
fn what_cannot_be_halved_says_why_and_what_would_help() {
    let tables = [
        (200, "query = \"SELECT Id FROM Contact ORDER BY LastName\"", 4, "LIMIT or ORDER BY"),
        (
            200,
            "query = \"SELECT Id FROM Contact WHERE LastName != null LIMIT 700\"\napi = \"bulk2\"",
            4,
            "LIMIT or ORDER BY",
        ),
        (0, OBJECT, 4, "could not be asked"),
        (200, "object = \"Contact\"\npk_chunking = { chunk_size = 700 }", 4, "smaller chunk_size"),
    ];
    for (most, source, code, expected) in tables {
        let org = slow(most);
        let bench = Bench::on(&org);
        bench.write("p.toml", &pipeline(source));
        let failed = bench.run(&["run", "p.toml"]).ends(code);
        assert!(
            failed.stderr.contains("QUERY_TIMEOUT") && failed.stderr.contains(expected),
            "{source}: {}",
            failed.stderr
        );
    }
}

#[test]
fn transforms_that_see_all_rows_in_one_go_are_not_cut() {
    let dedupe = "[[transform]]\nplugin = \"dedupe\"\nconfig = { keys = [\"LastName\"] }\n[destination]";
    let source = format!("{OBJECT}\n[source.incremental]\nslice = \"30d\"");
    let org = slow(200);
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline(&source).replace("[destination]", dedupe));
    let refused = bench.run(&["plan", "p.toml"]).ends(2);
    assert!(
        refused.stderr.contains("source.incremental.slice") && refused.stderr.contains("dedupe"),
        "{}",
        refused.stderr
    );
    bench.write("p.toml", &pipeline(OBJECT).replace("[destination]", dedupe));
    let failed = bench.run(&["run", "p.toml"]).ends(4);
    assert!(failed.stderr.contains("dedupe") && failed.stderr.contains("QUERY_TIMEOUT"), "{}", failed.stderr);
    bench.write("p.toml", &pipeline(&source.replace("30d", "30")));
    let refused = bench.run(&["check", "p.toml"]).ends(2);
    assert!(
        refused.stderr.contains("source.incremental.slice") && refused.stderr.contains("30d"),
        "{}",
        refused.stderr
    );
}

#[test]
fn rows_of_one_second_are_the_end_of_halving() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "LastName,CreatedDate,SystemModstamp\n".to_owned();
    (0..50).for_each(|i| text.push_str(&format!("Name {i},2024-01-05T10:00:00.000Z,2024-01-05T10:00:00.000Z\n")));
    std::fs::write(folder.path().join("Contact.csv"), text).unwrap();
    let data = Some(folder.path().to_owned());
    let org = Org::with(Options { query_timeout_rows: Some(20), data, ..Options::default() });
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline(&format!("{OBJECT}\napi = \"bulk2\"\n[source.incremental]")));
    let failed = bench.run(&["run", "p.toml"]).ends(4);
    assert!(failed.stderr.contains("a second is the shortest slice"), "{}", failed.stderr);
    // the same rows by id
    bench.write(
        "p.toml",
        &pipeline(&format!("{OBJECT}\napi = \"bulk2\"")).replace("name = \"contacts\"", "name = \"whole\""),
    );
    let run = bench.run(&["run", "p.toml"]).ends(0);
    assert!(run.stderr.contains("Contact (everything)") && run.stderr.contains("in two halves"), "{}", run.stderr);
    assert_eq!(rows(&bench), (50, 50));
}

#[test]
fn a_run_that_stops_between_slices_goes_on_with_the_same_ones() {
    let broken = "[[fault]]\non = { route = \"bulk2-create\", nth = 7 }\ndo = { kind = \"limit\", which = \"jobs\" }\n";
    let org = Org::with(Options {
        query_timeout_rows: Some(200),
        faults: FaultScript::parse(broken).unwrap(),
        ..Options::default()
    });
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline(&format!("{OBJECT}\napi = \"bulk2\"")));
    bench.run(&["run", "p.toml"]).ends(7);
    let whole = org.emulator().rows("Contact").unwrap();
    let (before, jobs) = (rows(&bench).0, org.emulator().jobs().len());
    assert!(before > 0 && before < whole, "{before}");
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0);
    assert_eq!(run.json()["rows"]["written"].as_u64(), Some(whole));
    assert_eq!(rows(&bench), (whole, whole));
    assert_eq!(org.emulator().jobs().len(), jobs + 1, "only the slice that was missing is read");
    assert!(org.emulator().jobs().iter().all(|job| job.deleted));
}
