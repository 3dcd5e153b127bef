//! Help, schemas, completions: what the program says of itself.

use crate::harness::Bench;

#[test]
fn help_lists_commands_and_exit_codes_on_standard_output() {
    let help = Bench::new().run(&["--help"]).ends(0);
    for word in
        ["demo", "check", "plan", "preview", "run", "connection", "org", "emulator", "schema", "plugin", "completions"]
    {
        assert!(help.stdout.contains(&format!("\n  {word}")), "{word}: {}", help.stdout);
    }
    assert!(help.stdout.contains("  3  ok, but rows were rejected"), "{}", help.stdout);
    assert!(help.stdout.contains("130  interrupted"), "{}", help.stdout);
    assert_eq!(help.stderr, "");
}

#[test]
fn wrong_arguments_are_wrong_input() {
    let bench = Bench::new();
    let wrong = bench.run(&["rum", "a.toml"]).ends(2);
    assert!(wrong.stderr.contains("'run'") && wrong.stdout.is_empty(), "{wrong:?}");
    let wrong = bench.run(&["--json", "run"]).ends(2).json();
    assert_eq!(wrong["error"]["class"], "input");
    assert_eq!(wrong["error"]["exit_code"], 2);
}

#[test]
fn schemas_are_published_for_editors() {
    let bench = Bench::new();
    let schema = bench.run(&["schema", "pipeline"]).ends(0).json();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["source"].is_object(), "{schema}");
    assert!(schema.to_string().contains("\"max_records\""), "{schema}");
    let schema = bench.run(&["schema", "connections"]).ends(0).json();
    assert!(schema.to_string().contains("\"client_secret\""), "{schema}");
}

#[test]
fn completions_name_the_commands() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(&["completions", shell]).ends(0);
        assert!(script.stdout.contains("preview"), "{shell}");
    }
}

#[test]
fn plugins_are_listed_and_inspected() {
    let bench = Bench::new();
    let list = bench.run(&["plugin", "list", "--json"]).ends(0).json();
    let names: Vec<&str> =
        list["plugins"].as_array().expect("a list").iter().filter_map(|plugin| plugin["name"].as_str()).collect();
    let expected = ["aggregate", "csv", "dedupe", "filter", "http", "jsonl", "mask", "parquet", "shape", "sqlite"];
    assert_eq!(names, expected);
    let sqlite = bench.run(&["plugin", "inspect", "sqlite", "--json"]).ends(0).json();
    assert_eq!(sqlite["needs"][0]["capability"], "sql");
    assert_eq!(sqlite["kind"], "destination");
    assert!(sqlite["config_schema"]["properties"]["table"].is_object(), "{sqlite}");
    let words = bench.run(&["plugin", "inspect", "mask"]).ends(0);
    assert!(words.stdout.starts_with("mask ") && words.stdout.contains("sha256:"), "{}", words.stdout);
}

#[test]
fn an_unknown_plugin_is_answered_with_the_nearest() {
    let unknown = Bench::new().run(&["plugin", "inspect", "maks"]).ends(2);
    assert!(unknown.stderr.contains("did you mean `mask`?"), "{}", unknown.stderr);
}

#[test]
fn what_is_no_module_cannot_be_packed() {
    let bench = Bench::new();
    bench.write("core.wasm", "no module");
    let refused = bench.run(&["plugin", "pack", "core.wasm", "-o", "out.wasm"]).ends(2);
    assert!(refused.stderr.contains("core.wasm"), "{}", refused.stderr);
    assert!(!bench.path("out.wasm").exists());
}

/// A promise without its test is none: every test that SECURITY.md names exists.
#[test]
fn the_tests_that_the_security_page_names_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    let mut sources = String::new();
    collect(&root.join("host"), &mut sources);
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for test in tests.split('`').skip(1).step_by(2) {
            named += 1;
            assert!(sources.contains(&format!("fn {test}(")), "SECURITY.md names the test {test}, which is not there");
        }
    }
    assert!(named >= 30, "{named} tests are named");
}

fn collect(folder: &std::path::Path, sources: &mut String) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}
