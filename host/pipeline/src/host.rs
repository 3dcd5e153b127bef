//! What every pipeline of one process shares: the sandbox engine and the plugins that come with the binary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use forcepump_sandbox::{Engine, EngineOptions, Plugin};

use crate::error::Error;
use crate::file::nearest;

/// Gives a first-party component by its short name.
pub type Builtin = fn(&str) -> Option<&'static [u8]>;

/// Engine and first-party plugins; cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    engine: Engine,
    builtin: Builtin,
    names: Vec<&'static str>,
}

impl Host {
    /// `builtin` gives a first-party component by one of `names`; compiled components are kept in `cache_dir`.
    ///
    /// # Errors
    /// [`Error::Plugin`] when the engine cannot be set up.
    pub fn new(builtin: Builtin, names: &[&'static str], cache_dir: Option<PathBuf>) -> Result<Self, Error> {
        let options = EngineOptions { cache_dir, ..EngineOptions::default() };
        let engine = Engine::new(options).map_err(|error| Error::Plugin {
            plugin: "(engine)".to_owned(),
            call: "start",
            message: error.to_string(),
        })?;
        Ok(Self(Arc::new(Shared { engine, builtin, names: names.to_vec() })))
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
        let bytes = self.component(key, plugin, folder)?;
        self.0.engine.load(plugin, &bytes).map_err(|error| Error::Plugin {
            plugin: plugin.to_owned(),
            call: "load",
            message: error.to_string(),
        })
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

fn looks_like_path(plugin: &str) -> bool {
    plugin.contains('/') || plugin.contains('\\') || Path::new(plugin).extension().is_some_and(|e| e == "wasm")
}
