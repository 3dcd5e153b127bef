//! WASI 0.2 for components that import it, and nothing in it: no argument, variable, folder, socket or input.
//!
//! The clock shows the run's point in time and the random bytes are a fixed stream, unless `clock` and `random` are
//! granted; what is printed goes to the log. The implementation is wasmtime's, but for the interfaces that depend on
//! grants: those are ours. A wait for a clock ends with the call, as every host function does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::clocks::wall_clock;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::{HostMonotonicClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::grants::Clock;
use crate::host::stdio::Outputs;
use crate::limits::MAX_RANDOM_BYTES;
use crate::state::HostState;

/// The packages of WASI that are linked, all of version 0.2. Any other is refused by name.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// The package of an import such as `wasi:cli/environment@0.2.6`, when it is linked: `wasi:cli@0.2.6`.
pub fn package(import: &str) -> Option<String> {
    let (package, interface) = import.strip_prefix("wasi:")?.split_once('/')?;
    let (_, version) = interface.split_once('@')?;
    let linked = PACKAGES.contains(&package) && version.starts_with("0.2.");
    linked.then(|| format!("wasi:{package}@{version}"))
}

/// Adds WASI to a linker.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    wall_clock::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    random::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    insecure::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    insecure_seed::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn empty(outputs: &Outputs, clock: Option<Clock>) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder.stdout(outputs.out()).stderr(outputs.err());
    builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    builder.socket_addr_check(|_, _| Box::pin(async { false }));
    builder.monotonic_clock(Ticks((clock == Some(Clock::System)).then(Instant::now)));
    builder.build()
}

/// Nanoseconds since the instance first asked, or always 0.
struct Ticks(Option<Instant>);

impl HostMonotonicClock for Ticks {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.map_or(0, |start| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (outputs, clock) = (&self.outputs, self.grants.clock);
        WasiCtxView { ctx: self.wasi.get_or_insert_with(|| empty(outputs, clock)), table: &mut self.table }
    }
}

impl wall_clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let at = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let now = match self.grants.clock {
            Some(Clock::System) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Some(Clock::Frozen(micros)) => at(micros),
            None => at(self.as_of_micros),
        };
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000 })
    }
}

impl HostState {
    fn wasi_random(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        match usize::try_from(len) {
            Ok(len) if len <= MAX_RANDOM_BYTES as usize => self.random.wasi_bytes(len),
            _ => wasmtime::bail!("{len} random bytes are more than {MAX_RANDOM_BYTES} at once"),
        }
    }

    fn wasi_random_u64(&mut self) -> wasmtime::Result<u64> {
        let bytes = self.random.wasi_bytes(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl random::Host for HostState {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.wasi_random(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.wasi_random_u64()
    }
}

impl insecure::Host for HostState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.wasi_random(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.wasi_random_u64()
    }
}

impl insecure_seed::Host for HostState {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.wasi_random_u64()?, self.wasi_random_u64()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_packages_of_version_0_2_that_are_linked() {
        assert_eq!(package("wasi:cli/environment@0.2.6").as_deref(), Some("wasi:cli@0.2.6"));
        assert_eq!(package("wasi:sockets/tcp@0.2.0").as_deref(), Some("wasi:sockets@0.2.0"));
        for other in
            ["wasi:http/types@0.2.6", "wasi:cli/environment@0.3.0", "wasi:cli/environment", "forcepump:cli/x@0.2.0"]
        {
            assert_eq!(package(other), None, "{other}");
        }
    }

    #[test]
    fn all_of_it_links() {
        let mut config = wasmtime::Config::new();
        config.concurrency_support(false);
        let engine = wasmtime::Engine::new(&config).expect("an engine");
        link(&mut Linker::new(&engine)).expect("links");
    }
}
