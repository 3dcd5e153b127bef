//! What a destination says it took, against what the host carried for it; and the receipt of a run.

use std::process::Stdio;

use forcepump_emulator::Options;
use forcepump_plugin_bundle::test_guest;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs;

const SOURCE: &str = "name = \"ledger\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

fn bench() -> (Org, Bench) {
    bench_with("")
}

fn bench_with(faults: &str) -> (Org, Bench) {
    let org = orgs::small(Options { faults: orgs::script_of(faults), ..Options::default() });
    let bench = Bench::on(&org);
    std::fs::write(bench.path("evil.wasm"), test_guest("evil").expect("the guest")).expect("a file");
    (org, bench)
}

/// Five rows a batch, so that a unit of fifteen has three.
fn evil(call: &str, mode: &str) -> String {
    format!(
        "{SOURCE}batch_rows = 5\n[destination]\nplugin = \"./evil.wasm\"\nmode = \"append\"\nconfig = {{ call = \"{call}\", mode = \"{mode}\" }}\n\
         grant = {{ clock = true, random = true, files = {{ evil = \"evil\" }}, sql = {{ evil = \"sqlite:evil.db\" }} }}\n"
    )
}

#[test]
fn a_destination_that_drops_or_doubles_rows_is_found_out_with_both_numbers() {
    for (call, mode, says, files) in [
        ("write", "drop-rows", "it accepted 15 rows, but none went into a file, a table or a request", 0),
        ("write", "drop-batches", "it accepted 15 rows, but 10 went into csv files below evil", 0),
        ("write", "double-rows", "it accepted 15 rows, but 30 went into csv files below evil", 0),
        ("commit", "unfinished-file", "it accepted 15 rows, but 0 are durable in csv files below evil", 0),
    ] {
        let (_org, bench) = bench();
        bench.write("p.toml", &evil(call, mode));
        let report = bench.run(&["run", "p.toml", "--json"]).ends(6).json();
        let message = report["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("unit p0000") && message.contains(says), "{mode}: {message}");
        assert_eq!(report["rows"]["written"], 0, "{mode}");
        assert_eq!(std::fs::read_dir(bench.path("evil")).expect("the folder").count(), files, "{mode}");
    }
}

#[test]
fn nor_is_it_believed_when_the_run_goes_on() {
    let stall =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 1 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
    let (org, bench) = bench_with(stall);
    bench.write("p.toml", &evil("write", "drop-rows"));
    let mut command = bench.command(&["run", "p.toml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    orgs::wait_until("the first page is asked for", || org.asked("/results") > 0);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(6).json();
    assert!(report["went_on"].is_object(), "{report:#}");
    let message = report["error"]["message"].to_string();
    assert!(message.contains("none went into a file"), "nothing was there before: {message}");
}

#[test]
fn an_honest_destination_of_ones_own_passes() {
    let (_org, bench) = bench();
    bench.write("p.toml", &evil("", ""));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], orgs::SMALL_ROWS);
    let ran = bench.run(&["verify", "latest"]).ends(0);
    assert!(ran.stdout.contains("nothing differs"), "{}", ran.stdout);
}

#[test]
fn a_receipt_is_the_same_for_the_same_rows_and_another_for_others() {
    let (_org, bench) = bench();
    let receipt = |text: &str| {
        bench.write("p.toml", text);
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        report["receipt"].as_str().expect("a receipt").to_owned()
    };
    let whole = receipt(&format!("{SOURCE}{CSV}"));
    assert_eq!(whole.len(), 64);
    assert_eq!(receipt(&format!("{SOURCE}{CSV}")), whole, "the same again");
    assert_eq!(receipt(&format!("{SOURCE}batch_rows = 4\n{CSV}")), whole, "batches are no matter");
    let other = receipt(&format!("{SOURCE}where = \"Name != 'Account, 7'\"\n{CSV}"));
    assert_ne!(other, whole);
}

#[test]
fn units_are_shown_with_their_numbers_and_hashes() {
    let (_org, bench) = bench();
    bench.write("p.toml", &format!("{SOURCE}{CSV}"));
    bench.run(&["run", "p.toml"]).ends(0);
    let shown = bench.run(&["show", "latest", "--units", "--json"]).ends(0).json();
    let units = shown["units"].as_array().expect("units");
    let read: Vec<&Value> = units.iter().map(|unit| &unit["read"]).collect();
    assert_eq!(read, [15, 15, 10]);
    for unit in units {
        assert_eq!(unit["read_hash"], unit["written_hash"], "no transform stands between: {unit}");
        assert_eq!(unit["read_hash"].as_str().map(str::len), Some(32));
    }
    let words = bench.run(&["show", "latest", "--units"]).ends(0).stdout;
    assert!(words.contains("p00002") && words.contains("hash of written"), "{words}");
    assert!(!bench.run(&["show", "latest"]).ends(0).stdout.contains("hash of written"));
}
