//! What all workers of a run share: the plan's parts, the target, and the ledger of what is committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::SchemaRef;
use forcepump_sandbox::{DestinationInstance, Settings, Target};

use super::journal::Journal;
use super::limit::{Limit, When};
use super::overlap::Overlap;
use super::rejects::{RejectsFile, UnitRejects};
use super::tally::UnitTally;
use super::writer::Writer;
use crate::cancel::Cancel;
use crate::chain::Opening;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::health::Health;
use crate::link::Care;
use crate::part::Part;
use crate::report::{PluginReport, RowCounts};
use crate::state::UnitRow;

/// The plugins of a pipeline.
pub(crate) struct Parts {
    pub transforms: Vec<Part>,
    pub destination: Part,
}

/// Where the rows of a run go.
pub(crate) struct Place {
    pub target: Target,
    /// what comes out of the transforms, before the gate
    pub output: SchemaRef,
    /// with open grants
    pub settings: Settings,
    /// where the feeds of a run share a database
    pub writer: Writer,
}

/// Shared by every worker of one run.
pub(crate) struct Shared {
    pub parts: Arc<Parts>,
    pub place: Place,
    pub opening: Opening,
    pub observer: Arc<dyn Observer>,
    pub cancel: Cancel,
    limit: Limit,
    /// the feed in the state
    pub journal: Arc<Journal>,
    /// of an incremental run
    pub overlap: Option<Overlap>,
    /// one for each transform, the last for the destination
    healths: Vec<Health>,
    ledger: Mutex<Ledger>,
    /// it was told that the destination makes batches of its own
    told_own_batches: AtomicBool,
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
        (observer, cancel): (Arc<dyn Observer>, Cancel),
        (rejects, limit): (RejectsFile, Limit),
        (journal, overlap): (Arc<Journal>, Option<Overlap>),
    ) -> Self {
        let ledger = Ledger { rows: RowCounts::default(), bytes: 0, units: 0, retries: 0, tokens: Vec::new(), rejects };
        let steps = parts.transforms.iter().chain([&parts.destination]);
        let healths = steps.map(|part| Health::new(part.name(), &part.key)).collect();
        let (ledger, told_own_batches) = (Mutex::new(ledger), AtomicBool::new(false));
        Self { parts, place, opening, observer, cancel, limit, journal, overlap, healths, ledger, told_own_batches }
    }

    /// Of a transform, or of the destination.
    pub(crate) fn health(&self, stage: Option<usize>) -> &Health {
        &self.healths[stage.unwrap_or(self.parts.transforms.len())]
    }

    /// Whom a transform's instance tells of its troubles.
    pub(crate) fn care(&self, stage: usize) -> Care<'_> {
        Care { part: &self.parts.transforms[stage], health: self.health(Some(stage)), observer: &self.observer }
    }

    /// A destination instance of its own, as `prepare` and `conclude` are due one.
    pub(crate) async fn destination(&self) -> Result<DestinationInstance, Error> {
        let part = &self.parts.destination;
        let made = part.plugin.destination(&self.place.settings).await;
        made.map_err(|error| part.destination_error(&error))
    }

    /// The error, unless somebody interrupted the wait for the plugin's next try.
    pub(crate) fn interrupted_or(&self, error: Error) -> Error {
        if self.cancel.is_cancelled() { Error::Interrupted } else { error }
    }

    /// Fails when more rows are rejected than the pipeline allows; the unit's are not in the ledger yet.
    pub(crate) fn check_rejects(&self, unit: &UnitTally, rejects: &UnitRejects, when: When) -> Result<(), Error> {
        let ledger = self.ledger();
        let (rejected, read) = (ledger.rows.rejected + unit.rejected, ledger.rows.read + unit.read);
        if !self.limit.is_over(rejected, read, when) {
            return Ok(());
        }
        let limit = self.limit.to_string();
        let file = ledger.rejects.intended_path().display().to_string();
        Err(Error::TooManyRejects { rejected, read, limit, file, class: ledger.rejects.mostly_by(rejects) })
    }

    /// Whether that is to be told: once a run.
    pub(crate) fn tells_of_own_batches(&self) -> bool {
        !self.told_own_batches.swap(true, Ordering::AcqRel)
    }

    /// Every plugin in the order of the steps.
    pub(crate) fn plugin_reports(&self) -> Vec<PluginReport> {
        self.healths.iter().map(Health::report).collect()
    }

    /// Tells of log lines and metrics that went nowhere.
    pub(crate) fn tell_drops(&self) {
        for report in self.plugin_reports() {
            let (lines, metrics) = (report.log_lines_dropped, report.metrics_dropped);
            let mut told = Vec::new();
            if lines > 0 {
                told.push(format!("{lines} log lines over its rate were dropped"));
            }
            if metrics > 0 {
                told.push(format!("{metrics} calls for metrics that it did not declare were dropped"));
            }
            if !told.is_empty() {
                self.observer.event(Event::Warning(format!("plugin {}: {}", report.plugin, told.join(", "))));
            }
        }
    }

    /// A worker that panicked leaves whole numbers behind: the ledger stays usable.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Units that an earlier process committed.
    pub(crate) fn seed(&mut self, units: &[&UnitRow]) {
        units.iter().for_each(|unit| self.committed(unit.token.clone(), &unit.tally));
    }

    /// A unit is durable in the destination.
    pub(crate) fn committed(&mut self, token: String, tally: &UnitTally) {
        tally.add_to(&mut self.rows);
        self.bytes += tally.bytes;
        self.units += 1;
        self.tokens.push(token);
    }
}
