//! What a plugin says about itself, checked before anybody sees it.

use std::collections::BTreeSet;
use std::fmt;

use crate::bindings::exports::forcepump::plugin::metadata as wit;
use crate::limits::{MAX_CONFIG_SCHEMA_BYTES, MAX_NAME_BYTES};
use crate::text::{clean, has_control};

/// Bytes of a summary, a help text or a reason.
const MAX_TEXT_BYTES: usize = 4 << 10;
/// Metrics and needs that one plugin may list.
const MAX_LISTED: usize = 256;

/// A group of host functions that is off until granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// The time of day.
    Clock,
    /// Random bytes.
    Random,
    /// Named databases.
    Sql,
    /// Named folders and buckets.
    Files,
    /// Requests to named origins.
    Http,
    /// Bulk ingest into named orgs; not in this version.
    Salesforce,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 6] = [
        Capability::Clock,
        Capability::Random,
        Capability::Sql,
        Capability::Files,
        Capability::Http,
        Capability::Salesforce,
    ];

    /// The word in the contract and in the pipeline file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Clock => "clock",
            Capability::Random => "random",
            Capability::Sql => "sql",
            Capability::Files => "files",
            Capability::Http => "http",
            Capability::Salesforce => "salesforce",
        }
    }

    /// The capability of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == word)
    }

    /// Whether this version of the host can give it at all.
    #[must_use]
    pub fn is_offered(self) -> bool {
        !matches!(self, Capability::Salesforce)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a metric is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Has a last value.
    Gauge,
    /// Has many values.
    Histogram,
}

/// A metric that the plugin declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// `[a-z0-9_.]`, at most 255 bytes.
    pub name: String,
    /// How it is counted.
    pub kind: MetricKind,
    /// For example `rows` or `ms`.
    pub unit: String,
    /// One sentence.
    pub help: String,
}

/// One thing that the plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which group of host functions.
    pub capability: Capability,
    /// The name by which the plugin will ask, for example of the connection.
    pub name: String,
    /// Why, for the operator.
    pub why: String,
    /// Without it the plugin is not opened.
    pub required: bool,
}

/// What `describe` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The plugin's own name.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema (2020-12) of the configuration.
    pub config_schema: String,
    /// The same input and configuration give the same output.
    pub deterministic: bool,
    /// One instance must see all of a feed, in order.
    pub stateful: bool,
    /// What it counts.
    pub metrics: Vec<Metric>,
    /// What it asks for.
    pub needs: Vec<Need>,
}

impl Description {
    /// Checks what the guest said; the error is the broken rule.
    pub(crate) fn from_guest(said: wit::Description) -> Result<Self, String> {
        let name = identifier("name", said.name)?;
        let version = identifier("version", said.version)?;
        if said.config_schema.len() > MAX_CONFIG_SCHEMA_BYTES {
            return Err(format!("config-schema has more than {MAX_CONFIG_SCHEMA_BYTES} bytes"));
        }
        if said.metrics.len() > MAX_LISTED || said.needs.len() > MAX_LISTED {
            return Err(format!("more than {MAX_LISTED} metrics or needs"));
        }
        Ok(Description {
            name,
            version,
            summary: clean(&said.summary, MAX_TEXT_BYTES),
            config_schema: said.config_schema,
            deterministic: said.deterministic,
            stateful: said.stateful,
            metrics: metrics(said.metrics)?,
            needs: said.needs.into_iter().map(need).collect::<Result<_, _>>()?,
        })
    }
}

fn identifier(what: &str, text: String) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || has_control(&text) {
        return Err(format!("{what} must have 1 to {MAX_NAME_BYTES} bytes and no control character"));
    }
    Ok(text)
}

fn metrics(said: Vec<wit::Metric>) -> Result<Vec<Metric>, String> {
    let mut names = BTreeSet::new();
    let mut metrics = Vec::with_capacity(said.len());
    for metric in said {
        let name = identifier("the name of a metric", metric.name)?;
        if !names.insert(name.clone()) {
            return Err(format!("the metric `{name}` is declared twice"));
        }
        let kind = match metric.kind {
            wit::MetricKind::Counter => MetricKind::Counter,
            wit::MetricKind::Gauge => MetricKind::Gauge,
            wit::MetricKind::Histogram => MetricKind::Histogram,
        };
        let unit = clean(&metric.unit, MAX_NAME_BYTES);
        metrics.push(Metric { name, kind, unit, help: clean(&metric.help, MAX_TEXT_BYTES) });
    }
    Ok(metrics)
}

fn need(said: wit::Need) -> Result<Need, String> {
    let capability = Capability::from_word(&said.capability).ok_or_else(|| {
        let word = clean(&said.capability, MAX_NAME_BYTES);
        format!("the need `{word}` is no capability; there are clock, random, sql, files, http, salesforce")
    })?;
    let name = match capability {
        Capability::Clock | Capability::Random => clean(&said.name, MAX_NAME_BYTES),
        _ => identifier("the name of a need", said.name)?,
    };
    Ok(Need { capability, name, why: clean(&said.why, MAX_TEXT_BYTES), required: said.required })
}
