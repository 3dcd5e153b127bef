//! What the host keeps for one instance: its border, its limits, its grants, its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::WasiCtx;

use crate::border::Border;
use crate::carried::Carried;
use crate::description::Description;
use crate::grants::{Grants, Settings};
use crate::host::random::RandomSource;
use crate::host::stdio::Outputs;
use crate::limits::{Limits, MAX_CORE_ITEMS, MAX_OPEN_RESOURCES, MAX_TABLE_ELEMENTS};
use crate::rates::Rates;
use crate::telemetry::{Counters, LogPort, Metrics};

/// The data of one store.
pub struct HostState {
    pub limits: Limits,
    pub grants: Grants,
    pub meter: Meter,
    pub table: ResourceTable,
    pub border: Border,
    /// Shared with the streams of a WASI guest.
    pub log: Arc<LogPort>,
    pub metrics: Metrics,
    pub counters: Counters,
    pub random: RandomSource,
    /// The run's one point in time, in microseconds since the epoch; 0 before `open`, `prepare` or `begin`.
    pub as_of_micros: i64,
    /// What a WASI guest finds; made when it is first asked for.
    pub wasi: Option<WasiCtx>,
    /// What a WASI guest prints.
    pub outputs: Outputs,
    /// What all instances of the plugin may do in a second.
    pub rates: Arc<Rates>,
    /// Requests over HTTP of the running call.
    pub http_calls: u32,
    /// Files being written.
    pub open_sinks: usize,
    /// Database connections.
    pub open_connections: usize,
    /// What the host carried since the unit began.
    pub carried: Carried,
    /// When the running call must be over.
    pub deadline: Instant,
}

impl HostState {
    /// The state of a new instance.
    pub fn new(plugin: &Arc<str>, digest: &str, settings: &Settings, description: &Description) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_OPEN_RESOURCES);
        let log = Arc::new(LogPort::new(plugin, settings));
        HostState {
            limits: settings.limits.clone(),
            grants: settings.grants.clone(),
            meter: Meter::new(settings.limits.memory_bytes),
            table,
            border: Border::new(&settings.limits),
            outputs: Outputs::new(&log),
            log,
            metrics: Metrics::new(description),
            counters: Counters::default(),
            random: RandomSource::new(settings.grants.random, digest),
            as_of_micros: 0,
            wasi: None,
            rates: Arc::clone(&settings.rates),
            http_calls: 0,
            open_sinks: 0,
            open_connections: 0,
            carried: Carried::default(),
            deadline: Instant::now(),
        }
    }
}

/// A store with every limit of its state set. Fuel is set with the clock, for it is of one call.
pub fn store(engine: &Engine, state: HostState, guarded: bool) -> Store<HostState> {
    let (output_bytes, handles) = (state.limits.output_bytes, state.limits.handles);
    let mut store = Store::new(engine, state);
    if !guarded {
        return store;
    }
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(output_bytes);
    store.set_max_component_handles(handles);
    store.epoch_deadline_callback(|store| {
        if Instant::now() >= store.data().deadline {
            return Err(OutOfTime.into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Starts the clock of one call, and fills the tank on an engine that counts fuel.
pub fn start_clock(store: &mut Store<HostState>, limit: Duration, counts_fuel: bool) {
    let state = store.data_mut();
    let now = Instant::now();
    state.deadline = now.checked_add(limit).unwrap_or(now);
    state.meter.refused = false;
    state.meter.table_refused = false;
    state.http_calls = 0;
    let fuel = state.limits.fuel.unwrap_or(u64::MAX);
    if counts_fuel {
        // It fails on an engine without fuel only.
        let _ = store.set_fuel(fuel);
    }
    // A new store stands at deadline 0, an old one where its last call left it.
    store.set_epoch_deadline(1);
}

/// The trap by which a guest that spins is ended.
#[derive(Debug, thiserror::Error)]
#[error("the call is out of time")]
pub struct OutOfTime;

/// Counts the memory of one store.
#[derive(Debug)]
pub struct Meter {
    limit: usize,
    linear: usize,
    /// Bytes of retained batches, which count against the same limit.
    pub retained: usize,
    /// Whether the running call was refused memory.
    pub refused: bool,
    /// Whether the running call was refused a larger table.
    pub table_refused: bool,
}

impl Meter {
    /// A meter that refuses more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Meter { limit, linear: 0, retained: 0, refused: false, table_refused: false }
    }

    /// Bytes that may still be had.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.linear).saturating_sub(self.retained)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let granted = more <= self.room();
        if granted {
            self.linear += more;
        } else {
            self.refused = true;
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= MAX_TABLE_ELEMENTS;
        self.table_refused |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        MAX_CORE_ITEMS
    }

    fn tables(&self) -> usize {
        MAX_CORE_ITEMS
    }

    fn memories(&self) -> usize {
        MAX_CORE_ITEMS
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Instance, Module};

    use super::*;

    /// A module with a table of one function reference, whose export `f` grows it by 60,000 entries and says how many
    /// there were before.
    const GROWS_A_TABLE: &[u8] = &[
        0, b'a', b's', b'm', 1, 0, 0, 0, //
        1, 5, 1, 0x60, 0, 1, 0x7f, // type 0: () -> i32
        3, 2, 1, 0, // function 0 has type 0
        4, 4, 1, 0x70, 0, 1, // a table of funcref, at least 1
        7, 5, 1, 1, b'f', 0, 0, // export f
        10, 13, 1, 11, 0, 0xd0, 0x70, 0x41, 0xe0, 0xd4, 0x03, 0xfc, 0x0f, 0,
        0x0b, // ref.null, i32.const, table.grow
    ];

    #[test]
    fn a_table_grows_to_its_limit_and_the_refusal_is_remembered() {
        let engine = Engine::default();
        let module = Module::new(&engine, GROWS_A_TABLE).expect("a module");
        let mut store = Store::new(&engine, Meter::new(1 << 20));
        store.limiter(|meter| meter);
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        let grow = instance.get_typed_func::<(), i32>(&mut store, "f").expect("f");
        assert_eq!(grow.call(&mut store, ()).expect("grows"), 1);
        assert!(!store.data().table_refused);
        assert_eq!(grow.call(&mut store, ()).expect("is refused"), -1);
        assert!(store.data().table_refused);
        assert_eq!(store.data().linear, 0, "a table is no memory");
    }

    #[test]
    fn memory_and_retained_batches_share_one_limit() {
        let mut meter = Meter::new(100);
        assert!(meter.memory_growing(0, 60, None).expect("counts"));
        meter.retained = 30;
        assert_eq!(meter.room(), 10);
        assert!(!meter.memory_growing(60, 71, None).expect("counts"));
        assert!(meter.refused);
    }
}
