//! What a run came to: its report.

use std::path::Path;
use std::time::Instant;

use forcepump_salesforce::Client;

use super::Progress;
use super::pass::is_of_deletes;
use super::record::Standing;
use super::shared::Shared;
use crate::error::Error;
use crate::estimate::CallEstimate;
use crate::report::{ReportedError, ResultPlace, RunReport, RunState};
use crate::session::Session;

/// The report of a run; `standing` is where an unfinished one stands.
pub(super) fn report(
    session: &Session,
    progress: Progress,
    error: Option<&Error>,
    standing: Standing,
    started: Instant,
) -> RunReport {
    let client: &Client = session.client();
    let mut report = RunReport {
        run_id: progress.run_id,
        pipeline: session.pipeline().file.name.clone(),
        state: error.map_or(RunState::Complete, |error| standing.state(error)),
        retry_of: session.retry().map(|retry| retry.of.clone()),
        api: progress.api,
        job_id: progress.job_id,
        rows: Default::default(),
        bytes_read: 0,
        units: 0,
        receipt: None,
        went_on: progress.went_on,
        given_up: Vec::new(),
        resumable: standing.resumable,
        retries: client.retries(),
        seconds: started.elapsed().as_secs_f64(),
        calls_used: client.calls_used(),
        calls_estimated: progress.begun.as_ref().map(|(options, planning)| {
            CallEstimate::new(options, client.options(), Some(progress.announced), *planning).total
        }),
        api_usage: client.api_usage(),
        results: session.places(),
        rejects_file: None,
        rejects_by_code: Default::default(),
        plugins: Vec::new(),
        skipped_fields: progress.skipped,
        window: session.window().map(crate::incremental::Window::shown),
        field_changes: progress.changes,
        feeds: Vec::new(),
        deleted: deleted(progress.shared.as_deref()),
        backfilled: session.filling().map(<[String]>::to_vec).unwrap_or_default(),
        error: error.map(told),
    };
    report.rows.announced = progress.announced;
    if let Some(shared) = progress.shared {
        add_ledger(&mut report, &shared);
    }
    report
}

/// Rows that the pass of deleted rows deleted; none where there is no such pass.
fn deleted(shared: Option<&Shared>) -> Option<u64> {
    let units = shared?.journal.units().ok()?;
    let deleted = units.iter().filter(|unit| is_of_deletes(&unit.pass));
    let rows = deleted.map(|unit| unit.tally.written).reduce(|sum, rows| sum + rows);
    rows.filter(|rows| *rows > 0)
}

pub(super) fn told(error: &Error) -> ReportedError {
    ReportedError { class: error.class().word().into(), message: error.to_string() }
}

fn add_ledger(report: &mut RunReport, shared: &Shared) {
    let ledger = shared.ledger();
    let announced = report.rows.announced;
    report.rows = ledger.rows;
    report.rows.announced = announced;
    report.bytes_read = ledger.bytes;
    report.units = ledger.units;
    report.retries += ledger.retries;
    report.rejects_file = ledger.rejects.path().map(|path| path.display().to_string());
    report.rejects_by_code = ledger.rejects.by_code().clone();
    report.plugins = shared.plugin_reports();
    if report.state == RunState::Complete && report.rows.rejected > 0 {
        report.state = RunState::CompleteWithRejects;
    }
    name_files(&mut report.results, &ledger.tokens);
}

/// A token names a file and not its folder: where several are granted, a file is told in the one that holds it.
fn name_files(results: &mut [ResultPlace], tokens: &[String]) {
    let is_folder = |place: &&mut ResultPlace| matches!(place, ResultPlace::Folder { .. });
    let folders = results.iter_mut().filter(is_folder).count();
    for place in results {
        if let ResultPlace::Folder { path, files } = place {
            let named = tokens.iter().filter(|token| !token.is_empty()).map(|token| file_of(token));
            *files = named.filter(|file| folders == 1 || Path::new(path).join(file).is_file()).collect();
        }
    }
}

/// A file destination's token is a JSON object that names its file; any other token stands for itself.
fn file_of(token: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(token).ok();
    let path = parsed.as_ref().and_then(|value| value.get("path")?.as_str());
    path.unwrap_or(token).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_names_a_file_is_that_file() {
        assert_eq!(file_of(r#"{"path":"a/b.csv","rows":1}"#), "a/b.csv");
        assert_eq!(file_of("tx 7"), "tx 7");
    }

    #[test]
    fn a_file_is_told_in_the_folder_that_holds_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(one.path().join("a.csv"), "").unwrap();
        let place = |folder: &Path| ResultPlace::Folder { path: folder.display().to_string(), files: Vec::new() };
        let files = |place: &ResultPlace| match place {
            ResultPlace::Folder { files, .. } => files.len(),
            ResultPlace::Sqlite { .. } => 0,
        };
        let tokens = [r#"{"path":"a.csv"}"#.to_owned(), String::new()];
        let mut results = [place(one.path()), place(other.path())];
        name_files(&mut results, &tokens);
        assert_eq!(results.iter().map(files).collect::<Vec<_>>(), [1, 0]);
        let mut results = [place(other.path())];
        name_files(&mut results, &tokens);
        assert_eq!(files(&results[0]), 1, "the only folder holds what a token names, wherever it is by now");
    }
}
