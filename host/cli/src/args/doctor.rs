//! What `doctor` takes.

use clap::Args;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Name of the connection [default: the only one of the connections file]
    #[arg(value_name = "CONNECTION")]
    pub connection: Option<String>,
    /// Look for fields of this object that the user cannot see
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,
}
