//! Write Forcepump transforms and destinations in Rust.
//!
//! A plugin is a struct, a trait and one macro:
//!
//! ```
//! use forcepump_plugin_sdk::{
//!     Batch, Derived, Description, OpenRequest, Opened, Outcome, OutputField, PluginError, Transform, export_transform,
//! };
//!
//! /// Puts a text column into upper case.
//! pub struct Upper {
//!     column: u32,
//! }
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     column: String,
//! }
//!
//! impl Transform for Upper {
//!     fn describe() -> Description {
//!         Description::new("upper", env!("CARGO_PKG_VERSION"), "puts a text column into upper case")
//!             .config_schema(r#"{"type": "object", "properties": {"column": {"type": "string"}}, "required": ["column"]}"#)
//!     }
//!
//!     fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
//!         let config: Config = request.config()?;
//!         let column = request.input.require("/column", &config.column)?;
//!         let mut output = OutputField::keep_all(&request.input);
//!         output[column as usize] = OutputField::computed(request.input.fields[column as usize].clone());
//!         Ok((Upper { column }, Opened::new(output).reads([column])))
//!     }
//!
//!     fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
//!         let mut text = batch.utf8(self.column)?;
//!         text.values_mut().make_ascii_uppercase();
//!         Ok(Derived::all([text.write()?]).into())
//!     }
//! }
//!
//! export_transform!(Upper);
//! ```
//!
//! Built for `wasm32-unknown-unknown` it is a core module, which `forcepump plugin pack` makes a
//! component; built for anything else it is a plain library, and [`testing`] stands in for the host.
//! The linker drops every import that is not called, so a component asks for nothing it does not use.

// The generated bindings and the export macros name this crate from outside and from inside.
extern crate self as forcepump_plugin_sdk;

mod batch;
pub mod bindings;
mod bitmap;
mod builders;
pub mod calendar;
pub mod clock;
mod column;
mod config;
pub mod data;
pub mod decimal;
mod describe;
mod destination;
mod error;
pub mod files;
mod host;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod random;
mod schema;
pub mod sql;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod transform;

/// What the generated code runs on; not for use by hand.
#[doc(hidden)]
pub use wit_bindgen::rt as __rt;

pub use batch::Batch;
pub use bindings::imports::forcepump::plugin::data::{Buffers, Column, OnCastError};
pub use bindings::imports::forcepump::plugin::types::{
    ConfigProblem, DataType, DecimalShape, Field, PluginError, Reject, RetryAdvice, Schema, Selection, TimeUnit,
    TimestampShape, Value,
};
pub use bindings::metadata::exports::forcepump::plugin::metadata::{Description, Metric, MetricKind, Need};
pub use bindings::transform::exports::forcepump::plugin::transform::{
    Derived, Emitted, OpenRequest, Opened, Outcome, OutputField, Source,
};
pub use bitmap::Bitmap;
pub use builders::{BooleanBuilder, PrimitiveBuilder, Utf8Builder};
pub use column::{BooleanColumn, Primitive, PrimitiveColumn, Utf8Column};
pub use config::parse_config;
pub use destination::{Destination, DestinationExport, Ending, Plan, Target, WriteMode, WriteOutcome};
pub use transform::{Checkpoint, Transform, TransformExport};
