//! The functions that a guest can call, one module for each interface of the contract.

pub mod ambient;
pub mod data;
pub mod files;
pub mod http;
pub mod observe;
pub mod random;
pub mod sql;
pub mod stdio;
pub mod wasi;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::forcepump::plugin;
use crate::state::HostState;

/// Links every interface that this version offers. What a plugin may call is decided before it is
/// instantiated, by its imports and its grants; each function asks again.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    plugin::types::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::logging::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::metrics::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::clock::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::random::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::sql::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::files::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    plugin::http::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    data::link(linker)
}

/// Runs a function that may block. Elsewhere than on a multi-thread runtime it blocks the thread.
pub fn blocking<R>(work: impl FnOnce() -> R) -> R {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl plugin::types::Host for HostState {}
