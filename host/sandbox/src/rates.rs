//! What a plugin may do in a second, however many instances of it there are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::host::http::Bucket;
use crate::telemetry::LogGate;

/// The rates of one plugin. Settings that are cloned share them, so that four workers do not have them four times.
#[derive(Debug, Default)]
pub struct Rates {
    requests: Mutex<Option<Bucket>>,
    lines: Mutex<Option<LogGate>>,
}

impl Rates {
    /// Books a request that may go out until `latest`; the error is how long it would have to wait.
    pub(crate) fn request(&self, per_second: u32, now: Instant, latest: Instant) -> Result<Instant, Duration> {
        let mut bucket = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.get_or_insert_with(|| Bucket::new(per_second)).book(now, latest)
    }

    /// Whether one more log line may pass now.
    pub(crate) fn line(&self, per_second: u32) -> bool {
        let mut gate = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        gate.get_or_insert_with(|| LogGate::new(per_second)).admit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn the_instances_of_a_plugin_share_its_rates() {
        let settings = Settings::default();
        let now = Instant::now();
        let instances = [settings.clone(), settings.clone()];
        let sent = instances.iter().cycle().take(20).filter(|own| own.rates.request(5, now, now).is_ok()).count();
        let logged = instances.iter().cycle().take(20).filter(|own| own.rates.line(7)).count();
        assert_eq!((sent, logged), (5, 7));
        assert!(Settings::default().rates.request(5, now, now).is_ok(), "another plugin has its own");
    }
}
