//! `run` and `resume`: moves the data, shows progress, and ends with a summary.

use std::sync::Arc;

use forcepump_pipeline::{Cancel, Observer, Pipeline, RunReport, Session, unfinished_run};

use super::place::state_folder;
use super::{Context, Outcome, retry};
use crate::args::{ResumeArgs, RetryArgs, RunArgs, SetArgs};
use crate::exit::Code;
use crate::interrupt;
use crate::output::Output;
use crate::progress::Progress;
use crate::render::summary;

/// Runs one pipeline file.
pub async fn run(context: &Context, args: &RunArgs) -> Outcome {
    let pipeline = Pipeline::load(&args.pipeline.file)?;
    start(context, pipeline, &args.pipeline.set, |session| session.fresh(args.fresh)).await
}

/// Goes on with an unfinished run.
pub async fn resume(context: &Context, args: &ResumeArgs) -> Outcome {
    let unfinished = unfinished_run(&state_folder(args.pipeline_folder.as_deref()), &args.run)?;
    if unfinished.is_retry {
        let (run, pipeline_folder) = (unfinished.run_id, args.pipeline_folder.clone());
        return retry::retry(context, &RetryArgs { run, fresh: false, pipeline_folder }).await;
    }
    let pipeline = Pipeline::load(&unfinished.file)?;
    let set = SetArgs { set: unfinished.given.into_iter().collect(), drift: None };
    start(context, pipeline, &set, |session| session.going_on_with(&unfinished.run_id)).await
}

async fn start(context: &Context, pipeline: Pipeline, set: &SetArgs, how: impl FnOnce(Session) -> Session) -> Outcome {
    let name = pipeline.file.name.clone();
    let host = context.host()?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    let opened = context.open(&host, pipeline, set).await?;
    let (session, _org) = opened.into_parts();
    let session = how(session);
    let report = observed(&session, &name, &cancel, context.output).await;
    tell(context.output, &report);
    Ok(Code::of_report(&report))
}

/// Runs a session under a progress display.
pub async fn observed(session: &Session, name: &str, cancel: &Cancel, output: Output) -> RunReport {
    let progress = Arc::new(Progress::new(name, output));
    let report = session.run(Arc::clone(&progress) as Arc<dyn Observer>, cancel.clone()).await;
    progress.finish();
    report
}

/// The report of a run: as a document, or in words.
pub fn tell(output: Output, report: &RunReport) {
    output.document(report);
    output.words(&summary::summary(report));
    if let (Some(error), false) = (&report.error, output.json) {
        output.error(&error.message);
    }
}
