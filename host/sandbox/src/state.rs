//! What the host keeps for one instance: its border, its limits, its grants, its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};

use crate::border::Border;
use crate::description::Description;
use crate::grants::{Grants, Settings};
use crate::host::random::RandomSource;
use crate::limits::{Limits, MAX_CORE_ITEMS, MAX_OPEN_RESOURCES, MAX_TABLE_ELEMENTS};
use crate::telemetry::{Counters, LogGate, LogSink, Metrics};

/// The data of one store.
pub struct HostState {
    pub plugin: Arc<str>,
    pub limits: Limits,
    pub grants: Grants,
    pub meter: Meter,
    pub table: ResourceTable,
    pub border: Border,
    pub log: Arc<dyn LogSink>,
    pub gate: LogGate,
    pub metrics: Metrics,
    pub counters: Counters,
    pub random: RandomSource,
    /// Files being written.
    pub open_sinks: usize,
    /// Database connections.
    pub open_connections: usize,
    /// When the running call must be over.
    pub deadline: Instant,
}

impl HostState {
    /// The state of a new instance.
    pub fn new(plugin: &Arc<str>, settings: &Settings, description: &Description) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_OPEN_RESOURCES);
        HostState {
            plugin: Arc::clone(plugin),
            limits: settings.limits.clone(),
            grants: settings.grants.clone(),
            meter: Meter::new(settings.limits.memory_bytes),
            table,
            border: Border::new(&settings.limits),
            log: Arc::clone(&settings.log),
            gate: LogGate::new(settings.limits.log_lines_per_second),
            metrics: Metrics::new(description),
            counters: Counters::default(),
            random: RandomSource::new(settings.grants.random),
            open_sinks: 0,
            open_connections: 0,
            deadline: Instant::now(),
        }
    }
}

/// A store with every limit of its state set.
pub fn store(engine: &Engine, state: HostState) -> Store<HostState> {
    let (output_bytes, handles) = (state.limits.output_bytes, state.limits.handles);
    let mut store = Store::new(engine, state);
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

/// Starts the clock of one call.
pub fn start_clock(store: &mut Store<HostState>, limit: Duration) {
    let state = store.data_mut();
    let now = Instant::now();
    state.deadline = now.checked_add(limit).unwrap_or(now);
    state.meter.refused = false;
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
}

impl Meter {
    /// A meter that refuses more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Meter { limit, linear: 0, retained: 0, refused: false }
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
        Ok(desired <= MAX_TABLE_ELEMENTS)
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
