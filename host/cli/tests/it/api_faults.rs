//! Faults of Bulk API 1.0 and REST: every run ends with all rows, or with a clear error; never short, never doubled.

use std::panic::catch_unwind;
use std::process::{Command, Stdio};

use forcepump_emulator::{ClassicJobState, Options};
use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::orgs::{self, SMALL_ROWS, script_of, wait_until};
use crate::tables;

const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"t\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
/// Rows of the object that REST reads: three pages.
const REST_ROWS: usize = 5_000;
/// Chunks of ten ids: four of them.
const CHUNKS: &str = "api = \"bulk1\"\npk_chunking = { chunk_size = 10 }";
const WHOLE: &str = "api = \"bulk1\"";
const REST: &str = "api = \"rest\"";

/// One fault and what becomes of a run that meets it.
struct Case {
    way: &'static str,
    on: &'static str,
    does: &'static str,
    /// words of the error; none for a run that ends well
    says: &'static [&'static str],
}

const fn survived(way: &'static str, on: &'static str, does: &'static str) -> Case {
    Case { way, on, does, says: &[] }
}

const fn fatal(way: &'static str, on: &'static str, does: &'static str, says: &'static [&'static str]) -> Case {
    Case { way, on, does, says }
}

const SESSION: &str = "kind = \"session-expired\"";
const HTML: &str = "kind = \"html-503\"";
const ERROR: &str = "kind = \"status\", code = 500";
const CUT: &str = "kind = \"cut\", after_bytes = 200";
const RESET: &str = "kind = \"cut\", after_bytes = 200, reset = true";

const CASES: &[Case] = &[
    survived(WHOLE, "route = \"bulk1-create\"", SESSION),
    survived(WHOLE, "route = \"bulk1-batch\"", SESSION),
    survived(WHOLE, "route = \"bulk1-batches\"", SESSION),
    survived(WHOLE, "route = \"bulk1-result-list\"", SESSION),
    survived(WHOLE, "route = \"bulk1-results\", nth = 2", SESSION),
    survived(WHOLE, "route = \"bulk1-close\"", SESSION),
    survived(CHUNKS, "route = \"bulk1-results\", nth = 3", SESSION),
    survived(CHUNKS, "route = \"bulk1-batches\", nth = 2", SESSION),
    survived("api = \"bulk1\"\nbulk1_format = \"json\"", "route = \"bulk1-batches\"", SESSION),
    survived("api = \"bulk1\"\nbulk1_format = \"xml\"", "route = \"bulk1-results\"", SESSION),
    survived(WHOLE, "route = \"bulk1-create\"", HTML),
    survived(WHOLE, "route = \"bulk1-batch\"", HTML),
    survived(WHOLE, "route = \"bulk1-batches\"", ERROR),
    survived(CHUNKS, "route = \"bulk1-result-list\"", ERROR),
    survived(CHUNKS, "route = \"bulk1-results\", nth = 2", ERROR),
    survived(WHOLE, "route = \"bulk1-results\", nth = 2", CUT),
    survived(WHOLE, "route = \"bulk1-results\"", RESET),
    survived(CHUNKS, "route = \"bulk1-results\", nth = 2", CUT),
    survived("api = \"bulk1\"\nbulk1_format = \"json\"", "route = \"bulk1-results\"", CUT),
    survived("api = \"bulk1\"\nbulk1_format = \"xml\"", "route = \"bulk1-results\"", CUT),
    survived(WHOLE, "route = \"bulk1-result-list\"", "kind = \"cut\", after_bytes = 30"),
    survived(CHUNKS, "route = \"bulk1-batch\"", "kind = \"late-chunks\""),
    survived(CHUNKS, "route = \"bulk1-batch\"", "kind = \"late-chunks\", looks = 9"),
    survived(CHUNKS, "route = \"bulk1-batch\"", "kind = \"empty-chunks\", count = 3"),
    survived(CHUNKS, "route = \"bulk1-batch\"", "kind = \"large-chunk\""),
    survived(WHOLE, "route = \"bulk1-close\", times = \"always\"", "kind = \"status\", code = 400"),
    survived(REST, "route = \"query\"", SESSION),
    survived(REST, "route = \"query-more\", nth = 2", SESSION),
    survived(REST, "route = \"query\"", HTML),
    survived(REST, "route = \"query-more\"", ERROR),
    survived(REST, "route = \"query\"", CUT),
    survived(REST, "route = \"query-more\"", RESET),
    fatal(
        CHUNKS,
        "route = \"bulk1-batch\"",
        "kind = \"chunk-failed\", nth = 2, reason = \"QUERY_TIMEOUT: too long\"",
        &["chunk failed", "QUERY_TIMEOUT", "narrow"],
    ),
    fatal(
        CHUNKS,
        "route = \"bulk1-batch\"",
        "kind = \"original-failed\", reason = \"no way\"",
        &["could not be split", "no way"],
    ),
    fatal(
        WHOLE,
        "route = \"bulk1-batch\"",
        "kind = \"job-failed\", reason = \"InvalidBatch : Failed to process query: x\"",
        &["its batch failed", "Failed to process query"],
    ),
    // The query took too long: it is read in halves.
    survived(WHOLE, "route = \"bulk1-batches\"", "kind = \"job-failed\""),
    fatal(WHOLE, "route = \"bulk1-batches\"", "kind = \"job-aborted\"", &["someone stopped"]),
    fatal(CHUNKS, "route = \"bulk1-batches\"", "kind = \"job-aborted\"", &["someone stopped"]),
    fatal(WHOLE, "route = \"bulk1-batches\"", "kind = \"job-vanish\"", &["InvalidJob"]),
    fatal(CHUNKS, "route = \"bulk1-results\", nth = 2", "kind = \"job-vanish\"", &["InvalidJob"]),
    fatal(WHOLE, "route = \"bulk1-batch\"", "kind = \"wrong-count\", by = 1", &["announced 41 rows", "40"]),
    fatal(CHUNKS, "route = \"bulk1-batch\"", "kind = \"wrong-count\", by = -1", &["announced", "9"]),
    fatal(WHOLE, "route = \"bulk1-create\"", "kind = \"limit\"", &["ExceededQuota"]),
    fatal(WHOLE, "route = \"bulk1-results\", nth = 2, times = \"always\"", CUT, &["ended early"]),
    fatal(
        REST,
        "route = \"query-more\", nth = 2",
        "kind = \"status\", code = 400, error_code = \"INVALID_QUERY_LOCATOR\", message = \"invalid query locator\"",
        &["INVALID_QUERY_LOCATOR", "2 days", "run again"],
    ),
    fatal(REST, "route = \"query-more\"", "kind = \"limit\"", &["REQUEST_LIMIT_EXCEEDED"]),
    fatal(REST, "route = \"query-more\", times = \"always\"", CUT, &["ended early"]),
    survived(
        REST,
        "route = \"query\"",
        "kind = \"status\", code = 400, error_code = \"QUERY_TIMEOUT\", message = \"Your query request was running for too long.\"",
    ),
];

fn org(case: &Case) -> Org {
    let faults = script_of(&format!("[[fault]]\non = {{ {} }}\ndo = {{ {} }}\n", case.on, case.does));
    let generate = if case.way == REST { vec![("Contact".to_owned(), REST_ROWS as u64)] } else { Vec::new() };
    orgs::small(Options { faults, generate, ..Options::default() })
}

fn pipeline(way: &str) -> String {
    let object = if way == REST { "Contact" } else { "Account" };
    let name = if way == REST { "LastName" } else { "Name" };
    format!(
        "name = \"faulty\"\n[source]\nconnection = \"org\"\nobject = \"{object}\"\nfields = [\"Id\", \"{name}\"]\n{way}\n{SQLITE}"
    )
}

fn check(case: &Case) {
    let org = org(case);
    let bench = Bench::on(&org);
    if case.on.contains("always") {
        let connections = bench.read("connections.toml");
        bench.write("connections.toml", &format!("{connections}[org.http]\nmax_attempts = 1\n"));
    }
    bench.write("p.toml", &pipeline(case.way));
    let ran = bench.run(&["run", "p.toml", "--json"]);
    let report = ran.json();
    let code = match report["state"].as_str() {
        Some("partial") => 7,
        Some("failed") => 4,
        _ => 0,
    };
    assert_eq!((ran.code, code == 0), (code, case.says.is_empty()), "{report:#}");
    let written = report["rows"]["written"].as_u64().expect("a number") as usize;
    let mut ids = if written > 0 { tables::sqlite(&bench.path("out.db"), "t").column("Id") } else { Vec::new() };
    assert_eq!(ids.len(), written, "what is reported is what is there");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), written, "no row twice");
    if case.says.is_empty() {
        let rows = if case.way == REST { REST_ROWS } else { SMALL_ROWS };
        assert_eq!((written, &report["rows"]["announced"]), (rows, &rows.into()), "{report:#}");
    } else {
        let message = report["error"]["message"].as_str().expect("an error");
        case.says.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
    }
    let kept = case.on.contains("bulk1-close") && case.on.contains("always") || case.does.contains("job-vanish");
    let left = org.emulator().classic_jobs().into_iter().filter(|job| job.state == ClassicJobState::Open).count();
    assert!(kept || left == 0 || report["resumable"] == true, "no job stays open");
}

/// Cases wait more than they work: they run beside each other, a few at a time. Each that fails is named.
#[test]
fn every_fault_ends_with_all_rows_or_a_clear_error() {
    const BESIDE: usize = 6;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    if catch_unwind(|| check(case)).is_err() {
                        failed.lock().expect("a list").push(format!("{}: {} {}", case.way, case.on, case.does));
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().expect("a list"), Vec::<String>::new());
}

/// A run that is interrupted once something is asked for the so manieth time.
fn interrupted(faults: &str, way: &str, part: &str, times: usize) -> (Bench, Org, Value) {
    let generate = if way == REST { vec![("Contact".to_owned(), REST_ROWS as u64)] } else { Vec::new() };
    let org = orgs::small(Options { faults: script_of(faults), generate, ..Options::default() });
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline(way));
    let mut command = bench.command(&["run", "p.toml", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    wait_until("it is asked for", || org.asked(part) >= times);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let report = Ran::of(child.wait_with_output().expect("it ends")).ends(130).json();
    (bench, org, report)
}

#[test]
fn ctrl_c_leaves_a_bulk_1_job_to_the_run_that_goes_on() {
    let stuck = "[[fault]]\non = { route = \"bulk1-batch\" }\ndo = { kind = \"job-stuck\" }\n";
    let stall =
        "[[fault]]\non = { route = \"bulk1-results\", nth = 2 }\ndo = { kind = \"stall\", after_bytes = 100 }\n";
    for (faults, way, part, times) in
        [(stuck, WHOLE, "/batch", 3), (stall, WHOLE, "/result/", 2), (stall, CHUNKS, "/result/", 2)]
    {
        let (bench, org, report) = interrupted(faults, way, part, times);
        let jobs = org.emulator().classic_jobs();
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].state, &report["resumable"]), (ClassicJobState::Open, &true.into()), "{way}");
        assert_eq!(report["job_id"], jobs[0].id.as_str());
        let written = report["rows"]["written"].as_u64().expect("a number") as usize;
        if written > 0 {
            assert_eq!(tables::sqlite(&bench.path("out.db"), "t").rows.len(), written, "whole files only");
        }
        if faults == stuck {
            continue;
        }
        let whole = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!((&whole["run_id"], &whole["rows"]["read"]), (&report["run_id"], &SMALL_ROWS.into()), "{way}");
        assert_eq!(tables::sqlite(&bench.path("out.db"), "t").rows.len(), SMALL_ROWS, "{way}");
        assert_eq!(org.emulator().classic_jobs().len(), 1, "{way}");
    }
}

#[test]
fn ctrl_c_ends_a_rest_query_at_once() {
    let first = "[[fault]]\non = { route = \"query\" }\ndo = { kind = \"stall\" }\n";
    let later = "[[fault]]\non = { route = \"query-more\" }\ndo = { kind = \"stall\", after_bytes = 100 }\n";
    for (faults, part, times) in [(first, "/query", 1), (later, "/query/", 1)] {
        let (_bench, _org, report) = interrupted(faults, REST, part, times);
        assert_eq!(report["rows"]["written"], 0);
    }
}
