//! Write Forcepump transforms and destinations in Rust.
