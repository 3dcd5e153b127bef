//! Incremental runs: a window by Salesforce's clock, an overlap without doubled rows, a cursor that moves when all is done.

use rusqlite::Connection;

use crate::harness::{Bench, Org};

fn pipeline(incremental: &str, mode: &str) -> String {
    format!(
        r#"
name = "accounts"
[source]
connection = "org"
object = "Account"
fields = ["Id", "Name", "SystemModstamp"]
[source.incremental]
{incremental}
[destination]
plugin = "sqlite"
{mode}
config = {{ table = "accounts" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

fn rows(bench: &Bench) -> i64 {
    let db = Connection::open(bench.path("crm.db")).unwrap();
    db.query_row("SELECT COUNT(*) FROM accounts", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_second_run_reads_from_where_the_first_one_ended() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline("", "mode = 'append'"));
    let first = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let all = org.emulator().rows("Account").unwrap();
    assert_eq!(first["rows"]["written"].as_u64(), Some(all));
    assert_eq!(first["window"]["from"], serde_json::Value::Null);
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(second["window"]["cursor"], first["window"]["to"]);
    assert!(second["window"]["from"].as_str() < first["window"]["to"].as_str(), "the windows overlap");
    assert_eq!(rows(&bench), all as i64);
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("SystemModstamp >= 20") && plan.contains("the last run ended at"), "{plan}");
}

#[test]
fn rows_in_the_overlap_are_not_read_twice() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    // An overlap that reaches back beyond the oldest row: every row lies in it.
    bench.write("p.toml", &pipeline("overlap_minutes = 20000000", "mode = 'append'"));
    bench.run(&["run", "p.toml"]).ends(0);
    let all = rows(&bench);
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(second["rows"]["read"].as_i64(), Some(all));
    assert_eq!((second["rows"]["filtered"].as_i64(), second["rows"]["written"].as_i64()), (Some(all), Some(0)));
    assert_eq!(rows(&bench), all);
}

#[test]
fn a_failed_run_moves_no_cursor() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let good = pipeline("overlap_minutes = 0", "mode = 'append'");
    bench.write("p.toml", &good.replace("sqlite:crm.db", "sqlite:crm.db/not/a/folder"));
    std::fs::write(bench.path("crm.db"), "").unwrap();
    let failed = bench.run(&["run", "p.toml", "--json"]);
    assert_ne!(failed.code, 0);
    std::fs::remove_file(bench.path("crm.db")).unwrap();
    bench.write("p.toml", &good);
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(run["window"]["cursor"], serde_json::Value::Null);
    assert_eq!(rows(&bench) as u64, org.emulator().rows("Account").unwrap());
}

#[test]
fn what_cannot_be_cut_is_refused_with_the_way_out() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    for (incremental, expected) in [
        ("cursor = 'Name'", "`Name` is no datetime field of Account"),
        ("cursor = 'SystemModstmp'", "did you mean `SystemModstamp`?"),
        ("since = 'yesterday'", "source.incremental.since"),
        ("since = '2999-01-01T00:00:00Z'", "2999-01-01T00:00:00.000Z lies after the end of the window"),
        ("overlap = 3", "overlap_minutes"),
    ] {
        bench.write("p.toml", &pipeline(incremental, ""));
        let refused = bench.run(&["plan", "p.toml"]).ends(2);
        assert!(refused.stderr.contains(expected), "{incremental}: {}", refused.stderr);
    }
    bench.write("p.toml", &pipeline("", "").replace("\"Id\", ", ""));
    let refused = bench.run(&["plan", "p.toml"]).ends(2);
    assert!(
        refused.stderr.contains("lacks `Id`") && refused.stderr.contains("overlap_minutes = 0"),
        "{}",
        refused.stderr
    );
    bench.write("p.toml", &pipeline("since = '2024-03-01T00:00:00Z'", ""));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert!(plan["soql"].as_str().unwrap().contains("SystemModstamp >= 2024-03-01T00:00:00.000Z"), "{}", plan["soql"]);
}
