//! The demo's steps and the words between them.

use std::path::{Path, PathBuf};

use console::style;

use crate::output::clean;

/// One run of the demo.
pub struct Step {
    /// name in headings and in the summary
    pub label: &'static str,
    /// the way the rows go
    pub flow: &'static str,
    /// the pipeline file
    pub file: &'static str,
    /// a line to change in the file before the run
    pub swap: Option<Swap>,
}

/// One line of a file, before and after.
pub struct Swap {
    /// the line as it is
    pub from: &'static str,
    /// the line as it becomes
    pub to: &'static str,
}

/// The runs in order.
pub const STEPS: [Step; 4] = [
    Step { label: "accounts", flow: "Account → mask → sqlite", file: "accounts.toml", swap: None },
    Step {
        label: "contacts",
        flow: "Contact with Account.Name and Owner.Name → filter → shape → parquet",
        file: "contacts.toml",
        swap: None,
    },
    Step { label: "opportunities", flow: "Opportunity → jsonl", file: "opportunities.toml", swap: None },
    Step {
        label: "opportunities (csv)",
        flow: "Opportunity → csv, by changing one line",
        file: "opportunities.toml",
        swap: Some(Swap { from: "plugin = \"jsonl\"", to: "plugin = \"csv\"" }),
    },
];

/// What the demo is about to do.
pub fn opening(dir: &Path, url: &str) -> String {
    format!("demo org: {} (embedded, loopback only)\nfolder:   {}", clean(url), dir.display())
}

/// The heading of a step.
pub fn heading(step: &Step) -> String {
    format!("\n{}", style(format!("── {}: {}", step.file, step.flow)).bold())
}

/// The change of one line.
pub fn swapped(file: &str, swap: &Swap) -> String {
    format!(
        "changed in {file}:\n  {}\n  {}",
        style(format!("- {}", swap.from)).red(),
        style(format!("+ {}", swap.to)).green()
    )
}

/// Above a table of first rows.
pub fn first_rows(title: &str) -> String {
    format!("first rows of {}", clean(title))
}

/// Where things lie and what to try next.
pub fn closing(dir: &Path) -> String {
    let (program, dir) = (program(), dir.display());
    format!(
        "
results lie in {dir}/results, the pipelines beside them. Try next:
  {program} plan {dir}/accounts.toml
      what would be sent, and what each plugin does
  {program} preview {dir}/contacts.toml -n 5
      rows before and after each transform
  {program} run {dir}/opportunities.toml
      after an edit, such as plugin = \"parquet\"; the demo org starts by itself for the run"
    )
}

/// This program as the operator can type it: `cargo run` puts nothing on the search path.
fn program() -> String {
    let typed = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let short = typed.strip_prefix(&here).unwrap_or(&typed);
    if short.components().count() < 2 { "forcepump".to_owned() } else { clean(&short.display().to_string()) }
}
