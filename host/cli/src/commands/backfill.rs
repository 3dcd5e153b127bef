//! `backfill`: fields that came later, for the rows that former runs have read.

use std::collections::BTreeMap;

use forcepump_pipeline::{Cancel, Pipeline, Session};
use serde_json::json;

use super::{Context, Opened, Outcome, run};
use crate::args::BackfillArgs;
use crate::exit::{Code, Failure};
use crate::interrupt;

/// Fills in the named fields, or those that not all runs have read.
pub async fn backfill(context: &Context, args: &BackfillArgs) -> Outcome {
    let pipeline = Pipeline::load(&args.file)?;
    let name = pipeline.file.name.clone();
    let host = context.host()?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    let Opened { session, _org } = context.open(&host, pipeline, &args.set).await?;
    let fields = match args.fields.as_slice() {
        [] => session.columns_to_fill(args.feed.as_deref()).await?,
        fields => BTreeMap::from([(one_feed(&session, args.feed.as_deref())?, fields.to_vec())]),
    };
    if fields.is_empty() {
        context.output.document(&json!({ "pipeline": name, "backfilled": [] }));
        context.output.words("nothing to fill in: every field was read by all runs; name others with --fields A,B");
        return Ok(Code::Ok);
    }
    let session = session.filling_in(fields)?;
    let report = run::observed(&session, &name, &cancel, context.output).await;
    run::tell(context.output, &report);
    Ok(Code::of_report(&report))
}

/// The feed that named fields are of.
fn one_feed(session: &Session, only: Option<&str>) -> Result<String, Failure> {
    match session.chosen_feeds(only)?.as_slice() {
        [feed] => Ok(feed.clone()),
        several => Err(Failure::input(format!(
            "--fields are those of one feed, and the pipeline has {}\nhint: say which with --feed {}",
            several.join(", "),
            several.first().map_or("OBJECT", String::as_str)
        ))),
    }
}
