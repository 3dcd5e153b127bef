//! Random bytes, where the pipeline grants them (`random = true`). In a repeatable run the host makes them from its seed.

/// That many bytes; the host caps the count of one call.
///
/// ```
/// use forcepump_plugin_sdk::random;
///
/// assert_eq!(random::bytes(16).len(), 16);
/// ```
pub fn bytes(len: u32) -> Vec<u8> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::imports::forcepump::plugin::random::bytes(len);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::random_bytes(len);
}

/// A number of which each bit is random.
///
/// ```
/// use forcepump_plugin_sdk::random;
///
/// assert_ne!(random::number(), random::number());
/// ```
pub fn number() -> u64 {
    bytes(8).iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
