//! The `data` calls: the host's when the plugin is a component, the stand-in's otherwise.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::imports::forcepump::plugin::data::{
    assemble, cast, columns, null_count, read, release, retain, select, write,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::store::{assemble, cast, columns, null_count, read, release, retain, select, write};

/// Sends the text of a panic to the log before the trap, because a trap has no words of its own.
pub(crate) fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| {
                crate::logging::log(crate::logging::Level::Error, &panic.to_string(), &[]);
            }));
        });
    }
}
