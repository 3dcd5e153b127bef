//! A batch that breaks a plugin does not break the run: the rows at fault are found and rejected, and all others go on.

use std::collections::BTreeMap;

use forcepump_emulator::Options;
use serde_json::{Value, json};

use crate::guests::{self, csv_rows};
use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS};

const CSV: &str = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";
/// The row that breaks, unless a test says otherwise.
const POISON: &str = "Account, 7";

fn source(keys: &str) -> String {
    format!(
        "name = \"bad\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = \"SELECT Id, Name FROM Account ORDER BY Ext_Id__c\"\n{keys}\n"
    )
}

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    (org, bench)
}

/// A step's lines after its header.
fn fickle(config: &str, keys: &str) -> String {
    format!("plugin = \"./fickle.wasm\"\nconfig = {{ column = \"Name\", {config} }}\n{}{keys}\n", guests::GRANTED)
}

fn transform(config: &str, keys: &str) -> String {
    format!("{}[[transform]]\n{}{CSV}", source(""), fickle(config, keys))
}

fn destination(config: &str, keys: &str) -> String {
    format!("{}[destination]\n{}", source(""), fickle(config, keys))
}

fn breaks_on(rows: &[&str], mode: &str) -> String {
    let pairs: Vec<String> = rows.iter().map(|row| format!("\"{row}\" = \"{mode}\"")).collect();
    format!("breaks = {{ {} }}", pairs.join(", "))
}

fn run(bench: &Bench, pipeline: &str, code: i32) -> Value {
    bench.write("p.toml", pipeline);
    bench.run(&["run", "p.toml", "--json"]).ends(code).json()
}

fn rejects(bench: &Bench, report: &Value) -> Vec<Value> {
    let path = report["rejects_file"].as_str().expect("a rejects file");
    bench.read(path).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn names(without: &[usize]) -> Vec<String> {
    (0..SMALL_ROWS).filter(|row| !without.contains(row)).map(|row| format!("Account, {row}")).collect()
}

fn written(bench: &Bench, report: &Value) -> Vec<String> {
    csv_rows(bench, report).column("Name").into_iter().map(Option::unwrap_or_default).collect()
}

fn counts(report: &Value) -> [u64; 5] {
    ["read", "filtered", "added", "rejected", "written"].map(|name| report["rows"][name].as_u64().expect("a count"))
}

const MODES: [(&str, &str); 6] = [
    ("trap", "plugin_trap"),
    ("spin", "plugin_timeout"),
    ("memory", "plugin_memory"),
    ("output", "plugin_output"),
    ("contract", "plugin_contract"),
    ("data", "plugin_data"),
];
const TIGHT: &str = "limits = { call_ms = 250, memory_mib = 64, output_mib = 16 }";

#[test]
fn the_row_that_breaks_a_transform_is_found_and_all_others_go_on_in_order() {
    let (org, bench) = bench();
    for (mode, code) in MODES {
        let report = run(&bench, &transform(&breaks_on(&[POISON], mode), TIGHT), 3);
        assert_eq!(counts(&report), [40, 0, 0, 1, 39], "{mode}");
        assert_eq!(report["rejects_by_code"], json!({ code: 1 }), "{mode}");
        assert_eq!(written(&bench, &report), names(&[7]), "{mode}");
        let rejects = rejects(&bench, &report);
        assert_eq!(rejects.len(), 1);
        let line = &rejects[0];
        assert_eq!((&line["row"], &line["unit"], &line["stage"]), (&json!(7), &json!("p00000"), &json!("fickle")));
        assert_eq!(line["values"]["Name"], POISON);
        assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("fickle")), "{line}");
        let plugin = &report["plugins"][0];
        assert_eq!((&plugin["bad_batches"], &plugin["rows_lost"]), (&json!(1), &json!(1)), "{mode}");
    }
    org.is_tidy();
}

#[test]
fn fuel_that_is_used_up_breaks_a_batch_on_every_machine_alike() {
    let (_org, bench) = bench();
    let report = run(&bench, &transform(&breaks_on(&[POISON], "spin"), "limits = { fuel = 20000000 }"), 3);
    assert_eq!(report["rejects_by_code"], json!({ "plugin_fuel": 1 }));
    assert_eq!(written(&bench, &report), names(&[7]));
    let reason = rejects(&bench, &report)[0]["reason"].to_string();
    assert!(reason.contains("limits.fuel = 20000000"), "{reason}");
}

#[test]
fn several_bad_rows_in_several_batches_keep_their_numbers() {
    let (_org, bench) = bench();
    let bad = ["Account, 0", "Account, 1", "Account, 14", "Account, 22", "Account, 39"];
    let steps = fickle(&breaks_on(&bad, "trap"), "");
    let report = run(&bench, &format!("{}[[transform]]\n{steps}{CSV}", source("batch_rows = 4")), 3);
    assert_eq!(counts(&report), [40, 0, 0, 5, 35]);
    assert_eq!(written(&bench, &report), names(&[0, 1, 14, 22, 39]));
    let found: Vec<(Value, Value)> =
        rejects(&bench, &report).iter().map(|line| (line["unit"].clone(), line["row"].clone())).collect();
    let expected = [("p00000", 0), ("p00000", 1), ("p00000", 14), ("p00001", 7), ("p00002", 9)];
    assert_eq!(found, expected.map(|(unit, row)| (json!(unit), json!(row))));
    assert_eq!(report["plugins"][0]["bad_batches"], 4);
}

#[test]
fn the_policy_reject_loses_the_batch_and_the_policy_stop_the_run() {
    let (_org, bench) = bench();
    let report = run(&bench, &transform(&breaks_on(&[POISON], "trap"), "on_bad_batch = \"reject\""), 3);
    assert_eq!(counts(&report), [40, 0, 0, 15, 25]);
    assert_eq!(report["rejects_by_code"], json!({ "plugin_trap": 15 }));
    assert_eq!(report["plugins"][0]["fresh_instances"], 1);
    let report = run(&bench, &transform(&breaks_on(&[POISON], "trap"), "on_bad_batch = \"stop\""), 6);
    assert_eq!((&report["state"], &report["rows"]["written"]), (&json!("failed"), &json!(0)));
    let report = run(&bench, &transform(&breaks_on(&[POISON], "fatal"), ""), 6);
    assert!(report["error"]["message"].as_str().is_some_and(|text| text.contains("enough")), "{report}");
}

#[test]
fn a_plugin_that_breaks_on_everything_ends_the_run() {
    let (org, bench) = bench();
    for keys in ["", "on_bad_batch = \"reject\""] {
        for pipeline in [transform("always = \"trap\"", keys), destination(&breaks_on_all(), keys)] {
            let report = run(&bench, &pipeline, 6);
            let message = report["error"]["message"].as_str().expect("a message");
            assert!(message.contains("every row of its first batches") && message.contains("trap"), "{message}");
            assert_eq!(report["rows"]["written"], 0);
        }
    }
    org.is_tidy();
}

fn breaks_on_all() -> String {
    let all = names(&[]);
    breaks_on(&all.iter().map(String::as_str).collect::<Vec<_>>(), "trap")
}

#[test]
fn state_is_brought_back_before_the_rows_at_fault_are_looked_for() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::stateful_fickle(&bench, true);
    for batch_rows in ["", "batch_rows = 1", "batch_rows = 6"] {
        let steps = fickle(&format!("total = true, {}", breaks_on(&["Account, 3", "Account, 33"], "trap")), "");
        let report = run(&bench, &format!("{}[[transform]]\n{steps}{CSV}", source(batch_rows)), 3);
        assert_eq!(counts(&report), [40, 0, 1, 2, 39], "{batch_rows}");
        let found = csv_rows(&bench, &report);
        let made: Vec<String> = found.column("made").into_iter().map(Option::unwrap_or_default).collect();
        let counted: Vec<String> = (1..=38).map(|number: u32| number.to_string()).collect();
        assert_eq!(made[..38], counted, "{batch_rows}: each good row is counted once");
        assert_eq!(made[38], "38", "{batch_rows}: the total");
    }
}

#[test]
fn state_that_cannot_be_brought_back_ends_the_run_and_says_why() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::stateful_fickle(&bench, false);
    let report = run(&bench, &transform(&breaks_on(&[POISON], "trap"), ""), 6);
    let message = report["error"]["message"].as_str().expect("a message");
    assert!(message.contains("trap") && message.contains("does not export `checkpoint`"), "{message}");
    guests::stateful_fickle(&bench, true);
    let report = run(&bench, &transform(&breaks_on(&[POISON], "memory"), TIGHT), 6);
    let message = report["error"]["message"].as_str().expect("a message");
    assert!(message.contains("67108864 bytes") && message.contains("transform[0].limits.memory_mib"), "{message}");
    run(&bench, &transform("", ""), 0);
}

#[test]
fn the_row_that_breaks_the_destination_is_found_and_its_unit_written_without_it() {
    let (org, bench) = bench();
    for (mode, code) in MODES.into_iter().filter(|(mode, _)| *mode != "contract") {
        let report = run(&bench, &destination(&breaks_on(&[POISON, "Account, 12"], mode), TIGHT), 3);
        assert_eq!(counts(&report), [40, 0, 0, 2, 38], "{mode}");
        assert_eq!(report["rejects_by_code"], json!({ code: 2 }), "{mode}");
        assert_eq!(written(&bench, &report), names(&[7, 12]), "{mode}");
        let rows: Vec<Value> = rejects(&bench, &report).iter().map(|line| line["row"].clone()).collect();
        assert_eq!(rows, [json!(7), json!(12)]);
        assert_eq!(report["retries"], 1, "{mode}");
    }
    let files: Vec<String> = std::fs::read_dir(bench.path("out"))
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!files.iter().any(|file| file.contains("probe")), "a probe leaves nothing: {files:?}");
    org.is_tidy();
}

#[test]
fn every_bad_batch_of_a_unit_is_found_in_one_go() {
    let (_org, bench) = bench();
    let bad = ["Account, 1", "Account, 5", "Account, 13", "Account, 31"];
    let steps = fickle(&breaks_on(&bad, "trap"), "");
    let report = run(&bench, &format!("{}[destination]\n{steps}", source("batch_rows = 3")), 3);
    assert_eq!(counts(&report), [40, 0, 0, 4, 36]);
    assert_eq!(written(&bench, &report), names(&[1, 5, 13, 31]));
    assert_eq!(report["retries"], 2, "two units have bad rows");
    let steps = fickle(&breaks_on(&bad, "trap"), "on_bad_batch = \"reject\"");
    let report = run(&bench, &format!("{}[destination]\n{steps}", source("batch_rows = 3")), 3);
    assert_eq!(counts(&report), [40, 0, 0, 12, 28]);
}

#[test]
fn a_unit_that_is_written_again_counts_its_rows_once_in_a_stateful_transform() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::stateful_fickle(&bench, true);
    let through = fickle(&breaks_on(&["Account, 2"], "trap"), "");
    let into = fickle(&breaks_on(&["Account, 20"], "trap"), "");
    let report = run(&bench, &format!("{}[[transform]]\n{through}[destination]\n{into}", source("")), 3);
    assert_eq!(counts(&report), [40, 0, 0, 2, 38]);
    let made: Vec<u32> =
        csv_rows(&bench, &report).column("made").into_iter().flatten().filter_map(|made| made.parse().ok()).collect();
    // Row 20 is the 20th good one of the transform: counted there, and lost behind it.
    assert_eq!(made, (1..=39).filter(|number| *number != 20).collect::<Vec<_>>());
}

#[test]
fn a_unit_of_a_stateful_pipeline_is_tried_again_after_a_cut_connection() {
    const CUT: &str =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 2 }\ndo = { kind = \"cut\", after_bytes = 300 }\n";
    let org = orgs::faulty(CUT, false);
    let bench = Bench::on(&org);
    guests::stateful_fickle(&bench, true);
    let steps = fickle("total = true", "");
    let report = run(&bench, &format!("{}[[transform]]\n{steps}{CSV}", source("batch_rows = 2")), 0);
    assert_eq!(counts(&report), [40, 0, 1, 0, 41]);
    assert_eq!(org.asked("/results"), 3 + 1, "three pages, one of them twice");
    let made: BTreeMap<String, usize> =
        csv_rows(&bench, &report).column("made").into_iter().flatten().fold(BTreeMap::new(), |mut counts, made| {
            *counts.entry(made).or_default() += 1;
            counts
        });
    assert_eq!(made.len(), 40, "1 to 40, and the total is 40 again: {made:?}");
    assert_eq!(made["40"], 2);
}

#[test]
fn a_destination_that_asks_for_time_gets_it() {
    let (_org, bench) = bench();
    let report = run(&bench, &destination("retries = { begin = 2, commit = 2, conclude = 2 }", ""), 0);
    assert_eq!(counts(&report), [40, 0, 0, 0, 40]);
    for call in ["begin", "commit", "conclude"] {
        let code = if call == "conclude" { 7 } else { 5 };
        let report = run(&bench, &destination(&format!("retries = {{ {call} = 99 }}"), ""), code);
        let message = report["error"]["message"].as_str().expect("a message");
        assert!(message.contains(call) && message.contains("not now"), "{message}");
    }
}

#[test]
fn the_summary_tells_of_bad_batches_and_dropped_lines() {
    let (_org, bench) = bench();
    let config = format!("chatter = 20, {}", breaks_on(&[POISON], "trap"));
    bench.write("p.toml", &transform(&config, "limits = { log_lines_per_second = 5 }"));
    let ran = bench.run(&["run", "p.toml"]).ends(3);
    assert!(ran.stdout.contains("fickle: broken by 1 batch, 1 row rejected for it"), "{}", ran.stdout);
    assert!(ran.stderr.contains("a batch of 15 rows of unit p00000 broke plugin fickle"), "{}", ran.stderr);
    assert!(ran.stderr.contains("log lines over its rate were dropped"), "{}", ran.stderr);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert!(report["plugins"][0]["log_lines_dropped"].as_u64().is_some_and(|lines| lines > 0), "{report}");
}
