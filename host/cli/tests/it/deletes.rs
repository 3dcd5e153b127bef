//! Rows that are deleted in the org between incremental runs: ignored, deleted, or flagged.

use serde_json::json;

use crate::changing::{Things, rows};
use crate::harness::{Bench, Org};

const NAMES: &str = "SELECT Name FROM things ORDER BY Name";

/// `keys` and `more` stand in the destination and behind the source.
fn pipeline(deletes: &str, keys: &str, more: &str) -> String {
    format!(
        r#"
name = "things"
[source]
connection = "org"
object = "Thing__c"
fields = ["Id", "Name", "Key__c", "Size__c", "SystemModstamp"]
[source.incremental]
deletes = "{deletes}"
{more}
[destination]
plugin = "sqlite"
mode = "merge"
keys = ["{keys}"]
config = {{ table = "things" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

fn id_of(bench: &Bench, name: &str) -> String {
    rows(bench, &format!("SELECT Id FROM things WHERE Name = '{name}'")).pop().expect("a row")
}

#[test]
fn deleted_rows_go_by_their_keys_and_come_back_when_they_are_undeleted() {
    let things = Things::new(6);
    let bench = Bench::on(&things.org);
    for api in ["rest", "bulk2", "bulk1"] {
        let name = format!("things-{api}");
        let text = pipeline("delete", "Id", "").replace("\"things\"\n[source]", &format!("\"{name}\"\n[source]"));
        let text = text.replace("object =", &format!("api = \"{api}\"\nobject ="));
        bench.write(&format!("{api}.toml"), &text);
    }
    things.later();
    let run = |api: &str| bench.run(&["run", &format!("{api}.toml"), "--json"]).ends(0).json();
    let first = run("rest");
    assert_eq!((first["rows"]["written"].as_u64(), first.get("deleted")), (Some(6), None));
    let (t1, t4) = (id_of(&bench, "T1"), id_of(&bench, "T4"));
    for (api, again) in [("rest", "bulk2"), ("bulk2", "bulk1"), ("bulk1", "rest")] {
        things.delete(&t1);
        things.delete(&t4);
        things.update(&id_of(&bench, "T2"), &json!({ "Size__c": 22 }));
        let passing = things.create(&json!({ "Name": "never seen" }));
        things.delete(&passing);
        things.later();
        let second = run(api);
        assert_eq!(rows(&bench, NAMES), ["T0", "T2", "T3", "T5"], "{api}");
        let unmatched = &second["plugins"][0]["metrics"]["unmatched_rows"];
        assert!(unmatched.as_u64() >= Some(1), "the row that came and went is nowhere: {second:#}");
        assert!(second["deleted"].as_u64() >= Some(2), "{second:#}");
        things.undelete(&t1);
        things.undelete(&t4);
        things.later();
        run(api);
        assert_eq!(rows(&bench, NAMES), ["T0", "T1", "T2", "T3", "T4", "T5"], "{api}");
        // The other pipelines read the same changes later, and change nothing any more.
        run(again);
        assert_eq!(rows(&bench, NAMES), ["T0", "T1", "T2", "T3", "T4", "T5"], "{api}, then {again}");
    }
    let indices = rows(&bench, "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'things'");
    assert_eq!(indices, ["things__key_id"]);
}

#[test]
fn a_key_that_is_masked_is_masked_for_a_deleted_row_too_and_no_filter_keeps_it() {
    let things = Things::new(5);
    let bench = Bench::on(&things.org);
    bench.write("salt.txt", "a salt of some length");
    let transforms = r#"
[[transform]]
plugin = "filter"
config = { where = "Size__c < 100" }
[[transform]]
plugin = "mask"
config = { salt = { secret = "file:salt.txt" }, columns = { Id = "tokenise" } }
[[transform]]
plugin = "shape"
config = { columns = [{ from = "Id", as = "key" }, "Name", "Size__c"] }
"#;
    bench.write("p.toml", &pipeline("delete", "key", transforms));
    let gone = things.create(&json!({ "Name": "T9", "Size__c": 9 }));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench, NAMES).len(), 6);
    assert!(rows(&bench, "SELECT key FROM things").iter().all(|key| key.starts_with("tok_")));
    things.update(&gone, &json!({ "Size__c": 1_000 }));
    things.delete(&gone);
    things.later();
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(run["deleted"], 1, "{run:#}");
    assert_eq!(rows(&bench, NAMES), ["T0", "T1", "T2", "T3", "T4"]);
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let soql = plan["deletes_soql"].as_str().expect("a query");
    assert!(soql.starts_with("SELECT Id, SystemModstamp FROM Thing__c WHERE SystemModstamp >= "), "{soql}");
    assert!(soql.ends_with("AND IsDeleted = true"), "{soql}");
}

#[test]
fn a_key_that_another_row_took_over_stays() {
    let things = Things::new(3);
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline("delete", "Key__c", "overlap_minutes = 600"));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    things.delete(&id_of(&bench, "T1"));
    things.create(&json!({ "Name": "heir", "Key__c": "K1" }));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench, NAMES), ["T0", "T2", "heir"]);
    // The deletion lies in the overlap of the next window, and has been seen.
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench, NAMES), ["T0", "T2", "heir"]);
}

#[test]
fn a_failing_run_in_between_loses_no_deletion() {
    let things = Things::new(4);
    let bench = Bench::on(&things.org);
    let good = pipeline("delete", "Id", "");
    bench.write("p.toml", &good);
    things.later();
    let first = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    things.delete(&id_of(&bench, "T0"));
    things.later();
    bench.write("p.toml", &good.replace("sqlite:crm.db", "sqlite:crm.db/not/a/folder"));
    assert_ne!(bench.run(&["run", "p.toml"]).code, 0);
    things.delete(&id_of(&bench, "T1"));
    things.later();
    bench.write("p.toml", &good);
    let third = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(third["window"]["cursor"], first["window"]["to"]);
    assert_eq!((third["deleted"].as_u64(), rows(&bench, NAMES)), (Some(2), vec!["T2".to_owned(), "T3".to_owned()]));
}

#[test]
fn flagged_rows_stay_and_say_that_they_are_deleted() {
    let things = Things::new(3);
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline("flag", "Id", ""));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    let flags = || rows(&bench, "SELECT Name, IsDeleted FROM things ORDER BY Name");
    assert_eq!(flags(), ["T0|0", "T1|0", "T2|0"]);
    let gone = id_of(&bench, "T1");
    things.delete(&gone);
    things.later();
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(
        (run["rows"]["written"].as_u64(), flags()),
        (Some(1), vec!["T0|0".into(), "T1|1".into(), "T2|0".into()])
    );
    things.undelete(&gone);
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(flags(), ["T0|0", "T1|0", "T2|0"]);
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("queryAll") && plan.contains("come with IsDeleted = true"), "{plan}");
}

#[test]
fn by_default_deleted_rows_stay_and_the_plan_says_so() {
    let things = Things::new(2);
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline("ignore", "Id", ""));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    things.delete(&id_of(&bench, "T1"));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench, NAMES), ["T0", "T1"]);
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("rows that are deleted in the org stay in the destination"), "{plan}");
}

#[test]
fn what_cannot_be_deleted_is_refused_with_the_way_out() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let with = |object: &str, incremental: &str, rest: &str| {
        let text = format!(
            "name = \"p\"\n[source]\nconnection = \"org\"\nobject = \"{object}\"\n[source.incremental]\n{incremental}\n{rest}"
        );
        bench.write("p.toml", &text);
        bench.run(&["check", "p.toml"]).ends(2).stderr
    };
    let merge = "[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\ngrant.sql = { db = \"sqlite:crm.db\" }\n";
    let csv = "[destination]\nplugin = \"csv\"\ngrant.files = { out = \"out\" }\n";
    let delete = "deletes = \"delete\"";
    assert!(with("Account", delete, csv).contains("csv only adds; use a database such as sqlite"));
    assert!(
        with("Account", delete, &merge.replace("\"merge\"\nkeys = [\"Id\"]", "\"append\"")).contains("keys = [\"Id\"]")
    );
    assert!(with("Account", "deletes = \"delete\"\ncursor = \"CreatedDate\"", merge).contains("stays as it is"));
    assert!(with("User", delete, merge).contains("User has no field IsDeleted"));
    assert!(with("User", "deletes = \"flag\"", merge).contains("User has no field IsDeleted"));
    let grouped = r#"
[[transform]]
plugin = "aggregate"
config = { group_by = ["Industry"], measures = [{ name = "number", function = "count" }] }
"#;
    let merge_groups = merge.replace("\"Id\"", "\"Industry\"");
    let refused = with("Account", delete, &format!("{grouped}{merge_groups}"));
    assert!(refused.contains("the transform aggregate makes a column"), "{refused}");
}
