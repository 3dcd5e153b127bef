//! `lock`: pins the plugins of pipelines, and shows what is new.

use forcepump_pipeline::{Pipeline, lock as pin};
use serde_json::json;

use super::{Context, Outcome};
use crate::args::LockArgs;
use crate::exit::Code;
use crate::render::lock as words;

/// Writes the lock files, or only compares.
pub fn lock(context: &Context, args: &LockArgs) -> Outcome {
    let pipelines = args.files.iter().map(|file| Pipeline::load(file)).collect::<Result<Vec<_>, _>>()?;
    let report = pin(&context.host()?, &pipelines, args.check)?;
    let current = report.is_current();
    context.output.document(&json!({ "locks": report.locks, "current": current, "written": !args.check }));
    context.output.words(&words::report(&report));
    if !args.check || current {
        return Ok(Code::Ok);
    }
    if !context.output.json {
        context.output.error("the lock file is not up to date\nhint: review what is new, then lock without --check");
    }
    Ok(Code::Input)
}
