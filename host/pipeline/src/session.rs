//! One pipeline with its connection: what `check`, `plan`, `preview` and `run` start from.

mod beginning;
mod feeds;
mod reading;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use forcepump_salesforce::{Client, Listener, ResolvedConnection};
use secrecy::SecretString;

use crate::again::Retry;
use crate::cancel::Cancel;
use crate::capability::{self, Ambient};
use crate::chain::Opening;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::file::{Connections, Pipeline, find_connections_file, parse_moment};
use crate::host::Host;
use crate::incremental::Window;
use crate::lock::Pins;
use crate::part::{Part, Step};
use crate::plan::{self, Plan};
use crate::preview::{self, Preview};
use crate::report::{ResultPlace, RunReport};
use crate::run;
use crate::run::shared::Parts;
use crate::run::writer::Writer;
use crate::state::State;
use crate::variables::system::System;
use crate::variables::{KeptVariable, Variables};
use crate::verify::{self, Verification};

/// Rows of a batch at most when plugins may choose: beyond it memory grows and nothing gets faster.
const MAX_PREFERRED_ROWS: usize = 65_536;

/// The run id that transforms see in a repeatable run; destinations see the real one, by which they know a unit again.
const REPEATABLE_RUN: &str = "repeatable";

/// Name of the feed of a pipeline that reads a query.
pub(crate) const QUERY: &str = "query";

/// How to reach the embedded emulator, for connections with `environment = "demo"`.
#[derive(Debug, Clone)]
pub struct DemoAccess {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// consumer key
    pub client_id: String,
    /// consumer secret
    pub client_secret: String,
}

/// How a run begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// goes on with the pipeline's unfinished run, when that is of the same plan; else as a new one
    #[default]
    GoOn,
    /// as a new one, whatever is unfinished
    Fresh,
    /// goes on with this run, or not at all
    GoOnWith(String),
}

/// What a run that goes on has of its beginning.
#[derive(Debug, Clone)]
pub(crate) struct Adopted {
    pub run_id: String,
    /// microseconds since the epoch
    pub submitted_at: i64,
    /// microseconds since the epoch
    pub as_of: i64,
    pub variables: Vec<KeptVariable>,
}

/// A pipeline file, its connection, and the host it runs on. Opening it sends nothing.
pub struct Session {
    host: Host,
    pipeline: Pipeline,
    client: Client,
    connection: String,
    org: String,
    locked: bool,
    run_id: String,
    /// microseconds since the epoch
    submitted_at: i64,
    given: BTreeMap<String, String>,
    start: Start,
    /// the unfinished run that it goes on with
    adopted: OnceLock<Adopted>,
    /// rejected rows of a former run, which it reads again in the place of the pipeline's rows
    retry: Option<Retry>,
    /// the same as they are when the run begins, or as they were when it was begun
    settled: OnceLock<Retry>,
    /// of an incremental source, once it is known: one session has one window
    window: OnceLock<Window>,
    /// Salesforce's clock as it was first read: all feeds of a run end at one horizon
    now: Arc<OnceLock<i64>>,
    /// where the feeds of a run share a database
    writer: Writer,
    /// the fields that the run fills in, in the place of a run of the pipeline
    filling: Option<Vec<String>>,
    /// the same of several feeds, by name
    filling_feeds: BTreeMap<String, Vec<String>>,
}

impl Session {
    /// Whether the pipeline's connection is the embedded emulator, which has to be started first.
    ///
    /// # Errors
    /// [`Error::File`] when the connections file or the connection is missing or malformed.
    pub fn needs_demo(pipeline: &Pipeline, connections: Option<&Path>) -> Result<bool, Error> {
        let path = find_connections_file(connections, pipeline.folder())?;
        Ok(Connections::load(&path)?.get(&pipeline.file.source.connection)?.is_demo())
    }

    /// Resolves the connection and its secrets.
    ///
    /// # Errors
    /// [`Error::File`] for the connections file, [`Error::Source`] when a secret or the connection is unusable.
    pub fn open(
        host: &Host,
        pipeline: Pipeline,
        connections: Option<&Path>,
        demo: Option<&DemoAccess>,
    ) -> Result<Self, Error> {
        let path = find_connections_file(connections, pipeline.folder())?;
        let known = Connections::load(&path)?;
        let name = pipeline.file.source.connection.clone();
        let config = known.get(&name)?;
        let resolved = match demo {
            Some(access) if config.is_demo() => demo_connection(access, &name, config.api_version.as_deref())?,
            _ => config.resolve(&name, known.folder())?,
        };
        let resolved = match &pipeline.file.source.api_version {
            Some(version) => resolved.named(&name, Some(version))?,
            None => resolved,
        };
        let org = resolved.host().to_owned();
        let client = Client::new(resolved, config.options())?;
        Ok(Self {
            host: host.clone(),
            pipeline,
            client,
            connection: name,
            org,
            locked: false,
            run_id: run::start::new_run_id(),
            submitted_at: chrono::Utc::now().timestamp_micros(),
            given: BTreeMap::new(),
            start: Start::default(),
            adopted: OnceLock::new(),
            retry: None,
            settled: OnceLock::new(),
            window: OnceLock::new(),
            now: Arc::default(),
            writer: Writer::default(),
            filling: None,
            filling_feeds: BTreeMap::new(),
        })
    }

    /// Name of what is read: the object as the file has it, or `query`.
    pub(crate) fn feed(&self) -> &str {
        self.pipeline.file.source.object.as_deref().unwrap_or(QUERY)
    }

    /// What `--set` gave.
    pub(crate) fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// The run's one moment, in microseconds since the epoch.
    pub(crate) fn as_of(&self) -> i64 {
        let begun = self.adopted.get().map_or(self.submitted_at, |adopted| adopted.as_of);
        self.fixed().map_or(begun, |(as_of, _)| as_of)
    }

    /// When the run was begun, in microseconds since the epoch.
    pub(crate) fn submitted_at(&self) -> i64 {
        self.adopted.get().map_or(self.submitted_at, |adopted| adopted.submitted_at)
    }

    /// The variables with their values.
    pub(crate) fn variables(&self) -> Result<Variables, Error> {
        if let Some(adopted) = self.adopted.get() {
            return Ok(Variables::restored(&adopted.variables));
        }
        let file = &self.pipeline.file;
        let mut system = System::new(&self.run_id, &file.name, self.as_of());
        if let Some(state) = State::open_existing(self.pipeline.folder())? {
            system.last = state.last_successful(&file.name)?;
        }
        Variables::evaluate(file, self.pipeline.folder(), &self.given, &system)
    }

    /// Parses, resolves and validates everything without moving data; costs a login and describes.
    ///
    /// # Errors
    /// What [`Session::run`] would fail on before its first row.
    pub async fn plan(&self) -> Result<Plan, Error> {
        plan::plan(self).await
    }

    /// Shows rows before and after each transform; the destination is not touched.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn preview(&self, rows: usize, observer: &Arc<dyn Observer>, cancel: &Cancel) -> Result<Preview, Error> {
        self.tell(observer);
        preview::preview(self, rows, observer, cancel).await
    }

    /// Moves the data. Never fails: the report holds the error.
    pub async fn run(&self, observer: Arc<dyn Observer>, cancel: Cancel) -> RunReport {
        self.tell(&observer);
        run::run(self, observer, cancel).await
    }

    /// Looks at a former run of the pipeline again: counts the source by the run's queries and recounts the destination;
    /// `keys`: compares the ids of the rows too.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`]; what Salesforce says; [`Error::Place`] for a database that cannot be read.
    pub async fn verify(&self, run: &str, keys: bool, cancel: &Cancel) -> Result<Verification, Error> {
        verify::verify(self, run, keys, cancel).await
    }

    /// Whom to tell what happens on the way to Salesforce; a run and a preview tell their observer instead.
    pub fn listen(&self, listener: Listener) {
        self.client.listen(listener);
    }

    /// What happens on the way to Salesforce becomes a warning of the observer.
    pub(crate) fn tell(&self, observer: &Arc<dyn Observer>) {
        let observer = Arc::clone(observer);
        self.client.listen(Arc::new(move |text| observer.event(Event::Warning(text.to_owned()))));
    }

    /// The pipeline.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn connection_name(&self) -> &str {
        &self.connection
    }

    pub(crate) fn org(&self) -> &str {
        &self.org
    }

    fn wants_classification(&self) -> bool {
        let file = &self.pipeline.file;
        file.destination.withhold_classified || file.transform.iter().any(|step| step.withhold_classified)
    }

    /// Loads every plugin and checks its configuration.
    pub(crate) fn parts(&self) -> Result<Parts, Error> {
        if let Some(all) = self.of_all() {
            return all.parts();
        }
        let file = &self.pipeline.file;
        let pins = Pins::of(&self.pipeline, self.locked)?;
        let fixed = self.fixed().map(|(as_of, seed)| Ambient::fixed(as_of, seed));
        let load = |step: Step<'_>| Part::load(&self.host, &step, self.pipeline.folder(), fixed, &pins);
        let feed = self.pipeline.feed();
        let served = file.transform.iter().enumerate().filter(|(_, step)| step.serves(feed));
        let transforms = served.map(|(index, step)| load(Step::transform(index, step))).collect::<Result<_, _>>()?;
        let parts = Parts { transforms, destination: load(Step::destination(&file.destination))? };
        pins.enforce(&self.host, &self.pipeline, &parts)?;
        Ok(parts)
    }

    /// A note for each component file that the lock file does not pin.
    pub(crate) fn unpinned(&self) -> Result<Vec<String>, Error> {
        Ok(Pins::of(&self.pipeline, self.locked)?.unpinned(&self.host, &self.pipeline))
    }

    pub(crate) fn opening(&self, run_id: &str, object: &str) -> Opening {
        Opening {
            feed: object.to_owned(),
            run_id: run_id.to_owned(),
            known_as: run_id.to_owned(),
            shown_run_id: if self.is_repeatable() { REPEATABLE_RUN.to_owned() } else { run_id.to_owned() },
            as_of_micros: self.as_of(),
        }
    }

    /// Whether the same input is to give the same bytes.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.pipeline.file.repeatable.is_some()
    }

    /// The moment and the seed of a repeatable run; the file was validated.
    fn fixed(&self) -> Option<(i64, u64)> {
        let repeatable = self.pipeline.file.repeatable.as_ref()?;
        Some((parse_moment(&repeatable.as_of).unwrap_or_default(), repeatable.seed))
    }

    /// Rows per batch: the file's word, else what the plugins prefer, else the default.
    pub(crate) fn batch_rows(&self, preferred: u32) -> usize {
        match (self.pipeline.file.source.batch_rows, preferred) {
            (Some(rows), _) => rows,
            (None, 0) => self.pipeline.batch_rows(),
            (None, rows) => (rows as usize).min(MAX_PREFERRED_ROWS),
        }
    }

    /// Whose turn it is to write, where feeds share a database.
    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn places(&self) -> Vec<ResultPlace> {
        capability::places(&self.pipeline.file.destination.grant, self.pipeline.folder())
    }
}

pub(crate) fn demo_connection(
    access: &DemoAccess,
    name: &str,
    version: Option<&str>,
) -> Result<ResolvedConnection, Error> {
    let secret = SecretString::from(access.client_secret.clone());
    let connection = ResolvedConnection::client_credentials(&access.url, &access.client_id, secret)?;
    Ok(connection.named(name, version)?)
}
