//! Former runs in words.

use std::path::Path;

use console::style;
use forcepump_pipeline::{PastRun, PastUnit};

use super::numbers::count;
use super::{summary, table};
use crate::output::clean;

/// A table of runs.
pub fn list(runs: &[PastRun], folder: &Path) -> String {
    if runs.is_empty() {
        return format!("no run is remembered in {}", clean(&folder.display().to_string()));
    }
    let rows = runs.iter().map(|run| {
        let written = run.report.as_ref().map_or_else(String::new, |report| count(report.rows.written));
        vec![run.run_id.clone(), run.pipeline.clone(), run.started_at.clone(), run.state.clone(), written]
    });
    table::whole(&["run", "pipeline", "began", "state", "written"], &rows.collect::<Vec<_>>())
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
            lines.extend(report.error.as_ref().map(|error| format!("  {:<9} {}", "error", clean(&error.message))));
        }
        None => lines.push(format!("  {:<9} {}", "state", state(run))),
    }
    lines.join("\n")
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

fn state(run: &PastRun) -> String {
    match run.state.as_str() {
        "killed" => "killed: it left no report; the units that it committed are in the destination".to_owned(),
        "running" => "running now".to_owned(),
        other => clean(other),
    }
}
