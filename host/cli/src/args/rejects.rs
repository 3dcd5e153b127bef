//! What `rejects` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `rejects`.
#[derive(Debug, Args)]
pub struct RejectsArgs {
    /// Run id, as the run's summary names it, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
    /// Only rows with this code
    #[arg(long)]
    pub code: Option<String>,
    /// Only rows that this plugin refused; `decode` is the reading of Salesforce's answer
    #[arg(long)]
    pub plugin: Option<String>,
    /// Only rows of this feed, by its object
    #[arg(long, value_name = "OBJECT")]
    pub feed: Option<String>,
    /// Also rows that `retry-rejects` has written since
    #[arg(long)]
    pub all: bool,
    /// Count by plugin, code and reason
    #[arg(long, conflicts_with_all = ["export", "format"])]
    pub count: bool,
    /// Write every row to a file, which is replaced: FILE.csv or FILE.jsonl
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub export: Option<PathBuf>,
    /// Write every row to standard output
    #[arg(long, value_enum, conflicts_with = "json")]
    pub format: Option<RejectsFormat>,
}

/// How rejects are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RejectsFormat {
    /// One column for each of ours and of the row's
    Csv,
    /// The lines of the rejects file, as they are
    Jsonl,
}
