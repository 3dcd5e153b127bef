//! `runs` and `show`: what former runs did.

use forcepump_pipeline::{PastRun, PastUnit, past_run_of, past_runs, past_units};
use serde::Serialize;

use super::place::state_folder;
use super::{Context, Outcome};
use crate::args::{RunsArgs, ShowArgs};
use crate::exit::Code;
use crate::render::history as words;

/// Lists former runs, the newest first.
pub fn runs(context: &Context, args: &RunsArgs) -> Outcome {
    let folder = state_folder(args.pipeline_folder.as_deref());
    let runs = past_runs(&folder, args.pipeline.as_deref(), args.most)?;
    context.output.document(&runs);
    let others = match &args.pipeline {
        Some(_) if runs.is_empty() => past_runs(&folder, None, usize::MAX)?,
        _ => Vec::new(),
    };
    context.output.words(&words::list(&runs, &folder, (args.pipeline.as_deref(), &others)));
    Ok(Code::Ok)
}

/// Shows one run as its end showed it.
pub fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let folder = state_folder(args.pipeline_folder.as_deref());
    let run = past_run_of(&folder, &args.run)?;
    let units = if args.units { Some(past_units(&folder, &run.run_id)?) } else { None };
    context.output.words(&words::one(&run));
    units.iter().for_each(|units| context.output.words(&words::units(units)));
    context.output.document(&Shown { run, units });
    Ok(Code::Ok)
}

/// A run, and its units when they are asked for.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    run: PastRun,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Vec<PastUnit>>,
}
