//! Runs the fuzz targets over all cores: `cargo xtask fuzz [--cases N] [--seed S]`.
//!
//! A case is a function of the target, the seed and its number, so a finding is told by these and can be had again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool talks to its terminal")]

use std::num::NonZero;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// Takes one case; says whether it was accepted. A panic is a finding.
type Target = fn(&[u8]) -> bool;

/// Every target; the cases are dealt out evenly.
const TARGETS: &[(&str, Target)] = &[
    ("data.write", forcepump_sandbox::fuzz::data_write),
    ("process result", forcepump_sandbox::fuzz::process_result),
    ("describe JSON", forcepump_sandbox::fuzz::describe_json),
    ("pipeline file", forcepump_pipeline::fuzz::pipeline_file),
];

/// Cases of all targets together, when none are asked for.
const DEFAULT_CASES: u64 = 1_000_000;
/// Longest cases, in bytes; each is as likely. Short ones change a valid file in one place only.
const MAX_CASE_BYTES: [u64; 4] = [10, 24, 100, 320];
/// Cases that a thread takes at once.
const CHUNK: u64 = 1_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((cases, seed)) = options(&args) else {
        eprintln!("usage: cargo xtask fuzz [--cases N] [--seed S]");
        return ExitCode::from(2);
    };
    let (mut found, mut total) = (false, 0);
    println!("{:<16} {:>12} {:>9} {:>9}", "target", "cases", "accepted", "seconds");
    for (name, target) in TARGETS {
        let share = cases.div_ceil(TARGETS.len() as u64);
        let start = Instant::now();
        let Tally { cases, accepted, finding } = run(*target, share, seed);
        let percent = accepted as f64 * 100.0 / cases.max(1) as f64;
        println!("{name:<16} {cases:>12} {percent:>7.1} % {:>9.1}", start.elapsed().as_secs_f64());
        total += cases;
        if let Some(case) = finding {
            eprintln!("finding: {name}, seed {seed}, case {case}: {:02x?}", bytes_of(seed, case));
            found = true;
        }
    }
    println!("{total} cases, seed {seed}: {}", if found { "a panic" } else { "no panic" });
    if found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn options(args: &[String]) -> Option<(u64, u64)> {
    let (mut cases, mut seed) = (DEFAULT_CASES, 1);
    for pair in args.chunks(2) {
        let [key, value] = pair else { return None };
        let value = value.replace('_', "").parse().ok()?;
        match key.as_str() {
            "--cases" => cases = value,
            "--seed" => seed = value,
            _ => return None,
        }
    }
    Some((cases, seed))
}

struct Tally {
    cases: u64,
    accepted: u64,
    finding: Option<u64>,
}

/// Runs the cases of one target; the first finding ends it.
fn run(target: Target, cases: u64, seed: u64) -> Tally {
    let (next, done, accepted) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let finding = AtomicU64::new(u64::MAX);
    let work = || {
        while finding.load(Ordering::Relaxed) == u64::MAX {
            let first = next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= cases {
                return;
            }
            for case in first..(first + CHUNK).min(cases) {
                let bytes = bytes_of(seed, case);
                match catch_unwind(|| target(&bytes)) {
                    Ok(taken) => drop(accepted.fetch_add(u64::from(taken), Ordering::Relaxed)),
                    Err(_) => drop(finding.fetch_min(case, Ordering::Relaxed)),
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let finding = Some(finding.into_inner()).filter(|case| *case < u64::MAX);
    Tally { cases: done.into_inner(), accepted: accepted.into_inner(), finding }
}

/// The bytes of a case.
fn bytes_of(seed: u64, case: u64) -> Vec<u8> {
    let mut state = mixed(seed).wrapping_add(case.wrapping_mul(0xd134_2543_de82_ef95));
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(state)
    };
    let most = MAX_CASE_BYTES[usize::from(word() as u8) % MAX_CASE_BYTES.len()];
    let length = usize::try_from(word() % most).unwrap_or(0);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&word().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The output function of SplitMix64.
fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
