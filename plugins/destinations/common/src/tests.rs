//! The shared part, run natively with a format of its own.

use super::*;
use forcepump_plugin_sdk::files::FileError;
use forcepump_plugin_sdk::testing::{DestinationRun, Table, files, target};
use serde_json::{Value, json};

#[derive(Debug)]
struct Lines;

impl FileFormat for Lines {
    const NAME: &'static str = "lines";
    const SUMMARY: &'static str = "for tests";
    const EXTENSION: &'static str = "txt";
    const FORMAT: Format = Format::JsonLines;
    const COMPRESSIONS: &'static [(&'static str, Compression)] =
        &[("none", Compression::None), ("gzip", Compression::Gzip)];
    const COMPRESSED_INSIDE: bool = false;
}

type Run = DestinationRun<FileDestination<Lines>>;

fn table() -> Table {
    Table::new().text("Id", ["1", "2"]).int32("Age", [Some(36), None])
}

fn prepared(config: Value, mode: WriteMode) -> Result<Run, PluginError> {
    files::grant(ROOT);
    Run::prepare(target(&config, &table().schema, mode, &[]))
}

fn problem(result: Result<Run, PluginError>) -> (String, String) {
    match result {
        Err(PluginError::Config(problems)) => (problems[0].pointer.clone(), problems[0].message.clone()),
        other => panic!("expected a config error, got {other:?}"),
    }
}

#[test]
fn one_file_a_unit_and_a_manifest() -> Result<(), PluginError> {
    let mut run = prepared(json!({}), WriteMode::Append)?;
    run.unit("0", &[table(), table()])?;
    run.unit("1", &[table()])?;
    assert_eq!(
        files::under(ROOT).into_keys().collect::<Vec<_>>(),
        ["Account/Account-test-run-0.txt", "Account/Account-test-run-1.txt"]
    );
    run.conclude(Ending::Complete)?;
    let all = files::under(ROOT);
    assert_eq!(all["Account/Account-test-run-0.txt"].tables.len(), 2);
    let manifest: Value = serde_json::from_slice(&all["Account/manifest-test-run.json"].bytes).unwrap_or_default();
    assert_eq!(manifest["rows"], 6);
    assert_eq!(manifest["files"][1]["path"], "Account-test-run-1.txt");
    assert_eq!(manifest["as_of"], "2024-01-01T00:00:00.000Z");
    assert_eq!(manifest["columns"][1], json!({"name": "Age", "type": "int32", "nullable": true}));
    Ok(())
}

#[test]
fn a_file_that_is_gone_with_its_rows_is_not_asked_for_again() {
    let full = FileError::Io("no space left on device".to_owned());
    assert_eq!(PluginError::from(full), PluginError::fatal("file storage: no space left on device"));
}

#[test]
fn overwriting_has_the_manifest_that_the_host_sweeps_by() -> Result<(), PluginError> {
    let mut run = prepared(json!({"folder": "crm/acc", "name": "x", "compression": "gzip"}), WriteMode::Overwrite)?;
    run.unit("a/b", &[table()])?;
    run.conclude(Ending::Complete)?;
    let names: Vec<String> = files::under(ROOT).into_keys().collect();
    assert_eq!(names[0], "crm/acc/manifest.json");
    assert!(names[1].starts_with("crm/acc/x-test-run-a_b-") && names[1].ends_with(".txt.gz"), "{}", names[1]);
    Ok(())
}

#[test]
fn a_failed_run_and_an_abandoned_unit_leave_nothing_that_counts() -> Result<(), PluginError> {
    let mut run = prepared(json!({}), WriteMode::Overwrite)?;
    run.abandoned_unit("0", &[table()])?;
    assert!(files::under(ROOT).is_empty());
    run.unit("0", &[table()])?;
    run.conclude(Ending::Failed)?;
    assert!(!files::under(ROOT).contains_key("Account/manifest.json"));
    Ok(())
}

#[test]
fn a_unit_without_rows_has_no_file_but_the_run_has_a_manifest() -> Result<(), PluginError> {
    let mut run = prepared(json!({"folder": "."}), WriteMode::Append)?;
    run.unit("0", &[])?;
    run.conclude(Ending::Complete)?;
    assert_eq!(files::under(ROOT).into_keys().collect::<Vec<_>>(), ["manifest-test-run.json"]);
    Ok(())
}

#[test]
fn wrong_configuration_is_named() {
    assert_eq!(problem(prepared(json!({"folder": "../x"}), WriteMode::Append)).0, "/folder");
    let (pointer, message) = problem(prepared(json!({"compression": "rar"}), WriteMode::Append));
    assert_eq!(
        (pointer.as_str(), message.as_str()),
        ("/compression", "unknown compression \"rar\"; expected none, gzip")
    );
    let (_, message) = problem(prepared(json!({}), WriteMode::Merge));
    assert!(message.contains("use mode \"append\" or \"overwrite\""), "{message}");
    assert!(problem(prepared(json!({"foldr": "x"}), WriteMode::Append)).1.contains("unknown field `foldr`"));
}
