//! What can be selected: groups, compound fields, parents, deleted rows; and what the org has changed since the last run.

use serde_json::{Value, json};

use crate::harness::{Bench, Org};
use crate::orgs::truth;
use crate::tables;
use forcepump_emulator::Options;

const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

fn pipeline(name: &str, source: &str, destination: &str) -> String {
    format!("name = \"{name}\"\n[source]\nconnection = \"org\"\n{source}\n{destination}")
}

/// The one file that a run wrote.
fn written(bench: &Bench, report: &Value) -> tables::Table {
    let place = &report["results"][0];
    let file = place["files"][0].as_str().unwrap_or_else(|| panic!("a file: {report:#}"));
    tables::csv(&bench.read(&format!("out/{file}")))
}

#[test]
fn groups_and_compounds_are_read_as_their_fields() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let source = "object = \"Contact\"\nfields = [\"Id\", \"MailingAddress\", \"FIELDS(CUSTOM)\", \"Account.BillingAddress\", \"Owner.Name\"]";
    bench.write("p.toml", &pipeline("groups", source, CSV));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let expanded: Vec<&str> =
        plan["expanded"].as_array().into_iter().flatten().filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(expanded, ["MailingAddress", "FIELDS(CUSTOM)", "Account.BillingAddress"], "{plan:#}");
    assert_eq!(plan["expanded"][0]["into"][0], "MailingStreet");
    let words = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(words.contains("expanded   Account.BillingAddress: Account.BillingStreet, "), "{words}");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let found = written(&bench, &report);
    let soql = plan["soql"].as_str().expect("a query");
    assert_eq!(found.columns, truth(soql).columns);
    assert_eq!(found.rows.len(), 793);
    assert_eq!(found.column("Account.BillingCity"), truth(soql).column("Account.BillingCity"));
}

#[test]
fn every_field_by_a_query_is_every_field_of_the_object() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("q.toml", &pipeline("q", "query = \"SELECT FIELDS(ALL) FROM Account WHERE Industry != null\"", CSV));
    bench.write("o.toml", &pipeline("o", "object = \"Account\"\nwhere = \"Industry != null\"", CSV));
    let soql = |file: &str| bench.run(&["plan", file, "--json"]).ends(0).json()["soql"].clone();
    assert_eq!(soql("q.toml"), soql("o.toml"));
    bench.run(&["run", "q.toml"]).ends(0);
    for (source, says) in [
        ("object = \"Awkward__c\"\nfields = [\"Id\", \"Body__c\"]", "GET …/sobjects/Awkward__c/ID/Body__c"),
        ("query = \"SELECT Account.FIELDS(ALL) FROM Contact\"", "no FIELDS() of a parent"),
        ("query = \"SELECT toLabel(Industry) FROM Account\"", "labels in the user's language"),
        ("object = \"Contact\"\nfields = [\"a.b.c.d.e.f.Name\"]", "at most 5"),
    ] {
        bench.write("p.toml", &pipeline("p", source, CSV));
        let refused = bench.run(&["check", "p.toml"]).ends(2);
        assert!(refused.stderr.contains(says), "{source}: {refused:?}");
    }
    let five =
        "object = \"Awkward__c\"\nfields = [\"Id\", \"Parent__r.Parent__r.Parent__r.Parent__r.Parent__r.Place__c\"]";
    bench.write("p.toml", &pipeline("p", five, CSV));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert!(written(&bench, &report).columns[2].ends_with("Place__Longitude__s"));
}

#[test]
fn deleted_rows_are_told_from_live_ones() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let notes = |source: &str| {
        bench.write("p.toml", &pipeline("deleted", source, CSV));
        bench.run(&["plan", "p.toml", "--json"]).ends(0).json()["notes"].to_string()
    };
    assert!(notes("object = \"Account\"\nfields = [\"Id\"]\naction = \"query-all\"").contains("select IsDeleted"));
    assert!(notes("object = \"Account\"\nfields = [\"Id\"]\nwhere = \"IsDeleted = true\"").contains("query-all"));
    let quiet = notes("object = \"Account\"\nfields = [\"Id\", \"IsDeleted\"]\naction = \"query-all\"");
    assert!(!quiet.contains("IsDeleted"), "{quiet}");
}

#[test]
fn conditions_are_looked_at_before_any_job() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let with = |condition: &str| {
        bench.write("p.toml", &pipeline("p", &format!("object = \"Account\"\nwhere = \"{condition}\""), CSV));
    };
    for (condition, says) in [
        ("Industrie = 'x'", "No such column 'Industrie'"),
        ("Industry = ", "unexpected token"),
        ("AnnualRevenue = 'much'", "AnnualRevenue"),
    ] {
        with(condition);
        let refused = bench.run(&["check", "p.toml"]).ends(2);
        assert!(refused.stderr.contains(says), "{condition}: {refused:?}");
    }
    with("Industry != null");
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let rows = truth("SELECT Id FROM Account WHERE Industry != null").rows.len();
    assert_eq!((plan["finds"]["rows"].as_u64(), plan["finds"]["of_rows"].as_u64()), (Some(rows as u64), Some(1_837)));
    assert!(bench.run(&["plan", "p.toml"]).ends(0).stdout.contains("of 1,837 rows, by TableScan"));
    assert!(org.emulator().jobs().is_empty());
}

/// An org whose things have these columns.
fn org_of(header: &str, row: &str) -> Org {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Thing__c.csv"), format!("{header}\n{row}\n")).expect("a file");
    Org::with(Options { data: Some(folder.path().to_owned()), ..Options::default() })
}

#[test]
fn what_the_org_changed_is_told_and_a_selected_field_that_is_gone_is_an_error() {
    let before = org_of("Name,Budget__c,Note__c", "Acme,12.5,x");
    let bench = Bench::on(&before);
    bench.write("all.toml", &pipeline("all", "object = \"Thing__c\"", CSV));
    let named = "object = \"Thing__c\"\nfields = [\"Id\", \"Note__c\"]";
    bench.write("named.toml", &pipeline("named", named, CSV));
    let first = bench.run(&["run", "all.toml", "--json"]).ends(0).json();
    assert_eq!(first["field_changes"], json!([]));
    bench.run(&["run", "named.toml"]).ends(0);
    drop(before);

    let after = org_of("Name,Budget__c,Fresh__c", "Acme,a lot,y");
    let beside = Bench::on(&after);
    bench.write("connections.toml", &beside.read("connections.toml"));
    let plan = bench.run(&["plan", "all.toml"]).ends(0).stdout;
    assert!(plan.contains("changed    Thing__c.Note__c (string) was seen on "), "{plan}");
    assert!(plan.contains("Thing__c.Fresh__c (string) is new since "), "{plan}");
    let gone = bench.run(&["run", "named.toml", "--json"]).ends(4).json();
    let message = gone["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("Thing__c.Note__c (string) was there on ") && message.contains("hint: "), "{message}");
    bench.run(&["check", "named.toml"]).ends(4);

    let run = bench.run(&["run", "all.toml"]).ends(0);
    assert!(run.stderr.contains("warning:") && run.stderr.contains("field-level security hides it"), "{run:?}");
    let line = run.stdout.lines().find(|line| line.trim_start().starts_with("fields ")).unwrap_or_default();
    assert!(line.contains("gone: Note__c; of another type: Budget__c double → string; new: Fresh__c"), "{run:?}");
    let again = bench.run(&["run", "all.toml", "--json"]).ends(0).json();
    assert_eq!(again["field_changes"], json!([]), "a whole run is what the next one is compared with");
}

/// The published table against what the destinations hold of an object with every type.
#[test]
fn the_published_types_are_those_of_the_destinations() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let sqlite = "[destination]\nplugin = \"sqlite\"\n[destination.config]\ntable = \"t\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
    bench.write("p.toml", &pipeline("types", "object = \"Awkward__c\"", sqlite));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    bench.run(&["run", "p.toml", "--quiet"]);
    let table = bench.run(&["schema", "types", "--json"]).ends(0).json();
    let published = |kind: &str| {
        let found = table["types"].as_array().and_then(|types| types.iter().find(|row| row["type"] == kind)).cloned();
        found.unwrap_or_else(|| panic!("{kind} is not in the table"))
    };
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    let mut kinds = std::collections::BTreeSet::new();
    for column in plan["columns"].as_array().expect("columns") {
        let (name, kind) = (column["name"].as_str().unwrap_or_default(), column["salesforce_type"].as_str());
        let row = published(kind.expect("a type"));
        let declared: String = db
            .query_row("SELECT type FROM pragma_table_info('t') WHERE name = ?1", [name], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(declared, row["sqlite"].as_str().unwrap_or_default(), "{name}");
        let arrow = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
        assert_eq!(
            arrow(column["arrow_type"].as_str().unwrap_or_default()),
            arrow(row["arrow"].as_str().unwrap_or_default()),
            "{name}"
        );
        kinds.insert(kind.expect("a type").to_owned());
    }
    assert!(kinds.len() >= 20, "{kinds:?}");
    let words = bench.run(&["schema", "types"]).ends(0).stdout;
    assert!(words.contains("multipicklist") && words.contains("TIMESTAMP(MICROS, UTC)"), "{words}");
}
