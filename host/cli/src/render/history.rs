//! Former runs in words.

use std::collections::BTreeSet;
use std::path::Path;

use console::style;
use forcepump_pipeline::{PastJob, PastRun, PastUnit};

use super::numbers::{count, rows, several};
use super::{summary, table};
use crate::output::clean;

/// A table of runs. Where there is none: of the pipeline that was asked for, and those of others.
pub fn list(runs: &[PastRun], folder: &Path, (pipeline, others): (Option<&str>, &[PastRun])) -> String {
    if runs.is_empty() {
        return none(folder, pipeline, others);
    }
    let lines = runs.iter().map(|run| {
        let written = run.report.as_ref().map_or(run.rows, |report| report.rows.written.max(run.rows));
        let next = if run.resumable { "can go on" } else { "" };
        let kind = if run.kind == "run" { String::new() } else { format!(" ({})", run.kind) };
        let pipeline = format!("{}{kind}", run.pipeline);
        let mut cells = vec![run.run_id.clone(), pipeline, run.started_at.clone(), run.state.clone()];
        cells.extend([count(run.units), count(written), next.to_owned()]);
        cells
    });
    table::whole(&["run", "pipeline", "began", "state", "units", "written", ""], &lines.collect::<Vec<_>>())
}

fn none(folder: &Path, pipeline: Option<&str>, others: &[PastRun]) -> String {
    let at = clean(&folder.display().to_string());
    let names: BTreeSet<String> = others.iter().map(|run| clean(&run.pipeline)).collect();
    match pipeline {
        Some(name) if !names.is_empty() => {
            let names: Vec<String> = names.into_iter().collect();
            format!(
                "no run of a pipeline `{}` is remembered in {at}; there are runs of {}",
                clean(name),
                names.join(", ")
            )
        }
        _ => format!("no run is remembered in {at}"),
    }
}

/// One run.
pub fn one(run: &PastRun) -> String {
    let mut lines = vec![
        format!("run {} of {}", style(clean(&run.run_id)).bold(), clean(&run.file)),
        format!("  {:<9} {}", "began", run.started_at),
        format!("  {:<9} {}", "ended", run.ended_at.as_deref().unwrap_or("no end is known")),
    ];
    match &run.report {
        Some(report) => {
            lines.push(summary::summary(report));
            if run.state == "given-up" {
                lines.push(format!("  {:<9} {}", "state", state(run)));
            }
            lines.extend(
                report.error.as_ref().map(|error| format!("  {:<9} {}", "error", several_lines(&error.message))),
            );
        }
        None => {
            lines.push(format!("  {:<9} {}", "state", state(run)));
            let committed = format!("{} committed with {}", several(run.units, "unit"), rows(run.rows));
            lines.push(format!("  {:<9} {committed}", "units"));
        }
    }
    lines.extend(run.jobs.iter().map(|job| format!("  {:<9} {}", "job", job_words(job))));
    if run.resumable && !run.report.as_ref().is_some_and(|report| report.resumable) {
        lines.push(format!("  {:<9} {}", "next", summary::next(&clean(&run.run_id), run.retry_of.is_some())));
    }
    lines.join("\n")
}

/// A message under its label: the lines after the first stand below it.
fn several_lines(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(|line| clean(line.trim_start())).collect();
    lines.join(&format!("\n  {:<9} ", ""))
}

/// The units of a run, with the hash of what was written: its first digits, the whole stands in `--json`.
pub fn units(units: &[PastUnit]) -> String {
    if units.is_empty() {
        return "no unit is committed".to_owned();
    }
    let short = |hash: &Option<String>| hash.as_ref().map_or_else(String::new, |hash| hash.chars().take(16).collect());
    let rows = units.iter().map(|unit| {
        let counts = [unit.read, unit.added, unit.filtered, unit.rejected, unit.written].map(count);
        let ends = [short(&unit.read_hash), short(&unit.written_hash)];
        [unit.feed.clone(), unit.unit.clone()].into_iter().chain(counts).chain(ends).collect()
    });
    let columns =
        ["feed", "unit", "read", "added", "filtered", "rejected", "written", "hash of read", "hash of written"];
    table::whole(&columns, &rows.collect::<Vec<_>>())
}

/// A job: `750… (bulk2) for Account, 5,000 rows announced, made 2026-…`.
fn job_words(job: &PastJob) -> String {
    let pass = if job.pass.is_empty() { String::new() } else { format!(", pass {}", clean(&job.pass)) };
    let announced = job.announced.map_or_else(String::new, |found| format!(", {} announced", rows(found)));
    let done = if job.done { ", all committed" } else { "" };
    let id = job.id.as_deref().map_or_else(|| "query".to_owned(), clean);
    format!("{id} ({}) for {}{pass}{announced}{done}, made {}", clean(&job.api), clean(&job.feed), job.created_at)
}

fn state(run: &PastRun) -> String {
    match run.state.as_str() {
        "killed" => "killed: it left no report; the units that it committed are in the destination".to_owned(),
        "given-up" => {
            let why = run.given_up.as_deref().map_or_else(String::new, |why| format!(", as {}", clean(why)));
            format!("given up: it was unfinished, and another run took its place{why}")
        }
        "running" => "running now".to_owned(),
        other => clean(other),
    }
}
