//! Lines and numbers for the operator; the host cuts, limits and counts them.

pub use crate::bindings::imports::forcepump::plugin::logging::Level;

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

/// Adds to a counter that `describe` lists.
pub fn count(name: &str, amount: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::imports::forcepump::plugin::metrics::add(name, amount);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_metric(name, amount as f64);
}

/// Sets a gauge that `describe` lists.
pub fn set(name: &str, amount: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::imports::forcepump::plugin::metrics::set(name, amount);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_metric(name, amount);
}

/// One more amount of a histogram that `describe` lists.
pub fn observe(name: &str, amount: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::imports::forcepump::plugin::metrics::observe(name, amount);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_metric(name, amount);
}
