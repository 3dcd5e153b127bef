//! A plugin that means harm: the run ends with the plugin's code, nothing is visible, and the org is left tidy.

use forcepump_emulator::Options;
use forcepump_plugin_bundle::test_guest;

use crate::harness::{Bench, Org};
use crate::orgs;
use crate::tables;

const SOURCE: &str = "name = \"evil\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    std::fs::write(bench.path("evil.wasm"), test_guest("evil").expect("the guest")).expect("a file");
    (org, bench)
}

/// Everything that it asks for: what it does with that is not what is looked at here.
const GRANTED: &str =
    "grant = { clock = true, random = true, files = { evil = \"evil\" }, sql = { evil = \"sqlite:evil.db\" } }\n";

fn transform(call: &str, mode: &str) -> String {
    format!(
        "[[transform]]\nplugin = \"./evil.wasm\"\nconfig = {{ call = \"{call}\", mode = \"{mode}\" }}\nlimits = {{ call_ms = 300, memory_mib = 32 }}\non_bad_batch = \"stop\"\n{GRANTED}"
    )
}

fn destination(call: &str, mode: &str) -> String {
    format!(
        "[destination]\nplugin = \"./evil.wasm\"\nconfig = {{ call = \"{call}\", mode = \"{mode}\" }}\nlimits = {{ call_ms = 300, memory_mib = 32 }}\non_bad_batch = \"stop\"\n{GRANTED}"
    )
}

/// Runs into both destinations; the plugin's code, these words, and not a row.
fn nothing_is_left(call: &str, mode: &str, says: &str) {
    let (org, bench) = bench();
    for target in [CSV, SQLITE] {
        bench.write("p.toml", &format!("{SOURCE}{}{target}", transform(call, mode)));
        let ran = bench.run(&["run", "p.toml", "--json"]).ends(6);
        let report = ran.json();
        let message = report["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("evil") && message.contains(says), "{call} {mode}: {message}");
        assert_eq!((&report["rows"]["written"], &report["state"]), (&0.into(), &"failed".into()), "{call} {mode}");
    }
    assert!(!bench.path("out/Account/manifest.json").exists());
    let files = std::fs::read_dir(bench.path("out/Account")).into_iter().flatten().count();
    assert_eq!(files, 0, "{call} {mode}");
    let rows = match bench.path("out.db").exists() && has_table(&bench) {
        true => tables::sqlite(&bench.path("out.db"), "account").rows.len(),
        false => 0,
    };
    assert_eq!(rows, 0, "{call} {mode}");
    org.is_tidy();
}

fn has_table(bench: &Bench) -> bool {
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    db.prepare("SELECT * FROM account").is_ok()
}

#[test]
fn an_honest_guest_of_ones_own_runs_by_its_path() {
    let (_org, bench) = bench();
    bench.write("p.toml", &format!("{SOURCE}{}{CSV}", transform("", "")));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], orgs::SMALL_ROWS);
}

#[test]
fn traps_and_panics() {
    nothing_is_left("process", "trap", "trap");
    nothing_is_left("process", "panic", "trap");
    nothing_is_left("process", "recurse", "stack");
}

#[test]
fn endless_loops_end_at_the_deadline() {
    nothing_is_left("process", "spin", "300 ms in `process` (limits.call_ms = 300)");
    nothing_is_left("process", "spin-in-host-calls", "300 ms");
}

#[test]
fn memory_has_an_end() {
    nothing_is_left("process", "grow-memory", "33554432 bytes of memory in `process` (limits.memory_mib = 32)");
}

#[test]
fn broken_rules_name_the_rule() {
    nothing_is_left("process", "mask-short", "mask");
    nothing_is_left("process", "take-out-of-range", "rows");
    nothing_is_left("process", "wrong-type", "type");
}

#[test]
fn a_plugin_that_breaks_while_it_is_opened_costs_no_job() {
    let (org, bench) = bench();
    for (mode, says) in [("trap", "trap"), ("spin", "300 ms"), ("keep-unknown", "column")] {
        bench.write("p.toml", &format!("{SOURCE}{}{CSV}", transform("open", mode)));
        for command in ["check", "run"] {
            let ran = bench.run(&[command, "p.toml"]).ends(6);
            assert!(ran.stderr.contains(says), "{mode}: {}", ran.stderr);
        }
    }
    assert!(org.emulator().jobs().is_empty());
    assert!(!bench.path("out/Account").exists());
}

#[test]
fn a_destination_that_breaks_is_a_broken_plugin() {
    let (org, bench) = bench();
    for call in ["prepare", "begin", "write", "commit", "conclude"] {
        bench.write("p.toml", &format!("{SOURCE}{}", destination(call, "trap")));
        let ran = bench.run(&["run", "p.toml"]).ends(if call == "conclude" { 7 } else { 6 });
        assert!(ran.stderr.contains(call) && ran.stderr.contains("trap"), "{call}: {}", ran.stderr);
    }
    org.is_tidy();
}

#[test]
fn a_destination_that_says_no_is_a_failed_destination() {
    let (org, bench) = bench();
    for call in ["prepare", "begin", "write", "commit", "conclude"] {
        bench.write("p.toml", &format!("{SOURCE}{}", destination(call, "refuse-steer")));
        let ran = bench.run(&["run", "p.toml"]).ends(if call == "conclude" { 7 } else { 5 });
        assert!(ran.stderr.contains(call), "{call}: {}", ran.stderr);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains('\u{1b}'), "no terminal is steered: {ran:?}");
    }
    org.is_tidy();
}

#[test]
fn rejects_that_lie_are_a_broken_rule() {
    let (_org, bench) = bench();
    for mode in ["reject-out-of-range", "reject-twice"] {
        bench.write("p.toml", &format!("{SOURCE}{}", destination("write", mode)));
        bench.run(&["run", "p.toml"]).ends(6);
    }
}

#[test]
fn what_a_plugin_logs_steers_no_terminal() {
    let (_org, bench) = bench();
    bench.write("p.toml", &format!("{SOURCE}{}{CSV}", transform("process", "log-steer")));
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(
        ran.stderr.contains("evil") && !ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'),
        "{ran:?}"
    );
}

#[test]
fn a_guest_of_wasi_finds_nothing_and_prints_to_the_log() {
    let Some(guest) = test_guest("evil-wasi") else {
        let said = "not tested here: the target wasm32-wasip2 is not installed\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
        return;
    };
    let (org, bench) = bench();
    std::fs::write(bench.path("evil-wasi.wasm"), guest).expect("a file");
    let run = |mode: &str, args: &[&str]| {
        let step = format!(
            "[[transform]]\nplugin = \"./evil-wasi.wasm\"\nconfig = {{ call = \"process\", mode = \"{mode}\" }}\non_bad_batch = \"stop\"\n"
        );
        bench.write("p.toml", &format!("{SOURCE}{step}{CSV}"));
        bench.run(args)
    };
    assert_eq!(run("", &["run", "p.toml", "--json"]).ends(0).json()["rows"]["written"], orgs::SMALL_ROWS);
    for (mode, says) in [
        ("wasi-env", "0 variables, HOME None"),
        ("wasi-args", "0 arguments"),
        ("wasi-read-file", "refused: No such file"),
        ("wasi-connect", "refused: Permission denied"),
        ("wasi-exit", "it ended itself by `exit`"),
    ] {
        let report = run(mode, &["run", "p.toml", "--json"]).ends(6).json();
        let message = report["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(says), "{mode}: {message}");
    }
    let ran = run("wasi-print-steer", &["run", "p.toml"]).ends(6);
    assert!(ran.stderr.contains("a[2Jb") && !ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    org.is_tidy();
}
