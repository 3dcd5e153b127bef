//! What can go wrong with a file sink, case for case the contract's `file-error`.

use std::io;

/// Why a sink could not be opened, written or finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The path breaks a rule, or leads out of the granted folder.
    #[error("{0}")]
    Denied(String),
    /// Something that a file must not replace stands at the path, or another sink writes it now.
    #[error("\"{0}\" is already there and cannot be replaced by a file")]
    Exists(String),
    /// The root's quota, in bytes, would be passed.
    #[error("the files of this grant may hold {0} bytes in all, and this write passes that")]
    Quota(u64),
    /// The format cannot do what was asked, e.g. raw bytes into a Parquet file.
    #[error("{0}")]
    WrongFormat(String),
    /// The operating system said no: disk full, no permission, a broken device.
    #[error("{0}")]
    Io(String),
}

impl FileError {
    /// An operating system's error about `path`; a refusal of ours that travelled inside one stays what it was.
    pub(crate) fn io(path: &str, error: &io::Error) -> Self {
        if let Some(own) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return own.clone();
        }
        Self::Io(format!("cannot write \"{path}\": {error}"))
    }
}
