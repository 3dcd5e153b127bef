//! Each fault of the source: the end state, the exit code, the rows that can be seen, and what is left in the org.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::{SMALL_ROWS, faulty};
use crate::tables::{self, Table};

/// Rows of one page of the small org.
const PAGE_ROWS: usize = 15;

/// One fault and what becomes of a run that meets it.
struct Case {
    name: &'static str,
    /// the fault's `on` and `do`
    fault: &'static str,
    /// pages are found one after the other, not listed
    chained: bool,
    /// lines of the connection's `http` table
    http: &'static str,
    /// words of the error; none for a run that ends well
    says: &'static [&'static str],
    /// rows in the destination
    rows: usize,
}

const OK: Case = Case { name: "", fault: "", chained: false, http: "", says: &[], rows: SMALL_ROWS };
const CHAINED: Case = Case { chained: true, ..OK };
const FAILS: Case = Case { rows: 0, ..OK };

/// Retries cost half a second each: tests that need the last one to fail ask for few.
const FEW: &str = "max_attempts = 1";
/// Time-outs that a fault runs into soon, and a busy machine does not.
const IMPATIENT: &str = "stall_timeout_ms = 700\nfirst_byte_timeout_ms = 2500\nmax_attempts = 2";

const SURVIVED: &[Case] = &[
    Case { name: "session ends before describe", fault: r#"on = { route = "describe" }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "session ends before create", fault: r#"on = { route = "bulk2-create" }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "session ends before a poll", fault: r#"on = { route = "bulk2-job" }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "session ends before the list", fault: r#"on = { route = "bulk2-result-pages" }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "session ends between pages", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "session ends between chained pages", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "session-expired" }"#, ..CHAINED },
    Case { name: "session ends before delete", fault: r#"on = { route = "bulk2-delete" }
do = { kind = "session-expired" }"#, ..OK },
    Case { name: "500 on a poll", fault: r#"on = { route = "bulk2-job" }
do = { kind = "status", code = 500 }"#, ..OK },
    Case { name: "500 on a page", fault: r#"on = { route = "bulk2-results", nth = 3 }
do = { kind = "status", code = 500 }"#, ..OK },
    Case { name: "HTML page on create", fault: r#"on = { route = "bulk2-create" }
do = { kind = "html-503" }"#, ..OK },
    Case { name: "HTML page on a page", fault: r#"on = { route = "bulk2-results" }
do = { kind = "html-503" }"#, ..CHAINED },
    Case { name: "406 on a page", fault: r#"on = { route = "bulk2-results" }
do = { kind = "status", code = 406 }"#, ..OK },
    Case { name: "403 on the list", fault: r#"on = { route = "bulk2-result-pages", times = "always" }
do = { kind = "status", code = 403 }"#, ..OK },
    Case { name: "describe cut", fault: r#"on = { route = "describe" }
do = { kind = "cut", after_bytes = 100 }"#, ..OK },
    Case { name: "cut in the middle of a row", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 300 }"#, ..OK },
    Case { name: "reset in the middle of a row", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 300, reset = true }"#, ..CHAINED },
    Case { name: "cut in the middle of gzip", http: "gzip = true", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 100 }"#, ..OK },
    Case { name: "a stall within a page", http: IMPATIENT, fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "stall", after_bytes = 200 }"#, ..OK },
    Case { name: "a stall before an answer", http: IMPATIENT, fault: r#"on = { route = "bulk2-job" }
do = { kind = "stall" }"#, ..OK },
    Case { name: "a short page", fault: r#"on = { route = "bulk2-results" }
do = { kind = "short-page", rows = 4 }"#, ..CHAINED },
    Case { name: "an empty page", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "empty-page" }"#, ..CHAINED },
    Case { name: "no count", fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "no-count" }"#, ..OK },
    Case { name: "a count that lies once", fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "wrong-count", by = 3 }"#, ..OK },
    Case { name: "the delete is refused", fault: r#"on = { route = "bulk2-delete", times = "always" }
do = { kind = "status", code = 400 }"#, ..OK },
];

const FATAL: &[Case] = &[
    Case { name: "no calls left", says: &["REQUEST_LIMIT_EXCEEDED", "403"], fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit" }"#, ..FAILS },
    Case { name: "no calls left for describe", says: &["REQUEST_LIMIT_EXCEEDED"], fault: r#"on = { route = "describe" }
do = { kind = "limit" }"#, ..FAILS },
    Case { name: "no jobs left", says: &["LIMIT_EXCEEDED", "10000"], fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit", which = "jobs" }"#, ..FAILS },
    Case { name: "no storage left", says: &["LIMIT_EXCEEDED", "stored"], fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit", which = "storage" }"#, ..FAILS },
    Case { name: "no calls left between pages", says: &["REQUEST_LIMIT_EXCEEDED"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "limit" }"#, ..FAILS },
    Case { name: "the login is refused", says: &["invalid_client"], fault: r#"on = { route = "token", times = "always" }
do = { kind = "oauth-error", error = "invalid_client", description = "invalid client credentials" }"#, ..FAILS },
    Case { name: "HTML pages without end", http: FEW, says: &["503"], fault: r#"on = { route = "describe", times = "always" }
do = { kind = "html-503" }"#, ..FAILS },
    Case { name: "500 without end on a page", http: FEW, says: &["500"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "status", code = 500 }"#, ..FAILS },
    Case { name: "406 without end", http: FEW, says: &["406"], fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "status", code = 406 }"#, ..FAILS },
    Case { name: "cut without end", http: FEW, says: &["ended early", "300 bytes"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "cut", after_bytes = 300 }"#, ..FAILS },
    Case { name: "gzip cut without end", http: "gzip = true\nmax_attempts = 1", says: &["ended early"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "cut", after_bytes = 100, reset = true }"#, ..FAILS },
    Case { name: "a stall without end", http: IMPATIENT, says: &["nothing received", "http"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "stall", after_bytes = 200 }"#, ..FAILS },
    Case { name: "no locator", chained: true, says: &["Sforce-Locator"], fault: r#"on = { route = "bulk2-results" }
do = { kind = "no-locator" }"#, ..FAILS },
    Case { name: "no locator on a listed page", says: &["Sforce-Locator"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "no-locator" }"#, ..FAILS },
    Case { name: "an empty locator", chained: true, says: &["Sforce-Locator"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "empty-locator" }"#, ..FAILS },
    Case { name: "a repeated locator", chained: true, says: &["endless loop"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "repeat-locator" }"#, ..FAILS },
    Case { name: "a count that always lies", says: &["Sforce-NumberOfRecords", "16", "15"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "wrong-count", by = 1 }"#, ..FAILS },
    Case { name: "a listed page that is short", says: &["announced 40 rows", "31"], rows: 31,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "short-page", rows = 6 }"#, ..FAILS },
    Case { name: "no header line", says: &["page"], fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "no-header-line" }"#, ..FAILS },
    Case { name: "job failed with a reason", says: &["Failed", "QUERY_TIMEOUT: too long"], fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-failed", reason = "QUERY_TIMEOUT: too long" }"#, ..FAILS },
    Case { name: "job failed without a reason", says: &["Failed"], fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-failed" }"#, ..FAILS },
    Case { name: "job aborted by somebody", says: &["Aborted"], fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-aborted" }"#, ..FAILS },
    Case { name: "job gone before a poll", says: &["404"], fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-vanish" }"#, ..FAILS },
    Case { name: "job gone between pages", says: &["404"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "job-vanish" }"#, ..FAILS },
    Case { name: "session of no use", says: &["session"], fault: r#"on = { route = "describe", times = "always" }
do = { kind = "session-unfit" }"#, ..FAILS },
    Case { name: "sessions end at once", says: &["session"], rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "session-expired" }"#, ..FAILS },
];

fn pipeline(destination: &str) -> String {
    format!(
        "name = \"faulty\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n{destination}"
    )
}

/// Rows are added: what can be seen afterwards is what was committed.
const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
const CSV: &str = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

/// Runs a case into a destination; gives the folder, the org and the report.
fn run(case: &Case, destination: &str) -> (Bench, Org, Value) {
    let org = faulty(&format!("[[fault]]\n{}\n", case.fault), case.chained);
    let bench = Bench::on(&org);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\n{}\n", case.http));
    bench.write("p.toml", &pipeline(destination));
    let ran = bench.run(&["run", "p.toml", "--json"]);
    let code = if case.says.is_empty() { 0 } else { 4 };
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
    assert_eq!((report["state"].as_str(), report["error"]["class"].as_str()), (Some("failed"), Some("source")), "{name}");
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

fn check_org(case: &Case, org: &Org) {
    for job in org.emulator().jobs() {
        let refused = case.name == "the delete is refused";
        assert!(job.deleted != refused, "{}: {job:?}", case.name);
        assert!(job.state.is_terminal() || job.deleted, "{}: {job:?}", case.name);
    }
}

fn into_sqlite(case: &Case) {
    let (bench, org, report) = run(case, SQLITE);
    check_report(case, &report);
    check_org(case, &org);
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
    check_org(case, &org);
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
