//! Instances that transform: `open` settles the output, `process` takes batch after batch.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod outcome;
mod output;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use forcepump_batch::RowReject;

use crate::bindings::exports::forcepump::plugin::{checkpoint, transform as wit};
use crate::border::{Access, sheet};
use crate::contract::{flattened_schema, opaque_types, schema_to_wit};
use crate::error::CallError;
use crate::grants::Settings;
use crate::limits::{MAX_CHECKPOINT_BYTES, MAX_ROWS};
use crate::plugin::Plugin;
use crate::session::{Session, guest_call};
use crate::telemetry::Counters;
use output::Output;

/// What a transform is opened with.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// JSON text, checked with [`Plugin::check_config`] before.
    pub config_json: String,
    /// Schema of the batches that will come.
    pub input: SchemaRef,
    /// Name of the object or query.
    pub feed: String,
    /// Number of the worker, from 0.
    pub lane: u32,
    /// The run's id.
    pub run_id: String,
    /// The run's one point in time, in microseconds since the epoch.
    pub as_of_micros: i64,
    /// What [`TransformInstance::save`] gave, when resuming.
    pub saved: Option<Vec<u8>>,
}

/// Where an output column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The input column of that number, which never crosses.
    Keep(u32),
    /// The same value in each row.
    Constant,
    /// The plugin computes it.
    Computed,
}

/// What `open` settled.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Schema of the batches that come out.
    pub output: SchemaRef,
    /// One for each output column.
    pub sources: Vec<Source>,
    /// Input columns that the plugin reads. What is neither read nor kept need not be fetched.
    pub reads: Vec<u32>,
    /// Rows per batch that suit the plugin; 0 leaves it to the host.
    pub preferred_rows: u32,
}

/// What became of a batch: `selected + filtered + rejects` are its rows, but for a `replaced` one.
#[derive(Debug, Clone, Default)]
pub struct Processed {
    /// What goes on, in order. Batches without rows are left out.
    pub batches: Vec<RecordBatch>,
    /// Input rows that the plugin refused.
    pub rejects: Vec<RowReject>,
    /// Input rows that go on, each counted once however often it was taken.
    pub selected: u64,
    /// Input rows that neither go on nor were refused.
    pub filtered: u64,
    /// The batches have rows of their own: `selected` and `filtered` are 0 and count nothing.
    pub replaced: bool,
}

/// One instance of a transform, for one feed and one lane.
pub struct TransformInstance {
    session: Session,
    guest: wit::Guest,
    checkpoint: Option<checkpoint::Guest>,
    plugin: Plugin,
    withheld: std::collections::BTreeSet<String>,
    output: Option<Output>,
}

impl std::fmt::Debug for TransformInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransformInstance").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

impl TransformInstance {
    pub(crate) async fn new(plugin: &Plugin, settings: &Settings) -> Result<Self, CallError> {
        let roles = &plugin.inner.roles;
        let indices = roles.transform.as_ref().ok_or_else(|| plugin.wrong_role("transform"))?;
        let mut session = plugin.session(settings).await?;
        let instance = session.instance;
        let mismatch = |session: &mut Session, error: wasmtime::Error| {
            session.broke("instantiate", crate::text::engine_error(&error))
        };
        let guest = indices.load(&mut session.store, &instance);
        let guest = guest.map_err(|error| mismatch(&mut session, error))?;
        let checkpoint = match &roles.checkpoint {
            Some(indices) => {
                let loaded = indices.load(&mut session.store, &instance);
                Some(loaded.map_err(|error| mismatch(&mut session, error))?)
            }
            None => None,
        };
        let (plugin, withheld) = (plugin.clone(), settings.withheld.clone());
        Ok(TransformInstance { session, guest, checkpoint, plugin, withheld, output: None })
    }

    /// Settles the output. Called once, before all else.
    ///
    /// # Errors
    /// A [`CallError`]; [`CallError::Plugin`] when the plugin refuses the configuration or schema.
    pub async fn open(&mut self, request: OpenRequest) -> Result<Opened, CallError> {
        self.session.check_alive()?;
        if self.output.is_some() {
            return Err(self.session.misuse("open", "the instance is open already"));
        }
        let input = flattened_schema(&request.input);
        let state = self.session.store.data_mut();
        state.border.set_opaque(opaque_types(&input));
        state.random.bind(self.plugin.digest(), &request.feed, request.lane);
        state.as_of_micros = request.as_of_micros;
        let request = wit::OpenRequest {
            config: request.config_json,
            input: schema_to_wit(&input),
            feed: request.feed,
            lane: request.lane,
            run_id: request.run_id,
            as_of: request.as_of_micros,
            saved: request.saved,
        };
        let guest = &self.guest;
        let answer = guest_call!(&mut self.session, "open", None, |store| { guest.call_open(store, &request) })?;
        let opaque = self.session.store.data().border.opaque();
        let settled = Output::settle(&input, answer, opaque, &self.withheld);
        let output = settled.map_err(|rule| self.session.broke("open", rule))?;
        let columns = output.withheld_reads();
        if !columns.is_empty() {
            let plugin = self.plugin.name().to_owned();
            return Err(self.session.end(CallError::Withheld { plugin, columns }));
        }
        self.session.done();
        let opened = output.opened();
        self.output = Some(output);
        Ok(opened)
    }

    /// Takes one batch of the settled input schema. `first_row` is the unit's number of its row 0.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn process(&mut self, batch: RecordBatch, first_row: u64) -> Result<Processed, CallError> {
        const CALL: &str = "process";
        self.session.check_alive()?;
        let Some(output) = self.output.as_mut() else {
            return Err(self.session.misuse(CALL, "the instance is not open"));
        };
        if let Err(reason) = output.check_input(&batch) {
            return Err(self.session.misuse(CALL, reason));
        }
        let rows = match u32::try_from(batch.num_rows()) {
            Ok(rows) if rows <= MAX_ROWS => rows,
            _ => return Err(self.session.misuse(CALL, format!("more than {MAX_ROWS} rows"))),
        };
        let sheet = sheet(&batch, |column| output.access(column));
        let sheet = sheet.map_err(|reason| self.session.misuse(CALL, reason))?;
        let input = sheet.clone();
        let guest = &self.guest;
        let answer = guest_call!(&mut self.session, "process", Some(sheet), |store| {
            guest.call_process(store, wit::Input { rows, first_row })
        })?;
        let state = self.session.store.data_mut();
        let processed = outcome::check(output, &input, answer, &mut state.border);
        let processed = processed.map_err(|rule| self.session.broke(CALL, rule))?;
        self.session.done();
        Ok(processed)
    }

    /// Asks for rows that the plugin kept back. Called after the last batch until it gives none.
    ///
    /// # Errors
    /// A [`CallError`]; after [`CallError::Plugin`] the instance can be called again.
    pub async fn finish(&mut self, max_rows: u32) -> Result<Option<RecordBatch>, CallError> {
        const CALL: &str = "finish";
        self.session.check_alive()?;
        let Some(output) = self.output.as_ref() else {
            return Err(self.session.misuse(CALL, "the instance is not open"));
        };
        let guest = &self.guest;
        let limit = self.session.store.data().limits.rows;
        let asked = max_rows.min(limit);
        let answer = guest_call!(&mut self.session, "finish", None, |store| { guest.call_finish(store, asked) })?;
        let border = &self.session.store.data().border;
        let batch = answer.map(|emitted| match emitted.rows {
            rows if rows > limit => Err(format!("{rows} rows come out, more than {limit} (limits.rows = {limit})")),
            rows if rows > asked => Err(format!("{rows} rows come out, {asked} were asked for at most")),
            _ => outcome::emitted(output, emitted, border),
        });
        let batch = batch.transpose().map_err(|rule| self.session.broke(CALL, rule))?;
        self.session.done();
        Ok(batch)
    }

    /// Asks for the state, to be given to [`OpenRequest::saved`] when resuming.
    ///
    /// # Errors
    /// [`CallError::WrongRole`] when the plugin has no `checkpoint`; else a [`CallError`].
    pub async fn save(&mut self) -> Result<Vec<u8>, CallError> {
        let Some(guest) = &self.checkpoint else {
            return Err(self.plugin.wrong_role("checkpoint"));
        };
        let saved = guest_call!(&mut self.session, "save", None, |store| guest.call_save(store))?;
        if saved.len() > MAX_CHECKPOINT_BYTES {
            let rule = format!("{} bytes are more than the {MAX_CHECKPOINT_BYTES} of a checkpoint", saved.len());
            return Err(self.session.broke("save", rule));
        }
        self.session.done();
        Ok(saved)
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
}

/// Which columns a withheld name or a missing `reads` closes.
fn access(name: &str, read: bool, withheld: &std::collections::BTreeSet<String>) -> Access {
    match (withheld.contains(name), read) {
        (true, _) => Access::Withheld,
        (false, true) => Access::Open,
        (false, false) => Access::Undeclared,
    }
}
