//! Things that the operator should hear of while a call is under way.

use std::sync::{Arc, Mutex, PoisonError};

/// Hears each notice as it comes; must return quickly.
pub type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// Notices of one client, kept and told. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    kept: Vec<String>,
    listener: Option<Listener>,
}

impl Notices {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it now, to whoever listens.
    pub(crate) fn tell(&self, text: &str) {
        let listener = self.state().listener.clone();
        // not under the lock: the listener is somebody else's code
        if let Some(listener) = listener {
            listener(text);
        }
    }

    /// Tells it, and keeps it for those who ask later.
    pub(crate) fn keep(&self, text: String) {
        self.tell(&text);
        self.state().kept.push(text);
    }

    pub(crate) fn kept(&self) -> Vec<String> {
        self.state().kept.clone()
    }

    pub(crate) fn listen(&self, listener: Listener) {
        self.state().listener = Some(listener);
    }
}
