//! A result without rows still has columns: a unit of its own hands them to the destination.

use arrow_array::RecordBatch;
use std::sync::Arc;

use super::findings::Findings;
use super::lane::Lane;
use super::start::Ready;
use super::unit::{self, Unit};
use crate::error::Error;
use crate::state::UnitRow;

/// Id of the unit; pages have numbers, so no page is named so.
const UNIT_ID: &str = "empty";

/// When nothing was written: gives the destination one batch without rows, so that there is a file with the header
/// or the types, and not nothing, which nobody can tell from a run that never was.
pub(crate) async fn write_columns(ready: &Ready) -> Result<(), Error> {
    let shared = &ready.shared;
    let is_there = |unit: &UnitRow| unit.unit == UNIT_ID;
    // What is left of rejected rows stands beside the others, which have columns.
    if shared.journal.retries() || shared.ledger().rows.written > 0 || ready.committed.iter().any(is_there) {
        return Ok(());
    }
    let Some(pass) = ready.passes.iter().find(|pass| !pass.deletes()) else { return Ok(()) };
    let mut lane = Lane {
        number: 0,
        pass: Arc::clone(pass),
        links: Vec::new(),
        destination: shared.destination().await?,
        turn: None,
    };
    let mut findings = Findings::new(0);
    let mut unit = Unit::new(UNIT_ID, shared, &lane, &mut findings);
    let begun = unit::begin(&mut lane, shared, UNIT_ID).await;
    begun.map_err(|failure| failure.error)?;
    let written = unit.write(&mut lane, RecordBatch::new_empty(Arc::clone(&shared.place.output))).await;
    unit::finish(&mut lane, unit, written).await.map_err(|failure| failure.error)
}
