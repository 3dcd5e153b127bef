//! Instances that write: `prepare` once, units of `begin … write … commit`, `conclude` once.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use forcepump_batch::RowReject;

use crate::bindings::exports::forcepump::plugin::destination as wit;
use crate::border::{Access, sheet};
use crate::carried::Carried;
use crate::contract::{flattened_schema, opaque_types, schema_to_wit};
use crate::convert::rejects_from_wit;
use crate::error::CallError;
use crate::grants::Settings;
use crate::limits::{MAX_ERROR_TEXT_BYTES, MAX_LANES, MAX_ROWS, MAX_TOKEN_BYTES};
use crate::plugin::Plugin;
use crate::session::{Session, guest_call};
use crate::telemetry::Counters;
use crate::text::{clean, has_control};

/// What writing means for rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Add rows.
    Append,
    /// Replace all rows.
    Overwrite,
    /// Add or update by key.
    Merge,
    /// Update by key.
    Update,
    /// Delete by key.
    Delete,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every unit is committed.
    Complete,
    /// It failed.
    Failed,
    /// The operator stopped it.
    Cancelled,
}

/// What is written to, the same for every unit of a feed in one run.
#[derive(Debug, Clone)]
pub struct Target {
    /// JSON text, checked with [`Plugin::check_config`] before.
    pub config_json: String,
    /// Schema of the rows that arrive.
    pub input: SchemaRef,
    /// Name of the object or query.
    pub feed: String,
    /// The run's id.
    pub run_id: String,
    /// The run's one point in time, in microseconds since the epoch.
    pub as_of_micros: i64,
    /// What writing means.
    pub mode: WriteMode,
    /// Input columns that identify a row.
    pub keys: Vec<u32>,
}

impl Target {
    fn to_wit(&self) -> wit::Target {
        wit::Target {
            config: self.config_json.clone(),
            input: schema_to_wit(&flattened_schema(&self.input)),
            feed: self.feed.clone(),
            run_id: self.run_id.clone(),
            as_of: self.as_of_micros,
            mode: match self.mode {
                WriteMode::Append => wit::WriteMode::Append,
                WriteMode::Overwrite => wit::WriteMode::Overwrite,
                WriteMode::Merge => wit::WriteMode::Merge,
                WriteMode::Update => wit::WriteMode::Update,
                WriteMode::Delete => wit::WriteMode::Delete,
            },
            keys: self.keys.clone(),
        }
    }
}

/// What `prepare` settled for all units of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Input columns that the destination takes, in its order.
    pub takes: Vec<u32>,
    /// Rows per batch that suit it; 0 leaves it to the host.
    pub preferred_rows: u32,
    /// Units that it can take side by side, at least 1.
    pub lanes: u32,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Taken; durable after `commit`.
    Accepted,
    /// Taken, but for these rows. Their `column` is a number of the target's input schema.
    Partial(Vec<RowReject>),
    /// Nothing was taken; the same batch may be sent again.
    Retry {
        /// When, in milliseconds; the host decides when none is given.
        after_ms: Option<u32>,
        /// For people.
        reason: String,
    },
}

/// The unit that an instance has begun.
struct Unit {
    input: SchemaRef,
    takes: Vec<usize>,
}

/// One instance of a destination, for one feed and one lane.
pub struct DestinationInstance {
    session: Session,
    guest: wit::Guest,
    plugin: Plugin,
    withheld: BTreeSet<String>,
    unit: Option<Unit>,
}

impl std::fmt::Debug for DestinationInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DestinationInstance").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

impl DestinationInstance {
    pub(crate) async fn new(plugin: &Plugin, settings: &Settings) -> Result<Self, CallError> {
        let indices = plugin.inner.roles.destination.as_ref();
        let indices = indices.ok_or_else(|| plugin.wrong_role("destination"))?;
        let mut session = plugin.session(settings).await?;
        let instance = session.instance;
        let guest = indices.load(&mut session.store, &instance);
        let guest = guest.map_err(|error| session.broke("instantiate", crate::text::engine_error(&error)))?;
        let (plugin, withheld) = (plugin.clone(), settings.withheld.clone());
        Ok(DestinationInstance { session, guest, plugin, withheld, unit: None })
    }

    /// Creates the target or lets it grow. Once per run and feed, before the first unit.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn prepare(&mut self, target: &Target) -> Result<Prepared, CallError> {
        self.bind(target, "prepare")?;
        let (guest, of) = (&self.guest, target.to_wit());
        let answer = guest_call!(&mut self.session, "prepare", None, |store| { guest.call_prepare(store, &of) })?;
        let prepared = checked_prepared(answer, target);
        let prepared = prepared.map_err(|rule| self.session.broke("prepare", rule))?;
        self.session.done();
        Ok(prepared)
    }

    /// Starts a unit. `prepared` is what [`DestinationInstance::prepare`] settled, perhaps on
    /// another instance.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn begin(&mut self, target: &Target, prepared: &Prepared, unit: &str) -> Result<(), CallError> {
        self.bind(target, "begin")?;
        self.session.store.data_mut().carried = Carried::default();
        let takes: Vec<usize> = prepared.takes.iter().map(|column| *column as usize).collect();
        if takes.iter().any(|column| *column >= target.input.fields().len()) {
            return Err(self.session.misuse("begin", "`takes` names a column that is not there"));
        }
        let (guest, of) = (&self.guest, target.to_wit());
        guest_call!(&mut self.session, "begin", None, |store| guest.call_begin(store, &of, unit))?;
        self.session.done();
        self.unit = Some(Unit { input: target.input.clone(), takes });
        Ok(())
    }

    /// Hands over one batch of the target's input schema. Only the columns that the destination
    /// takes reach it, numbered from 0 in its order.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<WriteOutcome, CallError> {
        const CALL: &str = "write";
        self.session.check_alive()?;
        let Some(unit) = &self.unit else {
            return Err(self.session.misuse(CALL, "no unit has begun"));
        };
        if !same_columns(batch, &unit.input) {
            return Err(self.session.misuse(CALL, "the batch has another schema than the target"));
        }
        let rows = match u32::try_from(batch.num_rows()) {
            Ok(rows) if rows <= MAX_ROWS => rows,
            _ => return Err(self.session.misuse(CALL, format!("more than {MAX_ROWS} rows"))),
        };
        let taken = batch.project(&unit.takes);
        let taken = taken.map_err(|error| self.session.misuse(CALL, error.to_string()))?;
        let schema = taken.schema_ref();
        let sheet = sheet(&taken, |column| match self.withheld.contains(schema.field(column).name()) {
            true => Access::Withheld,
            false => Access::Open,
        });
        let sheet = sheet.map_err(|reason| self.session.misuse(CALL, reason))?;
        let guest = &self.guest;
        let answer = guest_call!(&mut self.session, "write", Some(sheet), |store| { guest.call_write(store, rows) })?;
        let outcome = checked_outcome(answer, rows as usize, &unit.takes);
        let outcome = outcome.map_err(|rule| self.session.broke(CALL, rule))?;
        self.session.done();
        Ok(outcome)
    }

    /// Makes the unit durable and visible as one, and gives its token.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn commit(&mut self) -> Result<String, CallError> {
        self.session.check_alive()?;
        if self.unit.is_none() {
            return Err(self.session.misuse("commit", "no unit has begun"));
        }
        let guest = &self.guest;
        let token = guest_call!(&mut self.session, "commit", None, |store| guest.call_commit(store))?;
        if token.len() > MAX_TOKEN_BYTES || has_control(&token) {
            let rule = format!("a token has at most {MAX_TOKEN_BYTES} bytes and no control character");
            return Err(self.session.broke("commit", rule));
        }
        self.session.done();
        self.unit = None;
        Ok(token)
    }

    /// Forgets the unit.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn abandon(&mut self) -> Result<(), CallError> {
        let guest = &self.guest;
        guest_call!(&mut self.session, "abandon", None, |store| guest.call_abandon(store))?;
        self.session.done();
        self.unit = None;
        Ok(())
    }

    /// Ends the run for this feed: swap in, sweep, write a manifest. Once, after the last unit.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn conclude(&mut self, target: &Target, how: Ending, tokens: &[String]) -> Result<(), CallError> {
        self.bind(target, "conclude")?;
        let how = match how {
            Ending::Complete => wit::Ending::Complete,
            Ending::Failed => wit::Ending::Failed,
            Ending::Cancelled => wit::Ending::Cancelled,
        };
        let (guest, of) = (&self.guest, target.to_wit());
        guest_call!(&mut self.session, "conclude", None, |store| { guest.call_conclude(store, &of, how, tokens) })?;
        self.session.done();
        Ok(())
    }

    /// What the host carried for the plugin since the unit began; stays readable after its commit.
    #[must_use]
    pub fn carried(&self) -> Carried {
        let state = self.session.store.data();
        Carried { holds: state.border.retains(), ..state.carried.clone() }
    }

    /// Whether the plugin was granted anything that rows can go to.
    #[must_use]
    pub fn has_places(&self) -> bool {
        let grants = &self.session.store.data().grants;
        !grants.sql.is_empty() || !grants.files.is_empty() || grants.http.is_some()
    }

    /// Log lines and metrics so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.session.counters()
    }

    /// Whether the instance can be called.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.session.is_alive()
    }

    fn bind(&mut self, target: &Target, call: &'static str) -> Result<(), CallError> {
        self.session.check_alive()?;
        let columns = target.input.fields().len();
        if let Some(key) = target.keys.iter().find(|key| **key as usize >= columns) {
            let reason = format!("column {key} is a key, the input has {columns}");
            return Err(self.session.misuse(call, reason));
        }
        let state = self.session.store.data_mut();
        state.border.set_opaque(opaque_types(&flattened_schema(&target.input)));
        state.random.bind(self.plugin.digest(), &target.feed, 0);
        state.as_of_micros = target.as_of_micros;
        Ok(())
    }
}

fn same_columns(batch: &RecordBatch, input: &SchemaRef) -> bool {
    let (given, settled) = (batch.schema_ref().fields(), input.fields());
    given.len() == settled.len()
        && given
            .iter()
            .zip(settled)
            .all(|(given, settled)| given.name() == settled.name() && given.data_type() == settled.data_type())
}

fn checked_prepared(answer: wit::Prepared, target: &Target) -> Result<Prepared, String> {
    let columns = target.input.fields().len();
    let mut seen = BTreeSet::new();
    for column in &answer.takes {
        if *column as usize >= columns {
            return Err(format!("`takes` names column {column}, the input has {columns}"));
        }
        if !seen.insert(column) {
            return Err(format!("`takes` names column {column} twice"));
        }
    }
    if answer.lanes == 0 || answer.lanes > MAX_LANES {
        return Err(format!("`lanes` is {}, it must be 1 to {MAX_LANES}", answer.lanes));
    }
    Ok(Prepared { takes: answer.takes, preferred_rows: answer.preferred_rows, lanes: answer.lanes })
}

fn checked_outcome(answer: wit::WriteOutcome, rows: usize, takes: &[usize]) -> Result<WriteOutcome, String> {
    Ok(match answer {
        wit::WriteOutcome::Accepted => WriteOutcome::Accepted,
        wit::WriteOutcome::Partial(rejects) => {
            let mut rejects = rejects_from_wit(rejects, rows, takes.len())?;
            for reject in &mut rejects {
                let column = reject.column.and_then(|column| takes.get(column as usize));
                reject.column = column.and_then(|column| u32::try_from(*column).ok());
            }
            WriteOutcome::Partial(rejects)
        }
        wit::WriteOutcome::Retry(advice) => {
            WriteOutcome::Retry { after_ms: advice.after_ms, reason: clean(&advice.reason, MAX_ERROR_TEXT_BYTES) }
        }
    })
}
