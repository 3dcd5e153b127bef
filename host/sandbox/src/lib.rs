//! Loads, grants, limits and calls plugin components.
//!
//! A plugin is an untrusted WebAssembly component that keeps the contract in `wit/`. This crate is
//! the only one that runs guest code. It knows Arrow batches and the contract; it knows nothing of
//! Salesforce, opens no socket and no file but its compile cache, and reaches databases,
//! folders and origins only through [`SqlProvider`], [`FileProvider`] and [`HttpProvider`], which the pipeline gives it.
//!
//! ```text
//! Engine::load ──► Plugin ──► TransformInstance:   open, process …, finish …
//!                        └──► DestinationInstance: prepare │ begin, write …, commit │ conclude
//! ```
//!
//! What a guest cannot do: call what was not granted, read a column that it did not declare or that
//! is withheld, outlive its deadline, take more memory than its limit, hand over a column that was
//! not checked, or end the host. A trap, a time-out or a broken rule ends the instance only.
//!
//! A component built for `wasm32-wasip2` finds an empty WASI: no argument, variable, file or socket, the run's point in
//! time for a clock, a fixed stream for random bytes, and its output in the plugin's log.
//!
//! Deliberately absent: threads, the async component model, ingest into Salesforce, `wasi:http`, and any policy about
//! what to do with a batch that ends an instance.

#[cfg(target_endian = "big")]
compile_error!("the contract lends Arrow memory as it lies, and its byte order is little-endian");

mod bindings;
mod border;
mod cache;
mod carried;
mod config;
mod contract;
mod convert;
mod description;
mod destination;
mod engine;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod grants;
mod host;
pub mod limits;
mod load;
#[cfg(feature = "fuzzing")]
pub mod measure;
mod plugin;
mod provider;
mod rates;
mod session;
mod state;
mod telemetry;
mod text;
mod transform;

pub use carried::{Carried, CarriedFile, CarriedRows, CarriedTo, format_word};
pub use description::{Capability, Description, Metric, MetricKind, Need};
pub use destination::{DestinationInstance, Ending, Prepared, Target, WriteMode, WriteOutcome};
pub use engine::{Engine, EngineOptions};
pub use error::{CallError, ConfigProblem, LoadError, PluginError};
pub use grants::{Clock, Grants, Seed, Settings};
pub use limits::Limits;
pub use plugin::Plugin;
pub use provider::{
    FileCompression, FileError, FileFormat, FileProvider, FileSink, HttpError, HttpExchange, HttpMethod, HttpProvider,
    HttpRequest, HttpResponse, InsertMode, InsertOptions, Inserted, SqlConnection, SqlError, SqlProvider, SqlRows,
    Value, Written,
};
pub use rates::Rates;
pub use telemetry::{Counters, Level, LogLine, LogSink, MetricValue, NoLog};
pub use transform::{OpenRequest, Opened, Processed, Source, TransformInstance};
