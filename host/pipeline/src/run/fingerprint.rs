//! What an unfinished run must have in common with the next one to be gone on with.

use sha2::{Digest, Sha256};

use super::receipt::hex;
use super::shared::Parts;
use crate::error::Error;
use crate::file::{PipelineFile, PluginLimits};
use crate::session::Session;
use crate::state::RunPlan;

/// A hash of the pipeline file without what changes no row, the values given, and the plugins by their digests. The org is
/// told by its id, which a run notes with its feeds, not by its address, which a new My Domain changes.
///
/// # Errors
/// [`Error::Host`] when the file cannot be written as JSON.
pub(crate) fn fingerprint(session: &Session, parts: &Parts) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&json(&essence(&session.pipeline().file))?);
    add(&json(session.given())?);
    add(&session.filling().unwrap_or_default().join(","));
    if session.retry().is_some() {
        add("rejected rows, read again");
    }
    for part in parts.transforms.iter().chain([&parts.destination]) {
        add(part.plugin.digest());
    }
    Ok(hex(&hash.finalize()))
}

/// What a run keeps of its beginning.
///
/// # Errors
/// As [`fingerprint`]; what the variables say.
pub(crate) fn plan(session: &Session) -> Result<RunPlan, Error> {
    let pipeline = session.pipeline();
    Ok(RunPlan {
        file: json(&pipeline.file)?,
        path: std::path::absolute(&pipeline.path).unwrap_or_else(|_| pipeline.path.clone()),
        given: session.given().clone(),
        variables: session.variables()?.kept(),
        as_of: session.as_of(),
        retry: session.retry().cloned(),
    })
}

/// Why the fingerprints of a run and of the session differ, in words.
pub(crate) fn difference(session: &Session, plan: &RunPlan) -> &'static str {
    let then = serde_json::from_str::<PipelineFile>(&plan.file).ok().and_then(|file| json(&essence(&file)).ok());
    if then != json(&essence(&session.pipeline().file)).ok() {
        "the pipeline file has changed since"
    } else if plan.given != *session.given() {
        "--set gives other values now"
    } else {
        "a plugin has changed since"
    }
}

/// The file without what decides how fast, and how patiently, the same rows are moved.
fn essence(file: &PipelineFile) -> PipelineFile {
    let mut file = file.clone();
    file.max_rejects = None;
    file.source.parallel_pages = None;
    file.source.parallel_feeds = None;
    file.destination.limits = PluginLimits::default();
    file.transform.iter_mut().for_each(|step| step.limits = PluginLimits::default());
    file
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::Host { what: "keeping the plan of a run".to_owned(), error: error.into() })
}
