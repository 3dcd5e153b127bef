//! The first-party plugins as components, built by this crate's build script and embedded.

#[cfg(feature = "pack")]
mod pack;

#[cfg(feature = "pack")]
pub use pack::{PackError, pack};

include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// The component of the first-party plugin of that short name, e.g. "mask".
pub fn get(name: &str) -> Option<&'static [u8]> {
    find(SHIPPED, name)
}

/// Short names of the first-party plugins, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// A component that only tests load: "bench", "evil", "evil-http", "evil-wasi" or "fickle". None without the feature
/// `test-guests`.
pub fn test_guest(name: &str) -> Option<&'static [u8]> {
    find(TEST_GUESTS, name)
}

fn find(table: &[(&str, &'static [u8])], name: &str) -> Option<&'static [u8]> {
    table.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far above what a plugin needs, far below what would be felt in the binary.
    const COMPONENT_MAX_BYTES: usize = 400_000;
    /// Magic, version 13, layer 1: a component, not a core module.
    const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

    #[test]
    fn every_plugin_is_a_small_component() {
        let names: Vec<&str> = names().collect();
        let expected = ["aggregate", "csv", "dedupe", "filter", "http", "jsonl", "mask", "parquet", "shape", "sqlite"];
        assert_eq!(names, expected);
        for name in names {
            let bytes = get(name).unwrap_or_default();
            assert!(bytes.starts_with(&COMPONENT_HEADER), "{name}");
            assert!(bytes.len() < COMPONENT_MAX_BYTES, "{name} has {} bytes", bytes.len());
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert!(get("nope").is_none());
        assert_eq!(test_guest("evil").is_some(), cfg!(feature = "test-guests"));
    }
}
