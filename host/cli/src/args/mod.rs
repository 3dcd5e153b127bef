//! What can be typed: commands, options, and the words of `--help`.

mod connection;
mod doctor;
mod emulator;
mod history;
mod org;
mod plugin;
mod rejects;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use connection::{AddArgs, ConnectionCommand, EditArgs, LoginArgs, ReconnectArgs};
pub use doctor::DoctorArgs;
pub use emulator::{EmulatorArgs, PagesShape};
pub use history::{ResumeArgs, RunsArgs, SetArgs, ShowArgs};
pub use org::{OrgArgs, OrgCommand};
pub use plugin::PluginCommand;
pub use rejects::{RejectsArgs, RejectsFormat};
pub use verify::{RetryArgs, VerifyArgs};

use crate::exit;

/// Rows that `preview` shows when `-n` is not given.
const DEFAULT_PREVIEW_ROWS: usize = 20;

/// Move Salesforce data in bulk, through sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "forcepump", version, after_help = exit::help(), propagate_version = true)]
pub struct Cli {
    /// options of every command
    #[command(flatten)]
    pub global: Global,
    /// the command
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print the result, or the error, as one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notes; results and errors are still shown
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Connections file [default: connections.toml beside the pipeline, else ~/.config/forcepump/connections.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub connections: Option<PathBuf>,
    /// Refuse a pipeline that forcepump.lock, beside it, has no entry for
    #[arg(long, global = true)]
    pub locked: bool,
    /// Folder of compiled plugins, private to you [default: ~/.cache/forcepump]
    #[arg(long, global = true, value_name = "DIR", env = "FORCEPUMP_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// on a terminal, unless NO_COLOR is set
    Auto,
    /// always
    Always,
    /// never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run three pipelines against a built-in demo org and leave a folder to go on with
    Demo(DemoArgs),
    /// Parse, resolve and validate a pipeline; nothing is moved
    Check(PipelineArgs),
    /// Explain what a run would do: SOQL, types, plugins, grants, calls; nothing is moved
    Plan(PipelineArgs),
    /// Show the first rows before and after each transform; nothing is written
    Preview(PreviewArgs),
    /// Run a pipeline; one that is unfinished goes on where it stopped
    Run(RunArgs),
    /// Go on with an unfinished run, or say why that cannot be
    Resume(ResumeArgs),
    /// Fill in fields that came later, for the rows that former incremental runs have read
    Backfill(BackfillArgs),
    /// Make, list, show, try, change and remove the ways into orgs
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Examine a connection from its file to its org; ends with exit code 4 when runs would fail
    Doctor(DoctorArgs),
    /// Look at an org: its objects, fields, limits, and the rows of a query
    Org(OrgArgs),
    /// Pin the plugins of pipelines in forcepump.lock: digests, asks, grants and columns
    Lock(LockArgs),
    /// List former runs
    Runs(RunsArgs),
    /// Show a former run: what was counted, where the results lie, how it ended
    Show(ShowArgs),
    /// Compare the source as it is now, and the destination, with what a run committed; ends with exit code 8 when
    /// something differs
    Verify(VerifyArgs),
    /// Show, count or export the rows that a run refused
    Rejects(RejectsArgs),
    /// Read the rows that a run refused again, and write them by a run of their own
    RetryRejects(RetryArgs),
    /// Serve a local Salesforce until Ctrl-C; its credentials are one JSON line on standard output
    Emulator(Box<EmulatorArgs>),
    /// Print the JSON Schema of a file, for editors, or the table of types
    Schema(SchemaArgs),
    /// List, inspect and make plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder to make; its files may be edited and run again
    #[arg(long, value_name = "DIR", default_value = "forcepump-demo")]
    pub dir: PathBuf,
    /// Overwrite pipeline files that were edited since the last demo
    #[arg(long)]
    pub force: bool,
}

/// A pipeline file.
#[derive(Debug, Args)]
pub struct PipelineArgs {
    /// Pipeline file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// variables
    #[command(flatten)]
    pub set: SetArgs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// pipeline
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Begin anew: an unfinished run of the pipeline is given up, and rows that it has appended stay and come again
    #[arg(long)]
    pub fresh: bool,
}

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// Pipeline file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Fields to fill in, separated by commas [default: those that not all runs have read]
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Of a pipeline of several feeds, only this one, by its object [default: every feed that lacks fields]
    #[arg(long, value_name = "OBJECT")]
    pub feed: Option<String>,
    /// variables
    #[command(flatten)]
    pub set: SetArgs,
}

/// Arguments of `lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Pipeline files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write nothing; end with exit code 2 when an entry is missing or says something else
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Pipeline file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Rows to read from the source
    #[arg(short = 'n', long = "rows", value_name = "N", default_value_t = DEFAULT_PREVIEW_ROWS)]
    pub rows: usize,
    /// Of a pipeline of several feeds, only this one, by its object
    #[arg(long, value_name = "OBJECT")]
    pub feed: Option<String>,
    /// variables
    #[command(flatten)]
    pub set: SetArgs,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which file, or `types`
    #[arg(value_enum)]
    pub file: SchemaFile,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// pipeline file
    Pipeline,
    /// connections file
    Connections,
    /// what each field type of Salesforce becomes in Arrow, CSV, JSON lines, SQLite and Parquet
    Types,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for line in [["forcepump", "--json", "run", "a.toml"], ["forcepump", "run", "a.toml", "--json"]] {
            assert!(Cli::try_parse_from(line).is_ok_and(|cli| cli.global.json));
        }
    }
}
