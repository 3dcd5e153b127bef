//! `forcepump.lock`: what is pinned is held to, and what became wider is shown.

use forcepump_emulator::Options;
use forcepump_plugin_bundle::test_guest;

use crate::harness::{Bench, Org, Ran};
use crate::orgs;

const SOURCE: &str = "name = \"locked\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n";
const GUEST: &str = "[[transform]]\nplugin = \"./guest.wasm\"\ncolumns = [\"Id\", \"Name\", \"AnnualRevenue\"]\ngrant = { clock = true, random = true, files = { evil = \"evil\" }, sql = { evil = \"sqlite:evil.db\" } }\n";
const CSV: &str = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\", spare = \"spare\" }\n";

/// A folder with a pipeline through a guest of one's own, and the org that it leads to.
fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guest(&bench, "evil");
    pipeline(&bench, GUEST);
    (org, bench)
}

fn guest(bench: &Bench, name: &str) {
    std::fs::write(bench.path("guest.wasm"), test_guest(name).expect("the guest")).expect("a file");
}

fn pipeline(bench: &Bench, step: &str) {
    bench.write("p.toml", &format!("{SOURCE}{step}{CSV}"));
}

/// Every command that loads plugins refuses, with these words, and nothing is made.
#[track_caller]
fn refused(bench: &Bench, says: &[&str]) {
    for command in ["check", "plan", "preview", "run"] {
        let ran = bench.run(&[command, "p.toml"]).ends(2);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for word in says {
            assert!(told.contains(word), "{command}: `{word}` is not in: {told}");
        }
        assert!(told.contains("forcepump lock ./p.toml") || told.contains("forcepump lock p.toml"), "{told}");
    }
    assert!(!bench.path("out").exists(), "nothing is made");
}

fn lock(bench: &Bench) -> Ran {
    bench.run(&["lock", "p.toml"]).ends(0)
}

#[test]
fn a_locked_pipeline_runs_as_before() {
    let (_org, bench) = bench();
    let note = bench.run(&["check", "p.toml"]).ends(0).stderr;
    assert!(note.contains("`./guest.wasm` is not pinned; `forcepump lock p.toml` pins it"), "{note}");
    assert!(bench.run(&["plan", "p.toml"]).ends(0).stdout.contains("is not pinned"));
    let first = lock(&bench);
    for word in [
        "p.toml: new",
        "transform[0]",
        "+ plugin ./guest.wasm (evil)",
        "+ imports clock",
        "+ grants sql evil = sqlite:evil.db",
        "+ reads AnnualRevenue, Id, Name",
        "+ plugin csv (csv)",
    ] {
        assert!(first.stdout.contains(word), "`{word}` is not in: {}", first.stdout);
    }
    let text = bench.read("forcepump.lock");
    assert!(text.contains("version = 1") && text.contains("sha256 = ") && text.contains("built_in = true"), "{text}");
    assert!(lock(&bench).stdout.contains("p.toml: as pinned"));
    assert_eq!(bench.read("forcepump.lock"), text, "locking again changes nothing");
    assert_eq!(bench.run(&["check", "p.toml", "--locked"]).ends(0).stderr, "");
    assert_eq!(bench.run(&["run", "p.toml", "--locked", "--json"]).ends(0).json()["rows"]["written"], orgs::SMALL_ROWS);
}

#[test]
fn a_changed_component_is_told_with_both_digests_before_it_is_loaded() {
    let (_org, bench) = bench();
    lock(&bench);
    let pinned = bench.run(&["plugin", "inspect", "./guest.wasm", "--json"]).ends(0).json();
    let digest =
        pinned["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest").to_owned();
    assert_eq!(pinned["pinned"], serde_json::json!(["p.toml transform[0]"]));
    guest(&bench, "fickle");
    let found = bench.run(&["plugin", "inspect", "./guest.wasm", "--json"]).ends(0).json();
    let other =
        found["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest").to_owned();
    assert_eq!(found["pinned"], serde_json::json!(["p.toml transform[0], with another digest"]));
    refused(&bench, &["transform[0].plugin", &format!("pinned sha256 {digest}"), &format!("found  sha256 {other}")]);
    bench.write("guest.wasm", "not even a component");
    refused(&bench, &["transform[0].plugin", &format!("pinned sha256 {digest}")]);
}

#[test]
fn what_is_wider_is_refused_with_the_difference() {
    let (_org, bench) = bench();
    lock(&bench);
    pipeline(&bench, &GUEST.replace("evil = \"evil\" }", "evil = \"/tmp\" }"));
    refused(&bench, &["transform[0].grant", "- grants files evil = evil", "+ grants files evil = /tmp"]);
    pipeline(&bench, &GUEST.replace("columns = [\"Id\", \"Name\", \"AnnualRevenue\"]\n", ""));
    refused(&bench, &["transform[0].columns", "+ reads every column"]);
    pipeline(&bench, &format!("{GUEST}[[transform]]\nplugin = \"shape\"\n"));
    refused(&bench, &["transform[1]", "+ plugin shape"]);
    pipeline(&bench, "");
    refused(&bench, &["transform[0]", "- plugin ./guest.wasm"]);
    pipeline(&bench, GUEST);
    let text = bench.read("forcepump.lock");
    bench.write("forcepump.lock", &text.replace("\"sql\", ", ""));
    refused(&bench, &["transform[0].plugin", "+ imports sql"]);
    bench.write("forcepump.lock", &text.replace("\"files out\"", "\"files other\""));
    refused(&bench, &["destination.plugin", "+ asks files out"]);
}

#[test]
fn what_is_narrower_is_let_through() {
    let (_org, bench) = bench();
    const KEYS: &str = "[[transform]]\nplugin = \"dedupe\"\nconfig = { keys = [\"Id\"] }\n";
    pipeline(&bench, &format!("{GUEST}{KEYS}columns = [\"Id\", \"Name\"]\n"));
    lock(&bench);
    pipeline(&bench, &format!("{GUEST}{KEYS}columns = [\"Id\"]\nwithhold = [\"Name\"]\n"));
    bench.write("p.toml", &bench.read("p.toml").replace(", spare = \"spare\"", ""));
    bench.run(&["run", "p.toml", "--locked"]).ends(0);
    let ran = bench.run(&["lock", "--check", "p.toml"]).ends(2);
    assert!(ran.stdout.contains("- grants files spare = spare"), "{}", ran.stdout);
}

#[test]
fn the_program_vouches_for_its_own_plugins_but_not_for_their_grants() {
    let (_org, bench) = bench();
    pipeline(&bench, "");
    assert_eq!(bench.run(&["check", "p.toml"]).ends(0).stderr, "", "what the program brings needs no pin");
    lock(&bench);
    let text = bench.read("forcepump.lock");
    let at = text.find("sha256 = \"").expect("a digest") + "sha256 = \"".len();
    bench.write("forcepump.lock", &text.replace(&text[at..at + 64], &"0".repeat(64)));
    bench.run(&["check", "p.toml", "--locked"]).ends(0);
    bench.run(&["lock", "p.toml", "--check"]).ends(0);
    bench.write("p.toml", &bench.read("p.toml").replace("spare = \"spare\"", "spare = \"elsewhere\""));
    refused(&bench, &["destination.grant", "+ grants files spare = elsewhere"]);
}

#[test]
fn locked_asks_for_an_entry() {
    let (_org, bench) = bench();
    let ran = bench.run(&["run", "p.toml", "--locked"]).ends(2);
    assert!(ran.stdout.contains("no such file") || ran.stderr.contains("no such file"), "{ran:?}");
    bench.write("other.toml", &bench.read("p.toml").replace("name = \"locked\"", "name = \"other\""));
    lock(&bench);
    let ran = bench.run(&["--locked", "check", "other.toml"]).ends(2);
    assert!(ran.stderr.contains("no entry for `other.toml`"), "{}", ran.stderr);
    bench.run(&["check", "other.toml"]).ends(0);
    bench.run(&["lock", "p.toml", "other.toml"]).ends(0);
    bench.run(&["--locked", "check", "other.toml"]).ends(0);
    bench.run(&["--locked", "check", "p.toml"]).ends(0);
}

#[test]
fn checking_writes_nothing_and_says_what_is_new() {
    let (_org, bench) = bench();
    let ran = bench.run(&["lock", "--check", "p.toml", "--json"]).ends(2).json();
    assert_eq!((&ran["current"], &ran["locks"][0]["pipelines"][0]["state"]), (&false.into(), &"added".into()));
    assert!(!bench.path("forcepump.lock").exists());
    lock(&bench);
    let before = bench.read("forcepump.lock");
    assert_eq!(bench.run(&["lock", "--check", "p.toml", "--json"]).ends(0).json()["current"], true);
    guest(&bench, "fickle");
    let ran = bench.run(&["lock", "--check", "p.toml"]).ends(2);
    assert!(ran.stdout.contains("- plugin ./guest.wasm (evil)") && ran.stdout.contains("sha256"), "{}", ran.stdout);
    assert!(ran.stderr.contains("not up to date"), "{}", ran.stderr);
    assert_eq!(bench.read("forcepump.lock"), before);
}

#[test]
fn a_lock_file_that_is_malformed_is_told_with_its_place() {
    let (_org, bench) = bench();
    for (text, says) in [
        ("version = 1\n<<<<<<< ours\n", "forcepump.lock:2:"),
        ("version = 3\n", "this program knows 1"),
        ("version = 1\n[[plugin]]\npipelin = \"p.toml\"\n", "did you mean `pipeline`?"),
    ] {
        bench.write("forcepump.lock", text);
        for args in [["check", "p.toml"], ["run", "p.toml"], ["lock", "p.toml"]] {
            let ran = bench.run(&args).ends(2);
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains(says), "{args:?}: {ran:?}");
        }
        assert_eq!(bench.read("forcepump.lock"), text);
    }
}

#[test]
fn a_plugin_that_cannot_be_loaded_leaves_the_lock_file_alone() {
    let (_org, bench) = bench();
    lock(&bench);
    let before = bench.read("forcepump.lock");
    bench.write("guest.wasm", "no component");
    bench.run(&["lock", "p.toml"]).ends(6);
    assert_eq!(bench.read("forcepump.lock"), before);
}
