//! The fickle guest in the shapes that tests need.

use forcepump_plugin_bundle::test_guest;

use crate::harness::Bench;
use crate::tables::{self, Table};

/// All that the fickle guest imports.
pub const GRANTED: &str = "grant = { clock = true, random = true, files = { out = \"out\" } }\n";

/// Puts the guest beside the pipeline, as `fickle.wasm`.
pub fn fickle(bench: &Bench) {
    std::fs::write(bench.path("fickle.wasm"), test_guest("fickle").expect("the guest")).expect("a file");
}

/// The same, keeping state from row to row; with `checkpoint` or without that export.
pub fn stateful_fickle(bench: &Bench, checkpoint: bool) {
    let mut component = test_guest("fickle").expect("the guest").to_vec();
    write_over(&mut component, "fickle-shape:stateless", "fickle-shape:stateful.");
    if !checkpoint {
        write_over(&mut component, "forcepump:plugin/checkpoint", "forcepump:plugon/checkpoint");
    }
    std::fs::write(bench.path("fickle.wasm"), component).expect("a file");
}

/// Puts one text in the place of another of the same length.
fn write_over(component: &mut [u8], old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> =
        (0..component.len() - old.len()).filter(|at| component[*at..].starts_with(old.as_bytes())).collect();
    assert!(!places.is_empty(), "{old}");
    places.iter().for_each(|at| component[*at..at + new.len()].copy_from_slice(new.as_bytes()));
}

/// Rows of the CSV files of a report, in the order of the units.
pub fn csv_rows(bench: &Bench, report: &serde_json::Value) -> Table {
    let place = &report["results"][0];
    let folder = place["path"].as_str().expect("a folder");
    let files = place["files"].as_array().expect("files").iter().filter_map(serde_json::Value::as_str);
    let mut paths: Vec<String> = files.map(|file| format!("{folder}/{file}")).collect();
    paths.sort_by_key(|path| (path.contains("final"), path.clone()));
    let mut whole = Table::default();
    for part in paths.iter().map(|path| tables::csv(&bench.read(path))) {
        whole = Table { columns: part.columns, rows: [whole.rows, part.rows].concat() };
    }
    whole
}

/// The guest that can send requests.
pub fn requesting_fickle(bench: &Bench) {
    let component = test_guest("fickle-http").expect("the guest");
    std::fs::write(bench.path("fickle.wasm"), component).expect("a file");
}
