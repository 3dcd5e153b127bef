//! What `plugin` takes.

use std::path::PathBuf;

use clap::Subcommand;

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
