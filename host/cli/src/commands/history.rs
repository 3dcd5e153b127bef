//! `runs` and `show`: what former runs did.

use forcepump_pipeline::{past_run_of, past_runs};

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
    context.output.words(&words::list(&runs, &folder));
    Ok(Code::Ok)
}

/// Shows one run as its end showed it.
pub fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let run = past_run_of(&state_folder(args.pipeline_folder.as_deref()), &args.run)?;
    context.output.document(&run);
    context.output.words(&words::one(&run));
    Ok(Code::Ok)
}
