//! `runs` and `show`: what former runs did.

use std::path::{Path, PathBuf};

use forcepump_pipeline::{past_run_of, past_runs};

use super::{Context, Outcome};
use crate::args::{RunsArgs, ShowArgs};
use crate::exit::Code;
use crate::render::history as words;

/// Lists former runs, the newest first.
pub fn runs(context: &Context, args: &RunsArgs) -> Outcome {
    let folder = folder(args.pipeline_folder.as_deref());
    let runs = past_runs(&folder, args.pipeline.as_deref(), args.most)?;
    context.output.document(&runs);
    context.output.words(&words::list(&runs, &folder));
    Ok(Code::Ok)
}

/// Shows one run as its end showed it.
pub fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let run = past_run_of(&folder(args.pipeline_folder.as_deref()), &args.run)?;
    context.output.document(&run);
    context.output.words(&words::one(&run));
    Ok(Code::Ok)
}

/// The folder that a pipeline's state lies in.
fn folder(given: Option<&Path>) -> PathBuf {
    match given {
        Some(path) if path.is_file() => path.parent().unwrap_or(Path::new(".")).to_owned(),
        Some(path) => path.to_owned(),
        None => PathBuf::from("."),
    }
}
