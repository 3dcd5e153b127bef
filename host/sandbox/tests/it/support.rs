//! One engine for all tests, the guests, a life of an instance, and providers that keep all in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use forcepump_sandbox::{
    CallError, Clock, Counters, Ending, Engine, EngineOptions, FileCompression, FileError, FileFormat, FileProvider,
    FileSink, Grants, HttpError, HttpExchange, HttpProvider, HttpRequest, HttpResponse, InsertOptions, Inserted, Level,
    Limits, LogLine, LogSink, OpenRequest, Plugin, Processed, Seed, Settings, SqlConnection, SqlError, SqlProvider,
    SqlRows, Target, Value, WriteMode, Written,
};

pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).expect("an engine"))
}

pub fn component(name: &str) -> &'static [u8] {
    forcepump_plugin_bundle::test_guest(name).expect("a test guest")
}

pub fn evil() -> &'static Plugin {
    static EVIL: OnceLock<Plugin> = OnceLock::new();
    EVIL.get_or_init(|| engine().load("evil", component("evil")).expect("loads"))
}

/// The evil guest that also imports `http`.
pub fn evil_http() -> &'static Plugin {
    static EVIL: OnceLock<Plugin> = OnceLock::new();
    EVIL.get_or_init(|| engine().load("evil-http", component("evil-http")).expect("loads"))
}

/// Whether the evil guest was built for WASI: not where the target can't be had.
pub fn has_wasi_guest() -> bool {
    let is_there = forcepump_plugin_bundle::test_guest("evil-wasi").is_some();
    if !is_there {
        let said = "not tested here: the target wasm32-wasip2 is not installed\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    }
    is_there
}

/// The evil guest built for WASI.
pub fn evil_wasi() -> &'static Plugin {
    static EVIL: OnceLock<Plugin> = OnceLock::new();
    EVIL.get_or_init(|| engine().load("evil-wasi", component("evil-wasi")).expect("loads"))
}

/// Keeps the lines that a plugin logs.
#[derive(Default)]
pub struct Lines(pub Mutex<Vec<LogLine>>);

impl LogSink for Lines {
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Info
    }
    fn line(&self, line: LogLine) {
        self.0.lock().expect("no panic").push(line);
    }
}

/// A database that takes everything.
pub struct MemorySql;

impl SqlProvider for MemorySql {
    fn open(&self) -> Result<Box<dyn SqlConnection>, SqlError> {
        Ok(Box::new(MemorySql))
    }
}

impl SqlConnection for MemorySql {
    fn begin(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
    fn commit(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
    fn rollback(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
    fn execute(&mut self, _statement: &str, _params: &[Value]) -> Result<u64, SqlError> {
        Ok(0)
    }
    fn query(&mut self, _statement: &str, _params: &[Value], _max_rows: u32) -> Result<SqlRows, SqlError> {
        Ok(SqlRows { batch: batch(), more: false })
    }
    fn bulk_insert(
        &mut self,
        _table: &str,
        data: &RecordBatch,
        _options: &InsertOptions,
    ) -> Result<Inserted, SqlError> {
        Ok(Inserted { rows: data.num_rows() as u64, rejects: vec![] })
    }
}

/// A folder that counts its finished files.
#[derive(Clone, Default)]
pub struct MemoryFiles(pub Arc<Mutex<Vec<String>>>);

struct MemorySink(MemoryFiles, String);

impl FileProvider for MemoryFiles {
    fn create(
        &self,
        path: &str,
        _format: FileFormat,
        _compression: FileCompression,
    ) -> Result<Box<dyn FileSink>, FileError> {
        if path.is_empty() {
            return Err(FileError::Denied("outside".to_owned()));
        }
        Ok(Box::new(MemorySink(self.clone(), path.to_owned())))
    }
}

impl FileSink for MemorySink {
    fn write(&mut self, _bytes: &[u8]) -> Result<(), FileError> {
        Ok(())
    }
    fn write_batch(&mut self, _data: &RecordBatch) -> Result<(), FileError> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<Written, FileError> {
        self.0.0.lock().expect("no panic").push(self.1.clone());
        Ok(Written { path: self.1, bytes: 0, rows: 0, sha256: String::new() })
    }
}

/// An origin that answers by path: `/N` with N bytes, `/never` not at all, `/steer` with a header that steers; any
/// other is denied. It heeds no bound, so that the sandbox has to.
#[derive(Clone, Default)]
pub struct MemoryHttp(pub Arc<Mutex<Vec<HttpRequest>>>);

impl HttpProvider for MemoryHttp {
    fn names(&self) -> Vec<String> {
        vec!["api".to_owned()]
    }

    fn send(&self, request: HttpRequest) -> HttpExchange<'_> {
        let path = request.url.strip_prefix("https://api.example/").unwrap_or("elsewhere").to_owned();
        let credential = request.credential.clone();
        self.0.lock().expect("no panic").push(request);
        Box::pin(async move {
            let header = |value: &str| vec![("x-answer".to_owned(), value.to_owned())];
            match (path.as_str(), credential) {
                (_, Some(_)) => Err(HttpError::UnknownCredential),
                ("never", None) => std::future::pending().await,
                ("steer", None) => Ok(HttpResponse { status: 200, headers: header("a\u{1b}[2Jb"), body: vec![] }),
                (path, None) => match path.parse() {
                    Ok(bytes) => Ok(HttpResponse { status: 200, headers: header("yes"), body: vec![0; bytes] }),
                    Err(_) => Err(HttpError::Denied("no\u{1b}pe".to_owned())),
                },
            }
        })
    }
}

pub fn all_grants(files: &MemoryFiles) -> Grants {
    Grants {
        clock: Some(Clock::Frozen(42)),
        random: Some(Seed::Fixed(1)),
        sql: BTreeMap::from([("db".to_owned(), Arc::new(MemorySql) as Arc<dyn SqlProvider>)]),
        files: BTreeMap::from([("out".to_owned(), Arc::new(files.clone()) as Arc<dyn FileProvider>)]),
        http: Some(Arc::new(MemoryHttp::default())),
    }
}

pub fn settings(limits: Limits) -> (Settings, Arc<Lines>, MemoryFiles) {
    let (lines, files) = (Arc::new(Lines::default()), MemoryFiles::default());
    let settings = Settings { grants: all_grants(&files), limits, log: lines.clone(), ..Settings::default() };
    (settings, lines, files)
}

pub fn schema() -> SchemaRef {
    let id = Field::new("id", DataType::Int32, false);
    Arc::new(Schema::new(vec![id, Field::new("name", DataType::Utf8, true)]))
}

/// Ten rows.
pub fn batch() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10));
    let names = (0..10).map(|row| (row % 3 != 0).then(|| format!("name {row}")));
    let names: ArrayRef = Arc::new(StringArray::from_iter(names));
    RecordBatch::try_new(schema(), vec![ids, names]).expect("fits")
}

pub fn open_request(config: &str) -> OpenRequest {
    OpenRequest {
        config_json: config.to_owned(),
        input: schema(),
        feed: "Account".to_owned(),
        lane: 0,
        run_id: "run".to_owned(),
        as_of_micros: 0,
        saved: None,
    }
}

pub fn target(config: &str) -> Target {
    Target {
        config_json: config.to_owned(),
        input: schema(),
        feed: "Account".to_owned(),
        run_id: "run".to_owned(),
        as_of_micros: 0,
        mode: WriteMode::Append,
        keys: vec![],
    }
}

/// What an instance came to.
#[derive(Debug, Default)]
pub struct Life {
    pub error: Option<CallError>,
    pub processed: Option<Processed>,
    pub counters: Counters,
    /// What the next call said after an error.
    pub afterwards: Option<CallError>,
}

/// A whole life of a transform of the evil guest.
pub async fn transform_life(settings: &Settings, config: &str) -> Life {
    let mut life = Life::default();
    let mut instance = evil().transform(settings).await.expect("an instance");
    let outcome = async {
        instance.open(open_request(config)).await?;
        life.processed = Some(instance.process(batch(), 0).await?);
        instance.finish(100).await?;
        instance.save().await.map(drop)
    };
    life.error = outcome.await.err();
    if life.error.is_some() {
        life.afterwards = instance.process(batch(), 0).await.err();
    }
    life.counters = instance.counters().clone();
    life
}

/// A whole life of a destination of the evil guest.
pub async fn destination_life(settings: &Settings, config: &str) -> Life {
    let mut life = Life::default();
    let mut instance = evil().destination(settings).await.expect("an instance");
    let target = target(config);
    let outcome = async {
        let prepared = instance.prepare(&target).await?;
        instance.begin(&target, &prepared, "unit").await?;
        instance.write(&batch()).await?;
        instance.abandon().await?;
        instance.begin(&target, &prepared, "unit").await?;
        instance.write(&batch()).await?;
        let token = instance.commit().await?;
        instance.conclude(&target, Ending::Complete, &[token]).await
    };
    life.error = outcome.await.err();
    if life.error.is_some() {
        life.afterwards = instance.abandon().await.err();
    }
    life.counters = instance.counters().clone();
    life
}

/// An honest run on the same engine: after an attack the host must still work.
pub async fn assert_host_still_works() {
    let (settings, ..) = settings(Limits::default());
    let life = transform_life(&settings, "{}").await;
    assert_eq!(life.error, None);
    let processed = life.processed.expect("processed");
    assert_eq!(processed.batches[0].num_rows(), 10);
    assert_eq!(processed.batches[0].num_columns(), 3);
}
