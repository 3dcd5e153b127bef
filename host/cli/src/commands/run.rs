//! `run`: moves the data, shows progress, and ends with a summary.

use std::sync::Arc;

use forcepump_pipeline::{Cancel, Observer, Pipeline, RunReport, Session};

use super::{Context, Outcome};
use crate::args::PipelineArgs;
use crate::exit::Code;
use crate::interrupt;
use crate::output::Output;
use crate::progress::Progress;
use crate::render::summary;

/// Runs one pipeline file.
pub async fn run(context: &Context, args: &PipelineArgs) -> Outcome {
    let pipeline = Pipeline::load(&args.file)?;
    let name = pipeline.file.name.clone();
    let host = context.host()?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    let opened = context.open(&host, pipeline, &args.set).await?;
    let report = observed(&opened.session, &name, &cancel, context.output).await;
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

fn tell(output: Output, report: &RunReport) {
    output.document(report);
    output.words(&summary::summary(report));
    if let (Some(error), false) = (&report.error, output.json) {
        output.error(&error.message);
    }
}
