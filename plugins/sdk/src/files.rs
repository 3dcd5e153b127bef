//! File sinks under a granted root.

pub use crate::bindings::imports::forcepump::plugin::files::{Compression, FileError, Format, Written};

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::imports::forcepump::plugin::files::Sink;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::files::Sink;

use crate::PluginError;

impl From<FileError> for PluginError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Denied(reason) => PluginError::fatal(format!("file refused: {reason}")),
            FileError::Exists => {
                PluginError::fatal("there is such a file already, and the grant does not allow to replace it")
            }
            FileError::Quota(bytes) => PluginError::fatal(format!("the granted root takes no more than {bytes} bytes")),
            FileError::WrongFormat(reason) => PluginError::fatal(format!("file format: {reason}")),
            // What was written to the sink is gone with it: the same call a second time would leave it out.
            FileError::Io(reason) => PluginError::fatal(format!("file storage: {reason}")),
        }
    }
}
