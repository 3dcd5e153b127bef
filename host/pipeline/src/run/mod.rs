//! A run: job, workers, commits, the destination's last step, and the report of it all.

mod broken;
mod deliver;
mod empty;
mod failure;
mod findings;
mod lane;
mod limit;
mod mend;
mod overlap;
mod pages;
mod reader;
mod record;
mod refuse;
mod rejects;
mod retry;
pub(crate) mod shared;
pub(crate) mod start;
mod tally;
mod unit;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forcepump_salesforce::{Client, QueryJob};
use forcepump_sandbox::Ending;

use crate::cancel::Cancel;
use crate::error::Error;
use crate::event::{Event, Observer, Phase};
use crate::report::{ReportedError, ResultPlace, RunReport, RunState, SkippedField};
use crate::session::Session;
use limit::When;
use record::Record;
use rejects::UnitRejects;
use retry::patiently;
use shared::Shared;
use tally::UnitTally;

pub(crate) use overlap::RowHash;
pub(crate) use pages::PageQueue;
pub(crate) use reader::{Columns, Piece, Reading, read};
pub(crate) use refuse::cell;

/// How long an interrupted run waits for the answer to the creation of its job.
const CREATION_GRACE: Duration = Duration::from_secs(10);

/// Runs the pipeline once; whatever happens is in the report.
pub(crate) async fn run(session: &Session, observer: Arc<dyn Observer>, cancel: Cancel) -> RunReport {
    let started = Instant::now();
    let mut progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
    let record = match Record::begin(session) {
        Ok(record) => record,
        Err(error) => return report(session, progress, Some(error), started),
    };
    let outcome = attempt(session, &observer, &cancel, &record, &mut progress).await;
    let mut report = report(session, progress, outcome.err(), started);
    if let Err(error) = record.end(session, &report).await {
        // Without its end in the state the next run would not know where to begin.
        report.state = RunState::Failed;
        report.error.get_or_insert_with(|| told(&error));
    }
    report
}

/// What is known of a run as it goes; an error does not take it away.
#[derive(Default)]
struct Progress {
    run_id: String,
    job_id: Option<String>,
    announced: u64,
    skipped: Vec<SkippedField>,
    shared: Option<Arc<Shared>>,
}

async fn attempt(
    session: &Session,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    record: &Record,
    progress: &mut Progress,
) -> Result<(), Error> {
    observer.event(Event::Phase(Phase::Planning));
    let ready = cancel.race(start::prepare(session, observer, record, cancel)).await.ok_or(Error::Interrupted)??;
    progress.skipped = ready.skipped.clone();
    progress.shared = Some(Arc::clone(&ready.shared));
    let moved = match create_job(session, &ready, cancel).await {
        Ok(job) => with_job(&ready, job, cancel, progress).await,
        Err(error) => Err(error),
    };
    let concluded = conclude(&ready, &moved).await;
    ready.shared.tell_drops();
    moved.and(concluded)
}

/// Creates the job. A creation that is on its way when the operator interrupts is waited for: without its id the job
/// could not be aborted and would stay in the org.
async fn create_job(session: &Session, ready: &start::Ready, cancel: &Cancel) -> Result<QueryJob, Error> {
    if cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    let creating = start::create_job(session, ready);
    tokio::pin!(creating);
    match cancel.race(&mut creating).await {
        Some(created) => created,
        None => tokio::time::timeout(CREATION_GRACE, creating).await.unwrap_or(Err(Error::Interrupted)),
    }
}

/// Waits for the job, moves its rows, and leaves no job behind in the org.
async fn with_job(ready: &start::Ready, job: QueryJob, cancel: &Cancel, progress: &mut Progress) -> Result<(), Error> {
    progress.job_id = Some(job.id().to_owned());
    let observer = &ready.shared.observer;
    observer.event(Event::JobCreated { id: job.id().to_owned() });
    let moved = wait_and_move(ready, &job, cancel, progress).await;
    if moved.is_err() {
        // What cannot be aborted has ended already; either way the results are of no use to anyone.
        let _ = job.abort().await;
    }
    if let Err(error) = job.delete().await {
        observer.event(Event::Warning(format!("the job {} stays in the org until it expires: {error}", job.id())));
    }
    moved
}

async fn wait_and_move(
    ready: &start::Ready,
    job: &QueryJob,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let observer = Arc::clone(&ready.shared.observer);
    observer.event(Event::Phase(Phase::Querying));
    let polled = |info: &forcepump_salesforce::JobInfo| {
        let rows = info.number_records_processed.unwrap_or(0);
        observer.event(Event::JobPolled { state: info.state.as_str().to_owned(), rows });
    };
    let info = job.wait(polled, cancel.cancelled()).await.map_err(interrupted_or_source)?;
    let rows = info.number_records_processed.ok_or_else(|| no_total(job))?;
    progress.announced = rows;
    observer.event(Event::Announced { rows });
    observer.event(Event::Phase(Phase::Moving));
    lane::move_pages(ready, job, cancel).await?;
    check_total(job, rows, &ready.shared)?;
    ready.shared.check_rejects(&UnitTally::default(), &UnitRejects::new(), When::End)?;
    empty::write_columns(ready).await
}

fn interrupted_or_source(error: forcepump_salesforce::Error) -> Error {
    match error {
        forcepump_salesforce::Error::Cancelled { .. } => Error::Interrupted,
        other => other.into(),
    }
}

/// Without the job's own count a missing page could pass as the end (Bulk API 2.0 guide: every complete job has it).
fn no_total(job: &QueryJob) -> Error {
    Error::SourceData(format!(
        "job {} is complete, but its numberRecordsProcessed is missing; without it a short result would pass as whole\nhint: run again; if it happens again, report the job id to Salesforce",
        job.id()
    ))
}

/// The job's own count against the rows parsed from all pages: a missing page cannot pass.
fn check_total(job: &QueryJob, announced: u64, shared: &Shared) -> Result<(), Error> {
    let read = shared.ledger().rows.read;
    if announced == read {
        return Ok(());
    }
    Err(Error::SourceData(format!(
        "job {} announced {announced} rows (numberRecordsProcessed), but its pages held {read}; the units committed so far stay, the run is not complete\nhint: run again; if it happens again, report the job id to Salesforce",
        job.id()
    )))
}

async fn conclude(ready: &start::Ready, moved: &Result<(), Error>) -> Result<(), Error> {
    ready.shared.observer.event(Event::Phase(Phase::Concluding));
    let how = match moved {
        Ok(()) => Ending::Complete,
        Err(Error::Interrupted) => Ending::Cancelled,
        Err(_) => Ending::Failed,
    };
    let shared = &ready.shared;
    let tokens = shared.ledger().tokens.clone();
    let mut instance = shared.destination().await?;
    let done = patiently!(shared, instance.conclude(&shared.place.target, how, &tokens));
    shared.health(None).counted(instance.counters());
    done.map_err(|error| shared.parts.destination.destination_error(&error))
}

fn report(session: &Session, progress: Progress, error: Option<Error>, started: Instant) -> RunReport {
    let state = match &error {
        Some(Error::Interrupted) => RunState::Cancelled,
        Some(_) => RunState::Failed,
        None => RunState::Complete,
    };
    let client: &Client = session.client();
    let mut report = RunReport {
        run_id: progress.run_id,
        pipeline: session.pipeline().file.name.clone(),
        state,
        job_id: progress.job_id,
        rows: Default::default(),
        bytes_read: 0,
        units: 0,
        retries: client.retries(),
        seconds: started.elapsed().as_secs_f64(),
        calls_used: client.calls_used(),
        api_usage: client.api_usage(),
        results: session.places(),
        rejects_file: None,
        rejects_by_code: Default::default(),
        plugins: Vec::new(),
        skipped_fields: progress.skipped,
        window: session.window().map(crate::incremental::Window::shown),
        error: error.as_ref().map(told),
    };
    report.rows.announced = progress.announced;
    if let Some(shared) = progress.shared {
        add_ledger(&mut report, &shared);
    }
    report
}

fn told(error: &Error) -> ReportedError {
    ReportedError { class: error.class().word().into(), message: error.to_string() }
}

fn add_ledger(report: &mut RunReport, shared: &Shared) {
    let ledger = shared.ledger();
    let announced = report.rows.announced;
    report.rows = ledger.rows;
    report.rows.announced = announced;
    report.bytes_read = ledger.bytes;
    report.units = ledger.units;
    report.retries += ledger.retries;
    report.rejects_file = ledger.rejects.path().map(|path| path.display().to_string());
    report.rejects_by_code = ledger.rejects.by_code().clone();
    report.plugins = shared.plugin_reports();
    if report.state == RunState::Complete && report.rows.rejected > 0 {
        report.state = RunState::CompleteWithRejects;
    }
    name_files(&mut report.results, &ledger.tokens);
}

/// A token names a file and not its folder: where several are granted, a file is told in the one that holds it.
fn name_files(results: &mut [ResultPlace], tokens: &[String]) {
    let is_folder = |place: &&mut ResultPlace| matches!(place, ResultPlace::Folder { .. });
    let folders = results.iter_mut().filter(is_folder).count();
    for place in results {
        if let ResultPlace::Folder { path, files } = place {
            let named = tokens.iter().filter(|token| !token.is_empty()).map(|token| file_of(token));
            *files = named.filter(|file| folders == 1 || Path::new(path).join(file).is_file()).collect();
        }
    }
}

/// A file destination's token is a JSON object that names its file; any other token stands for itself.
fn file_of(token: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(token).ok();
    let path = parsed.as_ref().and_then(|value| value.get("path")?.as_str());
    path.unwrap_or(token).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_names_a_file_is_that_file() {
        assert_eq!(file_of(r#"{"path":"a/b.csv","rows":1}"#), "a/b.csv");
        assert_eq!(file_of("tx 7"), "tx 7");
    }

    #[test]
    fn a_file_is_told_in_the_folder_that_holds_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(one.path().join("a.csv"), "").unwrap();
        let place = |folder: &Path| ResultPlace::Folder { path: folder.display().to_string(), files: Vec::new() };
        let files = |place: &ResultPlace| match place {
            ResultPlace::Folder { files, .. } => files.len(),
            ResultPlace::Sqlite { .. } => 0,
        };
        let tokens = [r#"{"path":"a.csv"}"#.to_owned(), String::new()];
        let mut results = [place(one.path()), place(other.path())];
        name_files(&mut results, &tokens);
        assert_eq!(results.iter().map(files).collect::<Vec<_>>(), [1, 0]);
        let mut results = [place(other.path())];
        name_files(&mut results, &tokens);
        assert_eq!(files(&results[0]), 1, "the only folder holds what a token names, wherever it is by now");
    }
}
