//! How often something is tried again, and how long to wait in between.

use std::time::Duration;

use forcepump_sandbox::{CallError, PluginError};

use super::shared::Shared;
use crate::event::Event;

/// Tries of one unit in all after faults of the source.
pub(crate) const MAX_TRIES: u32 = 5;
/// Tries of one unit in all because of rows that break the destination. The first finds them; more are needed only
/// when a plugin breaks on other rows each time.
pub(crate) const MAX_REWRITES: u32 = 3;
/// How often a plugin may ask for the same call again.
pub(crate) const MAX_PUT_OFF: u32 = 5;
/// First pause; doubles with each try.
const FIRST_PAUSE_MS: u64 = 200;
/// The longest pause that a plugin can ask for.
const MAX_ASKED_PAUSE_MS: u32 = 30_000;
/// The pause when a plugin names none.
const ASKED_PAUSE_MS: u32 = 500;

/// The pause before try number `tried + 1`.
pub(crate) fn pause(tried: u32) -> Duration {
    Duration::from_millis(FIRST_PAUSE_MS << tried.saturating_sub(1).min(6))
}

/// Makes a call of a plugin again as long as the plugin asks for it.
macro_rules! patiently {
    ($shared:expr, $call:expr) => {{
        let mut asked = 0;
        loop {
            match $call.await {
                Err(error) if $crate::run::retry::is_put_off($shared, &error, &mut asked).await => {}
                done => break done,
            }
        }
    }};
}
pub(crate) use patiently;

/// Waits when the plugin asked to be called again later; false when it did not, too often, or somebody interrupts.
pub(crate) async fn is_put_off(shared: &Shared, error: &CallError, asked: &mut u32) -> bool {
    let CallError::Plugin { plugin, call, error: PluginError::Retryable { after_ms, reason } } = error else {
        return false;
    };
    *asked += 1;
    if *asked > MAX_PUT_OFF {
        return false;
    }
    wait(shared, &format!("plugin {plugin} asks to call `{call}` again"), *after_ms, reason).await
}

/// Waits as a plugin asked; false when somebody interrupts.
pub(crate) async fn wait(shared: &Shared, what: &str, after_ms: Option<u32>, reason: &str) -> bool {
    let ms = after_ms.unwrap_or(ASKED_PAUSE_MS).min(MAX_ASKED_PAUSE_MS);
    shared.observer.event(Event::Warning(format!("{what} in {ms} ms: {reason}")));
    shared.cancel.race(tokio::time::sleep(Duration::from_millis(u64::from(ms)))).await.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double() {
        assert_eq!(pause(1), Duration::from_millis(200));
        assert_eq!(pause(3), Duration::from_millis(800));
        assert_eq!(pause(60), pause(7));
    }
}
