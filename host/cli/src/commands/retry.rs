//! `retry-rejects`: rejected rows of a former run, read again and written by a run of their own.

use forcepump_pipeline::{Cancel, RetryPlan, plan_retry};
use serde_json::json;

use super::place::state_folder;
use super::run::{observed, tell};
use super::{Context, Opened, Outcome};
use crate::args::{RetryArgs, SetArgs};
use crate::exit::Code;
use crate::interrupt;
use crate::output::clean;
use crate::render::numbers::{rows, several};

/// Reads the open rejects of a run again.
pub async fn retry(context: &Context, args: &RetryArgs) -> Outcome {
    let plan = plan_retry(&state_folder(args.pipeline_folder.as_deref()), &args.run, args.fresh)?;
    let note = |text: &str| context.output.note(&format!("note: {}", clean(text)));
    notes(&plan).iter().for_each(|text| note(text));
    if plan.rows() == 0 && plan.goes_on.is_none() {
        context.output.document(&json!({ "retry_of": plan.retry.of, "rows": 0, "without_id": plan.without_id }));
        context.output.words(&format!("no row of run {} is left to be tried again", clean(&plan.retry.of)));
        return Ok(Code::Ok);
    }
    note(&format!("reads {} of run {} again", rows(plan.rows()), plan.retry.of));
    let name = plan.pipeline.file.name.clone();
    let asked = plan.rows();
    let set = SetArgs { set: plan.given.into_iter().collect(), drift: None };
    let host = context.host()?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    // The embedded org of a demo lives as long as the session.
    let Opened { session, _org } = context.open(&host, plan.pipeline, &set).await?;
    let report = observed(&session.retrying(plan.retry).fresh(args.fresh), &name, &cancel, context.output).await;
    let gone = asked.saturating_sub(report.rows.read);
    if gone > 0 && report.error.is_none() {
        note(&format!("{} did not come: gone at the source, or left to the next incremental run", rows(gone)));
    }
    tell(context.output, &report);
    Ok(Code::of_report(&report))
}

fn notes(plan: &RetryPlan) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.mended > 0 {
        notes.push(format!("{} went through by now", several(plan.mended, "rejected row")));
    }
    if plan.without_id > 0 {
        notes.push(format!(
            "{} without a Salesforce id cannot be asked for again",
            several(plan.without_id, "rejected row")
        ));
    }
    notes.into_iter().chain(plan.notes.iter().cloned()).collect()
}
