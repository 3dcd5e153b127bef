//! What `org` takes.

use clap::{Args, Subcommand};

/// Rows that `org query` shows when `-n` is not given.
const DEFAULT_QUERY_ROWS: usize = 100;

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
        /// Only custom objects
        #[arg(long)]
        custom: bool,
        /// Only those that can be queried
        #[arg(long)]
        queryable: bool,
    },
    /// Show the fields of an object, with the column types that a pipeline gives them
    Describe {
        /// API name of the object
        #[arg(value_name = "OBJECT")]
        object: String,
    },
    /// Show the org's limits and what is left of them
    Limits,
    /// Run a SOQL query over REST and show its rows; FIELDS() is filled in, children are tables of their own
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
