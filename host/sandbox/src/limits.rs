//! Every bound that the sandbox holds a plugin to, with its unit in the name.

use std::time::Duration;

/// Version of the package `forcepump:plugin` that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// Largest component file. StarlingMonkey guests have about 13 MB, Python guests 40 MB.
pub const MAX_COMPONENT_BYTES: usize = 64 << 20;
/// Longest compilation. The slowest known guest (StarlingMonkey) takes 27 s on a loaded machine.
pub const COMPILE_TIME: Duration = Duration::from_secs(180);
/// Memory of `describe`, which has nothing to do but to answer with constants.
pub const DESCRIBE_MEMORY_BYTES: usize = 64 << 20;
/// Time of `describe`, instantiation included.
pub const DESCRIBE_TIME: Duration = Duration::from_secs(1);
/// Bytes that `describe` may answer with.
pub const DESCRIBE_OUTPUT_BYTES: usize = 1 << 20;
/// Largest configuration schema.
pub const MAX_CONFIG_SCHEMA_BYTES: usize = 256 << 10;

/// Period of the epoch ticker: how soon a spinning guest gives way.
pub const TICK: Duration = Duration::from_millis(10);
/// Stack of guest code.
pub const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a fiber: guest code and the host functions that it calls.
pub const FIBER_STACK_BYTES: usize = 2 << 20;

/// Entries of one table of a guest (function references).
pub const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Core instances, tables and memories of one component.
pub const MAX_CORE_ITEMS: usize = 64;
/// Open connections, sinks and other things of one instance.
pub const MAX_OPEN_RESOURCES: usize = 1_024;

/// Files that one instance may write side by side: each holds an encoder with a row group of some MiB.
pub const MAX_OPEN_SINKS: usize = 16;
/// Database connections that one instance may have open: each holds a page cache of some MiB.
pub const MAX_OPEN_CONNECTIONS: usize = 8;

/// Columns that a guest may make within one call.
pub const MAX_COLUMNS_PER_CALL: usize = 4_096;
/// Batches that a guest may hold at once, within a call and retained.
pub const MAX_BATCHES: usize = 1_024;
/// Output columns of a transform. A wide Salesforce object has 800 fields.
pub const MAX_OUTPUT_FIELDS: usize = 4_096;
/// Bytes of a column name.
pub const MAX_NAME_BYTES: usize = 255;
/// Bytes of all metadata of one schema that a guest gives.
pub const MAX_METADATA_BYTES: usize = 1 << 20;
/// Rows of one column that a guest hands over.
pub const MAX_ROWS: u32 = 1 << 24;
/// Bytes of a reject's reason.
pub const MAX_REASON_BYTES: usize = 512;
/// Bytes of a reject's code.
pub const MAX_CODE_BYTES: usize = 48;
/// Bytes of a text by which a plugin explains an error.
pub const MAX_ERROR_TEXT_BYTES: usize = 4 << 10;
/// Bytes of a commit token.
pub const MAX_TOKEN_BYTES: usize = 4 << 10;
/// Bytes of a checkpoint.
pub const MAX_CHECKPOINT_BYTES: usize = 16 << 20;
/// Bytes that `random.bytes` gives at once.
pub const MAX_RANDOM_BYTES: u32 = 64 << 10;
/// Rows that `sql.query` gives at once.
pub const MAX_QUERY_ROWS: u32 = 1 << 20;
/// Requests over HTTP that one call may make.
pub const MAX_HTTP_CALLS: u32 = 256;
/// Requests of one `http.send-all` that are under way at once.
pub const MAX_HTTP_AT_ONCE: usize = 8;
/// Bytes of a URL; RFC 9110 asks every party for 8,000.
pub const MAX_URL_BYTES: usize = 8 << 10;
/// Headers of a request, and of a response.
pub const MAX_HEADERS: usize = 128;
/// Bytes of the names and values of all headers of a request, and of a response.
pub const MAX_HEADERS_BYTES: usize = 32 << 10;
/// Units that a destination may want side by side.
pub const MAX_LANES: u32 = 64;

/// What one plugin of one pipeline may use. Each field can be set in the pipeline file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of the guest and the batches that it retains, in bytes.
    pub memory_bytes: usize,
    /// Longest time of one call, host functions included.
    pub call: Duration,
    /// Bytes that the guest may hand over or have the host make in one call.
    pub output_bytes: usize,
    /// Log lines per second; more are dropped and counted.
    pub log_lines_per_second: u32,
    /// Bytes of one log line with its fields; the rest is cut.
    pub log_line_bytes: usize,
    /// Resource handles that the guest may hold.
    pub handles: usize,
    /// Output rows per input row.
    pub fan_out: u32,
    /// Rows that one call may give back.
    pub rows: u32,
    /// Requests over HTTP per second; more are answered with `throttled`.
    pub http_calls_per_second: u32,
    /// Bytes of the decoded body of one response.
    pub http_response_bytes: usize,
    /// Units of fuel (about one for each WebAssembly instruction) of one call; needs an engine with
    /// [`crate::EngineOptions::fuel`]. None counts nothing.
    pub fuel: Option<u64>,
}

/// Bytes in the MiB of the pipeline file.
const MIB: usize = 1 << 20;

impl Limits {
    /// A limit in bytes as its key in the pipeline file says it, e.g. `limits.memory_mib = 256`.
    pub(crate) fn key(key: &str, bytes: usize) -> String {
        match bytes % MIB {
            0 => format!("limits.{key} = {}", bytes / MIB),
            // Only a host with limits of its own has less than one MiB.
            _ => format!("limits.{key} = {:.3}", bytes as f64 / MIB as f64),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 256 << 20,
            call: Duration::from_secs(10),
            output_bytes: 64 << 20,
            log_lines_per_second: 100,
            log_line_bytes: 4 << 10,
            handles: 256,
            fan_out: 64,
            rows: MAX_ROWS,
            http_calls_per_second: 10,
            http_response_bytes: 8 << 20,
            fuel: None,
        }
    }
}
