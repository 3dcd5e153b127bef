//! `check`, `plan` and `preview`: what a run would do, without doing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use forcepump_pipeline::{CallEstimate, Cancel, Error, Observer, Pipeline, Plan, Session};
use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::args::{PipelineArgs, PreviewArgs};
use crate::exit::{Code, Failure};
use crate::interrupt;
use crate::output::{Output, clean};
use crate::progress::Progress;
use crate::render::{plan as words, preview as tables, table};

/// Parses, resolves and validates.
pub async fn check(context: &Context, args: &PipelineArgs) -> Outcome {
    let host = context.host()?;
    let opened = context.open(&host, Pipeline::load(&args.file)?, &args.set).await?;
    if opened.session.has_feeds() {
        return check_feeds(context, &opened.session).await;
    }
    let plan = opened.session.plan().await?;
    context.output.document(&json!({ "pipeline": plan.pipeline, "state": "ok", "notes": plan.notes }));
    context.output.words(&words::checked(&plan));
    plan.unpinned.iter().for_each(|note| context.output.note(&format!("note: {}", clean(note))));
    Ok(Code::Ok)
}

/// Every feed is looked at, whatever the others say.
async fn check_feeds(context: &Context, session: &Session) -> Outcome {
    let (output, name) = (context.output, &session.pipeline().file.name);
    let plans = good_plans(output, session.plan_feeds().await)?;
    let feeds = plans.iter().map(|plan| json!({ "object": plan.object, "state": "ok", "notes": plan.notes }));
    let feeds: Vec<Value> = feeds.collect();
    output.document(&json!({ "pipeline": name, "state": "ok", "feeds": feeds }));
    plans.iter().for_each(|plan| output.words(&words::checked(plan)));
    let unpinned: BTreeSet<&String> = plans.iter().flat_map(|plan| &plan.unpinned).collect();
    unpinned.iter().for_each(|note| output.note(&format!("note: {}", clean(note))));
    Ok(Code::Ok)
}

/// The plans, when every feed has one; those of a pipeline that fails are still told in words.
fn good_plans(output: Output, plans: Vec<(String, Result<Plan, Error>)>) -> Result<Vec<Plan>, Error> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (feed, plan) in plans {
        match plan {
            Ok(plan) => good.push(plan),
            Err(error) => bad.push((feed, error)),
        }
    }
    if bad.is_empty() {
        return Ok(good);
    }
    good.iter().for_each(|plan| output.words(&words::checked(plan)));
    Err(Error::Feeds(bad))
}

/// Explains.
pub async fn plan(context: &Context, args: &PipelineArgs) -> Outcome {
    let host = context.host()?;
    let opened = context.open(&host, Pipeline::load(&args.file)?, &args.set).await?;
    if opened.session.has_feeds() {
        let name = &opened.session.pipeline().file.name;
        let plans = good_plans(context.output, opened.session.plan_feeds().await)?;
        let at_a_time = opened.session.pipeline().file.source.feeds_at_a_time().min(plans.len());
        let each: Vec<CallEstimate> = plans.iter().map(|plan| plan.calls.clone()).collect();
        let calls = CallEstimate::sum(&each);
        context
            .output
            .document(&json!({ "pipeline": name, "feeds_at_a_time": at_a_time, "calls": calls, "feeds": plans }));
        context.output.words(&words::feeds(name, at_a_time, &calls, &plans));
        return Ok(Code::Ok);
    }
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
    let shown = opened.session.preview_feeds(args.feed.as_deref(), args.rows, &observer, &cancel).await;
    progress.finish();
    let (shown, several) = (shown?, opened.session.has_feeds());
    if context.output.json {
        context.output.document(&tables::documents(&shown, several).map_err(Failure::host)?);
    } else {
        context.output.words(&tables::previews(&shown, table::terminal_width()).map_err(Failure::host)?);
    }
    Ok(Code::Ok)
}
