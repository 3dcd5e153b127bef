//! A run: extract, workers, commits, the destination's last step, and the report of it all.

mod ahead;
mod broken;
mod content;
mod cut;
mod deliver;
mod empty;
mod failure;
mod findings;
mod fingerprint;
mod ids;
mod journal;
mod lane;
mod limit;
mod mend;
mod opening;
mod overlap;
mod pages;
mod pass;
mod proof;
mod reader;
mod receipt;
mod record;
mod refuse;
mod rejects;
mod retry;
pub(crate) mod shared;
mod slices;
pub(crate) mod start;
mod tally;
mod unit;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use forcepump_salesforce::{Api, Client, Extract};
use forcepump_sandbox::Ending;

use crate::cancel::Cancel;
use crate::drift::FieldChange;
use crate::error::Error;
use crate::estimate::CallEstimate;
use crate::event::{Event, Observer, Phase};
use crate::report::{ReportedError, ResultPlace, RunReport, RunState, SkippedField};
use crate::session::Session;
use journal::Journal;
use limit::When;
use pass::Pass;
use record::Record;
use rejects::UnitRejects;
use retry::patiently;
use shared::Shared;

pub(crate) use opening::{interrupted_or_source, leave};
pub(crate) use overlap::RowHash;
pub(crate) use pages::PageQueue;
pub(crate) use reader::{Columns, Piece, Reading, Room, read};
pub(crate) use receipt::hex;
pub(crate) use refuse::cell;
pub(crate) use tally::UnitTally;

/// Runs the pipeline once; whatever happens is in the report.
pub(crate) async fn run(session: &Session, observer: Arc<dyn Observer>, cancel: Cancel) -> RunReport {
    let started = Instant::now();
    let mut progress = Progress { run_id: session.run_id().to_owned(), ..Progress::default() };
    let record = match Record::begin(session) {
        Ok(record) => record,
        Err(error) => return report(session, progress, Some(error), started),
    };
    let journal = record.feed(session.feed());
    let outcome = attempt(session, &observer, &cancel, &journal, &mut progress).await;
    let mut report = report(session, progress, outcome.err(), started);
    report.receipt = record.receipt();
    if let Err(error) = journal.ends(session.window(), &report).and_then(|()| record.end(&report)) {
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
    api: Option<String>,
    /// How the rows are read, and the calls sent before that.
    begun: Option<(forcepump_salesforce::ExtractOptions, u64)>,
    announced: u64,
    skipped: Vec<SkippedField>,
    changes: Vec<FieldChange>,
    shared: Option<Arc<Shared>>,
}

/// Moves one feed: plan, pass after pass, the destination's last step.
async fn attempt(
    session: &Session,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
    journal: &Arc<Journal>,
    progress: &mut Progress,
) -> Result<(), Error> {
    observer.event(Event::Phase(Phase::Planning));
    let ready = cancel.race(start::prepare(session, observer, journal, cancel)).await.ok_or(Error::Interrupted)??;
    progress.skipped = ready.skipped.clone();
    progress.changes = ready.drift.changes.clone();
    progress.shared = Some(Arc::clone(&ready.shared));
    let moved = move_passes(session, &ready, cancel, progress).await;
    let concluded = conclude(&ready, &moved).await;
    ready.shared.tell_drops();
    moved.and(concluded)?;
    if let Err(error) = ready.drift.keep(session) {
        let text = format!("the next run will not notice fields that are gone since this one: {error}");
        observer.event(Event::Warning(text));
    }
    Ok(())
}

/// One pass after the other; when nothing was written by any, the columns alone.
async fn move_passes(
    session: &Session,
    ready: &start::Ready,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let cut = cancel.race(slices::passes(session, ready)).await.ok_or(Error::Interrupted)??;
    let mut waiting = VecDeque::from(cut);
    while let Some(pass) = waiting.pop_front() {
        if let Err(error) = move_pass(session, ready, &pass, cancel, progress).await {
            let halves =
                cancel.race(slices::halves(session, ready, &pass, error)).await.ok_or(Error::Interrupted)??;
            halves.into_iter().rev().for_each(|half| waiting.push_front(half));
        }
    }
    ready.shared.check_rejects(&UnitTally::default(), &UnitRejects::new(), When::End)?;
    empty::write_columns(ready).await
}

async fn move_pass(
    session: &Session,
    ready: &start::Ready,
    pass: &Arc<Pass>,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    ready.shared.observer.event(Event::Phase(Phase::Querying));
    let extract = opening::open(session, ready, pass, cancel, progress).await?;
    let moved = move_rows(ready, pass, &extract, cancel, progress).await;
    opening::leave(&extract, moved.is_err(), &ready.shared.observer).await;
    moved
}

/// Moves the rows of a pass: its extract is whole, or it is an error.
async fn move_rows(
    ready: &start::Ready,
    pass: &Arc<Pass>,
    extract: &Extract,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let shared = &ready.shared;
    let (before, read_before) = (progress.announced, shared.ledger().rows.read);
    let rows = extract.announced().await;
    progress.announced = before + rows;
    shared.journal.announced(&pass.prefix, rows)?;
    shared.observer.event(Event::Announced { rows: progress.announced });
    shared.observer.event(Event::Phase(Phase::Moving));
    let moved = lane::move_pages(ready, pass, extract, before, cancel).await;
    let rows = extract.announced().await;
    progress.announced = before + rows;
    moved?;
    let read = shared.ledger().rows.read - read_before;
    check_total(extract, rows, read)?;
    shared.journal.pass_done(&pass.prefix, rows)
}

/// The source's own count against the rows parsed from all parts: a missing page cannot pass.
fn check_total(extract: &Extract, announced: u64, read: u64) -> Result<(), Error> {
    if announced == read {
        return Ok(());
    }
    let counter = if extract.api() == Api::Rest { "totalSize" } else { "numberRecordsProcessed" };
    let words = extract.words();
    let report = extract.job_id().map_or("", |_| ", report the job id to Salesforce");
    Err(Error::SourceData(format!(
        "{words} announced {announced} rows ({counter}), but its pages held {read}; the units committed so far stay, the run is not complete\nhint: run again; if it happens again{report}"
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
        api: progress.api,
        job_id: progress.job_id,
        rows: Default::default(),
        bytes_read: 0,
        units: 0,
        receipt: None,
        retries: client.retries(),
        seconds: started.elapsed().as_secs_f64(),
        calls_used: client.calls_used(),
        calls_estimated: progress.begun.as_ref().map(|(options, planning)| {
            CallEstimate::new(options, client.options(), Some(progress.announced), *planning).total
        }),
        api_usage: client.api_usage(),
        results: session.places(),
        rejects_file: None,
        rejects_by_code: Default::default(),
        plugins: Vec::new(),
        skipped_fields: progress.skipped,
        window: session.window().map(crate::incremental::Window::shown),
        field_changes: progress.changes,
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
