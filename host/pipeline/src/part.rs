//! One plugin of a pipeline: loaded, its configuration checked, its grants and limits settled.

use std::path::Path;
use std::sync::Arc;

use forcepump_sandbox::{CallError, Grants, Level, LogLine, LogSink, Plugin, PluginError, Settings};
use serde_json::Value;

use crate::capability::{self, Ambient};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::file::{BadBatch, ConfigSecrets, DestinationStep, Grant, PluginLimits, Problem, TransformStep};
use crate::firewall::Rules;
use crate::host::{EngineKind, Host};
use crate::lock::Pins;

/// What a step of the file says about its plugin.
pub(crate) struct Step<'a> {
    /// where it stands in the file, for messages: `transform[0]`, `destination`
    pub key: String,
    role: Role,
    pub plugin: &'a str,
    pub config: &'a toml::Table,
    pub grant: &'a Grant,
    pub limits: &'a PluginLimits,
    rules: Rules,
    on_bad_batch: BadBatch,
}

/// What a step needs its plugin to be.
#[derive(Clone, Copy)]
enum Role {
    Transform,
    Destination,
}

impl<'a> Step<'a> {
    pub(crate) fn transform(index: usize, step: &'a TransformStep) -> Self {
        let TransformStep { plugin, config, grant, limits, on_bad_batch, .. } = step;
        let key = format!("transform[{index}]");
        let rules = Rules::new(&key, step.columns.as_deref(), &step.withhold, step.withhold_classified);
        let on_bad_batch = *on_bad_batch;
        Self { key, role: Role::Transform, plugin, config, grant, limits, rules, on_bad_batch }
    }

    pub(crate) fn destination(step: &'a DestinationStep) -> Self {
        let DestinationStep { plugin, config, grant, limits, on_bad_batch, .. } = step;
        let key = "destination".to_owned();
        let rules = Rules::new(&key, step.columns.as_deref(), &step.withhold, step.withhold_classified);
        let on_bad_batch = *on_bad_batch;
        Self { key, role: Role::Destination, plugin, config, grant, limits, rules, on_bad_batch }
    }

    /// A plugin in the wrong place is told before its configuration is: that would only mislead.
    pub(crate) fn check_role(&self, plugin: &Plugin) -> Result<(), Error> {
        let (fits, role) = match self.role {
            Role::Transform => (plugin.is_transform(), "transform"),
            Role::Destination => (plugin.is_destination(), "destination"),
        };
        if fits {
            return Ok(());
        }
        Err(Error::input(format!("{}.plugin", self.key), format!("plugin `{}` is no {role}", self.plugin)))
    }
}

/// A plugin ready to be instantiated.
pub(crate) struct Part {
    pub key: String,
    pub plugin: Plugin,
    /// the configuration as written, secrets still references
    pub shown_config: Value,
    /// the configuration for the plugin, secrets resolved
    pub config_json: String,
    pub grant: Grant,
    pub limits: PluginLimits,
    pub settings: Settings,
    /// which columns it may not see
    pub rules: Rules,
    /// what becomes of a batch that breaks it
    pub on_bad_batch: BadBatch,
}

impl Part {
    /// Loads the plugin, checks its configuration against its schema, and what it asks for against the grants.
    /// `fixed`: what a repeatable run shows of clock and random bytes; `pins`: what the lock file says of it.
    pub(crate) fn load(
        host: &Host,
        step: &Step<'_>,
        folder: &Path,
        fixed: Option<Ambient>,
        pins: &Pins,
    ) -> Result<Self, Error> {
        let kind = EngineKind { repeatable: fixed.is_some(), fuel: step.limits.fuel.is_some() };
        let pinned = |digest: &str| pins.check_digest(step, digest, host.is_builtin(step.plugin));
        let plugin = host.load_checked(kind, &format!("{}.plugin", step.key), step.plugin, folder, pinned)?;
        step.check_role(&plugin)?;
        let shown_config = json_of(step.config);
        let config = ConfigSecrets::resolve(&shown_config, folder)
            .map_err(|error| Error::input(format!("{}.config{}", step.key, dotted(&error.pointer)), error.message))?;
        plugin.check_config(&config).map_err(|problems| config_problems(&step.key, &problems))?;
        let settings = Settings {
            grants: capability::dry(&step.key, step.grant, step.limits, folder, fixed.unwrap_or(Ambient::SYSTEM))?,
            limits: capability::limits(step.limits),
            ..Settings::default()
        };
        Ok(Self {
            key: step.key.clone(),
            plugin,
            shown_config,
            config_json: config.to_string(),
            grant: step.grant.clone(),
            limits: step.limits.clone(),
            settings,
            rules: step.rules.clone(),
            on_bad_batch: step.on_bad_batch,
        })
    }

    /// Name that the plugin gives itself.
    pub(crate) fn name(&self) -> &str {
        &self.plugin.description().name
    }

    /// The settings with open grants, and a log that tells the observer.
    pub(crate) fn live_settings(&self, grants: Grants, observer: &Arc<dyn Observer>) -> Settings {
        Settings { grants, log: Arc::new(ObservedLog(Arc::clone(observer))), ..self.settings.clone() }
    }

    /// Makes an instance with grants that open nothing: what the plugin asks for and is not granted shows here.
    pub(crate) async fn check_destination(&self) -> Result<(), Error> {
        let instance = self.plugin.destination(&self.settings).await;
        instance.map(drop).map_err(|error| self.destination_error(&error))
    }

    /// Who has to act on a failed call of a transform.
    pub(crate) fn transform_error(&self, error: &CallError) -> Error {
        self.input_error(error).unwrap_or_else(|| broken(error))
    }

    /// Who has to act on a failed call of a destination: what the plugin says of its target is the destination's.
    pub(crate) fn destination_error(&self, error: &CallError) -> Error {
        if let Some(input) = self.input_error(error) {
            return input;
        }
        match error {
            CallError::Plugin { plugin, call, error } => {
                Error::Destination { plugin: plugin.clone(), call, message: error.to_string() }
            }
            _ => broken(error),
        }
    }

    /// Configuration, schema and grants are the operator's to mend.
    fn input_error(&self, error: &CallError) -> Option<Error> {
        match error {
            CallError::Plugin { error: PluginError::Config(problems), .. } => {
                Some(config_problems(&self.key, problems))
            }
            CallError::Plugin { error: PluginError::Schema(text), plugin, .. } => {
                Some(Error::input(&self.key, format!("plugin {plugin} cannot serve these columns: {text}")))
            }
            CallError::Withheld { .. } => Some(Error::input(&self.key, error.to_string())),
            CallError::Denied { .. } | CallError::WrongRole { .. } => {
                Some(Error::input(format!("{}.grant", self.key), error.to_string()))
            }
            _ => None,
        }
    }
}

fn broken(error: &CallError) -> Error {
    let (plugin, call) = match error {
        CallError::Trap { plugin, call, .. }
        | CallError::Timeout { plugin, call, .. }
        | CallError::Memory { plugin, call, .. }
        | CallError::Output { plugin, call, .. }
        | CallError::Table { plugin, call, .. }
        | CallError::Fuel { plugin, call, .. }
        | CallError::Contract { plugin, call, .. }
        | CallError::Plugin { plugin, call, .. }
        | CallError::Misuse { plugin, call, .. } => (plugin.clone(), *call),
        CallError::Denied { plugin, .. }
        | CallError::Withheld { plugin, .. }
        | CallError::WrongRole { plugin, .. }
        | CallError::Dead { plugin, .. } => (plugin.clone(), "open"),
    };
    Error::Plugin { plugin, call, message: error.to_string() }
}

fn config_problems(key: &str, problems: &[forcepump_sandbox::ConfigProblem]) -> Error {
    Error::Input(
        problems
            .iter()
            .map(|problem| Problem::new(format!("{key}.config{}", dotted(&problem.pointer)), &problem.message))
            .collect(),
    )
}

/// A JSON pointer in the notation of the file's keys.
fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).map(|part| format!(".{}", part.replace("~1", "/").replace("~0", "~"))).collect()
}

/// TOML has dates where JSON has none: they become text.
fn json_of(table: &toml::Table) -> Value {
    Value::Object(table.iter().map(|(key, value)| (key.clone(), json_value(value))).collect())
}

fn json_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(moment) => Value::from(moment.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json_value).collect()),
        toml::Value::Table(table) => json_of(table),
    }
}

struct ObservedLog(Arc<dyn Observer>);

impl LogSink for ObservedLog {
    fn line(&self, line: LogLine) {
        let level = match line.level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let fields: String = line.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.0.event(Event::PluginLog { plugin: line.plugin, level, message: line.message + &fields });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_shown_in_the_files_notation() {
        assert_eq!(dotted(""), "");
        assert_eq!(dotted("/columns/0/a~1b"), ".columns.0.a/b");
    }

    #[test]
    fn toml_dates_become_text() {
        let table: toml::Table = toml::from_str("day = 2020-01-02\nn = [1, 2.5, true]").unwrap();
        assert_eq!(json_of(&table), serde_json::json!({"day": "2020-01-02", "n": [1, 2.5, true]}));
    }
}
