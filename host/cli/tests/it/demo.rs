//! The demo: the first thing that a newcomer runs, twice, and by hand afterwards.

use crate::harness::Bench;

#[test]
fn the_demo_runs_leaves_its_folder_and_can_be_run_again() {
    let bench = Bench::new();
    let demo = bench.run(&["demo"]).ends(0);
    for words in ["Account → mask → sqlite", "Summary", "results lie in forcepump-demo/results"] {
        assert!(demo.stdout.contains(words), "{words}: {}", demo.stdout);
    }
    assert!(demo.stdout.contains("- plugin = \"jsonl\"") && demo.stdout.contains("+ plugin = \"csv\""));
    for file in ["accounts.toml", "connections.toml", "README.md", "results/accounts.db"] {
        assert!(bench.path("forcepump-demo").join(file).is_file(), "{file}");
    }
    let first = accounts(&bench);
    let again = bench.run(&["demo", "--json"]).ends(0).json();
    let runs = again["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 4);
    for run in runs {
        let rows = &run["rows"];
        let count = |name: &str| rows[name].as_u64().unwrap_or_default();
        assert_eq!(count("announced"), count("read"), "{run}");
        assert_eq!(count("read"), count("filtered") + count("rejected") + count("written"), "{run}");
        assert!(count("written") > 0, "{run}");
    }
    assert_eq!(accounts(&bench), first, "a merge by key adds nothing the second time");
}

#[test]
fn the_folder_can_be_gone_on_with_by_hand() {
    let bench = Bench::new();
    bench.run(&["demo", "--quiet"]).ends(0);
    let run = bench.run(&["run", "forcepump-demo/accounts.toml", "--json"]).ends(0).json();
    assert_eq!(run["state"], "complete");
    let text = bench.read("forcepump-demo/opportunities.toml");
    bench.write("forcepump-demo/opportunities.toml", &text.replace("plugin = \"csv\"", "plugin = \"parquet\""));
    bench.run(&["run", "forcepump-demo/opportunities.toml"]).ends(0);
    let refused = bench.run(&["demo"]).ends(2);
    assert!(refused.stderr.contains("opportunities.toml") && refused.stderr.contains("--force"), "{}", refused.stderr);
    bench.run(&["demo", "--force", "--quiet"]).ends(0);
}

fn accounts(bench: &Bench) -> i64 {
    let path = bench.path("forcepump-demo/results/accounts.db");
    let db = rusqlite::Connection::open(path).expect("a database");
    db.query_row("SELECT count(*) FROM account", [], |row| row.get(0)).expect("a table")
}
