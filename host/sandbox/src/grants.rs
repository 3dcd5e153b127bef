//! What the operator grants to one plugin; everything is off until granted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::description::{Capability, Description};
use crate::error::CallError;
use crate::limits::Limits;
use crate::provider::{FileProvider, HttpProvider, SqlProvider};
use crate::rates::Rates;
use crate::telemetry::{LogSink, NoLog};

/// Where `random` takes its bytes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// From the operating system; differs from run to run.
    System,
    /// From this number and the plugin, feed and lane; the same in every run.
    Fixed(u64),
}

/// What `clock` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The time of day.
    System,
    /// Always this many microseconds since the epoch, for repeatable runs.
    Frozen(i64),
}

/// The capabilities that the pipeline gives to one plugin.
#[derive(Clone, Default)]
pub struct Grants {
    /// Lets the plugin ask for the time.
    pub clock: Option<Clock>,
    /// Lets the plugin ask for random bytes.
    pub random: Option<Seed>,
    /// Databases, by the name that the plugin uses.
    pub sql: BTreeMap<String, Arc<dyn SqlProvider>>,
    /// Folders and buckets, by the name that the plugin uses.
    pub files: BTreeMap<String, Arc<dyn FileProvider>>,
    /// Origins.
    pub http: Option<Arc<dyn HttpProvider>>,
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("clock", &self.clock)
            .field("random", &self.random)
            .field("sql", &self.sql.keys())
            .field("files", &self.files.keys())
            .field("http", &self.http.as_ref().map(|http| http.names()))
            .finish()
    }
}

impl Grants {
    /// Whether a need of that capability and name is met. An empty name asks for any.
    #[must_use]
    pub fn has(&self, capability: Capability, name: &str) -> bool {
        match capability {
            Capability::Clock => self.clock.is_some(),
            Capability::Random => self.random.is_some(),
            Capability::Sql => named(self.sql.keys(), name),
            Capability::Files => named(self.files.keys(), name),
            Capability::Http => self.http.as_ref().is_some_and(|http| named(http.names().iter(), name)),
            Capability::Salesforce => false,
        }
    }

    /// Refuses a plugin that imports or requires something that is not granted.
    pub(crate) fn check(
        &self,
        plugin: &str,
        imports: &BTreeSet<Capability>,
        description: &Description,
    ) -> Result<(), CallError> {
        let required = description.needs.iter().filter(|need| need.required);
        let required = required.map(|need| (need.capability, need.name.as_str()));
        let imported = imports.iter().map(|capability| (*capability, ""));
        for (capability, name) in required.chain(imported) {
            if !self.has(capability, name) {
                return Err(denied(plugin, capability, name, description));
            }
        }
        Ok(())
    }
}

fn named<'a>(mut granted: impl Iterator<Item = &'a String>, name: &str) -> bool {
    granted.any(|known| name.is_empty() || known == name)
}

/// The refusal, with the line of the pipeline file that is missing.
pub(crate) fn denied(plugin: &str, capability: Capability, name: &str, description: &Description) -> CallError {
    let mut needs = description.needs.iter();
    let asked = needs.find(|need| need.capability == capability).map(|need| need.name.as_str());
    let name = if name.is_empty() { asked.unwrap_or("NAME") } else { name };
    let grant = match capability {
        Capability::Clock | Capability::Random => format!("`grant.{capability} = true`"),
        Capability::Sql => format!("`grant.sql = {{ {name} = \"sqlite:FILE\" }}`"),
        Capability::Files => format!("`grant.files = {{ {name} = \"FOLDER\" }}`"),
        Capability::Http => format!("`grant.http.{name} = {{ origin = \"https://HOST\" }}`"),
        Capability::Salesforce => "nothing: it is not in this version".into(),
    };
    CallError::Denied { capability: capability.to_string(), plugin: plugin.to_owned(), grant }
}

/// How one instance of a plugin is run.
#[derive(Clone)]
pub struct Settings {
    /// What it may use.
    pub grants: Grants,
    /// How much it may use.
    pub limits: Limits,
    /// Columns, by name, of which no byte may enter the plugin. They can be kept.
    pub withheld: BTreeSet<String>,
    /// Where its log lines go.
    pub log: Arc<dyn LogSink>,
    /// What all of its instances may do in a second; clones share it.
    pub rates: Arc<Rates>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            grants: Grants::default(),
            limits: Limits::default(),
            withheld: BTreeSet::new(),
            log: Arc::new(NoLog),
            rates: Arc::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("withheld", &self.withheld)
            .finish_non_exhaustive()
    }
}
