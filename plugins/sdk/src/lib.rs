//! Write Forcepump transforms and destinations in Rust.
extern crate self as forcepump_plugin_sdk;

#[doc(hidden)]
pub use wit_bindgen::rt as __rt;
pub mod bindings;
