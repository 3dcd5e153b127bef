//! How one plugin fares in a run: what broke it, what finding the rows at fault costs, and when it is given up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use forcepump_sandbox::Counters;

use crate::report::{PluginMetric, PluginReport};

/// What broken calls may cost within one unit, one for each, so that a page with many bad rows has an end.
pub(crate) const UNIT_BUDGET: u64 = 256;
/// What they may cost within one run.
const RUN_BUDGET: u64 = 4_096;
/// What they may cost in a batch as long as not one row has passed: a plugin that breaks on everything is told soon.
pub(crate) const FIRST_BATCH_BUDGET: u64 = 64;
/// Batches from the start of a run that may lose every row.
const HOPELESS_BATCHES: u64 = 3;
/// Rows from the start of a run that may be lost before one passes.
const HOPELESS_ROWS: u64 = 1_000;

/// Shared by the lanes of a run.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    report: PluginReport,
    cost: u64,
    passed: bool,
    hopeless_batches: u64,
    hopeless_rows: u64,
}

impl Health {
    pub(crate) fn new(plugin: &str, step: &str) -> Self {
        let report = PluginReport { plugin: plugin.to_owned(), step: step.to_owned(), ..PluginReport::default() };
        Self(Mutex::new(Record { report, ..Record::default() }))
    }

    /// A lane that panicked leaves whole numbers behind.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows went through.
    pub(crate) fn passed(&self, rows: usize) {
        if rows > 0 {
            self.record().passed = true;
        }
    }

    /// Whether rows ever went through.
    pub(crate) fn has_passed(&self) -> bool {
        self.record().passed
    }

    /// A batch broke the plugin; gives how many have so far.
    pub(crate) fn bad_batch(&self) -> u64 {
        let mut record = self.record();
        record.report.bad_batches += 1;
        record.report.bad_batches
    }

    /// An instance was made in place of one that is lost.
    pub(crate) fn renewed(&self) {
        self.record().report.fresh_instances += 1;
    }

    /// A call broke.
    pub(crate) fn spent(&self, cost: u64) {
        self.record().cost += cost;
    }

    /// Whether the run's budget allows to look further.
    pub(crate) fn affords(&self) -> bool {
        self.record().cost < RUN_BUDGET
    }

    /// A batch has lost that many of its rows; true when the plugin is to be given up.
    pub(crate) fn lost(&self, rows: usize, of: usize) -> bool {
        let mut record = self.record();
        record.report.rows_lost += rows as u64;
        if record.passed || rows < of {
            return false;
        }
        record.hopeless_batches += 1;
        record.hopeless_rows += rows as u64;
        record.hopeless_batches >= HOPELESS_BATCHES || record.hopeless_rows >= HOPELESS_ROWS
    }

    /// What an instance did beside its results.
    pub(crate) fn counted(&self, counters: &Counters) {
        let report = &mut self.record().report;
        report.log_lines_dropped += counters.log_dropped;
        report.metrics_dropped += counters.metrics_dropped;
        for (name, value) in &counters.metrics {
            let value = PluginMetric::from(*value);
            report.metrics.entry(name.clone()).and_modify(|sum| sum.add(value)).or_insert(value);
        }
    }

    /// All of it.
    pub(crate) fn report(&self) -> PluginReport {
        self.record().report.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_passes_nothing_is_given_up() {
        let health = Health::new("p", "transform[0]");
        assert!(!health.lost(15, 15) && !health.lost(15, 15) && health.lost(15, 15));
        assert!(Health::default().lost(1_000, 1_000));
    }

    #[test]
    fn a_plugin_that_passed_something_is_not() {
        let health = Health::default();
        health.passed(1);
        assert!((0..10).all(|_| !health.lost(2_000, 2_000)));
        assert_eq!(health.report().rows_lost, 20_000);
        let health = Health::default();
        assert!((0..10).all(|_| !health.lost(999, 1_000)), "some rows of these batches passed");
    }

    #[test]
    fn metrics_of_all_instances_come_together() {
        use forcepump_sandbox::MetricValue::{Counter, Gauge, Histogram};
        let health = Health::default();
        for value in [1.0, 3.0] {
            let spread = Histogram { count: 1, sum: value, min: value, max: value };
            let metrics = [("rows", Counter(2)), ("level", Gauge(value)), ("seconds", spread)];
            let metrics = metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            health.counted(&Counters { metrics, ..Counters::default() });
        }
        let metrics = health.report().metrics;
        assert_eq!(metrics["rows"], PluginMetric::Counter(4));
        assert_eq!(metrics["level"], PluginMetric::Gauge(3.0));
        assert_eq!(metrics["seconds"], PluginMetric::Histogram { count: 2, sum: 4.0, min: 1.0, max: 3.0 });
    }

    #[test]
    fn the_run_has_a_budget() {
        let health = Health::default();
        health.spent(RUN_BUDGET - 1);
        assert!(health.affords());
        health.spent(1);
        assert!(!health.affords());
    }
}
