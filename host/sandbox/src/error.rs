//! What can go wrong with a plugin, and who spoke: the host, the guest, or the operator's grants.

use std::time::Duration;

use thiserror::Error;

use crate::limits::Limits;
use crate::text::clean;

/// Why a component was not loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The engine itself could not be set up.
    #[error("the sandbox could not be set up: {0}")]
    Engine(String),
    /// The file is larger than the host takes.
    #[error("plugin {plugin}: {bytes} bytes are more than the {limit} bytes that a component may have")]
    TooLarge {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// Size of the file, in bytes.
        bytes: usize,
        /// [`crate::limits::MAX_COMPONENT_BYTES`].
        limit: usize,
    },
    /// A core module, not a component.
    #[error(
        "plugin {plugin}: this is a core WebAssembly module, a component is needed\n  \
         hint: `forcepump plugin pack FILE` makes a component of it"
    )]
    CoreModule {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
    },
    /// Not WebAssembly at all.
    #[error("plugin {plugin}: this is not a WebAssembly component: it does not begin with `\\0asm`")]
    NotWasm {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
    },
    /// The engine refused the bytes.
    #[error("plugin {plugin}: the component does not compile: {reason}")]
    Compile {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// What the engine said, in one line.
        reason: String,
    },
    /// Compilation took longer than it may.
    #[error("plugin {plugin}: the component did not compile within {} s", limit.as_secs())]
    CompileTimeout {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// [`crate::limits::COMPILE_TIME`].
        limit: Duration,
    },
    /// It imports something that the contract does not have.
    #[error(
        "plugin {plugin}: it imports `{import}`, which is no part of forcepump:plugin@{version}\n  \
         hint: of WASI there are wasi:cli, io, clocks, random, filesystem and sockets at 0.2, all of them empty; \
         Rust plugins are best built for wasm32-unknown-unknown, so that no WASI import is left"
    )]
    UnknownImport {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// The import, as the component names it.
        import: String,
        /// The version of the contract that this host knows.
        version: &'static str,
    },
    /// It needs a capability that this version of the host cannot give.
    #[error("plugin {plugin}: it asks for the capability `{capability}`, which is not in this version")]
    NotInThisVersion {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// `salesforce`.
        capability: &'static str,
    },
    /// It exports an interface of the contract at a version that this host does not know.
    #[error("plugin {plugin}: it exports `{export}`, this host knows version {version}")]
    UnknownExport {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// The export, as the component names it.
        export: String,
        /// The version of the contract that this host knows.
        version: &'static str,
    },
    /// It lacks an export without which it is no plugin.
    #[error("plugin {plugin}: it does not export {missing}")]
    MissingExport {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// What is missing.
        missing: &'static str,
    },
    /// An import or export has another shape than the contract says.
    #[error("plugin {plugin}: it does not fit forcepump:plugin@{version}: {reason}")]
    Mismatch {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// What the engine said, in one line.
        reason: String,
        /// The version of the contract that this host knows.
        version: &'static str,
    },
    /// `describe` trapped, took too long, or asked for too much memory.
    #[error("plugin {plugin}: `describe` failed: {reason}")]
    Describe {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// What happened.
        reason: String,
    },
    /// `describe` answered with something that breaks a rule.
    #[error("plugin {plugin}: its description breaks a rule: {rule}")]
    Description {
        /// Name given to [`crate::Engine::load`].
        plugin: String,
        /// The broken rule.
        rule: String,
    },
}

/// One thing wrong with a plugin's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// JSON pointer into the configuration, "" for the whole.
    pub pointer: String,
    /// What is wrong, without the value: it may be a secret.
    pub message: String,
}

/// What a plugin answered instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PluginError {
    /// The configuration is wrong.
    #[error("configuration: {}", problems_text(.0))]
    Config(Vec<ConfigProblem>),
    /// The input schema cannot be served.
    #[error("schema: {0}")]
    Schema(String),
    /// This batch cannot be processed.
    #[error("data: {0}")]
    Data(String),
    /// The same call may succeed later.
    #[error("try again later: {reason}")]
    Retryable {
        /// When to try again, in milliseconds; the host decides when none is given.
        after_ms: Option<u32>,
        /// For people.
        reason: String,
    },
    /// The run must stop.
    #[error("fatal: {0}")]
    Fatal(String),
}

fn problems_text(problems: &[ConfigProblem]) -> String {
    let lines = problems.iter().map(|problem| match problem.pointer.as_str() {
        "" => problem.message.clone(),
        pointer => format!("{pointer}: {}", problem.message),
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// Why a call into a plugin gave no result.
///
/// All but [`CallError::Plugin`] end the instance: later calls answer [`CallError::Dead`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// The guest stopped by a trap: a panic, an `unreachable`, a stack overflow.
    #[error("plugin {plugin} trapped in `{call}`: {reason}")]
    Trap {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// The trap and the innermost frame, in one line.
        reason: String,
    },
    /// The call took longer than it may.
    #[error("plugin {plugin} took longer than its {0} ms in `{call}` (limits.call_ms = {0})", limit.as_millis())]
    Timeout {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// [`crate::Limits::call`].
        limit: Duration,
    },
    /// The guest asked for more memory than it may have, and then stopped.
    #[error(
        "plugin {plugin} needed more than its {limit_bytes} bytes of memory in `{call}` ({})",
        Limits::key("memory_mib", *limit_bytes)
    )]
    Memory {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// [`crate::Limits::memory_bytes`].
        limit_bytes: usize,
    },
    /// The guest handed over more bytes than it may.
    #[error(
        "plugin {plugin} handed over more than its {limit_bytes} bytes in `{call}` ({})",
        Limits::key("output_mib", *limit_bytes)
    )]
    Output {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// [`crate::Limits::output_bytes`].
        limit_bytes: usize,
    },
    /// The guest asked for a larger table of function references than any may have, and then stopped.
    #[error("plugin {plugin} needed a table of more than {limit} entries in `{call}`; no plugin may have a larger one")]
    Table {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// [`crate::limits::MAX_TABLE_ELEMENTS`].
        limit: usize,
    },
    /// The guest executed more than it may.
    #[error("plugin {plugin} used up its {limit} units of fuel in `{call}` (limits.fuel = {limit})")]
    Fuel {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// [`crate::Limits::fuel`].
        limit: u64,
    },
    /// The plugin wants to read columns that the pipeline withholds from it.
    #[error(
        "plugin {plugin} reads {}, which the pipeline withholds from it\n  \
         hint: add what it may read to the step's `columns` (or take it out of `withhold`), or configure the plugin \
         not to read it; a withheld column can only be kept",
        columns_text(columns)
    )]
    Withheld {
        /// Name of the plugin.
        plugin: String,
        /// Names of the columns, in the order of the input.
        columns: Vec<String>,
    },
    /// A result breaks a rule of the contract.
    #[error("plugin {plugin} broke a rule of the contract in `{call}`: {rule}")]
    Contract {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// The broken rule.
        rule: String,
    },
    /// The plugin itself refused; the instance lives on.
    #[error("plugin {plugin} refused in `{call}`: {error}")]
    Plugin {
        /// Name of the plugin.
        plugin: String,
        /// Export that was called.
        call: &'static str,
        /// What it said.
        error: PluginError,
    },
    /// The plugin needs something that the pipeline did not grant.
    #[error(
        "plugin {plugin} asks for the capability `{capability}`, which is not granted\n  \
         hint: to grant it, add {grant} to the plugin's part of the pipeline file"
    )]
    Denied {
        /// `clock`, `random`, `sql`, `files` or `http`.
        capability: String,
        /// Name of the plugin.
        plugin: String,
        /// The missing line of the pipeline file.
        grant: String,
    },
    /// The plugin does not play this role.
    #[error("plugin {plugin} is no {role}: it does not export `{role}`")]
    WrongRole {
        /// Name of the plugin.
        plugin: String,
        /// `transform`, `destination` or `checkpoint`.
        role: &'static str,
    },
    /// The host called out of order or handed over a batch of another schema.
    #[error("plugin {plugin}: the host cannot call `{call}`: {reason}")]
    Misuse {
        /// Name of the plugin.
        plugin: String,
        /// Export that was to be called.
        call: &'static str,
        /// What the host did wrong.
        reason: String,
    },
    /// The instance ended earlier; make a new one.
    #[error("plugin {plugin}: this instance ended earlier: {reason}")]
    Dead {
        /// Name of the plugin.
        plugin: String,
        /// Why it ended.
        reason: String,
    },
}

/// `the column `a``, or `the columns `a` and `b``; the rest of a long list is counted.
fn columns_text(columns: &[String]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<String> = columns.iter().take(SHOWN).map(|name| format!("`{}`", clean(name, 255))).collect();
    let noun = if columns.len() == 1 { "column" } else { "columns" };
    match columns.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("the {noun} {} and {more} more", names.join(", ")),
        _ => format!("the {noun} {}", names.join(", ")),
    }
}

impl CallError {
    /// Whether the instance can be called again after this error.
    #[must_use]
    pub fn leaves_instance_alive(&self) -> bool {
        matches!(self, CallError::Plugin { .. } | CallError::Misuse { .. })
    }
}
