//! What an unfinished run must have in common with the next to be gone on with.

use sha2::{Digest, Sha256};

use super::shared::Parts;
use crate::error::Error;
use crate::session::Session;
use crate::state::RunPlan;

/// The plan of a run that begins, and its fingerprint: of the pipeline file without what changes no row, the values given,
/// the plugins by their digests, and the host that the connection leads to.
///
/// # Errors
/// [`Error::Host`] when the file cannot be written as JSON.
pub(crate) fn plan(session: &Session, parts: &Parts) -> Result<(RunPlan, String), Error> {
    let pipeline = session.pipeline();
    let failed = |error: serde_json::Error| Error::Host { what: "keeping the plan".to_owned(), error: error.into() };
    let mut seen = pipeline.file.clone();
    seen.max_rejects = None;
    seen.source.parallel_pages = None;
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&serde_json::to_string(&seen).map_err(failed)?);
    add(&serde_json::to_string(session.given()).map_err(failed)?);
    add(session.org());
    for part in parts.transforms.iter().chain([&parts.destination]) {
        add(part.plugin.digest());
    }
    let fingerprint: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = std::path::absolute(&pipeline.path).unwrap_or_else(|_| pipeline.path.clone());
    let file = serde_json::to_string(&pipeline.file).map_err(failed)?;
    Ok((RunPlan { file, path, given: session.given().clone(), as_of: session.as_of() }, fingerprint))
}
