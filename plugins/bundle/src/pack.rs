//! From a core module that a guest kit built to a component that the host loads.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a core module makes no component.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The bytes are something else.
    #[error(
        "this is no WebAssembly core module; expected the .wasm file that cargo build --target wasm32-unknown-unknown writes"
    )]
    NotAModule,
    /// The bytes are a component.
    #[error("this is a component already; use it as it is")]
    AlreadyComponent,
    /// The encoder refused the module.
    #[error("the module makes no component: {0}")]
    Encode(String),
    /// The module exports neither role.
    #[error(
        "the module exports neither a transform nor a destination; put forcepump_plugin_sdk::export_transform!(YourType) or export_destination!(YourType) into it"
    )]
    NotAPlugin,
    /// The module reaches outside the contract.
    #[error(
        "the plugin imports \"{0}\", which is not in the contract; build it for wasm32-unknown-unknown and use no dependency that needs an operating system"
    )]
    Import(String),
}

/// What every WebAssembly file starts with.
const MAGIC: [u8; 4] = *b"\0asm";
/// Version and layer of a core module.
const CORE: [u8; 4] = [1, 0, 0, 0];
/// The only package that a plugin may import from.
const IMPORTS_ALLOWED: &str = "forcepump:plugin/";

/// What a plugin can be.
const ROLES: [&str; 2] = ["forcepump:plugin/transform@", "forcepump:plugin/destination@"];

/// Makes a component of a core module that carries the contract's type, as the guest kits leave it.
///
/// # Errors
/// [`PackError`]; a module that makes the encoder panic is [`PackError::Encode`] as well.
pub fn pack(core_module: &[u8]) -> Result<Vec<u8>, PackError> {
    let header = core_module.strip_prefix(&MAGIC).ok_or(PackError::NotAModule)?;
    if !header.starts_with(&CORE) {
        return Err(PackError::AlreadyComponent);
    }
    let encoded = catch_unwind(AssertUnwindSafe(|| encode(core_module)));
    encoded.unwrap_or_else(|_| Err(PackError::Encode("the encoder gave up on it".to_owned())))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, PackError> {
    let refused = |error| PackError::Encode(format!("{error:#}"));
    let mut encoder = wit_component::ComponentEncoder::default();
    let component = encoder.validate(true).module(module).and_then(|encoder| encoder.encode()).map_err(refused)?;
    let decoded = wit_component::decode(&component).map_err(refused)?;
    let wit_component::DecodedWasm::Component(resolve, world) = &decoded else {
        return Err(PackError::NotAModule);
    };
    let world = &resolve.worlds[*world];
    let mut exports = world.exports.keys().map(|export| resolve.name_world_key(export));
    if !exports.any(|name| ROLES.iter().any(|role| name.starts_with(role))) {
        return Err(PackError::NotAPlugin);
    }
    let mut imports = world.imports.keys().map(|import| resolve.name_world_key(import));
    match imports.find(|name| !name.starts_with(IMPORTS_ALLOWED)) {
        Some(name) => Err(PackError::Import(name)),
        None => Ok(component),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_refused_with_the_way_out() {
        assert!(matches!(pack(b"hello"), Err(PackError::NotAModule)));
        assert!(matches!(pack(b"\0asm\x0d\0\x01\0"), Err(PackError::AlreadyComponent)));
    }

    #[test]
    fn a_module_without_the_contracts_type_is_refused() {
        assert!(matches!(pack(b"\0asm\x01\0\0\0"), Err(PackError::NotAPlugin)));
        assert!(matches!(pack(b"\0asm\x01\0\0\0\xff\xff\xff"), Err(PackError::Encode(_))));
    }
}
