//! What every pipeline of one process shares: the sandbox engine and the plugins that come with the binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forcepump_sandbox::{Engine, EngineOptions, Plugin};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::file::nearest;
use crate::run::hex;

/// Gives a first-party component by its short name.
pub type Builtin = fn(&str) -> Option<&'static [u8]>;

/// What an engine does beside running plugins; each costs speed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EngineKind {
    /// floating-point results are bit-equal on every machine
    pub repeatable: bool,
    /// counts what plugins execute
    pub fuel: bool,
}

/// Engine and first-party plugins; cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    engine: Engine,
    /// the other kinds, made when a pipeline needs them
    others: Mutex<BTreeMap<EngineKind, Engine>>,
    cache_dir: Option<PathBuf>,
    builtin: Builtin,
    names: Vec<&'static str>,
}

impl Host {
    /// `builtin` gives a first-party component by one of `names`; compiled components are kept in `cache_dir`.
    ///
    /// # Errors
    /// [`Error::Plugin`] when the engine cannot be set up.
    pub fn new(builtin: Builtin, names: &[&'static str], cache_dir: Option<PathBuf>) -> Result<Self, Error> {
        let engine = engine(EngineKind::default(), cache_dir.clone())?;
        Ok(Self(Arc::new(Shared { engine, others: Mutex::default(), cache_dir, builtin, names: names.to_vec() })))
    }

    /// The sandbox engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Loads a plugin by short name, or from a component file whose path is relative to `folder`.
    ///
    /// # Errors
    /// [`Error::Input`] when there is no such plugin, [`Error::Plugin`] when it does not load.
    pub fn load_plugin(&self, key: &str, plugin: &str, folder: &Path) -> Result<Plugin, Error> {
        self.load_checked(EngineKind::default(), key, plugin, folder, |_| Ok(()))
    }

    /// Whether the plugin of that name comes with the program.
    #[must_use]
    pub fn is_builtin(&self, plugin: &str) -> bool {
        (self.0.builtin)(plugin).is_some()
    }

    /// As [`Host::load_plugin`], on an engine of that kind; `check` sees the digest of the very bytes that are loaded,
    /// before anything is made of them.
    pub(crate) fn load_checked(
        &self,
        kind: EngineKind,
        key: &str,
        plugin: &str,
        folder: &Path,
        check: impl FnOnce(&str) -> Result<(), Error>,
    ) -> Result<Plugin, Error> {
        let bytes = self.component(key, plugin, folder)?;
        check(&hex(&Sha256::digest(&bytes)))?;
        self.engine_of(kind)?.load(plugin, &bytes).map_err(|error| Error::Plugin {
            plugin: plugin.to_owned(),
            call: "load",
            message: error.to_string(),
        })
    }

    fn engine_of(&self, kind: EngineKind) -> Result<Engine, Error> {
        if kind == EngineKind::default() {
            return Ok(self.0.engine.clone());
        }
        let mut others = self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = others.get(&kind) {
            return Ok(engine.clone());
        }
        let made = engine(kind, self.0.cache_dir.clone())?;
        others.insert(kind, made.clone());
        Ok(made)
    }

    fn component(&self, key: &str, plugin: &str, folder: &Path) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = (self.0.builtin)(plugin) {
            return Ok(bytes.to_vec());
        }
        if !looks_like_path(plugin) {
            return Err(Error::input(key, self.unknown(plugin)));
        }
        let path = folder.join(plugin);
        std::fs::read(&path)
            .map_err(|error| Error::input(key, format!("cannot read the plugin {}: {error}", path.display())))
    }

    fn unknown(&self, plugin: &str) -> String {
        let known = self.0.names.join(", ");
        let meant = nearest(plugin, self.0.names.iter().copied())
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        format!(
            "no first-party plugin is named `{plugin}`{meant}; there are {known}; a plugin of your own is named by its path, for example \"./{plugin}.wasm\""
        )
    }
}

fn engine(kind: EngineKind, cache_dir: Option<PathBuf>) -> Result<Engine, Error> {
    let EngineKind { repeatable, fuel } = kind;
    Engine::new(EngineOptions { cache_dir, repeatable, fuel }).map_err(|error| Error::Host {
        what: "starting the engine of the plugins".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })
}

fn looks_like_path(plugin: &str) -> bool {
    plugin.contains('/') || plugin.contains('\\') || Path::new(plugin).extension().is_some_and(|e| e == "wasm")
}
