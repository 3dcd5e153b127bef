//! Several feeds whose objects change between runs: their fields, and the rows that are deleted or lack a field.

use forcepump_emulator::Edit;
use serde_json::{Value, json};

use crate::changing::{lead_to, objects, rows};
use crate::harness::{Bench, Org};
use crate::tables;

const THINGS: (&str, &str) = ("Thing__c", "Name,Budget__c,Note__c\nAcme,12.5,x\nBolt,7,y\n");
/// A field is gone, another one new.
const THINGS_LATER: (&str, &str) = ("Thing__c", "Name,Budget__c,Fresh__c\nAcme,12.5,new\nBolt,7,newer\n");
const PARTS: (&str, &str) = ("Part__c", "Name,Size__c\nNut,1.5\nPin,2\n");
/// A field has another type.
const PARTS_LATER: (&str, &str) = ("Part__c", "Name,Size__c\nNut,wide\nPin,2\n");

const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\nconfig = { table = \"sf_{object}\" }\ngrant.sql = { db = \"sqlite:crm.db\" }\n";

fn files(plugin: &str) -> String {
    format!("[destination]\nplugin = \"{plugin}\"\nmode = \"overwrite\"\ngrant.files = {{ out = \"out\" }}\n")
}

fn pipeline(head: &str, source: &str, destination: &str) -> String {
    format!("name = \"crm\"\n{head}\n[source]\nconnection = \"org\"\n{source}\n{destination}")
}

const BOTH: &str = "objects = [\"Thing__c\", \"Part__c\"]";

/// A bench whose pipeline has run over the first org, and another one in its place.
fn changed(text: &str, later: &[(&str, &str)]) -> (Org, Bench) {
    let before = objects(&[THINGS, PARTS]);
    let bench = Bench::on(&before);
    bench.write("p.toml", text);
    bench.run(&["run", "p.toml"]).ends(0);
    let after = objects(later);
    lead_to(&bench, &after);
    (after, bench)
}

#[track_caller]
fn feed<'a>(report: &'a Value, name: &str) -> &'a Value {
    let feeds = report["feeds"].as_array().expect("feeds");
    feeds.iter().find(|feed| feed["feed"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"))
}

/// What a report tells of fields: object, field, change and what becomes of it.
fn changes(of: &Value) -> Vec<String> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let words = |change: &Value| ["object", "field", "change", "becomes"].map(|key| text(change, key)).join(" ");
    of["field_changes"].as_array().expect("changes").iter().map(words).collect()
}

#[test]
fn each_feed_tells_what_became_of_its_fields_in_every_destination() {
    for (policy, fresh) in [("add", "read"), ("ignore", "left-out")] {
        for destination in [SQLITE.to_owned(), files("csv"), files("parquet")] {
            let head = format!("drift = \"{policy}\"");
            let (_org, bench) = changed(&pipeline(&head, BOTH, &destination), &[THINGS_LATER, PARTS_LATER]);
            let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
            for told in [
                "Thing__c.Note__c (string) was seen",
                "Thing__c.Fresh__c (string) is new",
                "Part__c.Size__c was double",
            ] {
                assert!(plan.contains(told), "{policy}, {told}: {plan}");
            }
            let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
            let things = ["Thing__c Note__c gone left-out".to_owned(), format!("Thing__c Fresh__c new {fresh}")];
            let parts = ["Part__c Size__c type read".to_owned()];
            assert_eq!(changes(feed(&report, "Thing__c")), things);
            assert_eq!(changes(feed(&report, "Part__c")), parts);
            assert_eq!(changes(&report), [&things[..], &parts[..]].concat());
            let words = bench.run(&["show"]).ends(0).stdout;
            for told in ["gone: Thing__c.Note__c", "Part__c.Size__c double → string", "new: Thing__c.Fresh__c"] {
                assert!(words.contains(told), "{told}: {words}");
            }
            let again = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
            let still: &[String] = if policy == "add" { &[] } else { &things };
            assert_eq!(changes(&again), still, "{policy}");
        }
    }
}

#[test]
fn a_field_of_another_type_is_in_the_table_and_in_the_file() {
    let (_org, bench) = changed(&pipeline("", BOTH, SQLITE), &[THINGS_LATER, PARTS_LATER]);
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(rows(&bench, "SELECT Size__c FROM sf_Part__c ORDER BY Name"), ["wide", "2"]);
    assert_eq!(rows(&bench, "SELECT Note__c, Fresh__c FROM sf_Thing__c ORDER BY Name"), ["x|new", "y|newer"]);
    let (_org, bench) = changed(&pipeline("", BOTH, &files("parquet")), &[THINGS_LATER, PARTS_LATER]);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let names = report["results"][0]["files"].as_array().expect("files").iter().filter_map(Value::as_str);
    let parts: Vec<&str> = names.filter(|name| name.starts_with("Part__c/")).collect();
    assert_eq!(parts.len(), 1, "{report:#}");
    let table = tables::parquet(&bench.path(&format!("out/{}", parts[0])));
    let mut sizes = table.column("Size__c");
    sizes.sort();
    assert_eq!(sizes, [Some("2".to_owned()), Some("wide".to_owned())]);
}

#[test]
fn fail_stops_the_feed_that_changed_and_no_other() {
    let (_org, bench) = changed(&pipeline("drift = \"fail\"", BOTH, SQLITE), &[THINGS_LATER, PARTS]);
    let refused = bench.run(&["run", "p.toml", "--json"]).ends(7).json();
    assert_eq!(
        (&feed(&refused, "Part__c")["state"], &feed(&refused, "Thing__c")["state"]),
        (&"complete".into(), &"failed".into())
    );
    let error = refused["error"]["message"].as_str().expect("an error");
    for told in ["feed `Thing__c`", "Thing__c.Note__c", "Thing__c.Fresh__c", "--drift add"] {
        assert!(error.contains(told), "{error}");
    }
    assert!(!error.contains("Part__c"), "{error}");
    let checked = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(checked.contains("feed `Thing__c`") && checked.contains("Thing__c.Fresh__c"), "{checked}");
    let accepted = bench.run(&["run", "p.toml", "--drift", "add", "--json"]).ends(0).json();
    assert_eq!(changes(feed(&accepted, "Thing__c")).len(), 2, "{accepted:#}");
    assert_eq!(rows(&bench, "SELECT Fresh__c FROM sf_Thing__c ORDER BY Name"), ["new", "newer"]);
    let calm = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(changes(&calm), Vec::<String>::new());
}

#[test]
fn a_policy_for_each_kind_of_change_counts_in_every_feed() {
    let head = "drift = { new = \"ignore\", type = \"fail\" }";
    let (_org, bench) = changed(&pipeline(head, BOTH, SQLITE), &[THINGS_LATER, PARTS_LATER]);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(7).json();
    assert_eq!(
        changes(feed(&report, "Thing__c")),
        ["Thing__c Note__c gone left-out", "Thing__c Fresh__c new left-out"]
    );
    let error = feed(&report, "Part__c")["error"]["message"].as_str().expect("an error");
    assert!(error.contains("Part__c.Size__c was double"), "{error}");
}

/// Two objects whose rows change, and a clock that is moved on.
struct Two {
    org: Org,
    bench: Bench,
}

impl Two {
    fn new(text: &str) -> Self {
        let org = objects(&[("Thing__c", "Name\nT0\nT1\nT2\n"), ("Part__c", "Name\nP0\nP1\nP2\n")]);
        org.emulator().clock().freeze();
        let bench = Bench::on(&org);
        bench.write("p.toml", text);
        let two = Self { org, bench };
        two.later();
        two
    }

    fn later(&self) {
        self.org.emulator().clock().step(chrono::TimeDelta::hours(1));
    }

    fn run(&self) -> Value {
        self.bench.run(&["run", "p.toml", "--json"]).ends(0).json()
    }

    fn names(&self, table: &str) -> Vec<String> {
        rows(&self.bench, &format!("SELECT Name FROM {table} ORDER BY Name"))
    }

    fn id(&self, table: &str, name: &str) -> String {
        rows(&self.bench, &format!("SELECT Id FROM {table} WHERE Name = '{name}'")).pop().expect("a row")
    }

    fn edit(&self, edit: Edit) {
        self.org.emulator().edit(&edit).unwrap_or_else(|error| panic!("{edit:?}: {error}"));
    }

    fn delete(&self, object: &str, id: &str) {
        self.edit(Edit::Delete { object: object.to_owned(), id: id.to_owned() });
    }
}

#[test]
fn deleted_rows_of_each_feed_go_or_are_flagged_as_the_feed_says() {
    let source = "objects = [\"Thing__c\"]\nfields = [\"Id\", \"Name\", \"SystemModstamp\"]\n[source.incremental]\ndeletes = \"delete\"\n\
                  [[source.feeds]]\nobject = \"Part__c\"\nincremental = { deletes = \"flag\" }";
    let two = Two::new(&pipeline("", source, SQLITE));
    two.run();
    let (t1, p1) = (two.id("sf_Thing__c", "T1"), two.id("sf_Part__c", "P1"));
    two.delete("Thing__c", &t1);
    two.delete("Part__c", &p1);
    two.later();
    let plan = two.bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert!(plan["feeds"][0]["deletes_soql"].as_str().is_some_and(|soql| soql.contains("FROM Thing__c")), "{plan:#}");
    assert_eq!((&plan["feeds"][1]["deletes_soql"], &plan["feeds"][1]["action"]), (&Value::Null, &"queryAll".into()));
    let report = two.run();
    assert_eq!(two.names("sf_Thing__c"), ["T0", "T2"]);
    assert_eq!(rows(&two.bench, "SELECT Name, IsDeleted FROM sf_Part__c ORDER BY 1"), ["P0|0", "P1|1", "P2|0"]);
    assert_eq!((&report["deleted"], &feed(&report, "Thing__c")["deleted"]), (&json!(1), &json!(1)), "{report:#}");
    assert_eq!(feed(&report, "Part__c").get("deleted"), None);
    assert!(two.bench.run(&["show"]).ends(0).stdout.contains("1 of those written, in the destination"));
    for id in [&t1, &p1] {
        two.edit(Edit::Undelete { id: id.clone() });
    }
    two.later();
    two.run();
    assert_eq!(two.names("sf_Thing__c"), ["T0", "T1", "T2"]);
    assert_eq!(rows(&two.bench, "SELECT Name, IsDeleted FROM sf_Part__c ORDER BY 1"), ["P0|0", "P1|0", "P2|0"]);
}

#[test]
fn what_deletes_need_is_refused_at_the_feed_that_lacks_it() {
    let source = "objects = [\"Thing__c\"]\n[source.incremental]\ndeletes = \"delete\"\n\
                  [[source.feeds]]\nobject = \"Part__c\"\n[source.feeds.destination]\nmode = \"append\"\nkeys = []";
    let org = objects(&[THINGS, PARTS]);
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline("", source, SQLITE));
    let refused = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(refused.contains("feed `Part__c`: `delete` needs keys to find the rows by"), "{refused}");
    assert!(!refused.contains("Thing__c"), "{refused}");
}

/// Incremental feeds that have both read their new fields once.
fn grown(source: &str) -> (Org, Bench) {
    let before = objects(&[("Thing__c", "Name\nT0\nT1\n"), ("Part__c", "Name\nP0\nP1\n")]);
    let bench = Bench::on(&before);
    bench.write("p.toml", &pipeline("", source, SQLITE));
    bench.run(&["run", "p.toml"]).ends(0);
    let after = objects(&[
        ("Thing__c", "Name,Fresh__c,Later__c\nT0,a,1\nT1,b,2\n"),
        ("Part__c", "Name,Fresh__c\nP0,c\nP1,d\n"),
    ]);
    lead_to(&bench, &after);
    (after, bench)
}

const INCREMENTAL: &str = "objects = [\"Thing__c\", \"Part__c\"]\n[source.incremental]";

#[test]
fn a_backfill_fills_in_what_each_feed_lacks() {
    let (_org, bench) = grown(INCREMENTAL);
    let words = bench.run(&["run", "p.toml"]).ends(0).stderr;
    assert!(words.contains("until `forcepump backfill p.toml`"), "{words}");
    let things = "SELECT Name, Fresh__c, Later__c FROM sf_Thing__c ORDER BY 1";
    let parts = "SELECT Name, Fresh__c FROM sf_Part__c ORDER BY 1";
    assert_eq!(rows(&bench, things), ["T0|∅|∅", "T1|∅|∅"]);
    let before = bench.run(&["show", "--json"]).ends(0).json()["report"].clone();
    let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    assert_eq!(
        filled["backfilled"],
        json!(["Thing__c.Fresh__c", "Thing__c.Later__c", "Part__c.Fresh__c"]),
        "{filled:#}"
    );
    assert_eq!(feed(&filled, "Part__c")["backfilled"], json!(["Fresh__c"]));
    assert_eq!(rows(&bench, things), ["T0|a|1", "T1|b|2"]);
    assert_eq!(rows(&bench, parts), ["P0|c", "P1|d"]);
    assert!(bench.run(&["show"]).ends(0).stdout.contains("filled in Thing__c.Fresh__c"));
    assert!(bench.run(&["runs"]).ends(0).stdout.contains("crm (backfill)"));
    let nothing = bench.run(&["backfill", "p.toml"]).ends(0).stdout;
    assert!(nothing.contains("nothing to fill in"), "{nothing}");
    let next = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    for name in ["Thing__c", "Part__c"] {
        assert_eq!(feed(&next, name)["window"]["cursor"], feed(&before, name)["window"]["to"], "no cursor moved");
    }
}

#[test]
fn one_feed_of_several_is_filled_in_by_its_name() {
    let (_org, bench) = grown(INCREMENTAL);
    bench.run(&["run", "p.toml"]).ends(0);
    let unclear = bench.run(&["backfill", "p.toml", "--fields", "Fresh__c"]).ends(2).stderr;
    assert!(unclear.contains("Thing__c, Part__c") && unclear.contains("--feed Thing__c"), "{unclear}");
    let unknown = bench.run(&["backfill", "p.toml", "--feed", "Thing_c"]).ends(2).stderr;
    assert!(unknown.contains("did you mean `Thing__c`?"), "{unknown}");
    let filled =
        bench.run(&["backfill", "p.toml", "--feed", "thing__c", "--fields", "Later__c", "--json"]).ends(0).json();
    assert_eq!(
        (&filled["backfilled"], filled["feeds"].as_array().map(Vec::len)),
        (&json!(["Thing__c.Later__c"]), Some(1))
    );
    assert_eq!(rows(&bench, "SELECT Fresh__c, Later__c FROM sf_Thing__c ORDER BY 2"), ["∅|1", "∅|2"]);
    let filled = bench.run(&["backfill", "p.toml", "--feed", "Part__c", "--json"]).ends(0).json();
    assert_eq!(filled["backfilled"], json!(["Part__c.Fresh__c"]));
    let rest = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    assert_eq!(rest["backfilled"], json!(["Thing__c.Fresh__c"]));
    let wrong = bench.run(&["backfill", "p.toml", "--feed", "Part__c", "--fields", "Frsh__c"]).ends(2).stderr;
    assert!(wrong.contains("feed `Part__c`") && wrong.contains("did you mean `Fresh__c`?"), "{wrong}");
}

#[test]
fn feeds_that_read_every_row_have_nothing_to_be_filled_in() {
    let source =
        "objects = [\"Thing__c\"]\n[source.incremental]\n[[source.feeds]]\nobject = \"Part__c\"\nincremental = false";
    let (_org, bench) = grown(source);
    bench.run(&["run", "p.toml"]).ends(0);
    let refused = bench.run(&["backfill", "p.toml", "--feed", "Part__c"]).ends(2).stderr;
    assert!(refused.contains("run the pipeline, which reads every row"), "{refused}");
    let filled = bench.run(&["backfill", "p.toml", "--json"]).ends(0).json();
    assert_eq!(filled["backfilled"], json!(["Thing__c.Fresh__c", "Thing__c.Later__c"]));
}
