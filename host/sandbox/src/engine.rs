//! The engine: one configuration, one linker, one ticker and one compile cache for all plugins.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

use wasmtime::component::Linker;
use wasmtime::{Config, WasmFeatures};

use crate::cache::CompileCache;
use crate::error::LoadError;
use crate::host;
use crate::limits::{FIBER_STACK_BYTES, TICK, WASM_STACK_BYTES};
use crate::load;
use crate::plugin::Plugin;
use crate::state::HostState;

/// How an engine is set up.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Folder of compiled components; it is made with mode 0700. None compiles each time.
    pub cache_dir: Option<PathBuf>,
    /// Makes floating-point results bit-equal on every machine, at some cost.
    pub repeatable: bool,
    /// Counts what guests execute, at some cost: [`crate::Limits::fuel`] has an effect.
    pub fuel: bool,
}

/// Compiles and runs components. Cheap to clone; plugins keep it alive.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<EngineInner>,
}

pub(crate) struct EngineInner {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) linker: Linker<HostState>,
    /// The same with WASI, made when the first component asks for it.
    wasi_linker: OnceLock<Linker<HostState>>,
    /// Whether guests are counted: their stores need fuel.
    pub(crate) fuel: bool,
    /// Whether guests can be stopped; always, but in benchmarks.
    pub(crate) guarded: bool,
    pub(crate) cache: Option<CompileCache>,
    _ticker: Ticker,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.inner.cache).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets up an engine and starts its ticker thread.
    ///
    /// # Errors
    /// [`LoadError::Engine`] when the machine has no code generator, the cache folder cannot be
    /// made private, or no thread can be started.
    pub fn new(options: EngineOptions) -> Result<Self, LoadError> {
        Self::make(options, true)
    }

    /// An engine whose guests nothing stops: no deadline, no cap on memory, tables, handles or bytes handed over. It is
    /// what the benchmarks hold the guards against, and compiled for them only.
    ///
    /// # Errors
    /// As [`Engine::new`].
    #[cfg(feature = "fuzzing")]
    pub fn unguarded(options: EngineOptions) -> Result<Self, LoadError> {
        Self::make(options, false)
    }

    fn make(options: EngineOptions, guarded: bool) -> Result<Self, LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Engine(crate::text::engine_error(&error));
        let wasm = wasmtime::Engine::new(&config(&options, guarded)).map_err(failed)?;
        let mut linker = Linker::new(&wasm);
        host::link(&mut linker).map_err(failed)?;
        let cache = options.cache_dir.map(|dir| CompileCache::open(dir, &wasm));
        let cache = cache.transpose().map_err(LoadError::Engine)?;
        let ticker = Ticker::start(wasm.clone()).map_err(|e| LoadError::Engine(e.to_string()))?;
        Ok(Engine {
            inner: Arc::new(EngineInner {
                wasm,
                linker,
                wasi_linker: OnceLock::new(),
                fuel: options.fuel,
                guarded,
                cache,
                _ticker: ticker,
            }),
        })
    }

    /// Loads a component: size, kind, compile cache, imports, exports, `describe`, config schema.
    ///
    /// Blocks for the compilation, which a warm cache spares. `name` is what errors call it.
    ///
    /// # Errors
    /// One [`LoadError`] for each rule; nothing of the component has run but `describe`.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Plugin, LoadError> {
        load::load(self, name, bytes)
    }
}

impl EngineInner {
    /// The linker for components that import WASI.
    pub(crate) fn wasi_linker(&self) -> wasmtime::Result<&Linker<HostState>> {
        if let Some(linker) = self.wasi_linker.get() {
            return Ok(linker);
        }
        let mut linker = self.linker.clone();
        host::wasi::link(&mut linker)?;
        Ok(self.wasi_linker.get_or_init(|| linker))
    }
}

/// What the host makes of WebAssembly. Each line narrows the default or states it.
fn config(options: &EngineOptions, guarded: bool) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(guarded)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        .shared_memory(false)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .cranelift_nan_canonicalization(options.repeatable)
        .consume_fuel(options.fuel)
        .memory_init_cow(true);
    config.wasm_features(WasmFeatures::THREADS | WasmFeatures::SHARED_EVERYTHING_THREADS, false);
    config
}

/// Raises the epoch every [`TICK`], so that a spinning guest gives way; ends with its engine.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(wasm: wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                wasm.increment_epoch();
            }
        };
        let thread = Builder::new().name("forcepump-epoch".into()).spawn(tick)?;
        Ok(Ticker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // The thread only counts; it cannot have panicked, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}
