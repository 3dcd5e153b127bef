//! Fields that appear, vanish or change their type between runs, under each policy.

use serde_json::{Value, json};

use crate::changing::{lead_to, rows, things};
use crate::harness::{Bench, Org};

const BEFORE: &str = "Name,Budget__c,Note__c\nAcme,12.5,x\nBolt,7,y\n";
const AFTER: &str = "Name,Budget__c,Fresh__c\nAcme,12.5,new\nBolt,7,newer\n";

fn pipeline(name: &str, drift: &str, source: &str) -> String {
    format!(
        r#"
name = "{name}"
{drift}
[source]
connection = "org"
object = "Thing__c"
{source}
[destination]
plugin = "sqlite"
mode = "merge"
keys = ["Id"]
config = {{ table = "{name}" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

/// A bench whose pipelines have run over the first org, and the second one in its place.
fn changed(pipelines: &[(&str, &str, &str)], after: &str) -> (Org, Bench) {
    let before = things(BEFORE);
    let bench = Bench::on(&before);
    for (name, drift, source) in pipelines {
        bench.write(&format!("{name}.toml"), &pipeline(name, drift, source));
        bench.run(&["run", &format!("{name}.toml")]).ends(0);
    }
    let after = things(after);
    lead_to(&bench, &after);
    (after, bench)
}

fn columns(bench: &Bench, table: &str) -> Vec<String> {
    let own = |name: &String| name.ends_with("__c");
    rows(bench, &format!("SELECT name FROM pragma_table_info('{table}')")).into_iter().filter(own).collect()
}

fn changes(report: &Value) -> Vec<(String, String, String)> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let found = report["field_changes"].as_array().expect("changes").iter();
    found.map(|change| (text(change, "field"), text(change, "change"), text(change, "becomes"))).collect()
}

fn told(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn add_follows_the_org() {
    let (_org, bench) = changed(&[("things", "drift = \"add\"", "")], AFTER);
    let plan = bench.run(&["plan", "things.toml"]).ends(0).stdout;
    assert!(plan.contains("drift      new fields: add, gone fields: add, retyped fields: add"), "{plan}");
    assert!(plan.contains("Fresh__c (string) is new since") && plan.contains("it is read from now on"), "{plan}");
    let run = bench.run(&["run", "things.toml", "--json"]).ends(0).json();
    assert_eq!(changes(&run), told(&[("Note__c", "gone", "left-out"), ("Fresh__c", "new", "read")]));
    assert_eq!(columns(&bench, "things"), ["Budget__c", "Note__c", "Fresh__c"]);
    assert_eq!(rows(&bench, "SELECT Fresh__c, Note__c FROM things ORDER BY 1"), ["new|x", "newer|y"]);
    let again = bench.run(&["run", "things.toml", "--json"]).ends(0).json();
    assert_eq!(again["field_changes"], json!([]));
}

#[test]
fn ignore_keeps_the_list_of_fields() {
    let listed = "fields = [\"Id\", \"Name\", \"Note__c\"]";
    let pipelines = [("every", "drift = \"ignore\"", ""), ("listed", "drift = \"ignore\"", listed)];
    let (_org, bench) = changed(&pipelines, AFTER);
    let preview = bench.run(&["preview", "every.toml", "-n", "1"]).ends(0).stdout;
    assert!(!preview.contains("Fresh__c"), "{preview}");
    for round in 0..2 {
        let run = bench.run(&["run", "every.toml", "--json"]).ends(0).json();
        assert_eq!(changes(&run), told(&[("Note__c", "gone", "left-out"), ("Fresh__c", "new", "left-out")]));
        let run = bench.run(&["run", "listed.toml", "--json"]).ends(0).json();
        // What the pipeline does not select is told once.
        let both = told(&[("Note__c", "gone", "left-out"), ("Fresh__c", "new", "not-selected")]);
        assert_eq!(changes(&run), both[..2 - round]);
    }
    assert_eq!(columns(&bench, "every"), ["Budget__c", "Note__c"]);
    let plan = bench.run(&["plan", "every.toml"]).ends(0).stdout;
    assert!(plan.contains("it is not read (drift = \"ignore\")") && plan.contains("it is left out"), "{plan}");
    // What was hidden comes back, and is read again.
    let back = things(BEFORE);
    lead_to(&bench, &back);
    for name in ["every", "listed"] {
        let run = bench.run(&["run", &format!("{name}.toml"), "--json"]).ends(0).json();
        let touching = changes(&run).into_iter().filter(|(_, _, becomes)| becomes != "not-selected");
        assert_eq!(touching.count(), 0, "{name}: {run:#}");
        assert_eq!(rows(&bench, &format!("SELECT Note__c FROM {name} ORDER BY 1")), ["x", "y"]);
    }
    // A field that is named is read, whatever the policy.
    let after = things(AFTER);
    lead_to(&bench, &after);
    bench.write("listed.toml", &pipeline("listed", "drift = \"ignore\"", "fields = [\"Id\", \"Fresh__c\"]"));
    let run = bench.run(&["run", "listed.toml", "--json"]).ends(0).json();
    assert!(changes(&run).contains(&told(&[("Fresh__c", "new", "read")])[0]), "{run:#}");
}

#[test]
fn fail_ends_before_any_row_and_accepts_once() {
    let listed = "fields = [\"Id\", \"Note__c\"]";
    let unconcerned = "fields = [\"Id\", \"Name\"]";
    let pipelines = [
        ("every", "drift = \"fail\"", ""),
        ("listed", "drift = \"fail\"", listed),
        ("calm", "drift = \"fail\"", unconcerned),
    ];
    let (org, bench) = changed(&pipelines, AFTER);
    for name in ["every", "listed"] {
        for command in ["check", "plan", "run"] {
            let refused = bench.run(&[command, &format!("{name}.toml")]).ends(2).stderr;
            assert!(refused.contains("Thing__c.Note__c") && refused.contains("--drift add"), "{refused}");
            assert_eq!(refused.contains("Fresh__c"), name == "every", "{refused}");
        }
    }
    assert!(org.emulator().jobs().is_empty());
    assert_eq!(columns(&bench, "every"), ["Budget__c", "Note__c"]);
    bench.run(&["run", "calm.toml"]).ends(0);
    bench.run(&["run", "every.toml", "--drift", "add"]).ends(0);
    assert_eq!(columns(&bench, "every"), ["Budget__c", "Note__c", "Fresh__c"]);
    let accepted = bench.run(&["run", "every.toml", "--json"]).ends(0).json();
    assert_eq!(accepted["field_changes"], json!([]));
    let wrong = bench.run(&["run", "every.toml", "--drift", "warn"]).ends(2).stderr;
    assert!(wrong.contains("add, ignore or fail"), "{wrong}");
}

#[test]
fn each_kind_of_change_may_have_a_policy_of_its_own() {
    let drift = "drift = { new = \"ignore\", type = \"fail\" }";
    let (_org, bench) = changed(&[("things", drift, "")], AFTER);
    let run = bench.run(&["run", "things.toml", "--json"]).ends(0).json();
    assert_eq!(changes(&run), told(&[("Note__c", "gone", "left-out"), ("Fresh__c", "new", "left-out")]));
    let retyped = things("Name,Budget__c\nAcme,a lot\n");
    lead_to(&bench, &retyped);
    let refused = bench.run(&["run", "things.toml"]).ends(2).stderr;
    assert!(refused.contains("Thing__c.Budget__c was double"), "{refused}");
    bench.write("things.toml", &pipeline("things", "drift = 'warn'", ""));
    let wrong = bench.run(&["check", "things.toml"]).ends(2).stderr;
    assert!(wrong.contains("expected \"add\", \"ignore\" or \"fail\""), "{wrong}");
}

#[test]
fn a_type_that_the_destination_cannot_take_is_refused_and_a_file_takes_it() {
    let before = things("Name,Budget__c,Active__c\nAcme,12.5,true\n");
    let bench = Bench::on(&before);
    bench.write("things.toml", &pipeline("things", "", ""));
    bench.run(&["run", "things.toml"]).ends(0);
    // Decimals have no declared type: text beside them stays what it is.
    let between = things("Name,Budget__c,Active__c\nAcme,007 or so,true\n");
    lead_to(&bench, &between);
    let run = bench.run(&["run", "things.toml", "--json"]).ends(0).json();
    assert_eq!(changes(&run), told(&[("Budget__c", "type", "read")]));
    assert_eq!(rows(&bench, "SELECT Budget__c FROM things"), ["007 or so"]);
    let after = things("Name,Budget__c,Active__c\nAcme,007 or so,perhaps\n");
    lead_to(&bench, &after);
    let refused = bench.run(&["run", "things.toml"]).ends(2).stderr;
    assert!(refused.contains("\"Active__c\" of the table \"things\" is declared BOOLEAN"), "{refused}");
    assert!(refused.contains("Thing__c.Active__c was boolean"), "{refused}");
    assert_eq!(rows(&bench, "SELECT Active__c FROM things"), ["1"]);
    let csv = "[destination]\nplugin = \"csv\"\ngrant.files = { out = \"out\" }\n";
    let text = pipeline("things", "", "");
    bench.write("things.toml", &format!("{}{csv}", text.split("[destination]").next().unwrap_or_default()));
    let run = bench.run(&["run", "things.toml", "--json"]).ends(0).json();
    assert_eq!(changes(&run), told(&[("Active__c", "type", "read")]));
}
