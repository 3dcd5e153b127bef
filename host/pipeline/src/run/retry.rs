//! How often a unit is tried again after a fault of the source, and how long to wait in between.

use std::time::Duration;

/// Tries of one unit in all.
pub(crate) const MAX_TRIES: u32 = 5;
/// First pause; doubles with each try.
const FIRST_PAUSE_MS: u64 = 200;

/// The pause before try number `tried + 1`.
pub(crate) fn pause(tried: u32) -> Duration {
    Duration::from_millis(FIRST_PAUSE_MS << tried.saturating_sub(1).min(6))
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
