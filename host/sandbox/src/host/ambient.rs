//! `clock` and `random`: off until granted, and frozen or seeded for repeatable runs.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::forcepump::plugin::{clock, random};
use crate::grants::Clock;
use crate::limits::MAX_RANDOM_BYTES;
use crate::state::HostState;

impl clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<i64> {
        match self.grants.clock {
            Some(Clock::System) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
            }
            Some(Clock::Frozen(micros)) => Ok(micros),
            None => wasmtime::bail!("the capability `clock` is not granted"),
        }
    }
}

impl random::Host for HostState {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            wasmtime::bail!("{len} random bytes are more than {MAX_RANDOM_BYTES} at once");
        }
        self.random.bytes(len as usize)
    }
}
