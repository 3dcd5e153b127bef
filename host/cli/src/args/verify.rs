//! What `verify` and `retry-rejects` take.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Run id, as the run's summary names it, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Compare the ids of the rows too, those of the source as it is now with those of the destination
    #[arg(long)]
    pub keys: bool,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
}

/// Arguments of `retry-rejects`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Run whose rejected rows are read again: its id, or `latest`, the newest run that refused rows. A former
    /// `retry-rejects` of them that is unfinished is gone on with
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Begin anew: an unfinished `retry-rejects` of these rows is given up
    #[arg(long)]
    pub fresh: bool,
    /// Folder of the pipeline, or its file [default: the current folder]
    #[arg(long, value_name = "DIR|FILE")]
    pub pipeline_folder: Option<PathBuf>,
}
