//! Every folder of `examples/`, run as it stands; what comes out is compared with its `expected/`.
//!
//! With `FORCEPUMP_REFRESH=1` in the environment the expectations are written instead.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

#[path = "../../../../plugins/bundle/compiler.rs"]
#[expect(dead_code, reason = "the examples need no WASI")]
mod compiler;

use compiler::Compiler;

use crate::harness::Bench;
use crate::outcome::texts_of;
use crate::receiver::{Received, Receiver};

/// Where the examples stand.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
/// What an example's folder has beside the files that are run.
const EXPECTED: &str = "expected";
/// Set to write the expectations.
const REFRESH: &str = "FORCEPUMP_REFRESH";

#[test]
fn accounts_to_sqlite() {
    let bench = copy_of("accounts-to-sqlite");
    compare("accounts-to-sqlite", &bench, 0);
    let again = bench.run(&["run", "pipeline.toml", "--json"]).ends(0).json();
    let db = rusqlite::Connection::open(bench.path("results/accounts.db")).expect("a database");
    let rows: i64 = db.query_row("SELECT count(*) FROM account", [], |row| row.get(0)).expect("a count");
    assert_eq!(again["rows"]["written"], rows, "the second merge adds nothing");
}

#[test]
fn contacts_to_parquet() {
    compare("contacts-to-parquet", &copy_of("contacts-to-parquet"), 0);
}

#[test]
fn won_opportunities_to_csv() {
    compare("won-opportunities-to-csv", &copy_of("won-opportunities-to-csv"), 0);
}

#[test]
fn awkward_to_jsonl() {
    compare("awkward-to-jsonl", &copy_of("awkward-to-jsonl"), 0);
}

/// The example's server stands at a port of its own; what it gets is compared too.
#[test]
fn accounts_to_http() {
    const PORT: &str = "127.0.0.1:8089";
    let server = Receiver::accepting();
    let bench = copy_of("accounts-to-http");
    bench.write("pipeline.toml", &bench.read("pipeline.toml").replace(PORT, &server.address.to_string()));
    compare("accounts-to-http", &bench, 0);
    let told = |request: &Received| {
        let key = request.header("idempotency-key");
        let (_run, key) = key.split_once('/').expect("run, feed, unit and number");
        assert_eq!(request.header("authorization"), "Bearer a-token-for-the-example");
        format!("{}\nIdempotency-Key: RUN/{key}\n\n{}\n", request.head[0], request.body)
    };
    let found: String = server.received().iter().map(told).collect();
    let path = Path::new(EXAMPLES).join("accounts-to-http/received.txt");
    if std::env::var_os(REFRESH).is_some() {
        fs::write(&path, &found).expect("an expectation");
    }
    assert_eq!(found, fs::read_to_string(path).expect("an expected text"), "{REFRESH}=1 writes what is expected");
}

#[test]
fn sales_by_stage() {
    compare("sales-by-stage", &copy_of("sales-by-stage"), 0);
}

#[test]
fn latest_contacts() {
    compare("latest-contacts", &copy_of("latest-contacts"), 0);
}

#[test]
fn own_plugin() {
    let bench = copy_of("own-plugin");
    assert_eq!(build_and_pack("rust-initials", &bench, "initials.wasm"), json!([]));
    compare("own-plugin", &bench, 0);
}

#[test]
fn required_fields() {
    let bench = copy_of("required-fields");
    assert_eq!(build_and_pack("rust-require", &bench, "require.wasm"), json!([]));
    compare("required-fields", &bench, 3);
}

/// The example's server stands at a port of its own, and is asked for each country once.
#[test]
fn enriched_accounts() {
    const PORT: &str = "127.0.0.1:8090";
    let server = Receiver::start(|request, _| {
        let name =
            request.head[0].split(' ').nth(1).and_then(|path| path.strip_prefix("/countries?name=")).expect("a name");
        let name = name.replace("%20", " ");
        let letters = name.chars().filter(|letter| letter.is_alphabetic()).count();
        (200, String::new(), json!({"name": name, "letters": letters}).to_string())
    });
    let bench = copy_of("enriched-accounts");
    let needs = build_and_pack("rust-enrich", &bench, "enrich.wasm");
    assert!(needs[0]["capability"] == "http" && needs[0]["name"] == "lookup", "{needs}");
    bench.write("pipeline.toml", &bench.read("pipeline.toml").replace(PORT, &server.address.to_string()));
    compare("enriched-accounts", &bench, 0);
    let asked: Vec<String> = server.received().iter().map(|request| request.head[0].clone()).collect();
    let distinct: std::collections::BTreeSet<&String> = asked.iter().collect();
    assert!(!asked.is_empty() && asked.len() == distinct.len(), "{asked:?}");
}

#[test]
fn every_example_is_run_and_listed() {
    let index = fs::read_to_string(Path::new(EXAMPLES).join("README.md")).expect("the index");
    let tests = include_str!("examples.rs");
    for (name, entry) in entries(Path::new(EXAMPLES)).iter().filter(|(_, path)| path.join("pipeline.toml").is_file()) {
        assert!(tests.contains(&format!("compare(\"{name}\"")), "no test runs {name}");
        assert!(index.contains(&format!("[{name}]({name})")), "examples/README.md does not list {name}");
        assert!(entry.join("README.md").is_file() && entry.join(EXPECTED).is_dir(), "{name} is not whole");
    }
}

/// A folder with the example's files, but not what it is compared with.
fn copy_of(name: &str) -> Bench {
    let bench = Bench::new();
    for (file, path) in entries(&Path::new(EXAMPLES).join(name)).iter().filter(|(_, path)| path.is_file()) {
        fs::copy(path, bench.path(file)).expect("a copy");
    }
    bench
}

/// Checks and runs the pipeline, which must end with that code, and compares what it left.
fn compare(name: &str, bench: &Bench, code: i32) {
    bench.run(&["check", "pipeline.toml"]).ends(0);
    let report = bench.run(&["run", "pipeline.toml", "--json"]).ends(code).json();
    let mut found = texts_of(bench, &report);
    found.insert("report.json".to_owned(), report_text(&report, code));
    let folder = Path::new(EXAMPLES).join(name).join(EXPECTED);
    if std::env::var_os(REFRESH).is_some() {
        refresh(&folder, &found);
    }
    let expected: BTreeMap<String, String> = entries(&folder)
        .into_iter()
        .map(|(file, path)| (file, fs::read_to_string(path).expect("an expected text")))
        .collect();
    let names = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{name}: other files; {REFRESH}=1 writes what is expected");
    for (file, text) in &found {
        assert_eq!(text, &expected[file], "{name}: {file}; {REFRESH}=1 writes what is expected");
    }
}

/// What a report says that is the same in every run.
fn report_text(report: &Value, code: i32) -> String {
    let same = json!({
        "exit_code": code,
        "state": report["state"],
        "rows": report["rows"],
        "units": report["units"],
        "rejects_by_code": report["rejects_by_code"],
        "skipped_fields": report["skipped_fields"],
    });
    serde_json::to_string_pretty(&same).expect("JSON") + "\n"
}

fn refresh(folder: &Path, found: &BTreeMap<String, String>) {
    if folder.is_dir() {
        fs::remove_dir_all(folder).expect("the old expectations go");
    }
    fs::create_dir_all(folder).expect("a folder");
    for (file, text) in found {
        fs::write(folder.join(file), text).expect("an expectation");
    }
}

/// The three commands of a plugin's README; gives what comes out asks for.
fn build_and_pack(name: &str, bench: &Bench, component: &str) -> Value {
    let module = build_plugin(name, &format!("{}.wasm", name.replace("rust-", "forcepump_")));
    bench.run(&["plugin", "pack", &module, "-o", component]).ends(0);
    let inspected = bench.run(&["plugin", "inspect", &format!("./{component}"), "--json"]).ends(0).json();
    inspected["needs"].clone()
}

/// Builds a crate of `examples/plugins`; gives the core module's path.
///
/// Its lock file names only what the workspace's names, so that a machine that built the workspace has it all.
fn build_plugin(name: &str, module: &str) -> String {
    const TARGET: &str = "wasm32-unknown-unknown";
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
        .arg(&target_dir)
        .current_dir(Path::new(EXAMPLES).join("plugins").join(name));
    for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(flags);
    }
    Compiler::find(TARGET).expect("a compiler of the target").equip(&mut cargo);
    let built = cargo.output().expect("cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let path = target_dir.join(TARGET).join("release").join(module);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Names and paths in a folder, sorted.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<_> = listed
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    found.sort();
    found
}
