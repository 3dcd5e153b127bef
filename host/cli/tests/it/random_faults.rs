//! Runs with faults drawn at random: each ends in time, with exactly the right rows or with an error that says why.
//!
//! The short version draws [`SHORT_RUNS`] runs from a fixed seed. `cargo xtask chaos --runs N --seed S` draws others, by
//! the variables `FORCEPUMP_CHAOS_RUNS` and `FORCEPUMP_CHAOS_SEED`, and prints what became of them. Run `i` of seed `S` is
//! run 0 of seed `S + i`: a run that fails is named by its own seed, and can be drawn alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forcepump_emulator::Options;
use serde_json::Value;

use crate::chaos::{self, Drawn, Into};
use crate::harness::{Bench, Org, Ran};
use crate::orgs::script_of;
use crate::tables::{self, Table};

/// Runs of the short version.
const SHORT_RUNS: u64 = 30;
/// Where the short version begins.
const SHORT_SEED: u64 = 20_261_122;
/// Runs beside each other: they wait more than they work.
const BESIDE: usize = 6;
/// No run takes longer, whatever meets it; one that does hangs.
const HANG: Duration = Duration::from_secs(120);
/// Pause between two looks at a run.
const LOOK: Duration = Duration::from_millis(10);
/// The source failed, or the destination did: the ends that a fault may have.
const FAILED: [i32; 3] = [4, 5, 7];

/// What became of a run.
enum End {
    Whole,
    Refused,
}

/// A drawn run and its end, or what is wrong with it.
struct Done {
    drawn: Drawn,
    end: Result<End, String>,
    took: Duration,
}

#[test]
fn runs_with_random_faults_end_whole_or_with_an_error() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let runs = number("FORCEPUMP_CHAOS_RUNS");
    let seed = number("FORCEPUMP_CHAOS_SEED").unwrap_or(SHORT_SEED);
    let done = all(seed, runs.unwrap_or(SHORT_RUNS));
    if runs.is_some() {
        // Past the test harness, which keeps the output of tests that succeed.
        let _ = std::io::stdout().write_all(summary(seed, &done).as_bytes());
    }
    let bad: Vec<String> = done.iter().filter_map(|done| Some(told(&done.drawn, done.end.as_ref().err()?))).collect();
    assert!(bad.is_empty(), "{} of {} runs from seed {seed}:\n{}", bad.len(), done.len(), bad.join("\n"));
}

fn told(drawn: &Drawn, wrong: &str) -> String {
    format!("── seed {}: {wrong}\n{drawn}", drawn.seed)
}

fn all(seed: u64, runs: u64) -> Vec<Done> {
    let (next, done) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return;
                    }
                    let drawn = chaos::draw(seed.wrapping_add(number));
                    let started = Instant::now();
                    let end =
                        std::panic::catch_unwind(|| one(&drawn)).unwrap_or_else(|_| Err("it panicked".to_owned()));
                    done.lock().expect("a list").push(Done { drawn, end, took: started.elapsed() });
                }
            });
        }
    });
    let mut done = done.into_inner().expect("a list");
    done.sort_by_key(|done| done.drawn.seed);
    done
}

/// One run, held against the rows of the source.
fn one(drawn: &Drawn) -> Result<End, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Account.csv"), drawn.source_csv()).expect("a file");
    let org = Org::with(Options {
        data: Some(folder.path().to_owned()),
        page_size: drawn.page_rows,
        result_pages: drawn.shape,
        job_polls: drawn.polls,
        faults: script_of(&drawn.script()),
        ..Options::default()
    });
    let bench = Bench::on(&org);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\n{}\n", drawn.http));
    bench.write("p.toml", &drawn.pipeline());
    let ran = in_time(&bench)?;
    if ran.stderr.contains("panicked") {
        return Err(format!("it panicked: {}", ran.stderr));
    }
    let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| format!("no report ({error}): {ran:?}"))?;
    let found = rows_in(&bench, drawn)?;
    match ran.code {
        0 => whole(drawn, &report, &found).map(|()| End::Whole),
        code if FAILED.contains(&code) => refused(&report).map(|()| End::Refused),
        code => Err(format!("exit code {code}: {}", report["error"])),
    }
}

/// Runs the pipeline; one that does not end is ended.
fn in_time(bench: &Bench) -> Result<Ran, String> {
    let file = |name: &str| std::fs::File::create(bench.path(name)).expect("a file");
    let mut command = bench.command(&["run", "p.toml", "--json"]);
    let mut child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().expect("the binary starts");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if started.elapsed() > HANG {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it hangs: {}", bench.read("stderr")));
        }
        std::thread::sleep(LOOK);
    };
    Ok(Ran { code: status.code().unwrap_or(-1), stdout: bench.read("stdout"), stderr: bench.read("stderr") })
}

/// Success is claimed: every row is there, once, and nothing else.
fn whole(drawn: &Drawn, report: &Value, found: &Found) -> Result<(), String> {
    let rows = drawn.rows as u64;
    let counts = &report["rows"];
    if report["state"] != "complete" || counts["written"] != rows || counts["read"] != rows {
        return Err(format!("exit code 0 for {rows} rows, and the report says {report:#}"));
    }
    match &found.twice {
        Some(key) => Err(format!("success is claimed, and the row {key} is there twice")),
        None if found.keys.len() != drawn.rows => {
            Err(format!("success is claimed, {} of {rows} rows are there", found.keys.len()))
        }
        None => Ok(()),
    }
}

/// Failure is claimed: the report says why.
fn refused(report: &Value) -> Result<(), String> {
    let message = report["error"]["message"].as_str().unwrap_or_default();
    let is_named = chaos::NAMED.iter().any(|word| message.to_lowercase().contains(word));
    if !(report["state"] == "failed" || report["state"] == "partial") || !is_named {
        return Err(format!("the error does not say what failed: {report:#}"));
    }
    Ok(())
}

/// What the destination holds.
#[derive(Default)]
struct Found {
    keys: BTreeSet<String>,
    /// a row that is there twice: an org that names the first page as its own successor is found out by the sum only
    twice: Option<String>,
}

/// What the destination holds. Every row must be one of the source, however the run ended.
fn rows_in(bench: &Bench, drawn: &Drawn) -> Result<Found, String> {
    let expected = drawn.expected();
    let mut found = Found::default();
    for table in tables_in(bench, drawn.into) {
        let places: Vec<usize> = chaos::COLUMNS
            .iter()
            .map(|name| table.columns.iter().position(|column| column == name).ok_or(format!("no column {name}")))
            .collect::<Result<_, _>>()?;
        for row in &table.rows {
            let mut cells: Vec<tables::Cell> = places.iter().map(|at| row[*at].clone()).collect();
            cells[2] = cells[2].as_deref().map(|number| tables::plain(number, 2));
            let key = cells[0].clone().unwrap_or_default();
            if expected.get(&key) != Some(&cells) {
                return Err(format!("a row that the source does not have: {cells:?}"));
            }
            if !found.keys.insert(key.clone()) {
                found.twice = Some(key);
            }
        }
    }
    Ok(found)
}

fn tables_in(bench: &Bench, into: Into) -> Vec<Table> {
    match into {
        Into::Csv => {
            let Ok(folder) = std::fs::read_dir(bench.path("out/Account")) else { return Vec::new() };
            let files = folder.map(|entry| entry.expect("an entry").path());
            let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
            files.map(|path| tables::csv(&std::fs::read_to_string(path).expect("a file"))).collect()
        }
        Into::Sqlite | Into::SqliteMerge => {
            let path = bench.path("out.db");
            let has_table = rusqlite::Connection::open(&path)
                .and_then(|db| db.prepare("SELECT 1 FROM account").map(|_| ()))
                .is_ok();
            if has_table { vec![tables::sqlite(&path, "account")] } else { Vec::new() }
        }
    }
}

/// One line a fault kind: how many runs met it, and how they ended.
fn summary(seed: u64, done: &[Done]) -> String {
    let mut lines: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut count = |name: String, end: &Result<End, String>| {
        let at = match end {
            Ok(End::Whole) => 0,
            Ok(End::Refused) => 1,
            Err(_) => 2,
        };
        lines.entry(name).or_default()[at] += 1;
    };
    for run in done {
        let mut kinds: Vec<&str> = run.drawn.faults.iter().map(|fault| fault.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().for_each(|kind| count(format!("fault {kind}"), &run.end));
        count(format!("into {:?}", run.drawn.into), &run.end);
        count(format!("api {}", run.drawn.api), &run.end);
        count("~ all".to_owned(), &run.end);
    }
    let slowest = done.iter().max_by_key(|run| run.took);
    let slowest = slowest.map(|run| format!("{:.1} s (seed {})", run.took.as_secs_f64(), run.drawn.seed));
    let mut text =
        format!("\nchaos: {} runs from seed {seed}, the slowest {}\n\n", done.len(), slowest.unwrap_or_default());
    text.push_str(&format!("{:<24} {:>6} {:>6} {:>6} {:>6}\n", "", "runs", "whole", "error", "WRONG"));
    for (name, [whole, error, wrong]) in lines {
        let all = whole + error + wrong;
        text.push_str(&format!("{:<24} {all:>6} {whole:>6} {error:>6} {wrong:>6}\n", name.trim_start_matches("~ ")));
    }
    text
}
