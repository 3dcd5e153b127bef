//! A loaded plugin: what it is, what it asks for, and instances of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::bindings::exports::forcepump::plugin::{checkpoint, destination, transform};
use crate::config::ConfigSchema;
use crate::description::{Capability, Description};
use crate::destination::DestinationInstance;
use crate::engine::Engine;
use crate::error::{CallError, ConfigProblem};
use crate::grants::Settings;
use crate::session::Session;
use crate::state::HostState;
use crate::transform::TransformInstance;

/// A component that passed every check of [`Engine::load`]. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<PluginInner>,
}

pub(crate) struct PluginInner {
    pub(crate) engine: Engine,
    pub(crate) name: Arc<str>,
    pub(crate) digest: String,
    pub(crate) size_bytes: usize,
    pub(crate) imports: BTreeSet<Capability>,
    pub(crate) wasi: BTreeSet<String>,
    pub(crate) description: Description,
    pub(crate) config_schema: ConfigSchema,
    pub(crate) instance_pre: InstancePre<HostState>,
    pub(crate) roles: Roles,
}

/// The exports that a component has.
pub(crate) struct Roles {
    pub(crate) transform: Option<transform::GuestIndices>,
    pub(crate) checkpoint: Option<checkpoint::GuestIndices>,
    pub(crate) destination: Option<destination::GuestIndices>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.inner.name)
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// The name given to [`Engine::load`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// SHA-256 of the component's bytes, in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Size of the component, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.inner.size_bytes
    }

    /// What the plugin says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// The capabilities that the component imports; each needs a grant.
    #[must_use]
    pub fn imports(&self) -> &BTreeSet<Capability> {
        &self.inner.imports
    }

    /// Packages of WASI that the component imports, e.g. `wasi:cli@0.2.6`; it finds them empty.
    #[must_use]
    pub fn wasi_imports(&self) -> &BTreeSet<String> {
        &self.inner.wasi
    }

    /// Whether it can transform batches.
    #[must_use]
    pub fn is_transform(&self) -> bool {
        self.inner.roles.transform.is_some()
    }

    /// Whether it can write batches.
    #[must_use]
    pub fn is_destination(&self) -> bool {
        self.inner.roles.destination.is_some()
    }

    /// Whether its state can be saved.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        self.inner.roles.checkpoint.is_some()
    }

    /// Checks a configuration against the plugin's own schema. No guest code runs.
    ///
    /// # Errors
    /// All problems that were found, without the values at fault.
    pub fn check_config(&self, config: &serde_json::Value) -> Result<(), Vec<ConfigProblem>> {
        self.inner.config_schema.check(config)
    }

    /// Checks the grants against what the plugin imports and requires, without an instance.
    ///
    /// # Errors
    /// [`CallError::Denied`] for the first capability that is missing.
    pub fn check_grants(&self, settings: &Settings) -> Result<(), CallError> {
        settings.grants.check(&self.inner.name, &self.inner.imports, &self.inner.description)
    }

    /// Makes an instance that transforms. Must be called, and the instance used, within a tokio
    /// runtime with its timer on.
    ///
    /// # Errors
    /// [`CallError::WrongRole`], [`CallError::Denied`], or what instantiation came to.
    pub async fn transform(&self, settings: &Settings) -> Result<TransformInstance, CallError> {
        TransformInstance::new(self, settings).await
    }

    /// Makes an instance that writes. Must be called, and the instance used, within a tokio
    /// runtime with its timer on; providers that block want the multi-thread one.
    ///
    /// # Errors
    /// [`CallError::WrongRole`], [`CallError::Denied`], or what instantiation came to.
    pub async fn destination(&self, settings: &Settings) -> Result<DestinationInstance, CallError> {
        DestinationInstance::new(self, settings).await
    }

    /// A session of this plugin, grants checked and component instantiated.
    pub(crate) async fn session(&self, settings: &Settings) -> Result<Session, CallError> {
        self.check_grants(settings)?;
        Session::new(self, settings).await
    }

    pub(crate) fn wrong_role(&self, role: &'static str) -> CallError {
        CallError::WrongRole { plugin: self.name().to_owned(), role }
    }
}
