//! The fickle guest in the shapes that tests need.

use forcepump_plugin_bundle::test_guest;

use crate::harness::Bench;

/// All that the fickle guest imports.
pub const GRANTED: &str = "grant = { clock = true, random = true, files = { out = \"out\" } }\n";

/// Puts the guest beside the pipeline, as `fickle.wasm`.
pub fn fickle(bench: &Bench) {
    std::fs::write(bench.path("fickle.wasm"), test_guest("fickle").expect("the guest")).expect("a file");
}
