//! What `check`, `plan`, `preview` and `run` say, word for word, and the schema that editors hold files against.
//!
//! The texts stand in `snapshots/`. With `FORCEPUMP_REFRESH=1` in the environment they are written instead.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Bench, Org};

/// The variable that has the snapshots written.
const REFRESH: &str = "FORCEPUMP_REFRESH";

const PIPELINE: &str = r#"name = "outputs"
[source]
connection = "org"
api = "bulk2"
query = "SELECT Id, FirstName, LastName, Email, Account.Name, CreatedDate FROM Contact ORDER BY Ext_Id__c"
[[transform]]
plugin = "filter"
config = { where = 'LastName like "B%"' }
[[transform]]
plugin = "mask"
config = { columns = { Email = { keep_last = 12 } } }
[[transform]]
plugin = "shape"
config = { columns = ["Id", { from = "LastName", as = "last_name" }, "Email", { as = "origin", value = "crm" }] }
[destination]
plugin = "sqlite"
mode = "merge"
keys = ["Id"]
config = { table = "contact" }
grant = { sql = { db = "sqlite:out.db" } }
limits = { memory_mib = 64 }
"#;

/// Compares with the snapshot of that name, after taking out what differs from run to run.
#[track_caller]
fn snapshot(name: &str, text: &str, org: &Org) {
    let port = org.emulator().url().rsplit(':').next().expect("a port").to_owned();
    let text = without_digests(&text.replace(&port, "PORT"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if std::env::var_os(REFRESH).is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &text).expect("a snapshot");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; {REFRESH}=1 writes it"));
    assert_eq!(text, known, "{name}; {REFRESH}=1 writes what is said now");
}

/// A plugin's digest and size are of the build, not of its words.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let mut shown = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        shown.push_str(&if is_digest(word) { part.replace(word, "DIGEST") } else { part.to_owned() });
    }
    shown
}

fn bench(org: &Org) -> Bench {
    let bench = Bench::on(org);
    bench.write("p.toml", PIPELINE);
    bench
}

#[test]
fn check_says_in_a_line_that_all_is_well() {
    let org = Org::demo();
    let bench = bench(&org);
    snapshot("check.txt", &bench.run(&["check", "p.toml"]).ends(0).stdout, &org);
    snapshot("check.json", &bench.run(&["check", "p.toml", "--json"]).ends(0).stdout, &org);
}

#[test]
fn plan_explains_the_whole_run() {
    let org = Org::demo();
    let bench = bench(&org);
    let words = bench.run(&["plan", "p.toml"]).ends(0);
    assert_eq!(words.stderr, "");
    snapshot("plan.txt", &words.stdout, &org);
    snapshot("plan.json", &bench.run(&["plan", "p.toml", "--json"]).ends(0).stdout, &org);
    assert!(org.emulator().jobs().is_empty() && !bench.path("out.db").exists());
}

#[test]
fn preview_shows_rows_before_and_after_each_transform() {
    let org = Org::demo();
    let bench = bench(&org);
    snapshot("preview.txt", &bench.run(&["preview", "p.toml", "-n", "12", "--quiet"]).ends(0).stdout, &org);
    let preview = bench.run(&["preview", "p.toml", "-n", "12", "--json"]).ends(0);
    snapshot("preview.json", &preview.stdout, &org);
    let stages = preview.json()["stages"].as_array().expect("stages").len();
    assert_eq!(stages, 4, "the source, and three transforms");
    assert!(!bench.path("out.db").exists(), "the destination is not touched");
    org.is_tidy();
}

#[test]
fn plugins_say_what_they_need_and_take() {
    let org = Org::demo();
    let bench = Bench::new();
    for name in ["mask", "sqlite"] {
        let mut said = bench.run(&["plugin", "inspect", name, "--json"]).ends(0).json();
        assert!(said["bytes"].as_u64().is_some_and(|bytes| bytes > 1000), "{said}");
        said["bytes"] = json!("BYTES");
        snapshot(&format!("inspect-{name}.json"), &format!("{said:#}\n"), &org);
    }
}

#[test]
fn the_report_of_a_run_has_this_shape() {
    let org = Org::demo();
    let bench = bench(&org);
    let mut report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert!(report["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    for varies in ["run_id", "job_id", "seconds", "calls_used", "api_usage"] {
        assert!(!report[varies].is_null(), "{varies}: {report:#}");
        report[varies] = json!("VARIES");
    }
    for varies in ["job_id", "seconds", "calls_used"] {
        report["feeds"][0][varies] = json!("VARIES");
    }
    snapshot("run.json", &format!("{report:#}\n"), &org);
}

fn schema(of: &str) -> jsonschema::Validator {
    let schema = Bench::new().run(&["schema", of]).ends(0).json();
    jsonschema::validator_for(&schema).expect("a sound schema")
}

fn read(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn the_schema_takes_the_demos_files_and_refuses_misspelt_keys() {
    let pipelines = schema("pipeline");
    let files = [
        include_str!("../../src/demo/accounts.toml"),
        include_str!("../../src/demo/contacts.toml"),
        include_str!("../../src/demo/opportunities.toml"),
        PIPELINE,
    ];
    for file in files {
        let errors: Vec<String> = pipelines.iter_errors(&read(file)).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{file}");
    }
    let wrong = [
        ("connection =", "conection ="),
        ("mode = \"merge\"", "mode = \"marge\""),
        ("keys =", "key ="),
        ("memory_mib", "memory"),
    ];
    for (right, wrong) in wrong {
        assert!(!pipelines.is_valid(&read(&PIPELINE.replacen(right, wrong, 1))), "{wrong}");
    }
}

#[test]
fn the_schema_of_connections_takes_the_demos_file_and_refuses_misspelt_keys() {
    let connections = schema("connections");
    assert!(connections.is_valid(&read(include_str!("../../src/demo/connections.toml"))));
    let acme = "[acme]\nmy_domain = \"acme\"\nauth = \"client-credentials\"\nclient_id = \"x\"\nclient_secret = \"env:S\"\nhttp = { stall_timeout_ms = 500 }\n";
    assert!(connections.is_valid(&read(acme)));
    for (right, wrong) in [
        ("my_domain", "mydomain"),
        ("client-credentials", "password"),
        ("stall_timeout_ms = 500", "stall_timeout_ms = 0"),
        ("stall_timeout_ms", "stall"),
    ] {
        assert!(!connections.is_valid(&read(&acme.replacen(right, wrong, 1))), "{wrong}");
    }
}
