//! Numbers for the operator. The host drops names that `describe` does not list, and counts the drops.
//!
//! ```
//! use forcepump_plugin_sdk::{Description, MetricKind, metrics};
//!
//! let description = Description::new("lookup", "1.0.0", "looks addresses up")
//!     .metric("lookups", MetricKind::Counter, "1", "addresses asked for");
//! metrics::count("lookups", 3);
//! # assert_eq!(forcepump_plugin_sdk::testing::take_metrics(), [("lookups".to_owned(), 3.0)]);
//! ```

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
