//! Pipeline and connections files that are wrong: the right code, and words that help.

use crate::harness::{Bench, Org};

/// A pipeline that the demo org can serve.
pub const ACCOUNTS: &str = r#"
name = "accounts"
[source]
connection = "org"
object = "Account"
fields = ["Id", "Name"]
[destination]
plugin = "csv"
mode = "overwrite"
[destination.grant]
files = { out = "out" }
"#;

#[test]
fn a_missing_file_is_wrong_input() {
    let bench = Bench::new();
    for command in ["check", "plan", "preview", "run"] {
        let missing = bench.run(&[command, "nowhere.toml"]).ends(2);
        assert!(missing.stderr.starts_with("error: cannot read nowhere.toml"), "{}", missing.stderr);
        assert_eq!(missing.stdout, "");
    }
    let missing = bench.run(&["run", "nowhere.toml", "--json"]).ends(2);
    assert_eq!(missing.json()["error"]["class"], "input");
    assert_eq!(missing.stderr, "");
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_and_its_place() {
    let bench = Bench::new();
    bench.write("p.toml", &ACCOUNTS.replace("object =", "objekt ="));
    let wrong = bench.run(&["check", "p.toml"]).ends(2);
    assert!(wrong.stderr.contains("p.toml:5:1: unknown key `objekt`; did you mean `object`?"), "{}", wrong.stderr);
}

#[test]
fn a_leading_where_is_refused_with_the_corrected_text() {
    let bench = Bench::new();
    bench.write("p.toml", &ACCOUNTS.replace("fields", "where = \"WHERE Name != null\"\nfields"));
    let wrong = bench.run(&["check", "p.toml"]).ends(2);
    assert!(wrong.stderr.contains(r#"where = "Name != null""#), "{}", wrong.stderr);
}

#[test]
fn a_pipeline_without_connections_says_where_it_looked() {
    let bench = Bench::new();
    bench.write("p.toml", ACCOUNTS);
    let wrong = bench.run(&["check", "p.toml"]).ends(2);
    assert!(wrong.stderr.contains("connections.toml") && wrong.stderr.contains("\nhint: "), "{}", wrong.stderr);
}

#[test]
fn an_unknown_field_and_an_unknown_object_are_wrong_input() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("field.toml", &ACCOUNTS.replace("\"Name\"", "\"Nmae\""));
    bench.write("object.toml", &ACCOUNTS.replace("\"Account\"", "\"Acount\""));
    let wrong = bench.run(&["check", "field.toml"]).ends(2);
    assert!(wrong.stderr.contains("Nmae"), "{}", wrong.stderr);
    let wrong = bench.run(&["check", "object.toml"]).ends(2);
    assert!(wrong.stderr.contains("Acount"), "{}", wrong.stderr);
    org.stop();
}

#[test]
fn check_plan_and_preview_move_nothing() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", ACCOUNTS);
    let checked = bench.run(&["check", "p.toml"]).ends(0);
    assert!(checked.stdout.starts_with("accounts: ok, 2 columns of Account"), "{}", checked.stdout);
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert_eq!(plan["soql"], "SELECT Id, Name FROM Account");
    assert_eq!(plan["columns"][0]["salesforce_type"], "id");
    assert!(org.emulator().jobs().is_empty());
    let words = bench.run(&["plan", "p.toml"]).ends(0);
    assert!(words.stdout.contains("SELECT Id, Name FROM Account"), "{}", words.stdout);
    let preview = bench.run(&["preview", "p.toml", "-n", "3", "--json"]).ends(0).json();
    assert_eq!(preview["stages"][0]["rows"].as_array().map(Vec::len), Some(3), "{preview}");
    assert!(!bench.path("out").exists());
}

#[test]
fn a_run_ends_with_a_summary_and_its_json() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", ACCOUNTS);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0);
    let json = report.json();
    let rows = org.emulator().rows("Account");
    assert_eq!(json["rows"]["written"].as_u64(), rows, "{json}");
    assert_eq!(json["rows"]["announced"].as_u64(), rows);
    assert_eq!(json["state"], "complete");
    assert_eq!(report.stderr, "");
    let words = bench.run(&["run", "p.toml"]).ends(0);
    assert!(words.stdout.starts_with("accounts: complete, "), "{}", words.stdout);
    assert!(words.stderr.contains("accounts: planning"), "{}", words.stderr);
    let quiet = bench.run(&["run", "p.toml", "--quiet"]).ends(0);
    assert_eq!(quiet.stderr, "");
}
