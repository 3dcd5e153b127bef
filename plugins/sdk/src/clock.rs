//! The time of day, where the pipeline grants it (`clock = true`). The `as_of` of a run serves most needs, is always
//! there, and keeps runs repeatable.

/// Microseconds since the epoch.
///
/// ```
/// use forcepump_plugin_sdk::{calendar, clock, testing};
///
/// testing::set_clock(1_713_294_000_000_000);
/// assert_eq!(calendar::format_datetime(clock::now()), "2024-04-16T19:00:00.000Z");
/// ```
pub fn now() -> i64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::forcepump::plugin::clock::now();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::clock();
}
