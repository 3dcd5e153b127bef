//! What `connection` takes.

use clap::Subcommand;

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
