//! Fields that came later, filled in for the rows that former incremental runs have read.

use serde_json::json;

use crate::changing::{lead_to, rows, things};
use crate::harness::{Bench, Org};

const BEFORE: &str = "Name,Budget__c\nAcme,12.5\nBolt,7\nCord,\n";
const AFTER: &str = "Name,Budget__c,Fresh__c\nAcme,12.5,one\nBolt,7,two\nCord,,three\n";

fn pipeline(source: &str, destination: &str) -> String {
    format!(
        r#"
name = "things"
[source]
connection = "org"
object = "Thing__c"
{source}
[source.incremental]
{destination}
config = {{ table = "things" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

const MERGE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\n";

/// A bench whose pipeline has run over the org as it was, and then over the org with a new field.
fn grown(text: &str) -> (Org, Bench) {
    let before = things(BEFORE);
    let bench = Bench::on(&before);
    bench.write("p.toml", text);
    bench.run(&["run", "p.toml"]).ends(0);
    let after = things(AFTER);
    lead_to(&bench, &after);
    (after, bench)
}

#[test]
fn a_new_field_is_filled_in_alone() {
    let (org, bench) = grown(&pipeline("", MERGE));
    let words = bench.run(&["run", "p.toml"]).ends(0).stderr;
    assert!(words.contains("until `forcepump backfill p.toml`"), "{words}");
    let run = bench.run(&["show", "--json"]).ends(0).json()["report"].clone();
    assert_eq!(rows(&bench, "SELECT Name, Fresh__c FROM things ORDER BY 1"), ["Acme|∅", "Bolt|∅", "Cord|∅"]);
    let note = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(note.contains("Fresh__c was not read by all former runs"), "{note}");
    let seen = org.emulator().requests().len();
    let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&filled["backfilled"], &filled["rows"]["written"]), (&json!(["Fresh__c"]), &json!(3)), "{filled:#}");
    assert_eq!(
        rows(&bench, "SELECT Name, Budget__c, Fresh__c FROM things ORDER BY 1"),
        ["Acme|12.5|one", "Bolt|7|two", "Cord|∅|three"]
    );
    let asked: Vec<String> = org.emulator().requests().into_iter().skip(seen).map(|request| request.path).collect();
    assert!(!asked.iter().any(|path| path.contains("Budget__c")), "{asked:#?}");
    let nothing = bench.run(&["backfill", "p.toml"]).ends(0).stdout;
    assert!(nothing.contains("nothing to fill in"), "{nothing}");
    // It is a run of its own: neither the cursor nor the last successful run moves.
    let runs = bench.run(&["runs", "--json"]).ends(0).json();
    let kinds: Vec<&str> = runs.as_array().into_iter().flatten().filter_map(|run| run["kind"].as_str()).collect();
    assert_eq!(kinds, ["backfill", "run", "run"]);
    assert!(bench.run(&["runs"]).ends(0).stdout.contains("things (backfill)"));
    let id = runs[0]["run_id"].as_str().expect("an id");
    let refused = bench.run(&["resume", id]).ends(2).stderr;
    assert!(refused.contains("it is complete"), "{refused}");
    let state = rusqlite::Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    assert_eq!(state.execute("UPDATE run SET state = 'cancelled' WHERE id = ?1", [id]).expect("an update"), 1);
    let refused = bench.run(&["resume", id]).ends(2).stderr;
    assert!(refused.contains("`forcepump backfill FILE`"), "{refused}");
    assert_eq!(state.execute("UPDATE run SET state = 'complete' WHERE id = ?1", [id]).expect("an update"), 1);
    let words = bench.run(&["show"]).ends(0).stdout;
    assert!(words.contains("filled in Fresh__c"), "{words}");
    let next = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(next["window"]["cursor"], run["window"]["to"]);
}

#[test]
fn a_value_that_changes_without_its_row_is_read_again_by_name() {
    // As a formula over another record does: the row's SystemModstamp stays.
    let stamped = |rows: [&str; 2]| {
        let [acme, bolt] = rows;
        format!(
            "Name,Budget__c,Rank__c,SystemModstamp\nAcme,1,{acme},2024-01-01T00:00:00.000Z\nBolt,2,{bolt},2024-01-02T00:00:00.000Z\n"
        )
    };
    let before = things(&stamped(["low", "low"]));
    let bench = Bench::on(&before);
    bench.write("p.toml", &pipeline("", MERGE));
    bench.run(&["run", "p.toml"]).ends(0);
    let after = things(&stamped(["low", "high"]));
    lead_to(&bench, &after);
    bench.run(&["run", "p.toml"]).ends(0);
    let ranks = "SELECT Name, Budget__c, Rank__c FROM things ORDER BY 1";
    assert_eq!(rows(&bench, ranks), ["Acme|1|low", "Bolt|2|low"], "the row did not change for Salesforce");
    let filled = bench.run(&["backfill", "p.toml", "--fields", "Rank__c", "--json"]).ends(0).json();
    assert_eq!(filled["rows"]["written"], 2, "{filled:#}");
    assert_eq!(rows(&bench, ranks), ["Acme|1|low", "Bolt|2|high"]);
}

#[test]
fn a_backfill_is_no_last_successful_run() {
    let variables = "[variables]\nlast = \"COALESCE($_PACKAGE_LAST_SUCCESSFUL_JOB_ID, '')\"\n[source]";
    let text = pipeline("where = \"Name != '$last'\"", MERGE).replace("[source]", variables);
    let (_org, bench) = grown(&text);
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    bench.run(&["backfill", "p.toml", "--fields", "Fresh__c"]).ends(0);
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    let last = run["run_id"].as_str().expect("an id");
    assert!(plan.contains(&format!("$_PACKAGE_LAST_SUCCESSFUL_JOB_ID = {last}")), "{plan}");
}

#[test]
fn what_is_filled_in_goes_through_the_mask_that_makes_it() {
    let (_org, bench) = grown(&pipeline("fields = [\"Id\", \"Name\", \"SystemModstamp\"]", MERGE));
    bench.write("salt.txt", "a salt of some length");
    let masked = r#"
[[transform]]
plugin = "filter"
config = { where = "Budget__c > 1000" }
[[transform]]
plugin = "mask"
config = { salt = { secret = "file:salt.txt" }, columns = { Fresh__c = "tokenise" } }
"#;
    let fields = "fields = [\"Id\", \"Name\", \"SystemModstamp\", \"Budget__c\", \"Fresh__c\"]";
    bench.write("p.toml", &pipeline(fields, &format!("{masked}{MERGE}")));
    bench.run(&["run", "p.toml"]).ends(0);
    let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    assert_eq!(filled["backfilled"], json!(["Budget__c", "Fresh__c"]), "{filled:#}");
    let found = rows(&bench, "SELECT Name, Budget__c, Fresh__c FROM things ORDER BY 1");
    assert_eq!(found.len(), 3);
    assert!(found[0].starts_with("Acme|12.5|tok_") && found[2].starts_with("Cord|∅|tok_"), "{found:?}");
}

#[test]
fn rows_that_are_nowhere_are_counted() {
    let (_org, bench) = grown(&pipeline("", "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n"));
    bench.run(&["run", "p.toml"]).ends(0);
    rusqlite::Connection::open(bench.path("crm.db"))
        .and_then(|db| db.execute("DELETE FROM things WHERE Name = 'Bolt'", []))
        .expect("a row less");
    let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    let metrics = &filled["plugins"][0]["metrics"];
    assert_eq!((&filled["rows"]["written"], &metrics["unmatched_rows"]), (&json!(3), &json!(1)), "{filled:#}");
    assert_eq!(rows(&bench, "SELECT Name, Fresh__c FROM things ORDER BY 1"), ["Acme|one", "Cord|three"]);
}

#[test]
fn what_cannot_be_filled_in_is_refused_with_the_way_out() {
    let (_org, bench) = grown(&pipeline("", MERGE));
    let refused = |fields: &str, text: &str| {
        bench.write("q.toml", text);
        bench.run(&["backfill", "q.toml", "--fields", fields]).ends(2).stderr
    };
    let good = pipeline("", MERGE);
    assert!(refused("Frsh__c", &good).contains("did you mean `Fresh__c`?"));
    let withheld = good.replace("config = { table", "withhold = [\"Fresh__c\"]\nconfig = { table");
    assert!(refused("Fresh__c", &withheld).contains("Fresh__c does not reach the destination"));
    assert!(
        refused("Fresh__c", &good.replace("[source.incremental]", ""))
            .contains("run the pipeline, which reads every row")
    );
    assert!(
        refused("Fresh__c", &good.replace("name = \"things\"", "name = \"fresh\""))
            .contains("no run of `fresh` is complete yet")
    );
    let csv = "[destination]\nplugin = \"csv\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
    let text = format!("{}{csv}", good.split("[destination]").next().unwrap_or_default());
    assert!(refused("Fresh__c", &text).contains("csv only adds, and backfill has to change rows"));
}
