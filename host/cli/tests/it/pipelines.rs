//! The demo's pipelines, row by row: what the org holds, and what became of it.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Bench, Org};
use crate::orgs::truth;
use crate::tables::{self, Cell, Table};

const ACCOUNTS: &str = include_str!("../../src/demo/accounts.toml");
const CONTACTS: &str = include_str!("../../src/demo/contacts.toml");
const OPPORTUNITIES: &str = include_str!("../../src/demo/opportunities.toml");
const OPPORTUNITY_SOQL: &str =
    "SELECT Id, Name, StageName, CloseDate, CreatedDate, Amount, Account.Name FROM Opportunity";

/// A folder with a demo pipeline that leads to the org.
fn bench(org: &Org, pipeline: &str) -> Bench {
    let bench = Bench::on(org);
    bench.write("mask-salt.txt", "of the tests alone\n");
    bench.write("p.toml", &pipeline.replace("connection = \"demo\"", "connection = \"org\""));
    bench
}

fn run(bench: &Bench) -> Value {
    bench.run(&["run", "p.toml", "--json"]).ends(0).json()
}

/// The result files of a report, as paths below the bench.
fn files(report: &Value) -> Vec<String> {
    let place = &report["results"][0];
    let folder = place["path"].as_str().expect("a folder");
    let names = place["files"].as_array().expect("files").iter().filter_map(Value::as_str);
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// Rows of all files, in the order of the pages.
fn rows_of(bench: &Bench, report: &Value) -> Table {
    let mut paths = files(report);
    paths.sort();
    let mut whole = Table::default();
    for path in paths {
        let part = match path.rsplit('.').next() {
            Some("csv") => tables::csv(&bench.read(&path)),
            Some("jsonl") => tables::jsonl(&bench.read(&path)),
            _ => tables::parquet(&bench.path(&path)),
        };
        assert!(whole.rows.is_empty() || whole.columns == part.columns);
        whole = Table { columns: part.columns, rows: [whole.rows, part.rows].concat() };
    }
    whole
}

fn counts(report: &Value) -> [u64; 5] {
    ["announced", "read", "filtered", "rejected", "written"].map(|name| report["rows"][name].as_u64().expect("a count"))
}

#[test]
fn accounts_are_masked_and_merged() {
    let org = Org::demo();
    let bench = bench(&org, ACCOUNTS);
    let report = run(&bench);
    let held = truth(
        "SELECT Id, Name, TickerSymbol, Website, NumberOfEmployees, Industry, BillingCity, BillingCountry FROM Account",
    )
    .sorted();
    let all = held.rows.len() as u64;
    assert_eq!(counts(&report), [all, all, 0, 0, all]);
    let found = tables::sqlite(&bench.path("results/accounts.db"), "account").sorted();
    for name in ["Id", "Name", "NumberOfEmployees", "Industry", "BillingCity", "BillingCountry"] {
        assert_eq!(found.column(name), held.column(name), "{name}");
    }
    assert!(found.column("AnnualRevenue").iter().all(Option::is_none));
    for (shown, site) in found.column("Website").iter().zip(held.column("Website")) {
        assert_eq!(shown, &site.map(|site| last_four(&site)));
    }
    let symbols = held.column("TickerSymbol");
    let tokens = found.column("TickerSymbol");
    let pairs: HashSet<(&Cell, &Cell)> = symbols.iter().zip(&tokens).collect();
    assert_eq!(pairs.len(), symbols.iter().collect::<HashSet<_>>().len(), "a token for each symbol, and only one");
    assert_eq!(pairs.len(), tokens.iter().collect::<HashSet<_>>().len());
    for (symbol, token) in pairs {
        assert_eq!(symbol.is_some(), token.as_deref().is_some_and(is_token), "{symbol:?} {token:?}");
    }
    let again = run(&bench);
    assert_eq!(counts(&again), counts(&report));
    assert_eq!(
        tables::sqlite(&bench.path("results/accounts.db"), "account").sorted(),
        found,
        "a second merge adds nothing"
    );
}

fn last_four(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let kept = if characters.len() > 4 { &characters[characters.len() - 4..] } else { &[] };
    format!("{}{}", "*".repeat(characters.len() - kept.len()), kept.iter().collect::<String>())
}

fn is_token(text: &str) -> bool {
    text.strip_prefix("tok_").is_some_and(|digits| digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}

#[test]
fn tokens_of_two_objects_join() {
    let org = Org::demo();
    let pipeline = |object: &str, column: &str| {
        format!(
            "name = \"{object}\"\n[source]\nconnection = \"org\"\nobject = \"{object}\"\nfields = [\"Id\", \"{column}\"]\n\
             [[transform]]\nplugin = \"mask\"\n[transform.config]\nsalt = {{ secret = \"file:mask-salt.txt\" }}\ncolumns = {{ \"{column}\" = \"tokenise\" }}\n\
             [[transform]]\nplugin = \"shape\"\nconfig = {{ columns = [\"Id\", {{ from = \"{column}\", as = \"token\" }}] }}\n\
             [destination]\nplugin = \"sqlite\"\nmode = \"overwrite\"\ngrant = {{ sql = {{ db = \"sqlite:join.db\" }} }}\n"
        )
    };
    let bench = bench(&org, &pipeline("Account", "Ext_Id__c"));
    run(&bench);
    bench.write("p.toml", &pipeline("Contact", "Account.Ext_Id__c"));
    run(&bench);
    let db = rusqlite::Connection::open(bench.path("join.db")).expect("a database");
    let joined: i64 = db
        .query_row("SELECT count(*) FROM Contact JOIN Account ON Contact.token = Account.token", [], |row| row.get(0))
        .expect("a count");
    let held = truth("SELECT Id FROM Contact WHERE Account.Ext_Id__c != null").rows.len();
    assert!(held > 100);
    assert_eq!(joined as usize, held);
}

#[test]
fn contacts_are_filtered_and_shaped_into_parquet() {
    let org = Org::demo();
    let bench = bench(&org, CONTACTS);
    let report = run(&bench);
    let columns = "Id, FirstName, LastName, Account.Name, Owner.Name, Email, MailingCity, MailingState, Segment__c";
    let held = truth(&format!("SELECT {columns} FROM Contact WHERE Segment__c = 'Corporate' AND Account.Name != null"));
    let (all, kept) = (org.emulator().rows("Contact").expect("contacts"), held.rows.len() as u64);
    assert!(kept > 0 && kept < all);
    assert_eq!(counts(&report), [all, all, all - kept, 0, kept]);
    let found = rows_of(&bench, &report);
    assert_eq!(
        found.columns,
        [
            "Id",
            "first_name",
            "last_name",
            "account",
            "owner",
            "origin",
            "Email",
            "MailingCity",
            "MailingState",
            "Segment__c"
        ]
    );
    let held_rows: Vec<Vec<Cell>> =
        held.rows.iter().map(|row| [&row[..5], &[Some("salesforce".into())], &row[5..]].concat()).collect();
    assert_eq!(found.rows, held_rows, "the same rows in the same order");
}

#[test]
fn opportunities_are_the_same_in_every_format() {
    let org = Org::demo();
    let bench = bench(&org, OPPORTUNITIES);
    let held = truth(OPPORTUNITY_SOQL).plain("Amount", 2);
    let all = held.rows.len() as u64;
    for format in ["jsonl", "csv", "parquet"] {
        let text = bench.read("p.toml");
        let before = if format == "jsonl" {
            format
        } else if format == "csv" {
            "jsonl"
        } else {
            "csv"
        };
        bench.write("p.toml", &text.replace(&format!("plugin = \"{before}\""), &format!("plugin = \"{format}\"")));
        let report = run(&bench);
        assert_eq!(counts(&report), [all, all, 0, 0, all], "{format}");
        assert_eq!(files(&report).len() as u64, all.div_ceil(2000), "{format}: a page is a file");
        assert_eq!(rows_of(&bench, &report), held, "{format}");
        if format == "parquet" {
            check_types(&bench, &report);
        }
        check_manifest(&bench, &report, format, all);
    }
}

fn check_types(bench: &Bench, report: &Value) {
    for path in files(report) {
        let file = File::open(bench.path(&path)).expect("a file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let types: Vec<String> = reader.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
        let expected = ["Utf8", "Utf8", "Utf8", "Date32", "Timestamp(µs, \"UTC\")", "Decimal128(19, 2)", "Utf8"];
        assert_eq!(types, expected);
    }
}

/// The manifest tells the truth about each file, and about what an older run left.
fn check_manifest(bench: &Bench, report: &Value, format: &str, rows: u64) {
    let folder = bench.path("results/Opportunity");
    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&manifest["rows"], &manifest["format"], &manifest["mode"]),
        (&rows.into(), &format.into(), &"overwrite".into())
    );
    assert_eq!(manifest["run"], report["run_id"]);
    let columns: Vec<&Value> =
        manifest["columns"].as_array().expect("columns").iter().map(|column| &column["name"]).collect();
    assert_eq!(columns, ["Id", "Name", "StageName", "CloseDate", "CreatedDate", "Amount", "Account.Name"]);
    let mut named: Vec<String> = Vec::new();
    for file in manifest["files"].as_array().expect("files") {
        let name = file["path"].as_str().expect("a path").to_owned();
        let bytes = std::fs::read(folder.join(&name)).expect("the file");
        assert_eq!(file["bytes"], bytes.len(), "{name}");
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], digest, "{name}");
        named.push(name);
    }
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "manifest.json")
        .collect();
    there.sort();
    named.sort();
    assert_eq!(there, named, "files of older runs are gone");
}

#[test]
fn appending_runs_stand_beside_each_other() {
    let org = Org::demo();
    let bench = bench(&org, &OPPORTUNITIES.replace("\"overwrite\"", "\"append\"").replace("\"jsonl\"", "\"csv\""));
    let runs = [run(&bench), run(&bench)];
    let rows: Vec<Table> = runs.iter().map(|report| rows_of(&bench, report)).collect();
    assert_eq!(rows[0], rows[1]);
    for report in &runs {
        let name = format!("results/Opportunity/manifest-{}.json", report["run_id"].as_str().expect("an id"));
        let manifest: Value = serde_json::from_str(&bench.read(&name)).expect("JSON");
        assert_eq!(manifest["rows"], report["rows"]["written"]);
    }
}

/// Three accounts in the database, one of which the org does not have.
fn database(bench: &Bench, ids: &[Cell]) {
    let db = rusqlite::Connection::open(bench.path("a.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT, mine TEXT)").expect("a table");
    for id in [ids[0].as_deref(), ids[1].as_deref(), Some("not in the org")] {
        db.execute("INSERT INTO account VALUES (?, 'old', 'mine')", [id]).expect("a row");
    }
}

#[test]
fn each_mode_of_sqlite_does_what_it_says() {
    let org = Org::demo();
    let held = truth("SELECT Id, Name FROM Account");
    let (all, ids) = (held.rows.len(), held.column("Id"));
    let table: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::from([
        // rows afterwards, of them with the old name, of them with a value in the column of others
        ("append", (all + 3, 3, 3)),
        ("overwrite", (all, 0, 0)),
        ("merge", (all + 1, 1, 3)),
        ("update", (3, 1, 3)),
        ("delete", (1, 1, 1)),
    ]);
    for (mode, (rows, old, mine)) in table {
        let keys = if matches!(mode, "append" | "overwrite") { "" } else { "keys = [\"Id\"]\n" };
        let bench = bench(
            &org,
            &format!(
                "name = \"modes\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n\
                 [destination]\nplugin = \"sqlite\"\nmode = \"{mode}\"\n{keys}config = {{ table = \"account\" }}\ngrant = {{ sql = {{ db = \"sqlite:a.db\" }} }}\n"
            ),
        );
        database(&bench, &ids);
        run(&bench);
        let found = tables::sqlite(&bench.path("a.db"), "account");
        let with = |name: &str, text: &str| match found.columns.iter().any(|column| column == name) {
            true => found.column(name).iter().filter(|cell| cell.as_deref() == Some(text)).count(),
            false => 0,
        };
        assert_eq!((found.rows.len(), with("Name", "old"), with("mine", "mine")), (rows, old, mine), "{mode}");
    }
}
