//! Former runs in words.

use std::path::Path;

use console::style;
use forcepump_pipeline::PastRun;

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

fn state(run: &PastRun) -> String {
    match run.state.as_str() {
        "killed" => "killed: it left no report; the units that it committed are in the destination".to_owned(),
        "running" => "running now".to_owned(),
        other => clean(other),
    }
}
