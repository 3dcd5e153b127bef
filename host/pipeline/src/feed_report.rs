//! What became of one feed of a run, and what several come to.

use serde::{Deserialize, Serialize};

use crate::drift::FieldChange;
use crate::incremental::ShownWindow;
use crate::report::{PluginReport, ReportedError, ResultPlace, RowCounts, RunReport, RunState, SkippedField};

/// One feed of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeedReport {
    /// the object as the pipeline file names it; `query` where the source is one
    pub feed: String,
    /// how the feed ended
    pub state: RunState,
    /// it was complete when the run went on, and was not read again
    #[serde(default)]
    pub complete_before: bool,
    /// the API that its rows came by: `bulk2`, `bulk1` or `rest`
    pub api: Option<String>,
    /// the Salesforce job's id, when one was made
    pub job_id: Option<String>,
    /// rows at each station
    pub rows: RowCounts,
    /// bytes decoded
    pub bytes_read: u64,
    /// units committed
    pub units: u64,
    /// units that were tried again after a fault
    pub retries: u64,
    /// wall time, seconds
    pub seconds: f64,
    /// HTTP requests sent to Salesforce for it, retries and polls included
    #[serde(default)]
    pub calls_used: u64,
    /// requests that were to be expected for the rows announced
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_estimated: Option<u64>,
    /// where the results lie
    pub results: Vec<ResultPlace>,
    /// the file with the rejected rows, when there are any
    pub rejects_file: Option<String>,
    /// reject codes and how often each occurred
    pub rejects_by_code: std::collections::BTreeMap<String, u64>,
    /// the plugins in the order of the steps
    pub plugins: Vec<PluginReport>,
    /// fields of the object that could not be read, and why
    pub skipped_fields: Vec<SkippedField>,
    /// what an incremental feed read
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<ShownWindow>,
    /// fields that are gone, new or of another type since the last whole run
    pub field_changes: Vec<FieldChange>,
    /// of the rows written, those that were deleted in the destination
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// of a backfill, the fields that it filled in
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backfilled: Vec<String>,
    /// the error that ended the feed
    pub error: Option<ReportedError>,
}

impl FeedReport {
    /// Of the report of a run of that feed alone.
    pub(crate) fn of(feed: &str, report: &RunReport) -> Self {
        Self {
            feed: feed.to_owned(),
            state: report.state,
            complete_before: false,
            api: report.api.clone(),
            job_id: report.job_id.clone(),
            rows: report.rows,
            bytes_read: report.bytes_read,
            units: report.units,
            retries: report.retries,
            seconds: report.seconds,
            calls_used: report.calls_used,
            calls_estimated: report.calls_estimated,
            results: report.results.clone(),
            rejects_file: report.rejects_file.clone(),
            rejects_by_code: report.rejects_by_code.clone(),
            plugins: report.plugins.clone(),
            skipped_fields: report.skipped_fields.clone(),
            window: report.window.clone(),
            field_changes: report.field_changes.clone(),
            deleted: report.deleted,
            backfilled: report.backfilled.clone(),
            error: report.error.clone(),
        }
    }

    /// Whether all of it is in the destination or in the rejects file.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.state, RunState::Complete | RunState::CompleteWithRejects)
    }
}

impl RunReport {
    /// The report of a run of several feeds: their sums, their worst, and each of them.
    pub(crate) fn with_feeds(mut self, feeds: Vec<FeedReport>) -> Self {
        self.state = state_of(&feeds);
        self.error = error_of(&feeds);
        for feed in &feeds {
            self.add(feed);
        }
        self.feeds = feeds;
        self
    }

    fn add(&mut self, feed: &FeedReport) {
        let (sum, rows) = (&mut self.rows, &feed.rows);
        sum.announced += rows.announced;
        sum.read += rows.read;
        sum.filtered += rows.filtered;
        sum.added += rows.added;
        sum.rejected += rows.rejected;
        sum.written += rows.written;
        self.bytes_read += feed.bytes_read;
        self.units += feed.units;
        self.retries += feed.retries;
        feed.results.iter().for_each(|place| add_place(&mut self.results, place));
        if self.rejects_file.is_none() {
            self.rejects_file.clone_from(&feed.rejects_file);
        }
        for (code, count) in &feed.rejects_by_code {
            *self.rejects_by_code.entry(code.clone()).or_default() += count;
        }
        feed.plugins.iter().for_each(|plugin| add_plugin(&mut self.plugins, plugin));
        self.field_changes.extend(feed.field_changes.iter().cloned());
        self.deleted = self.deleted.into_iter().chain(feed.deleted).reduce(|sum, rows| sum + rows);
        self.backfilled.extend(feed.backfilled.iter().map(|field| format!("{}.{field}", feed.feed)));
        // What an earlier process has read is none of the calls of this one.
        let expected = feed.calls_estimated.filter(|_| !feed.complete_before);
        self.calls_estimated = self.calls_estimated.into_iter().chain(expected).reduce(|sum, calls| sum + calls);
    }
}

/// Complete when all are, partial when some are not, failed when none did anything.
fn state_of(feeds: &[FeedReport]) -> RunState {
    let any = |state: RunState| feeds.iter().any(|feed| feed.state == state);
    if feeds.iter().all(FeedReport::is_complete) {
        let has_rejects = any(RunState::CompleteWithRejects);
        return if has_rejects { RunState::CompleteWithRejects } else { RunState::Complete };
    }
    let did_something = feeds.iter().any(|feed| feed.is_complete() || feed.units > 0);
    match (any(RunState::Cancelled), did_something) {
        (true, _) => RunState::Cancelled,
        (false, true) => RunState::Partial,
        (false, false) => RunState::Failed,
    }
}

/// The errors of all feeds, each with its name, of the class of the first.
fn error_of(feeds: &[FeedReport]) -> Option<ReportedError> {
    let failed = || feeds.iter().filter_map(|feed| Some((&feed.feed, feed.error.as_ref()?)));
    let interrupted = |(_, error): &(&String, &ReportedError)| error.class == "interrupted";
    // Every feed of an interrupted run says so: once is enough.
    if let Some((_, error)) = failed().find(interrupted) {
        let mut told = error.clone();
        let others = failed().filter(|found| !interrupted(found)).map(|(feed, error)| words(feed, error));
        told.message = [told.message].into_iter().chain(others).collect::<Vec<_>>().join("\n");
        return Some(told);
    }
    let (_, first) = failed().next()?;
    let message = failed().map(|(feed, error)| words(feed, error)).collect::<Vec<_>>().join("\n");
    Some(ReportedError { class: first.class.clone(), message })
}

fn words(feed: &str, error: &ReportedError) -> String {
    format!("feed `{feed}`: {}", error.message)
}

fn add_place(places: &mut Vec<ResultPlace>, place: &ResultPlace) {
    for known in places.iter_mut() {
        match (known, place) {
            (ResultPlace::Folder { path, files }, ResultPlace::Folder { path: other, files: more })
                if path == other =>
            {
                return files.extend(more.iter().cloned());
            }
            (ResultPlace::Sqlite { path }, ResultPlace::Sqlite { path: other }) if path == other => return,
            _ => {}
        }
    }
    places.push(place.clone());
}

fn add_plugin(plugins: &mut Vec<PluginReport>, plugin: &PluginReport) {
    let Some(sum) = plugins.iter_mut().find(|known| known.step == plugin.step) else {
        return plugins.push(plugin.clone());
    };
    sum.bad_batches += plugin.bad_batches;
    sum.fresh_instances += plugin.fresh_instances;
    sum.rows_lost += plugin.rows_lost;
    sum.log_lines_dropped += plugin.log_lines_dropped;
    sum.metrics_dropped += plugin.metrics_dropped;
    for (name, metric) in &plugin.metrics {
        sum.metrics.entry(name.clone()).and_modify(|known| known.add(*metric)).or_insert(*metric);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(name: &str, state: RunState, units: u64) -> FeedReport {
        let error = match state {
            RunState::Complete | RunState::CompleteWithRejects => None,
            RunState::Cancelled => Some(("interrupted", "interrupted")),
            _ => Some(("source", "no")),
        };
        FeedReport {
            feed: name.to_owned(),
            state,
            complete_before: false,
            api: None,
            job_id: None,
            rows: RowCounts { read: 5, ..RowCounts::default() },
            bytes_read: 1,
            units,
            retries: 0,
            seconds: 1.0,
            calls_used: 4,
            calls_estimated: Some(5),
            results: vec![ResultPlace::Folder { path: "out".into(), files: vec![format!("{name}.csv")] }],
            rejects_file: None,
            rejects_by_code: Default::default(),
            plugins: Vec::new(),
            skipped_fields: Vec::new(),
            window: None,
            field_changes: Vec::new(),
            deleted: None,
            backfilled: Vec::new(),
            error: error.map(|(class, message)| ReportedError { class: class.into(), message: message.into() }),
        }
    }

    #[test]
    fn the_state_of_a_run_is_that_of_its_feeds() {
        use RunState::{Cancelled, Complete, CompleteWithRejects, Failed, Partial};
        let of = |states: &[(RunState, u64)]| {
            state_of(&states.iter().map(|(state, units)| feed("x", *state, *units)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[(Complete, 1), (Complete, 0)]), Complete);
        assert_eq!(of(&[(Complete, 1), (CompleteWithRejects, 1)]), CompleteWithRejects);
        assert_eq!(of(&[(Complete, 0), (Failed, 0)]), Partial);
        assert_eq!(of(&[(Failed, 1), (Failed, 0)]), Partial);
        assert_eq!(of(&[(Failed, 0), (Failed, 0)]), Failed);
        assert_eq!(of(&[(Complete, 1), (Cancelled, 0), (Failed, 0)]), Cancelled);
    }

    #[test]
    fn errors_name_their_feeds_and_an_interruption_is_told_once() {
        let of = |feeds: &[FeedReport]| error_of(feeds).map(|error| (error.class.to_string(), error.message));
        let failed = [feed("A", RunState::Complete, 1), feed("B", RunState::Failed, 0), feed("C", RunState::Failed, 0)];
        assert_eq!(of(&failed), Some(("source".into(), "feed `B`: no\nfeed `C`: no".into())));
        let stopped =
            [feed("A", RunState::Cancelled, 1), feed("B", RunState::Cancelled, 0), feed("C", RunState::Failed, 0)];
        assert_eq!(of(&stopped), Some(("interrupted".into(), "interrupted\nfeed `C`: no".into())));
        assert_eq!(of(&failed[..1]), None);
    }

    #[test]
    fn the_files_of_feeds_come_together_by_folder() {
        let mut places = vec![ResultPlace::Folder { path: "out".into(), files: Vec::new() }];
        for name in ["A", "B"] {
            feed(name, RunState::Complete, 1).results.iter().for_each(|place| add_place(&mut places, place));
        }
        let files = vec!["A.csv".to_owned(), "B.csv".to_owned()];
        assert_eq!(places, [ResultPlace::Folder { path: "out".into(), files }]);
    }
}
