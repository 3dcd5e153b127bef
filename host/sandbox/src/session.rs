//! One living instance: its store, its clock, and what becomes of it when a call goes wrong.

use std::time::Instant;

use tokio::time::timeout;
use wasmtime::component::Instance;
use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::forcepump::plugin::types as wit;
use crate::border::Sheet;
use crate::convert::plugin_error;
use crate::error::CallError;
use crate::grants::Settings;
use crate::limits::MAX_TABLE_ELEMENTS;
use crate::plugin::Plugin;
use crate::state::{HostState, OutOfTime, start_clock, store};
use crate::telemetry::Counters;
use crate::text::{clean, engine_error};

/// What the engine says when a guest hands over more than its hostcall fuel.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";
/// Bytes of a function name in a trap text.
const MAX_FRAME_BYTES: usize = 200;

/// A store with one instance in it.
pub(crate) struct Session {
    pub(crate) store: Store<HostState>,
    pub(crate) instance: Instance,
    plugin: String,
    counts_fuel: bool,
    /// Why the instance can no longer be called.
    ended: Option<String>,
    /// The export that is being called. Still set at the next call when the host dropped the
    /// future of the last one, which leaves the guest in the middle of things.
    running: Option<&'static str>,
}

/// Runs one export of a session's guest: clock, time-out, and the classification of what came out.
macro_rules! guest_call {
    ($session:expr, $call:literal, $sheet:expr, |$store:ident| $work:expr) => {{
        let session: &mut crate::session::Session = $session;
        match session.enter($call, $sheet) {
            Err(error) => Err(error),
            Ok(limit) => {
                let $store = &mut session.store;
                let work = $work;
                let outcome = tokio::time::timeout(limit, work).await;
                session.leave($call, outcome)
            }
        }
    }};
}
pub(crate) use guest_call;

impl Session {
    pub(crate) async fn new(plugin: &Plugin, settings: &Settings) -> Result<Self, CallError> {
        let inner = &plugin.inner;
        let engine = &inner.engine.inner;
        if settings.limits.fuel.is_some() && !engine.fuel {
            let (plugin, reason) = (plugin.name().to_owned(), "limits.fuel is set, and this engine counts no fuel");
            return Err(CallError::Misuse { plugin, call: "instantiate", reason: reason.into() });
        }
        let mut state = HostState::new(&inner.name, &inner.digest, settings, &inner.description);
        state.random.bind(&inner.digest, "", 0);
        let mut store = store(&engine.wasm, state, engine.guarded);
        let limit = settings.limits.call;
        start_clock(&mut store, limit, engine.fuel);
        let made = timeout(limit, inner.instance_pre.instantiate_async(&mut store)).await;
        let failed = |error: Option<wasmtime::Error>, store: &Store<HostState>| {
            classify(store, plugin.name(), "instantiate", error)
        };
        let instance = match made {
            Ok(Ok(instance)) => instance,
            Ok(Err(error)) => return Err(failed(Some(error), &store)),
            Err(_) => return Err(failed(None, &store)),
        };
        let plugin = plugin.name().to_owned();
        let mut session = Session { store, instance, plugin, counts_fuel: engine.fuel, ended: None, running: None };
        session.settle_log();
        Ok(session)
    }

    /// Refuses an instance that ended. Asked before anything that the host itself may do wrong.
    pub(crate) fn check_alive(&mut self) -> Result<(), CallError> {
        if let Some(cut) = self.running.take() {
            self.ended.get_or_insert(format!("the host gave up on it in `{cut}`"));
        }
        match &self.ended {
            Some(reason) => Err(CallError::Dead { plugin: self.plugin.clone(), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Starts a call: refuses a dead instance, numbers the columns, sets the clock.
    pub(crate) fn enter(&mut self, call: &'static str, sheet: Option<Sheet>) -> Result<std::time::Duration, CallError> {
        self.check_alive()?;
        self.running = Some(call);
        let limit = self.store.data().limits.call;
        start_clock(&mut self.store, limit, self.counts_fuel);
        let border = &mut self.store.data_mut().border;
        match sheet {
            Some(sheet) => border.begin(sheet),
            None => border.end(),
        }
        Ok(limit)
    }

    /// Ends a call. The columns stay until [`Session::done`], because the result names them.
    pub(crate) fn leave<T>(
        &mut self,
        call: &'static str,
        outcome: Result<wasmtime::Result<Result<T, wit::PluginError>>, tokio::time::error::Elapsed>,
    ) -> Result<T, CallError> {
        self.running = None;
        self.settle_log();
        let error = match outcome {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(error))) => {
                self.done();
                let (plugin, error) = (self.plugin.clone(), plugin_error(error));
                return Err(CallError::Plugin { plugin, call, error });
            }
            Ok(Err(error)) => classify(&self.store, &self.plugin, call, Some(error)),
            Err(_) => classify(&self.store, &self.plugin, call, None),
        };
        Err(self.end(error))
    }

    /// Sends on what the guest printed without a line's end, and counts the lines of the call.
    fn settle_log(&mut self) {
        let state = self.store.data_mut();
        state.outputs.flush();
        (state.counters.log_lines, state.counters.log_dropped) = state.log.counts();
    }

    /// Frees the columns and batches of the call.
    pub(crate) fn done(&mut self) {
        self.store.data_mut().border.end();
    }

    /// A result broke a rule: the instance ends.
    pub(crate) fn broke(&mut self, call: &'static str, rule: String) -> CallError {
        let plugin = self.plugin.clone();
        self.end(CallError::Contract { plugin, call, rule: clean(&rule, 1024) })
    }

    /// The host called out of order; the instance lives on.
    pub(crate) fn misuse(&self, call: &'static str, reason: impl Into<String>) -> CallError {
        CallError::Misuse { plugin: self.plugin.clone(), call, reason: reason.into() }
    }

    pub(crate) fn end(&mut self, error: CallError) -> CallError {
        self.done();
        self.ended = Some(error.to_string());
        error
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.store.data().counters
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.ended.is_none() && self.running.is_none()
    }
}

/// Tells the kinds of failure apart; no error means that the time-out came first.
fn classify(store: &Store<HostState>, plugin: &str, call: &'static str, error: Option<wasmtime::Error>) -> CallError {
    let plugin = plugin.to_owned();
    let state = store.data();
    let limit = state.limits.call;
    let Some(error) = error else { return CallError::Timeout { plugin, call, limit } };
    let late = Instant::now() >= state.deadline;
    if error.is::<OutOfTime>() || late && error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return CallError::Timeout { plugin, call, limit };
    }
    if let (Some(Trap::OutOfFuel), Some(limit)) = (error.downcast_ref::<Trap>(), state.limits.fuel) {
        return CallError::Fuel { plugin, call, limit };
    }
    if state.meter.table_refused {
        return CallError::Table { plugin, call, limit: MAX_TABLE_ELEMENTS };
    }
    if state.meter.refused {
        return CallError::Memory { plugin, call, limit_bytes: state.limits.memory_bytes };
    }
    if error.chain().any(|cause| cause.to_string().contains(FUEL_EXHAUSTED)) {
        return CallError::Output { plugin, call, limit_bytes: state.limits.output_bytes };
    }
    CallError::Trap { plugin, call, reason: trap_text(&error) }
}

/// The trap and the innermost named frame, in one line.
fn trap_text(error: &wasmtime::Error) -> String {
    let what = match (error.downcast_ref::<Trap>(), error.downcast_ref::<I32Exit>()) {
        (Some(trap), _) => trap.to_string(),
        (None, Some(I32Exit(status))) => format!("it ended itself by `exit` with status {status}"),
        (None, None) => engine_error(error),
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
    let named = frames.and_then(|frames| frames.iter().find_map(|frame| frame.func_name()));
    match named {
        Some(name) => format!("{what}, in `{}`", clean(name, MAX_FRAME_BYTES)),
        None => what,
    }
}
