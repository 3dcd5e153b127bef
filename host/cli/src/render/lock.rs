//! What `lock` pinned, in words.

use console::style;
use forcepump_pipeline::{LockReport, LockState, LockedPipeline};

use crate::output::clean;

/// Each pipeline with what is new and what is gone.
pub fn report(report: &LockReport) -> String {
    let mut lines = Vec::new();
    for lock in &report.locks {
        lines.push(style(clean(lock.path.strip_prefix("./").unwrap_or(&lock.path))).bold().to_string());
        lock.pipelines.iter().for_each(|pipeline| add(pipeline, &mut lines));
    }
    lines.join("\n")
}

fn add(pipeline: &LockedPipeline, lines: &mut Vec<String>) {
    let state = match pipeline.state {
        LockState::Added => "new",
        LockState::Changed => "changed",
        LockState::Unchanged => "as pinned",
    };
    lines.push(format!("  {}: {state}", clean(&pipeline.file)));
    for change in &pipeline.changes {
        lines.push(format!("    {}", clean(&change.step)));
        lines.extend(change.lines.iter().map(|line| format!("      {}", colored(line))));
    }
}

fn colored(line: &str) -> String {
    let text = style(clean(line));
    if line.starts_with('+') { text.green().to_string() } else { text.red().to_string() }
}
