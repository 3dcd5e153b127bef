//! `verify`: a run looked at again.

use forcepump_pipeline::{Cancel, VerifyState, run_as_it_was};

use super::place::state_folder;
use super::{Context, Outcome};
use crate::args::{SetArgs, VerifyArgs};
use crate::exit::Code;
use crate::render::verify as words;

/// Compares source and destination with what the run committed.
pub async fn verify(context: &Context, args: &VerifyArgs) -> Outcome {
    let past = run_as_it_was(&state_folder(args.pipeline_folder.as_deref()), &args.run)?;
    let set = SetArgs { set: past.given.into_iter().collect(), drift: None };
    let opened = context.open(&context.host()?, past.pipeline, &set).await?;
    let found = opened.session.verify(&past.run_id, args.keys, &Cancel::new()).await?;
    context.output.document(&found);
    context.output.words(&words::verification(&found));
    Ok(match found.state {
        VerifyState::Differs => Code::Differs,
        VerifyState::Equal | VerifyState::Unknown => Code::Ok,
    })
}
