//! From bytes to a plugin: each step refuses by name, and nothing runs but `describe`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::bindings::exports::forcepump::plugin::{checkpoint, destination, metadata, transform};
use crate::config::ConfigSchema;
use crate::description::{Capability, Description};
use crate::engine::{Engine, EngineInner};
use crate::error::LoadError;
use crate::host;
use crate::limits::{
    COMPILE_TIME, CONTRACT_VERSION, DESCRIBE_MEMORY_BYTES, DESCRIBE_OUTPUT_BYTES, DESCRIBE_TIME, MAX_COMPONENT_BYTES,
    TICK,
};
use crate::plugin::{Plugin, PluginInner, Roles};
use crate::state::{HostState, Meter};
use crate::text::{clean, engine_error};

/// First bytes of every WebAssembly binary.
const WASM_MAGIC: &[u8] = b"\0asm";
/// Version and layer of a core module and of a component, as they follow the magic.
const MODULE_HEADER: &[u8] = &[0x01, 0x00, 0x00, 0x00];
/// Bytes of a name that an error shows.
const MAX_SHOWN_BYTES: usize = 200;

/// Interfaces that every plugin may import without a grant.
const ALWAYS_LINKED: [&str; 4] = ["types", "data", "logging", "metrics"];

pub(crate) fn load(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Plugin, LoadError> {
    let plugin = clean(name, MAX_SHOWN_BYTES);
    check_kind(&plugin, bytes)?;
    let digest = hex(&Sha256::digest(bytes));
    let component = compiled(&engine.inner, &plugin, &digest, bytes)?;
    let Imports { capabilities: imports, wasi } = imports(&engine.inner, &plugin, &component)?;
    check_exports(&engine.inner, &plugin, &component)?;
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch {
        plugin: plugin.clone(),
        reason: engine_error(&error),
        version: CONTRACT_VERSION,
    };
    // A component without WASI is linked without it: that costs nothing at load or later.
    let linker = match wasi.is_empty() {
        true => &engine.inner.linker,
        false => engine.inner.wasi_linker().map_err(mismatch)?,
    };
    let instance_pre = linker.instantiate_pre(&component).map_err(mismatch)?;
    let roles = roles(&plugin, &instance_pre)?;
    let description = describe(&engine.inner, &plugin, &component)?;
    let rule = |rule| LoadError::Description { plugin: plugin.clone(), rule };
    let description = Description::from_guest(description).map_err(rule)?;
    let rule = |rule| LoadError::Description { plugin: plugin.clone(), rule };
    let config_schema = ConfigSchema::compile(&description.config_schema).map_err(rule)?;
    Ok(Plugin {
        inner: Arc::new(PluginInner {
            engine: engine.clone(),
            name: Arc::from(plugin.as_str()),
            digest,
            size_bytes: bytes.len(),
            imports,
            wasi,
            description,
            config_schema,
            instance_pre,
            roles,
        }),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_kind(plugin: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let plugin = plugin.to_owned();
    if bytes.len() > MAX_COMPONENT_BYTES {
        let limit = MAX_COMPONENT_BYTES;
        return Err(LoadError::TooLarge { plugin, bytes: bytes.len(), limit });
    }
    match bytes.strip_prefix(WASM_MAGIC) {
        None => Err(LoadError::NotWasm { plugin }),
        Some(rest) if rest.starts_with(MODULE_HEADER) => Err(LoadError::CoreModule { plugin }),
        Some(_) => Ok(()),
    }
}

fn compiled(engine: &EngineInner, plugin: &str, digest: &str, bytes: &[u8]) -> Result<Component, LoadError> {
    if let Some(cache) = &engine.cache
        && let Some(component) = cache.get(&engine.wasm, digest)
    {
        return Ok(component);
    }
    let component = compile(engine, plugin, bytes)?;
    if let Some(cache) = &engine.cache {
        cache.put(digest, &component);
    }
    Ok(component)
}

/// Compiles on a thread of its own, which is left behind when it takes too long.
fn compile(engine: &EngineInner, plugin: &str, bytes: &[u8]) -> Result<Component, LoadError> {
    let (sender, receiver) = channel();
    let (wasm, bytes) = (engine.wasm.clone(), bytes.to_vec());
    let work = move || {
        // The receiver is gone when the time is over; then there is nobody to tell.
        let _ = sender.send(Component::from_binary(&wasm, &bytes));
    };
    let thread = std::thread::Builder::new().name("forcepump-compile".into()).spawn(work);
    thread.map_err(|error| LoadError::Engine(error.to_string()))?;
    let plugin = plugin.to_owned();
    match receiver.recv_timeout(COMPILE_TIME) {
        Ok(compiled) => compiled.map_err(|error| LoadError::Compile { plugin, reason: engine_error(&error) }),
        Err(_) => Err(LoadError::CompileTimeout { plugin, limit: COMPILE_TIME }),
    }
}

/// What a component asks for.
struct Imports {
    capabilities: BTreeSet<Capability>,
    /// Packages of WASI with their version.
    wasi: BTreeSet<String>,
}

fn imports(engine: &EngineInner, plugin: &str, component: &Component) -> Result<Imports, LoadError> {
    let ty = component.component_type();
    let (mut capabilities, mut wasi) = (BTreeSet::new(), BTreeSet::new());
    for (import, _) in ty.imports(&engine.wasm) {
        let interface = contract_interface(import);
        if interface.is_some_and(|interface| ALWAYS_LINKED.contains(&interface)) {
            continue;
        }
        if let Some(package) = host::wasi::package(import) {
            wasi.insert(package);
            continue;
        }
        let Some(capability) = interface.and_then(Capability::from_word) else {
            let (plugin, import) = (plugin.to_owned(), clean(import, MAX_SHOWN_BYTES));
            return Err(LoadError::UnknownImport { plugin, import, version: CONTRACT_VERSION });
        };
        if !capability.is_offered() {
            let (plugin, capability) = (plugin.to_owned(), capability.as_str());
            return Err(LoadError::NotInThisVersion { plugin, capability });
        }
        capabilities.insert(capability);
    }
    Ok(Imports { capabilities, wasi })
}

/// The interface's short name, when it is one of the contract at the known version.
fn contract_interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("forcepump:plugin/")?.split_once('@')?;
    (version == CONTRACT_VERSION).then_some(interface)
}

/// Exports of the contract must have the known version; any other export is the guest's affair
/// (QuickJS adds `init`, Python adds `exports`).
fn check_exports(engine: &EngineInner, plugin: &str, component: &Component) -> Result<(), LoadError> {
    let ty = component.component_type();
    for (export, _) in ty.exports(&engine.wasm) {
        if export.starts_with("forcepump:plugin/") && contract_interface(export).is_none() {
            let (plugin, export) = (plugin.to_owned(), clean(export, MAX_SHOWN_BYTES));
            return Err(LoadError::UnknownExport { plugin, export, version: CONTRACT_VERSION });
        }
    }
    Ok(())
}

fn roles(plugin: &str, pre: &InstancePre<HostState>) -> Result<Roles, LoadError> {
    let exports = |interface: &str| {
        let name = format!("forcepump:plugin/{interface}@{CONTRACT_VERSION}");
        pre.component().get_export_index(None, &name).is_some()
    };
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch {
        plugin: plugin.to_owned(),
        reason: engine_error(&error),
        version: CONTRACT_VERSION,
    };
    let missing = |missing| LoadError::MissingExport { plugin: plugin.to_owned(), missing };
    if !exports("metadata") {
        return Err(missing("`metadata`, which every plugin has"));
    }
    metadata::GuestIndices::new(pre).map_err(mismatch)?;
    let transform = exports("transform").then(|| transform::GuestIndices::new(pre));
    let checkpoint = exports("checkpoint").then(|| checkpoint::GuestIndices::new(pre));
    let destination = exports("destination").then(|| destination::GuestIndices::new(pre));
    let roles = Roles {
        transform: transform.transpose().map_err(mismatch)?,
        checkpoint: checkpoint.transpose().map_err(mismatch)?,
        destination: destination.transpose().map_err(mismatch)?,
    };
    if roles.transform.is_none() && roles.destination.is_none() {
        return Err(missing("`transform` or `destination`: it can do nothing"));
    }
    Ok(roles)
}

/// A store for `describe`, which may call nothing.
struct Bare {
    meter: Meter,
    deadline: Instant,
}

fn describe(engine: &EngineInner, plugin: &str, component: &Component) -> Result<metadata::Description, LoadError> {
    let (mut store, linker) = bare(engine, component).map_err(|error| failed(plugin, &error))?;
    let described = call_describe(&mut store, &linker, component);
    described.map_err(|error| match store.data().meter.refused {
        true => LoadError::Describe {
            plugin: plugin.to_owned(),
            reason: format!("it needed more than {DESCRIBE_MEMORY_BYTES} bytes of memory"),
        },
        // Only the deadline interrupts; a tick early or late, it is the time that was used up.
        false if is_interrupt(&error) || Instant::now() >= store.data().deadline => LoadError::Describe {
            plugin: plugin.to_owned(),
            reason: format!("it took longer than {} ms", DESCRIBE_TIME.as_millis()),
        },
        false => failed(plugin, &error),
    })
}

fn is_interrupt(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<wasmtime::Trap>() == Some(&wasmtime::Trap::Interrupt)
}

fn failed(plugin: &str, error: &wasmtime::Error) -> LoadError {
    LoadError::Describe { plugin: plugin.to_owned(), reason: engine_error(error) }
}

fn bare(engine: &EngineInner, component: &Component) -> wasmtime::Result<(Store<Bare>, Linker<Bare>)> {
    let mut linker = Linker::new(&engine.wasm);
    linker.define_unknown_imports_as_traps(component)?;
    let meter = Meter::new(DESCRIBE_MEMORY_BYTES);
    let deadline = Instant::now() + DESCRIBE_TIME;
    let mut store = Store::new(&engine.wasm, Bare { meter, deadline });
    store.limiter(|bare| &mut bare.meter);
    store.set_hostcall_fuel(DESCRIBE_OUTPUT_BYTES);
    store.epoch_deadline_trap();
    store.set_epoch_deadline(ticks(DESCRIBE_TIME));
    if engine.fuel {
        store.set_fuel(u64::MAX)?;
    }
    Ok((store, linker))
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn call_describe(
    store: &mut Store<Bare>,
    linker: &Linker<Bare>,
    component: &Component,
) -> wasmtime::Result<metadata::Description> {
    let pre = linker.instantiate_pre(component)?;
    let indices = metadata::GuestIndices::new(&pre)?;
    let instance = pre.instantiate(&mut *store)?;
    let guest = indices.load(&mut *store, &instance)?;
    let (description,) = guest.func_describe().call(&mut *store, ())?;
    Ok(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_before_anything_is_parsed() {
        let kind = |bytes: &[u8]| check_kind("p", bytes).map_err(|error| error.to_string());
        assert!(kind(b"\0asm\x0d\0\x01\0").is_ok());
        let module = kind(b"\0asm\x01\0\0\0").expect_err("a module");
        assert!(module.contains("`forcepump plugin pack FILE`"), "{module}");
        assert!(kind(b"#!/bin/sh").expect_err("a script").contains("not a WebAssembly"));
        assert!(kind(b"").is_err());
    }

    #[test]
    fn only_the_known_version_is_of_the_contract() {
        assert_eq!(contract_interface("forcepump:plugin/data@0.1.0"), Some("data"));
        assert_eq!(contract_interface("forcepump:plugin/data@0.2.0"), None);
        assert_eq!(contract_interface("wasi:io/streams@0.2.0"), None);
    }
}
