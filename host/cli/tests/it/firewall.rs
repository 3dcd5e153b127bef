//! The column firewall, end to end: what is withheld enters no plugin, and what is lied about is found out.

use forcepump_emulator::Options;
use serde_json::json;

use crate::guests;
use crate::harness::{Bench, Org};
use crate::orgs;

const SOURCE: &str = "name = \"walls\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"Ext_Id__c\"]\n";
const CSV: &str = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";
/// A mask that needs no salt.
const MASK_NAME: &str = "[[transform]]\nplugin = \"mask\"\nconfig = { columns = { Name = \"redact\" } }\n";

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    (org, bench)
}

fn shape(columns: &str) -> String {
    format!("[[transform]]\nplugin = \"shape\"\nconfig = {{ columns = [{columns}] }}\n")
}

/// A fickle transform with its configuration and keys of the step.
fn fickle(config: &str, keys: &str) -> String {
    format!("[[transform]]\nplugin = \"./fickle.wasm\"\nconfig = {{ {config} }}\n{}{keys}\n", guests::GRANTED)
}

fn refused(bench: &Bench, pipeline: &str, says: &[&str]) {
    bench.write("p.toml", pipeline);
    for command in ["check", "plan", "run"] {
        let ran = bench.run(&[command, "p.toml"]).ends(2);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        says.iter().for_each(|text| assert!(said.contains(text), "{command}: {text}: {said}"));
    }
}

#[test]
fn no_byte_of_a_withheld_column_enters_by_any_door() {
    for keys in ["columns = [\"Id\"]", "withhold = [\"Name\"]"] {
        let (_org, bench) = bench();
        let step = fickle("column = \"Id\", probe = \"Name\"", keys);
        bench.write("p.toml", &format!("{SOURCE}{step}{CSV}"));
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        let found = guests::csv_rows(&bench, &report);
        assert_eq!(found.rows.len(), orgs::SMALL_ROWS, "kept all the same");
        assert!(found.column("Name").iter().all(|name| name.as_deref().is_some_and(|n| n.starts_with("Account, "))));
        for said in found.column("made") {
            let said = said.expect("an answer");
            for door in ["read", "null-count", "cast", "select", "assemble", "retain"] {
                assert!(said.contains(&format!("{door}: ")), "{said}");
            }
            assert!(!said.contains("took it"), "{keys}: {said}");
            assert!(said.contains("the pipeline withholds this column"), "{keys}: {said}");
        }
    }
}

#[test]
fn a_plugin_that_asks_for_what_is_withheld_is_refused_before_any_row() {
    let (org, bench) = bench();
    let with = |keys: &str| format!("{SOURCE}{MASK_NAME}{keys}\n{CSV}").replace("\"redact\"", "{ keep_last = 2 }");
    let reads = "plugin mask reads the column `Name`, which is withheld from it";
    refused(&bench, &with("withhold = [\"Name\"]"), &["transform[0].withhold", reads, "take `Name` out"]);
    refused(&bench, &with("columns = [\"Id\"]"), &["transform[0].columns", reads, "add `Name` to `columns`"]);
    assert!(org.emulator().jobs().is_empty());
}

#[test]
fn a_renamed_column_stays_withheld_and_unknown_names_are_told() {
    let (_org, bench) = bench();
    let renamed = shape("\"Id\", { from = \"Name\", as = \"label\" }");
    let mask = "[[transform]]\nplugin = \"mask\"\nconfig = { columns = { label = { keep_last = 2 } } }\n";
    let pipeline = |keys: &str| format!("{SOURCE}{renamed}{mask}{keys}\n{CSV}");
    refused(&bench, &pipeline("withhold = [\"Name\"]"), &["transform[1].withhold", "`label`, which is withheld"]);
    refused(&bench, &pipeline("columns = [\"Name\"]"), &["`Name` is called `label` where it comes in here"]);
    refused(&bench, &pipeline("withhold = [\"lable\"]"), &["no column `lable`", "did you mean `label`?"]);
    let source = format!("{SOURCE}{CSV}withhold = [\"Nmae\"]\n");
    refused(&bench, &source, &["destination.withhold: no column `Nmae`", "did you mean `Name`?"]);
}

#[test]
fn what_is_withheld_from_the_destination_does_not_reach_it_and_is_not_fetched() {
    let (_org, bench) = bench();
    bench.write("p.toml", &format!("{SOURCE}{CSV}withhold = [\"Ext_Id__c\"]\n"));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let found = guests::csv_rows(&bench, &report);
    assert_eq!((found.columns, found.rows.len()), (vec!["Id".to_owned(), "Name".to_owned()], orgs::SMALL_ROWS));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert_eq!(plan["soql"], "SELECT Id, Name FROM Account");
    bench.write("p.toml", &format!("{SOURCE}{MASK_NAME}{CSV}columns = [\"Name\"]\n"));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(guests::csv_rows(&bench, &report).columns, ["Name"]);
}

#[test]
fn keys_and_the_last_column_cannot_be_withheld() {
    let (_org, bench) = bench();
    let sqlite = "[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\ngrant = { sql = { db = \"sqlite:out.db\" } }\n";
    refused(&bench, &format!("{SOURCE}{sqlite}withhold = [\"Id\"]\n"), &["`Id` is a key", "`destination.withhold`"]);
    refused(&bench, &format!("{SOURCE}{CSV}columns = []\n"), &["every column is withheld"]);
}

#[test]
fn the_plan_names_what_is_withheld() {
    let (_org, bench) = bench();
    let step = fickle("column = \"Id\"", "columns = [\"Id\"]");
    bench.write("p.toml", &format!("{SOURCE}{step}{CSV}withhold = [\"Name\"]\n"));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert_eq!(plan["transforms"][0]["reads"], json!(["Id"]));
    assert_eq!(plan["transforms"][0]["keeps"], json!(["Id", "Name", "Ext_Id__c"]));
    assert_eq!(plan["transforms"][0]["withheld"], json!(["Ext_Id__c", "Name"]));
    assert_eq!(plan["destination"]["withheld"], json!(["Name"]));
    assert_eq!(plan["destination"]["reads"], json!(["Id", "Ext_Id__c", "made"]));
    assert_eq!(plan["pruned"], json!(["Name"]));
    let words = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(words.contains("  withheld   Ext_Id__c, Name\n"), "{words}");
}

#[test]
fn an_instance_that_answers_otherwise_than_when_it_was_planned_ends_the_run() {
    let (org, bench) = bench();
    let step = fickle("column = \"Id\", turncoat = true", "");
    bench.write("p.toml", &format!("{SOURCE}{step}{CSV}"));
    bench.run(&["check", "p.toml"]).ends(0);
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(6).json();
    let message = ran["error"]["message"].as_str().expect("a message");
    assert!(message.contains("fickle") && message.contains("than when the run was planned"), "{message}");
    assert_eq!(ran["rows"]["written"], 0);
    org.is_tidy();
}

#[test]
fn preview_holds_the_same_walls() {
    let (_org, bench) = bench();
    let pipeline =
        format!("{SOURCE}{MASK_NAME}withhold = [\"Name\"]\n{CSV}").replace("\"redact\"", "{ keep_last = 2 }");
    bench.write("p.toml", &pipeline);
    let ran = bench.run(&["preview", "p.toml", "-n", "3"]).ends(2);
    assert!(ran.stderr.contains("withheld from it"), "{}", ran.stderr);
}

#[test]
fn one_switch_withholds_what_the_org_classifies() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let source = "name = \"contacts\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Contact\"\nfields = [\"Id\", \"LastName\", \"Email\", \"Birthdate\"]\n";
    let masked = "[[transform]]\nplugin = \"mask\"\nwithhold_classified = true\nconfig = { columns = { Email = { keep_last = 2 } } }\n";
    let reads = "plugin mask reads the column `Email`, which is withheld from it";
    refused(&bench, &format!("{source}{masked}{CSV}"), &["transform[0].withhold_classified", reads]);
    let harmless = masked.replace("Email", "LastName");
    let gate = CSV.replace("mode =", "withhold_classified = true\nmode =");
    bench.write("p.toml", &format!("{source}{harmless}{gate}"));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert_eq!(plan["destination"]["withheld"], json!(["Birthdate", "Email"]), "{plan}");
    let soql = plan["soql"].as_str().unwrap_or_default();
    assert!(!soql.contains("Email") && !soql.contains("Birthdate"), "not even fetched: {soql}");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(guests::csv_rows(&bench, &report).columns, ["Id", "LastName"]);
}
