//! How a plugin describes itself.

use crate::{Description, Metric, MetricKind, Need};

/// Accepts an empty configuration and nothing else.
const NO_CONFIG: &str = r#"{"type":"object","additionalProperties":false}"#;

impl Description {
    /// A deterministic, stateless plugin without configuration that asks for nothing.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Description {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            config_schema: NO_CONFIG.to_owned(),
            deterministic: true,
            stateful: false,
            metrics: Vec::new(),
            needs: Vec::new(),
        }
    }

    /// JSON Schema (2020-12) of the configuration; best kept in a file of its own and included.
    #[must_use]
    pub fn config_schema(mut self, json: impl Into<String>) -> Self {
        self.config_schema = json.into();
        self
    }

    /// Something that the plugin cannot do without: capability ("sql", "files", …), the name used in
    /// the call, and the reason that the operator reads.
    #[must_use]
    pub fn needs(mut self, capability: &str, name: &str, why: &str) -> Self {
        self.needs.push(Need {
            capability: capability.to_owned(),
            name: name.to_owned(),
            why: why.to_owned(),
            required: true,
        });
        self
    }

    /// Like [`Description::needs`], for what the plugin can do without.
    #[must_use]
    pub fn may_use(mut self, capability: &str, name: &str, why: &str) -> Self {
        self = self.needs(capability, name, why);
        if let Some(need) = self.needs.last_mut() {
            need.required = false;
        }
        self
    }

    /// A number that the plugin reports.
    #[must_use]
    pub fn metric(mut self, name: &str, kind: MetricKind, unit: &str, help: &str) -> Self {
        self.metrics.push(Metric { name: name.to_owned(), kind, unit: unit.to_owned(), help: help.to_owned() });
        self
    }

    /// What process does depends on earlier batches.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        self.stateful = true;
        self
    }

    /// The same input and configuration may give other output.
    #[must_use]
    pub fn not_deterministic(mut self) -> Self {
        self.deterministic = false;
        self
    }
}
