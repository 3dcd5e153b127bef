//! Lines for the operator; the host cuts, limits and counts them.

pub use crate::bindings::imports::forcepump::plugin::logging::Level;
pub use crate::metrics::{count, observe, set};

/// One line; `fields` are (name, value).
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[cfg(target_arch = "wasm32")]
    {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        crate::bindings::imports::forcepump::plugin::logging::log(level, message, &fields);
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_log(level, message, fields);
}

/// Whether a line of that level would be kept; spares the work of making one.
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::forcepump::plugin::logging::enabled(level);
    #[cfg(not(target_arch = "wasm32"))]
    return level >= Level::Debug;
}
