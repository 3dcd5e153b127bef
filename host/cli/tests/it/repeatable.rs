//! `[repeatable]`: the same input gives the same bytes, clock and random bytes included.

use std::collections::BTreeMap;

use forcepump_emulator::Options;
use serde_json::Value;

use crate::guests;
use crate::harness::{Bench, Org};
use crate::orgs;

const REPEATABLE: &str = "[repeatable]\nas_of = \"2024-06-30T00:00:00Z\"\nseed = 7\n";

fn pipeline(repeatable: &str, destination: &str, keys: &str) -> String {
    format!(
        "name = \"again\"\n{repeatable}[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = \"SELECT Id, Name, AnnualRevenue FROM Account ORDER BY Ext_Id__c\"\n\
         [[transform]]\nplugin = \"./fickle.wasm\"\nconfig = {{ column = \"Name\", ambient = true, breaks = {{ \"Account, 7\" = \"trap\" }} }}\n{}{keys}\n\
         [destination]\nplugin = \"{destination}\"\ngrant = {{ files = {{ out = \"{destination}\" }} }}\n",
        guests::GRANTED
    )
}

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    (org, bench)
}

/// The files of one run: their bytes, under their names without the run's id.
fn files(bench: &Bench, pipeline: &str) -> BTreeMap<String, Vec<u8>> {
    bench.write("p.toml", pipeline);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    let run = report["run_id"].as_str().expect("a run id");
    let place = &report["results"][0];
    let folder = place["path"].as_str().expect("a folder");
    let names = place["files"].as_array().expect("files").iter().filter_map(Value::as_str);
    let read = |name: &str| std::fs::read(bench.path(&format!("{folder}/{name}"))).expect("a file");
    names.map(|name| (name.replace(run, "RUN"), read(name))).collect()
}

#[test]
fn two_runs_give_the_same_bytes_in_every_format() {
    let (_org, bench) = bench();
    for format in ["csv", "jsonl", "parquet"] {
        let once = files(&bench, &pipeline(REPEATABLE, format, ""));
        assert_eq!(once.len(), 3, "{format}: three units");
        let again = files(&bench, &pipeline(REPEATABLE, format, ""));
        assert!(once == again, "{format}: {:?}", once.keys());
    }
}

#[test]
fn fuel_and_other_seeds_have_their_effect() {
    let (_org, bench) = bench();
    let once = files(&bench, &pipeline(REPEATABLE, "csv", ""));
    let fuelled = files(&bench, &pipeline(REPEATABLE, "csv", "limits = { fuel = 1000000000 }"));
    assert!(once == fuelled, "counting changes nothing");
    let other = files(&bench, &pipeline(&REPEATABLE.replace("= 7", "= 8"), "csv", ""));
    assert!(once != other, "another seed");
    let text = String::from_utf8(once.into_values().next().expect("a file")).expect("a text");
    assert!(text.contains("repeatable 1719705600000000 ["), "the run, the clock, the bytes: {text}");
}

#[test]
fn without_it_runs_differ() {
    let (_org, bench) = bench();
    assert!(files(&bench, &pipeline("", "csv", "")) != files(&bench, &pipeline("", "csv", "")));
}

#[test]
fn the_plan_says_so_and_a_wrong_moment_is_refused() {
    let (_org, bench) = bench();
    bench.write("p.toml", &pipeline(REPEATABLE, "csv", ""));
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("repeatable: one worker, the clock stands still"), "{plan}");
    bench.write("p.toml", &pipeline("[repeatable]\nas_of = \"2024-06-30\"\n", "csv", ""));
    let refused = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(refused.contains("repeatable.as_of") && refused.contains("2024-06-30T00:00:00Z"), "{refused}");
}
