//! The extract of a run: made by the API of choice, or by another when that one refuses; left tidy at the end.

use std::sync::Arc;
use std::time::Duration;

use forcepump_salesforce::{Api, Extract, JobMemory, QueryAction, Refused};

use super::journal::Journal;
use super::pass::Pass;
use super::start::Ready;
use super::{Progress, give_up};
use crate::cancel::Cancel;
use crate::choice::{self, Choice};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::session::Session;
use crate::state::JobRow;

/// How long an interrupted run waits for the answer to the creation of its job.
const CREATION_GRACE: Duration = Duration::from_secs(10);

/// An extract whose first part can be fetched: that of the pass's job where there is one, else of a new job.
///
/// # Errors
/// What Salesforce says; an error that [`forcepump_salesforce::Error::is_lost`] when the job is gone.
pub(super) async fn open(
    session: &Session,
    ready: &Ready,
    pass: &Pass,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<Extract, Error> {
    let journal = &ready.shared.journal;
    let nothing_committed = ready.of_pass(pass).next().is_none();
    let is_sure = journal.unsure_units(&pass.prefix)? == 0;
    let Some(job) = journal.jobs()?.into_iter().find(|job| job.pass == pass.prefix) else {
        return match nothing_committed && is_sure {
            true => create_one(session, ready, pass, cancel, progress).await,
            false => Err(Error::StartAnew("its Salesforce job is not known any more".to_owned())),
        };
    };
    // Units of Bulk 1.0 have the names of their job's batches: what the destination may have of this job would come a
    // second time under the names of another. Of the other APIs they are compared before they are written; but what a server
    // may have taken of a unit it takes for the same, whatever is in it.
    let is_compared = job.api != Api::Bulk1.as_str() && session.pipeline().file.destination.grant.http.is_empty();
    let nothing_done = nothing_committed && (is_sure || is_compared);
    let done: Vec<String> = ready.of_pass(pass).filter_map(|unit| unit.part.clone()).collect();
    let memory = serde_json::from_str::<JobMemory>(&job.memory).ok();
    let is_over = memory.is_none();
    match memory.filter(|_| job.soql == pass.query.soql) {
        Some(memory) => go_on(session, (ready, pass), (&memory, &done), cancel, progress).await,
        None if nothing_done => {
            if let Some(extract) = give_up::attached(session, &job) {
                leave(&extract, true, &ready.shared.observer).await;
            }
            journal.job_gone(&pass.prefix)?;
            create_one(session, ready, pass, cancel, progress).await
        }
        None => {
            let why = match is_over {
                true => "its Salesforce job was ended",
                false => "the query is another now than the one of its job: fields of the object came or went",
            };
            Err(Error::StartAnew(why.to_owned()))
        }
    }
}

/// Goes on with the job of an earlier process.
async fn go_on(
    session: &Session,
    (ready, pass): (&Ready, &Pass),
    (memory, done): (&JobMemory, &[String]),
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<Extract, Error> {
    let choice = choice::of_job(session, memory.api, pass.action);
    progress.api = Some(memory.api.as_str().to_owned());
    progress.begun = Some((choice.options.clone(), session.client().calls_used()));
    let extract = Extract::attach(session.client(), &pass.query, &choice.options, memory, done)?;
    wait(&extract, (ready, pass), &choice, cancel, progress).await?;
    Ok(extract)
}

/// An extract of a new job. Nothing has been written yet, so that another API may still be tried.
async fn create_one(
    session: &Session,
    ready: &Ready,
    pass: &Pass,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<Extract, Error> {
    let observer = &ready.shared.observer;
    let mut choice =
        cancel.race(choice::choose(session, &pass.query, pass.action)).await.ok_or(Error::Interrupted)??;
    for note in &choice.notes {
        observer.event(Event::Warning(note.clone()));
    }
    let mut tried = Vec::new();
    loop {
        tried.push(choice.options.api);
        progress.api = Some(choice.options.api.as_str().to_owned());
        progress.begun = Some((choice.options.clone(), session.client().calls_used()));
        let error = match begin(session, (ready, pass), &choice, cancel, progress).await {
            Ok(extract) => match extract.announced().await {
                rows if choice.is_too_slow_for(rows) && !tried.contains(&Api::Bulk2) => {
                    let text = format!(
                        "{} has {rows} rows, more than were counted: Bulk API 2.0 reads them",
                        pass.query.object
                    );
                    observer.event(Event::Warning(text));
                    choice.options.api = Api::Bulk2;
                    continue;
                }
                _ => return Ok(extract),
            },
            Err(Error::Source(error)) => error,
            Err(error) => return Err(error),
        };
        let Some((next, refused)) = choice.after(&error, &tried) else {
            return Err(choice::with_hint(*error, &session.pipeline().file.source));
        };
        change(session, (ready, pass), &mut choice, next, refused, &error).await;
    }
}

async fn begin(
    session: &Session,
    (ready, pass): (&Ready, &Pass),
    choice: &Choice,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<Extract, Error> {
    let extract = create(session, (ready, pass), choice, cancel).await?;
    note_job(&ready.shared.journal, pass, &extract, choice, None)?;
    match wait(&extract, (ready, pass), choice, cancel, progress).await {
        Ok(()) => Ok(extract),
        // The job stays for the run that goes on.
        Err(error) if error.is_passing() => Err(error),
        Err(error) => {
            leave(&extract, true, &ready.shared.observer).await;
            ready.shared.journal.job_gone(&pass.prefix)?;
            Err(error)
        }
    }
}

/// Waits until the first part can be fetched.
async fn wait(
    extract: &Extract,
    (ready, pass): (&Ready, &Pass),
    choice: &Choice,
    cancel: &Cancel,
    progress: &mut Progress,
) -> Result<(), Error> {
    let observer = &ready.shared.observer;
    progress.job_id = extract.job_id().map(str::to_owned);
    if let Some(id) = extract.job_id() {
        observer.event(Event::JobCreated { id: id.to_owned() });
    }
    let polled = |told: forcepump_salesforce::Progress| {
        observer.event(Event::JobPolled { state: told.state, rows: told.rows });
    };
    extract.wait(polled, cancel.cancelled()).await.map_err(interrupted_or_source)?;
    note_job(&ready.shared.journal, pass, extract, choice, Some(extract.announced().await))
}

/// Notes the job before anything is fetched of it.
fn note_job(
    journal: &Journal,
    pass: &Pass,
    extract: &Extract,
    choice: &Choice,
    announced: Option<u64>,
) -> Result<(), Error> {
    let failed = |error: serde_json::Error| Error::Host { what: "keeping the job".to_owned(), error: error.into() };
    let options = &choice.options;
    let options = serde_json::json!({
        "all": options.action == QueryAction::QueryAll,
        "max_records": options.max_records,
        "api_version": options.api_version,
        "chunked": options.pk_chunking.is_some(),
    });
    journal.job_created(&JobRow {
        feed: journal.feed().to_owned(),
        pass: pass.prefix.clone(),
        api: extract.api().as_str().to_owned(),
        id: extract.job_id().map(str::to_owned),
        soql: pass.query.soql.clone(),
        options: options.to_string(),
        memory: serde_json::to_string(&extract.job_memory()).map_err(failed)?,
        created_at: chrono::Utc::now().timestamp_micros(),
        announced,
        done: false,
        succeeded: false,
    })
}

/// Creates the job. A creation that is on its way when the operator interrupts is waited for: without its id the job
/// could not be aborted and would stay in the org.
async fn create(
    session: &Session,
    (ready, pass): (&Ready, &Pass),
    choice: &Choice,
    cancel: &Cancel,
) -> Result<Extract, Error> {
    if cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    let creating = Extract::create(session.client(), &pass.query, &choice.options);
    tokio::pin!(creating);
    let created = match cancel.race(&mut creating).await {
        Some(created) => created,
        None => tokio::select! {
            biased;
            created = tokio::time::timeout(CREATION_GRACE, creating) => created.map_err(|_| {
                let text = "the creation of the job was not answered; one may be left in the org";
                ready.shared.observer.event(Event::Warning(text.to_owned()));
                Error::Interrupted
            })?,
            // it waits for its turn, or to be sent again
            () = session.client().nothing_is_being_made() => return Err(Error::Interrupted),
        },
    };
    created.map_err(Error::from)
}

/// Says that another API is tried, and remembers why.
async fn change(
    session: &Session,
    (ready, pass): (&Ready, &Pass),
    choice: &mut Choice,
    next: Api,
    refused: Refused,
    error: &forcepump_salesforce::Error,
) {
    let observer = &ready.shared.observer;
    let (before, object) = (choice.options.api, &pass.query.object);
    let reason = error.to_string();
    let reason = reason.lines().next().unwrap_or_default();
    observer.event(Event::Warning(format!(
        "{object} is read by {} instead of {}: {reason}",
        next.words(),
        before.words()
    )));
    choice.options.api = next;
    choice.options.pk_chunking = None;
    if refused == Refused::Always
        && before != Api::Rest
        && let Err(error) = choice::remember(session, object, Api::Bulk2, reason).await
    {
        observer.event(Event::Warning(format!("the next run will ask in vain again: {error}")));
    }
}

/// Leaves no job behind in the org.
pub(crate) async fn leave(extract: &Extract, failed: bool, observer: &Arc<dyn Observer>) {
    if failed {
        // What cannot be aborted has ended already; either way the results are of no use to anyone.
        let _ = extract.abort().await;
    }
    if let Err(error) = extract.dispose().await {
        let words = extract.words();
        observer.event(Event::Warning(format!("the {words} stays in the org until it expires: {error}")));
    }
}

pub(crate) fn interrupted_or_source(error: forcepump_salesforce::Error) -> Error {
    match error {
        forcepump_salesforce::Error::Cancelled { .. } => Error::Interrupted,
        other => other.into(),
    }
}
