//! What all workers of a run share: the plan's parts, the target, and the ledger of what is committed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::SchemaRef;
use forcepump_sandbox::{Prepared, Target};

use super::rejects::RejectsFile;
use super::tally::UnitTally;
use crate::chain::Opening;
use crate::event::Observer;
use crate::firewall::Gate;
use crate::part::Part;
use crate::report::RowCounts;

/// The plugins of a pipeline.
pub(crate) struct Parts {
    pub transforms: Vec<Part>,
    pub destination: Part,
}

/// Where the rows of a run go.
pub(crate) struct Place {
    pub target: Target,
    pub prepared: Prepared,
    /// what stands between the transforms and the destination
    pub gate: Gate,
    /// what comes out of the transforms, before the gate
    pub output: SchemaRef,
}

/// Shared by every worker of one run.
pub(crate) struct Shared {
    pub parts: Arc<Parts>,
    pub place: Place,
    pub opening: Opening,
    pub observer: Arc<dyn Observer>,
    ledger: Mutex<Ledger>,
}

/// What is durable so far.
pub(crate) struct Ledger {
    pub rows: RowCounts,
    pub bytes: u64,
    pub units: u64,
    pub retries: u64,
    /// what each commit gave, for `conclude`
    pub tokens: Vec<String>,
    pub rejects: RejectsFile,
}

impl Shared {
    pub(crate) fn new(
        parts: Arc<Parts>,
        place: Place,
        opening: Opening,
        observer: Arc<dyn Observer>,
        rejects: RejectsFile,
    ) -> Self {
        let ledger = Ledger { rows: RowCounts::default(), bytes: 0, units: 0, retries: 0, tokens: Vec::new(), rejects };
        Self { parts, place, opening, observer, ledger: Mutex::new(ledger) }
    }

    /// A worker that panicked leaves whole numbers behind: the ledger stays usable.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// A unit is durable in the destination.
    pub(crate) fn committed(&mut self, token: String, tally: &UnitTally) {
        tally.add_to(&mut self.rows);
        self.bytes += tally.bytes;
        self.units += 1;
        self.tokens.push(token);
    }
}
