//! `max_rejects`: how many rows may be refused before the run fails.

use forcepump_emulator::Options;
use serde_json::{Value, json};

use crate::guests;
use crate::harness::{Bench, Org};
use crate::orgs;

/// Each page of fifteen loses its row of that number.
fn pipeline(limit: &str, bad: &[u32]) -> String {
    let pairs: Vec<String> = bad.iter().map(|row| format!("\"Account, {row}\" = \"data\"")).collect();
    format!(
        "name = \"limit\"\nmax_rejects = {limit}\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = \"SELECT Id, Name FROM Account ORDER BY Ext_Id__c\"\n\
         [[transform]]\nplugin = \"./fickle.wasm\"\nconfig = {{ column = \"Name\", breaks = {{ {} }} }}\n{}\
         [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = {{ files = {{ out = \"out\" }} }}\n",
        pairs.join(", "),
        guests::GRANTED
    )
}

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    (org, bench)
}

fn run(bench: &Bench, limit: &str, bad: &[u32], code: i32) -> Value {
    bench.write("p.toml", &pipeline(limit, bad));
    bench.run(&["run", "p.toml", "--json"]).ends(code).json()
}

#[test]
fn within_the_limit_the_run_completes_with_rejects() {
    let (_org, bench) = bench();
    for limit in ["2", "\"5%\"", "\"100%\""] {
        let report = run(&bench, limit, &[1, 16], 3);
        assert_eq!(report["state"], "complete-with-rejects", "{limit}");
    }
    run(&bench, "0", &[], 0);
    run(&bench, "\"0%\"", &[], 0);
}

#[test]
fn over_it_the_run_stops_and_goes_on_when_more_are_allowed() {
    let (org, bench) = bench();
    let report = run(&bench, "1", &[1, 16], 7);
    let message = report["error"]["message"].as_str().expect("a message");
    assert!(message.contains("2 of the 30 rows") && message.contains("max_rejects = 1"), "{message}");
    assert!(message.contains("rejects.jsonl"), "{message}");
    assert_eq!(
        (&report["state"], &report["units"], &report["rows"]["written"]),
        (&json!("partial"), &json!(1), &json!(14))
    );
    let path = report["rejects_file"].as_str().expect("a rejects file");
    assert_eq!(bench.read(path).lines().count(), 2, "the reasons of the unit that was given up are there too");
    assert!(!bench.path("out/Account/manifest.json").exists());
    let report = run(&bench, "2", &[1, 16], 3);
    assert_eq!((&report["went_on"]["units"], &report["rows"]["written"]), (&json!(1), &json!(38)));
    assert_eq!(bench.read(path).lines().count(), 2, "no row is refused twice");
    assert_eq!(report["rejects_by_code"]["plugin_data"], 2, "{report:#}");
    org.is_tidy();
}

#[test]
fn a_share_of_few_rows_is_judged_at_the_end() {
    let (_org, bench) = bench();
    let report = run(&bench, "\"4.9%\"", &[1, 16], 7);
    let message = report["error"]["message"].as_str().expect("a message");
    assert!(message.contains("2 of the 40 rows") && message.contains("\"4.9%\""), "{message}");
    assert_eq!(report["rows"]["written"], 38);
    assert_eq!(report["state"], "partial");
}

#[test]
fn limits_that_are_none_are_refused_with_the_form() {
    let (_org, bench) = bench();
    for limit in ["\"5\"", "\"101%\"", "-1", "0.5", "true"] {
        bench.write("p.toml", &pipeline(limit, &[]));
        let ran = bench.run(&["check", "p.toml"]).ends(2);
        assert!(ran.stderr.contains("\"0.5%\"") && ran.stderr.contains("number of rows"), "{limit}: {}", ran.stderr);
    }
}
