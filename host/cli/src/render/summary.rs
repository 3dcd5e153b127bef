//! The end of a run in words: rejects in the headline, then each figure on its line.

use console::style;
use forcepump_pipeline::{
    Change, FeedReport, FieldChange, GivenUp, PluginMetric, PluginReport, ResultPlace, RunReport, RunState, WentOn,
};

use super::numbers::{bytes, count, rate, rows, seconds, several};
use super::table;
use crate::output::clean;

/// Fields left out of the query that are listed by name.
const LISTED_FIELDS: usize = 10;

/// The whole summary of one run.
pub fn summary(report: &RunReport) -> String {
    let mut lines = vec![headline(report)];
    let mut line = |label: &str, text: String| lines.push(format!("  {label:<9} {}", clean(&text)));
    line("rows", row_counts(report));
    line("read", read(report));
    line("calls", calls(report));
    let units = format!("{} committed{}", several(report.units, "unit"), retries(report.retries));
    if is_of_several(report) {
        line("units", units.clone());
    }
    match (&report.job_id, &report.api) {
        (Some(job), _) => line("job", format!("{job}, {units}")),
        (None, Some(_)) => line("rest", units),
        (None, None) => {}
    }
    if let Some(before) = &report.went_on {
        line("before", went_on(before));
    }
    for gone in &report.given_up {
        line("given up", given_up(gone));
    }
    if let Some(deleted) = report.deleted {
        line("deleted", format!("{} of those written, in the destination", count(deleted)));
    }
    if !report.backfilled.is_empty() {
        line("filled in", report.backfilled.join(", "));
    }
    if let Some(window) = &report.window {
        line("window", super::plan::window_text(window));
    }
    for place in &report.results {
        line("results", place_text(place));
    }
    if let Some(file) = &report.rejects_file {
        line("rejects", format!("{file} ({})", reject_codes(report)));
    }
    for plugin in report.plugins.iter().filter(|plugin| plugin.bad_batches > 0) {
        line("plugin", bad_batches(plugin));
    }
    for plugin in report.plugins.iter().filter(|plugin| !plugin.metrics.is_empty()) {
        line("metrics", metrics(plugin));
    }
    if !report.skipped_fields.is_empty() {
        line("skipped", skipped(report));
    }
    if !report.field_changes.is_empty() {
        line("fields", field_changes(&report.field_changes, is_of_several(report)));
    }
    if report.resumable {
        line("next", next(&report.run_id, report.retry_of.is_some()));
    }
    if is_of_several(report) {
        lines.extend(feeds(report).lines().map(|line| format!("  {line}")));
    }
    lines.join("\n")
}

/// How an unfinished run is gone on with.
pub fn next(run: &str, is_retry: bool) -> String {
    match is_retry {
        true => format!("forcepump retry-rejects {run} goes on, with --fresh it begins anew"),
        false => format!("run it again to go on (forcepump resume {run}), or with --fresh to begin anew"),
    }
}

/// Bytes, time and rate; the time is that of this process, and so are the rows of the rate.
fn read(report: &RunReport) -> String {
    let (bytes, seconds) = (bytes(report.bytes_read), seconds(report.seconds));
    let since = |before: u64| report.rows.read.saturating_sub(before);
    match report.went_on.map(|before| since(before.read)) {
        None => format!("{bytes} in {seconds}, {}", rate(report.rows.read, report.seconds)),
        Some(now) => format!("{bytes}; since it went on {} in {seconds}, {}", rows(now), rate(now, report.seconds)),
    }
}

/// What was there when the run went on.
fn went_on(before: &WentOn) -> String {
    let units = several(before.units, "unit");
    format!("{units} of these, {} written, were committed before it went on", rows(before.written))
}

/// What was given up for the run, or for a feed of it that began anew.
fn given_up(gone: &GivenUp) -> String {
    let what =
        gone.feed.as_ref().map_or_else(|| format!("run {}", gone.run_id), |feed| format!("what there was of {feed}"));
    let units = several(gone.units, "unit");
    format!("{what}, with {units} and {}, as {}", rows(gone.rows), gone.why)
}

/// Whether the pipeline names its objects in a list: then the run itself has no API, its feeds have.
fn is_of_several(report: &RunReport) -> bool {
    report.feeds.len() > 1 || (report.api.is_none() && report.feeds.iter().any(|feed| feed.api.is_some()))
}

/// Each feed on a line of a table.
fn feeds(report: &RunReport) -> String {
    let row = |feed: &FeedReport| {
        let before = if feed.complete_before { " before" } else { "" };
        let FeedReport { rows, .. } = feed;
        let mut cells = vec![feed.feed.clone(), format!("{}{before}", state_word(feed.state))];
        cells.extend([rows.read, rows.filtered, rows.rejected, rows.written].map(count));
        cells.extend([feed.units.to_string(), feed.job_id.clone().or(feed.api.clone()).unwrap_or_default()]);
        cells
    };
    let rows: Vec<Vec<String>> = report.feeds.iter().map(row).collect();
    table::whole(&["feed", "state", "read", "filtered", "rejected", "written", "units", "job"], &rows)
}

/// One line that cannot be mistaken for a clean end when rows are missing.
pub fn headline(report: &RunReport) -> String {
    let name = style(clean(&report.pipeline)).bold();
    let written = format!("{} written", rows(report.rows.written));
    let rejected = rows(report.rows.rejected).replacen(" row", " rejected row", 1);
    match report.state {
        RunState::Complete => format!("{name}: {}, {written}", style("complete").green()),
        RunState::CompleteWithRejects => {
            format!("{name}: {}, {written}", style(format!("complete with {rejected}")).yellow())
        }
        RunState::Partial => format!("{name}: {} after {written}{}", style("partial").red(), some(&rejected, report)),
        RunState::Failed => format!("{name}: {} after {written}{}", style("failed").red(), some(&rejected, report)),
        RunState::Cancelled => {
            format!("{name}: {} after {written}{}", style("interrupted").red(), some(&rejected, report))
        }
    }
}

fn some(rejected: &str, report: &RunReport) -> String {
    if report.rows.rejected == 0 { String::new() } else { format!(", {rejected}") }
}

fn row_counts(report: &RunReport) -> String {
    let rows = &report.rows;
    let mut parts = vec![format!("announced {}", count(rows.announced)), format!("read {}", count(rows.read))];
    if rows.added > 0 {
        parts.push(format!("added {}", count(rows.added)));
    }
    parts.push(format!("filtered {}", count(rows.filtered)));
    parts.push(format!("rejected {}", count(rows.rejected)));
    parts.push(format!("written {}", count(rows.written)));
    parts.join(", ")
}

fn calls(report: &RunReport) -> String {
    let estimated =
        report.calls_estimated.map_or_else(String::new, |calls| format!(" of about {} expected", count(calls)));
    let org = report.api_usage.map_or_else(String::new, |(used, allowed)| {
        format!("; the org has used {} of {} today", count(used), count(allowed))
    });
    format!("{} used{estimated}{org}", report.calls_used)
}

fn retries(retries: u64) -> String {
    match retries {
        0 => String::new(),
        1 => ", 1 retry".to_owned(),
        more => format!(", {} retries", count(more)),
    }
}

/// Where results lie, in words.
pub fn place_text(place: &ResultPlace) -> String {
    match place {
        ResultPlace::Sqlite { path } => here(path).to_owned(),
        ResultPlace::Folder { path, files } => match files.as_slice() {
            [] => format!("{}, no files", here(path)),
            [file] => format!("{}/{file}", here(path)),
            [first, ..] => format!("{}, {} files: {first}, …", here(path), count(files.len() as u64)),
        },
    }
}

/// A path in the current folder without the dot that says so.
fn here(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn reject_codes(report: &RunReport) -> String {
    report.rejects_by_code.iter().map(|(code, n)| format!("{code} × {}", count(*n))).collect::<Vec<_>>().join(", ")
}

/// What a plugin counted: `http: requests 12`.
fn metrics(plugin: &PluginReport) -> String {
    let metric = |(name, value): (&String, &PluginMetric)| match value {
        PluginMetric::Counter(sum) => format!("{name} {}", count(*sum)),
        PluginMetric::Gauge(last) => format!("{name} {last}"),
        PluginMetric::Histogram { count: times, sum, min, max } => {
            format!("{name} {} times, {min} to {max}, mean {:.3}", count(*times), sum / (*times).max(1) as f64)
        }
    };
    format!("{}: {}", plugin.plugin, plugin.metrics.iter().map(metric).collect::<Vec<_>>().join(", "))
}

fn bad_batches(plugin: &PluginReport) -> String {
    let batches =
        if plugin.bad_batches == 1 { "1 batch".to_owned() } else { format!("{} batches", plugin.bad_batches) };
    let instances = several(plugin.fresh_instances, "fresh instance");
    format!("{}: broken by {batches}, {} rejected for it, {instances}", plugin.plugin, rows(plugin.rows_lost))
}

fn skipped(report: &RunReport) -> String {
    let names: Vec<&str> = report.skipped_fields.iter().map(|field| field.name.as_str()).collect();
    let listed = names.iter().take(LISTED_FIELDS).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > LISTED_FIELDS { ", …" } else { "" };
    let fields = several(names.len() as u64, "field");
    format!("{fields} that cannot be read in bulk: {listed}{more}")
}

/// What changed in the org, in the order gone, retyped, new; of several feeds each field with its object.
fn field_changes(changes: &[FieldChange], is_of_several: bool) -> String {
    let field = |change: &FieldChange| match is_of_several {
        true => format!("{}.{}", change.object, change.field),
        false => change.field.clone(),
    };
    let of = |wanted: Change, word: &str| {
        let found: Vec<&FieldChange> = changes.iter().filter(|change| change.change == wanted).collect();
        let name = |change: &&FieldChange| match wanted {
            Change::Type => format!(
                "{} {} → {}",
                field(change),
                change.was.as_deref().unwrap_or_default(),
                change.is.as_deref().unwrap_or_default()
            ),
            Change::Gone | Change::New => field(change),
        };
        let names: Vec<String> = found.iter().take(LISTED_FIELDS).map(name).collect();
        let more = if found.len() > LISTED_FIELDS { ", …" } else { "" };
        (!found.is_empty()).then(|| format!("{word} {}{more}", names.join(", ")))
    };
    let parts = [of(Change::Gone, "gone:"), of(Change::Type, "of another type:"), of(Change::New, "new:")];
    // Feeds may have been whole on different days: the oldest holds for all.
    let since = changes.iter().map(|change| change.since.as_str()).min().unwrap_or_default();
    format!("since {since} {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// Several runs as one table.
pub fn comparison(reports: &[(String, RunReport)]) -> String {
    let header =
        ["pipeline", "state", "announced", "read", "filtered", "rejected", "written", "bytes", "seconds", "calls"];
    let rows: Vec<Vec<String>> = reports.iter().map(|(label, report)| comparison_row(label, report)).collect();
    table::whole(&header, &rows)
}

/// The state in a table.
fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Complete => "complete",
        RunState::CompleteWithRejects => "with rejects",
        RunState::Partial => "partial",
        RunState::Failed => "failed",
        RunState::Cancelled => "interrupted",
    }
}

fn comparison_row(label: &str, report: &RunReport) -> Vec<String> {
    let state = state_word(report.state);
    let rows = &report.rows;
    let counts = [rows.announced, rows.read, rows.filtered, rows.rejected, rows.written];
    let mut cells = vec![label.to_owned(), state.to_owned()];
    cells.extend(counts.map(count));
    cells.extend([bytes(report.bytes_read), format!("{:.2}", report.seconds), report.calls_used.to_string()]);
    cells
}

#[cfg(test)]
mod tests {
    use forcepump_pipeline::{Becomes, RowCounts, SkippedField};

    use super::*;

    fn change((field, change): (&str, Change)) -> FieldChange {
        let (object, field, since) = ("Account".to_owned(), field.to_owned(), "2024-04-16".to_owned());
        FieldChange { object, field, change, was: None, is: None, since, becomes: Becomes::Read }
    }

    fn report() -> RunReport {
        RunReport {
            run_id: "r".to_owned(),
            pipeline: "accounts".to_owned(),
            state: RunState::CompleteWithRejects,
            window: None,
            deleted: None,
            backfilled: Vec::new(),
            api: Some("bulk2".to_owned()),
            job_id: Some("750x".to_owned()),
            rows: RowCounts { announced: 2000, read: 2000, filtered: 10, added: 0, rejected: 1, written: 1989 },
            bytes_read: 2048,
            units: 1,
            receipt: None,
            went_on: None,
            given_up: Vec::new(),
            retry_of: None,
            resumable: false,
            retries: 2,
            seconds: 2.0,
            calls_used: 9,
            calls_estimated: Some(12),
            api_usage: Some((12, 100_000)),
            results: vec![ResultPlace::Sqlite { path: "results/accounts.db".to_owned() }],
            rejects_file: Some("rejects/r.jsonl".to_owned()),
            rejects_by_code: [("DECIMAL".to_owned(), 1)].into(),
            plugins: Vec::new(),
            skipped_fields: vec![SkippedField { name: "Photo\u{1b}".to_owned(), reason: "base64".to_owned() }],
            field_changes: [("New__c", Change::New), ("Gone__c", Change::Gone)].map(change).into(),
            feeds: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn rejects_stand_in_the_headline() {
        console::set_colors_enabled(false);
        let text = summary(&report());
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, "accounts: complete with 1 rejected row, 1,989 rows written");
        assert!(text.contains("announced 2,000, read 2,000, filtered 10, rejected 1, written 1,989"), "{text}");
        assert!(text.contains("rejects/r.jsonl (DECIMAL × 1)"), "{text}");
        assert!(text.contains("9 used of about 12 expected"), "{text}");
        assert!(text.contains("1,000 rows/s") && text.contains("12 of 100,000"), "{text}");
        assert!(text.contains("1 unit committed, 2 retries"), "{text}");
        assert!(text.contains("since 2024-04-16 gone: Gone__c; new: New__c"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn an_unfinished_run_says_how_to_go_on_and_a_resumed_one_what_was_there() {
        console::set_colors_enabled(false);
        let unfinished = summary(&RunReport { state: RunState::Partial, resumable: true, ..report() });
        assert!(unfinished.contains("forcepump resume r") && unfinished.contains("--fresh"), "{unfinished}");
        let gone = |feed: Option<&str>| GivenUp {
            run_id: "q".to_owned(),
            feed: feed.map(str::to_owned),
            why: "its job is gone".to_owned(),
            units: 3,
            rows: 1_500,
        };
        let anew = summary(&RunReport { given_up: vec![gone(None), gone(Some("Lead"))], ..report() });
        assert!(anew.contains("given up  run q, with 3 units and 1,500 rows, as its job is gone"), "{anew}");
        assert!(anew.contains("given up  what there was of Lead, with"), "{anew}");
        let before = Some(WentOn { units: 12, read: 1_400, written: 1_300 });
        let resumed = summary(&RunReport { went_on: before, ..report() });
        assert!(resumed.contains("2.0 KiB; since it went on 600 rows in 2.0 s, 300 rows/s"), "{resumed}");
        assert!(resumed.contains("12 units of these, 1,300 rows written, were committed before"), "{resumed}");
    }

    #[test]
    fn a_failed_run_never_reads_as_complete() {
        console::set_colors_enabled(false);
        for (state, word) in
            [(RunState::Partial, "partial"), (RunState::Failed, "failed"), (RunState::Cancelled, "interrupted")]
        {
            let line = headline(&RunReport { state, ..report() });
            assert_eq!(line, format!("accounts: {word} after 1,989 rows written, 1 rejected row"));
        }
    }
}
