//! What can be typed: commands, options, and the words of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit;

/// Rows that `preview` shows when `-n` is not given.
const DEFAULT_PREVIEW_ROWS: usize = 20;
/// Rows that `org query` shows when `-n` is not given.
const DEFAULT_QUERY_ROWS: usize = 100;

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
    /// Run a pipeline
    Run(PipelineArgs),
    /// List, show and try the ways into orgs
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Look at an org: its objects, fields, limits, and the rows of a query
    Org(OrgArgs),
    /// Pin the plugins of pipelines in forcepump.lock: digests, asks, grants and columns
    Lock(LockArgs),
    /// Show, count or export the rows that a run refused
    Rejects(RejectsArgs),
    /// Serve a local Salesforce until Ctrl-C; its credentials are one JSON line on standard output
    Emulator(Box<EmulatorArgs>),
    /// Print the JSON Schema of a file, for editors
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

/// Arguments of `preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Pipeline file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Rows to read from the source
    #[arg(short = 'n', long = "rows", value_name = "N", default_value_t = DEFAULT_PREVIEW_ROWS)]
    pub rows: usize,
}

/// What can be done with connections.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// List the connections of the connections file
    List,
    /// Show one connection, and for each secret where it lies and whether it is there
    Show {
        /// Name of the connection [default: the only one of the connections file]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Log in and say who, where, which versions, and what is left of the limits
    Test {
        /// Name of the connection [default: the only one of the connections file]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

/// Arguments of `org`.
#[derive(Debug, Args)]
pub struct OrgArgs {
    /// Name of the connection [default: the only one of the connections file]
    #[arg(long, global = true, value_name = "NAME")]
    pub connection: Option<String>,
    /// what is asked
    #[command(subcommand)]
    pub command: OrgCommand,
}

/// What can be asked of an org.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// List the objects that the user can see
    Objects {
        /// Only those whose name or label holds this
        #[arg(value_name = "PART")]
        part: Option<String>,
    },
    /// Show the fields of an object, with the column types that a pipeline gives them
    Describe {
        /// API name of the object
        #[arg(value_name = "OBJECT")]
        object: String,
    },
    /// Show the org's limits and what is left of them
    Limits,
    /// Run a SOQL query over REST and show its rows
    Query {
        /// The query
        #[arg(value_name = "SOQL")]
        soql: String,
        /// See deleted and archived rows too
        #[arg(long)]
        all: bool,
        /// Rows to show
        #[arg(short = 'n', long = "rows", value_name = "N", default_value_t = DEFAULT_QUERY_ROWS)]
        rows: usize,
    },
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which file
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
}

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the plugins inside this program
    List,
    /// Show what a plugin says of itself: needs, configuration, imports, size, digest
    Inspect {
        /// Short name, or path of a component file
        #[arg(value_name = "NAME|PATH")]
        plugin: String,
    },
    /// Turn a core module (wasm32-unknown-unknown) into a component
    Pack {
        /// Core module, as `cargo build --target wasm32-unknown-unknown` leaves it
        #[arg(value_name = "CORE.wasm")]
        core: PathBuf,
        /// Component file to write
        #[arg(short, long, value_name = "OUT.wasm")]
        out: PathBuf,
    },
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `emulator`.
#[derive(Debug, Args)]
pub struct EmulatorArgs {
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Folder of CSV files named after their objects [default: the demo org]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Generate this many rows of an object, reproducibly by seed; can be repeated
    #[arg(long, value_name = "OBJECT=N", value_parser = parse_generate)]
    pub generate: Vec<(String, u64)>,
    /// Seed of generated rows
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Most rows of one Bulk 2.0 result page, whatever the client asks for
    #[arg(long, value_name = "ROWS")]
    pub page_size: Option<u64>,
    /// Pause before each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency_ms: u64,
    /// Body bytes a second of each connection; k, M and G mean thousand, million and billion [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub bandwidth: Option<u64>,
    /// Fault script: which requests, and what happens to them
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Shape in which resultPages answers
    #[arg(long, value_enum, default_value_t = PagesShape::Guide, value_name = "SHAPE")]
    pub result_pages: PagesShape,
    /// Send no byte at all as the result of a query without rows, instead of the header line
    #[arg(long)]
    pub empty_zero_bytes: bool,
    /// Give a new refresh token with each refresh, and revoke the family when an old one comes back
    #[arg(long)]
    pub rotate_refresh_tokens: bool,
    /// Certificate or public key (PEM) of the app, for logins by JWT bearer
    #[arg(long, value_name = "FILE")]
    pub jwt_certificate: Option<PathBuf>,
    /// Polls until a query job is complete
    #[arg(long, value_name = "N")]
    pub job_polls: Option<u32>,
    /// Time until a query job is complete, in milliseconds, instead of polls
    #[arg(long, value_name = "MS")]
    pub job_ms: Option<u64>,
    /// Calls allowed a day
    #[arg(long, value_name = "N")]
    pub daily_api_requests: Option<u64>,
    /// Bulk 2.0 query jobs allowed a day
    #[arg(long, value_name = "N")]
    pub daily_query_jobs: Option<u64>,
}

/// The published shapes of `resultPages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PagesShape {
    /// resultPages[].resultUrl, full paths
    Guide,
    /// resultPages[].resultLink, paths below the version
    Postman,
    /// resultChunks[].resultLink, paths below the version
    Chunks,
    /// 404, as an org without the feature
    NotFound,
}

fn parse_generate(text: &str) -> Result<(String, u64), String> {
    let (object, rows) =
        text.split_once('=').ok_or_else(|| format!("`{text}` must be OBJECT=N, for example Account=5000000"))?;
    let rows = rows
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{rows}` must be a number of rows, for example Account=5000000"))?;
    Ok((object.to_owned(), rows))
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'M')) => (&text[..at], 1_000_000),
        Some((at, 'G')) => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    let wrong = || format!("`{text}` must be bytes a second, for example 500k or 10M");
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|bytes| *bytes > 0).ok_or_else(wrong)
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
    fn generated_objects_and_byte_rates_parse() {
        assert_eq!(parse_generate("Account=5_000_000"), Ok(("Account".to_owned(), 5_000_000)));
        assert!(parse_generate("Account").is_err_and(|text| text.contains("OBJECT=N")));
        assert!(parse_generate("Account=many").is_err());
        assert_eq!(parse_bytes("500k"), Ok(500_000));
        assert_eq!(parse_bytes("7"), Ok(7));
        for wrong in ["", "k", "0", "-1", "99999999999G", "ü"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for line in [["forcepump", "--json", "run", "a.toml"], ["forcepump", "run", "a.toml", "--json"]] {
            assert!(Cli::try_parse_from(line).is_ok_and(|cli| cli.global.json));
        }
    }
}
