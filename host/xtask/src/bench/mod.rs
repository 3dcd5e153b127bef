//! `bench`: every figure a ratio or a bound taken in one run, printed as a table and kept in BENCHMARKS.md.

mod build;
mod examples;
mod extract;
mod pages;

use std::process::ExitCode;

use crate::shell::{Outcome, root};

/// One figure with the goal that it is held against.
pub struct Figure {
    /// what was measured
    pub what: String,
    /// the goal, in words
    pub goal: String,
    /// what came out, in words
    pub found: String,
    /// whether the goal is reached
    pub reached: bool,
}

/// A part of the benchmarks by the letter under which it can be run alone.
struct Part {
    letter: &'static str,
    title: &'static str,
    run: fn() -> Outcome<Vec<Figure>>,
}

const PARTS: [Part; 7] = [
    Part { letter: "a", title: "sandbox against native", run: examples::border },
    Part { letter: "b", title: "decoder against arrow-csv", run: examples::decoder },
    Part { letter: "c", title: "5 million rows to Parquet", run: extract::extract },
    Part { letter: "e", title: "checks and limits against none", run: examples::guards },
    Part { letter: "f", title: "pages side by side against one at a time", run: pages::pages },
    Part { letter: "g", title: "runs that can go on against runs that cannot", run: examples::recording },
    Part { letter: "d", title: "clean build to first rows", run: build::clean_build },
];

/// Runs all parts, or those whose letters are given, and writes BENCHMARKS.md when all ran.
pub fn bench(letters: &[&str]) -> ExitCode {
    match measure(letters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: a goal is not reached");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn measure(letters: &[&str]) -> Outcome<bool> {
    let chosen: Vec<&Part> = PARTS.iter().filter(|part| letters.is_empty() || letters.contains(&part.letter)).collect();
    let mut figures = Vec::new();
    for part in &chosen {
        eprintln!("({}) {}", part.letter, part.title);
        let found = (part.run)()?;
        figures.extend(found.into_iter().map(|figure| (part.letter, figure)));
    }
    let table = table(&figures);
    print!("{table}");
    if chosen.len() == PARTS.len() {
        let text = format!("{HEAD}{table}\n{FOOT}");
        std::fs::write(root().join("BENCHMARKS.md"), text).map_err(|error| format!("BENCHMARKS.md: {error}"))?;
    }
    Ok(figures.iter().all(|(_, figure)| figure.reached))
}

fn table(figures: &[(&str, Figure)]) -> String {
    let mut text = String::from("| | what | goal | found | reached |\n|---|---|---|---|---|\n");
    for (letter, figure) in figures {
        let Figure { what, goal, found, reached } = figure;
        let word = if *reached { "yes" } else { "no" };
        text.push_str(&format!("| {letter} | {what} | {goal} | {found} | {word} |\n"));
    }
    text
}

const HEAD: &str = "# Benchmarks\n\nWritten by `cargo xtask bench` (one part: `cargo xtask bench a`). Each ratio compares two things measured \
                    alternately in one process on one machine; figures of different runs do not compare.\n\n";
const FOOT: &str = "\
(a) the example `border` of forcepump-sandbox: a transform that upper-cases a text column and scales and
compares a number, on batches of 20 columns that are all filtered, in the sandbox and as the same Rust code compiled natively.
(b) the example `decode_vs_arrow_csv` of forcepump-batch: the same bytes to the same Arrow batches, compared for equality.
(c) an emulator process generates the rows; peak memory is the `forcepump run` process's own (VmHWM); SQLite takes the rows by merge.
(d) CPU time of `cargo build --release -p forcepump` into an empty target folder plus `forcepump demo`, downloads excluded.
(e) the example `guards` of forcepump-sandbox: the transform of (a) with the limits of every run, and on an engine without deadline, caps and
counters, less the time that the checks of handed over columns take beyond a bare copy.
(f) an emulator process that answers after a pause and sends each body slowly; the same pipeline with `parallel_pages` 8 and
1 into CSV files, the rate of each without the time of a run that finds no row.
(g) the example `recording` of forcepump-pipeline: the same runs with and without a state to go on from, by their processor time; the org
is a process of its own.
";
