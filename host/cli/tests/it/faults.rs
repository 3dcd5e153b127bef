//! Each fault of the source: the end state, the exit code, the rows that can be seen, and what is left in the org.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::fault_cases::{Case, FATAL, SURVIVED};
use crate::harness::{Bench, Org};
use crate::orgs::{SMALL_ROWS, faulty};
use crate::tables::{self, Table};

fn pipeline(destination: &str) -> String {
    format!(
        "name = \"faulty\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n{destination}"
    )
}

/// Rows are added: what can be seen afterwards is what was committed.
const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

/// Runs a case into a destination; gives the folder, the org and the report.
fn run(case: &Case, destination: &str) -> (Bench, Org, Value) {
    let org = faulty(&format!("[[fault]]\n{}\n", case.fault), case.chained);
    let bench = Bench::on(&org);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\n{}\n", case.http));
    bench.write("p.toml", &pipeline(destination));
    let ran = bench.run(&["run", "p.toml", "--json"]);
    let code = match () {
        () if case.says.is_empty() => 0,
        () if case.is_partial() => 7,
        () => 4,
    };
    assert_eq!(ran.code, code, "{}: {}\n{}", case.name, ran.stdout, ran.stderr);
    let report = ran.json();
    (bench, org, report)
}

/// The report tells the truth about a run.
fn check_report(case: &Case, report: &Value) {
    let name = case.name;
    let rows = |station: &str| report["rows"][station].as_u64().expect("a number") as usize;
    assert_eq!(rows("written"), case.rows, "{name}: {report:#}");
    if case.says.is_empty() {
        assert_eq!(report["state"], "complete", "{name}");
        assert_eq!((rows("announced"), rows("read")), (SMALL_ROWS, SMALL_ROWS), "{name}");
        assert!(report["error"].is_null(), "{name}: {report:#}");
        return;
    }
    assert_eq!(
        (report["state"].as_str(), report["error"]["class"].as_str()),
        (Some(if case.is_partial() { "partial" } else { "failed" }), Some("source")),
        "{name}"
    );
    let message = report["error"]["message"].as_str().unwrap_or_default();
    for word in case.says {
        assert!(message.contains(word), "{name}: `{word}` is not in: {message}");
    }
}

/// The first so many accounts, as they were written into the org.
fn check_rows(case: &Case, table: &Table) {
    let names = table.column("Name");
    assert_eq!(names.len(), case.rows, "{}", case.name);
    let mut names: Vec<String> = names.into_iter().flatten().collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), case.rows, "{}: no row twice", case.name);
    for row in &table.rows {
        let number = row[1].as_deref().and_then(|name| name.strip_prefix("Account, ")).expect("whole rows");
        let revenue = tables::plain(row[2].as_deref().expect("a number"), 2);
        assert_eq!(revenue, format!("{number}.00"), "{}", case.name);
    }
}

fn check_org(case: &Case, org: &Org, report: &Value) {
    if report["resumable"] == true {
        // The job stays for the run that goes on.
        return;
    }
    for job in org.emulator().jobs() {
        let refused = case.name == "the delete is refused";
        assert!(job.deleted != refused, "{}: {job:?}", case.name);
        assert!(job.state.is_terminal() || job.deleted, "{}: {job:?}", case.name);
    }
}

fn into_sqlite(case: &Case) {
    let (bench, org, report) = run(case, SQLITE);
    check_report(case, &report);
    check_org(case, &org, &report);
    let db = bench.path("out.db");
    if case.rows == 0 {
        assert!(!has_rows(&db), "{}", case.name);
    } else {
        check_rows(case, &tables::sqlite(&db, "account"));
    }
}

fn has_rows(db: &std::path::Path) -> bool {
    let Ok(db) = rusqlite::Connection::open(db) else { return false };
    db.query_row("SELECT count(*) FROM account", [], |row| row.get::<_, i64>(0)).is_ok_and(|rows| rows > 0)
}

fn into_csv(case: &Case) {
    let (bench, org, report) = run(case, CSV);
    check_report(case, &report);
    check_org(case, &org, &report);
    let folder = bench.path("out/Account");
    let names: Vec<String> = std::fs::read_dir(&folder)
        .map(|found| found.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    let complete = case.says.is_empty();
    assert_eq!(names.iter().any(|name| name == "manifest.json"), complete, "{}: {names:?}", case.name);
    let mut whole = Table::default();
    for name in names.iter().filter(|name| *name != "manifest.json") {
        assert!(name.ends_with(".csv"), "{}: nothing half-written is seen: {names:?}", case.name);
        let part = tables::csv(&std::fs::read_to_string(folder.join(name)).expect("a file"));
        whole = Table { columns: part.columns, rows: [whole.rows, part.rows].concat() };
    }
    if case.rows > 0 {
        check_rows(case, &whole);
    }
}

/// Cases wait more than they work: they run beside each other, a few at a time. Each that fails is named.
fn all(cases: &[Case], check: fn(&Case)) {
    const BESIDE: usize = 6;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(|| check(case)).is_err() {
                        failed.lock().expect("a list").push(case.name);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().expect("a list"), Vec::<&str>::new());
}

#[test]
fn survived_faults_leave_every_row_in_sqlite() {
    all(SURVIVED, into_sqlite);
}

#[test]
fn survived_faults_leave_every_row_in_files() {
    all(SURVIVED, into_csv);
}

#[test]
fn fatal_faults_leave_whole_units_or_nothing_in_sqlite() {
    all(FATAL, into_sqlite);
}

#[test]
fn fatal_faults_leave_whole_units_or_nothing_in_files() {
    all(FATAL, into_csv);
}

#[test]
fn a_session_that_ends_is_renewed_once() {
    for case in SURVIVED.iter().filter(|case| case.fault.contains("session-expired")) {
        let (_bench, org, _report) = run(case, SQLITE);
        assert_eq!(org.asked("/services/oauth2/token"), 2, "{}: one login, one renewal", case.name);
    }
}

#[test]
fn a_lost_page_is_asked_for_again_and_counted_as_a_retry() {
    let case = SURVIVED.iter().find(|case| case.name == "cut in the middle of a row").expect("the case");
    let (_bench, org, report) = run(case, SQLITE);
    assert_eq!(org.asked("/results"), 3 + 1, "three pages, one of them twice");
    assert!(report["retries"].as_u64() >= Some(1), "{report:#}");
}
