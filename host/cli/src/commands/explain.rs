//! `check`, `plan` and `preview`: what a run would do, without doing it.

use std::sync::Arc;

use forcepump_pipeline::{Cancel, Observer, Pipeline};
use serde_json::json;

use super::{Context, Outcome};
use crate::args::{PipelineArgs, PreviewArgs};
use crate::exit::{Code, Failure};
use crate::interrupt;
use crate::output::clean;
use crate::progress::Progress;
use crate::render::{plan as words, preview as tables, table};

/// Parses, resolves and validates.
pub async fn check(context: &Context, args: &PipelineArgs) -> Outcome {
    let host = context.host()?;
    let opened = context.open(&host, Pipeline::load(&args.file)?, &args.set).await?;
    let plan = opened.session.plan().await?;
    context.output.document(&json!({ "pipeline": plan.pipeline, "state": "ok", "notes": plan.notes }));
    context.output.words(&words::checked(&plan));
    plan.unpinned.iter().for_each(|note| context.output.note(&format!("note: {}", clean(note))));
    Ok(Code::Ok)
}

/// Explains.
pub async fn plan(context: &Context, args: &PipelineArgs) -> Outcome {
    let host = context.host()?;
    let opened = context.open(&host, Pipeline::load(&args.file)?, &args.set).await?;
    let plan = opened.session.plan().await?;
    context.output.document(&plan);
    context.output.words(&words::plan(&plan));
    Ok(Code::Ok)
}

/// Shows rows before and after each transform.
pub async fn preview(context: &Context, args: &PreviewArgs) -> Outcome {
    if args.rows == 0 {
        return Err(Failure::input("-n must be at least 1"));
    }
    let pipeline = Pipeline::load(&args.file)?;
    let progress = Arc::new(Progress::new(&pipeline.file.name, context.output));
    let observer = Arc::clone(&progress) as Arc<dyn Observer>;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    let host = context.host()?;
    let opened = context.open(&host, pipeline, &args.set).await?;
    let preview = opened.session.preview(args.rows, &observer, &cancel).await;
    progress.finish();
    let preview = preview?;
    if context.output.json {
        context.output.document(&tables::document(&preview).map_err(Failure::host)?);
    } else {
        context.output.words(&tables::preview(&preview, table::terminal_width()).map_err(Failure::host)?);
    }
    Ok(Code::Ok)
}
