//! Results of awkward shape: none, very wide, and every value and type that breaks tools.

use std::fs::File;

use forcepump_emulator::Options;
use forcepump_emulator::options::EmptyResultBody;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::truth;
use crate::tables::{self, Cell, Table};

const FORMATS: [&str; 4] = ["csv", "jsonl", "parquet", "sqlite"];

fn pipeline(source: &str, format: &str) -> String {
    let grant = match format {
        "sqlite" => "sql = { db = \"sqlite:out.db\" }",
        _ => "files = { out = \"out\" }",
    };
    format!(
        "name = \"shapes\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\n{source}\n[destination]\nplugin = \"{format}\"\nmode = \"overwrite\"\ngrant = {{ {grant} }}\n"
    )
}

/// Runs into the format; gives the report and the one file, or the database.
fn run(bench: &Bench, source: &str, format: &str) -> (Value, String) {
    bench.write("p.toml", &pipeline(source, format));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let place = &report["results"][0];
    let path = place["path"].as_str().expect("a path").to_owned();
    if format == "sqlite" {
        return (report, path);
    }
    let files = place["files"].as_array().expect("files");
    assert_eq!(files.len(), 1, "{format}: {report:#}");
    let path = format!("{path}/{}", files[0].as_str().expect("a name"));
    (report, path)
}

fn read(bench: &Bench, path: &str, object: &str) -> Table {
    match path.rsplit('.').next() {
        Some("csv") => tables::csv(&bench.read(path)),
        Some("jsonl") => tables::jsonl(&bench.read(path)),
        Some("parquet") => tables::parquet(&bench.path(path)),
        _ => tables::sqlite(&bench.path(path), object),
    }
}

#[test]
fn an_object_without_rows_leaves_its_columns_and_types() {
    for body in [EmptyResultBody::Header, EmptyResultBody::ZeroBytes] {
        let org = Org::with(Options { empty_result_body: body, ..Options::default() });
        let bench = Bench::on(&org);
        for format in FORMATS {
            let source =
                "object = \"Empty__c\"\nfields = [\"Id\", \"Name\", \"Value__c\", \"CreatedDate\", \"Owner.Name\"]";
            let (report, path) = run(&bench, source, format);
            for station in ["announced", "read", "written"] {
                assert_eq!(report["rows"][station], 0, "{format}");
            }
            let names = ["Id", "Name", "Value__c", "CreatedDate", "Owner.Name"];
            match format {
                "csv" => assert_eq!(bench.read(&path), "Id,Name,Value__c,CreatedDate,Owner.Name\n", "{body:?}"),
                "jsonl" => assert_eq!(bench.read(&path), "", "{body:?}"),
                _ => assert_eq!(
                    read(&bench, &path, "Empty__c"),
                    Table { columns: names.map(str::to_owned).into(), rows: Vec::new() }
                ),
            }
            if format == "parquet" {
                assert_eq!(
                    types(&bench, &path),
                    ["Utf8", "Utf8", "Decimal128(19, 2)", "Timestamp(µs, \"UTC\")", "Utf8"]
                );
            }
        }
        org.is_tidy();
    }
}

#[test]
fn a_filter_that_leaves_nothing_leaves_the_columns_too() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let nothing = "object = \"Account\"\nfields = [\"Id\", \"Name\"]\n[[transform]]\nplugin = \"filter\"\nconfig = { where = 'Name = \"nobody\"' }";
    let (report, path) = run(&bench, nothing, "csv");
    assert_eq!(report["rows"]["filtered"], org.emulator().rows("Account").expect("accounts"));
    assert_eq!(bench.read(&path), "Id,Name\n");
}

fn types(bench: &Bench, path: &str) -> Vec<String> {
    let file = File::open(bench.path(path)).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    reader.schema().fields().iter().map(|field| field.data_type().to_string()).collect()
}

#[test]
fn five_hundred_fields_are_the_same_in_every_format() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let mut tables = Vec::new();
    for format in FORMATS {
        let (report, path) = run(&bench, "object = \"Wide__c\"", format);
        assert_eq!(report["rows"]["written"], org.emulator().rows("Wide__c").expect("rows"), "{format}");
        tables.push(read(&bench, &path, "Wide__c"));
    }
    assert!(tables[0].columns.len() >= 500, "{}", tables[0].columns.len());
    assert!(tables[0] == tables[1] && tables[0] == tables[2], "csv, jsonl and parquet");
    assert_eq!(tables[0].columns, tables[3].columns);
    let ids = |table: &Table| table.column("Id");
    assert_eq!(ids(&tables[0]), truth("SELECT Id FROM Wide__c").column("Id"));
    assert_eq!(ids(&tables[3]), ids(&tables[0]));
}

/// The awkward object as the org holds it, in canonical text, for the columns of the plan.
fn awkward(plan: &Value) -> Table {
    let mut held = truth(plan["soql"].as_str().expect("SOQL"));
    for column in plan["columns"].as_array().expect("columns") {
        let (name, kind) = (column["name"].as_str().expect("a name"), column["arrow_type"].as_str().expect("a type"));
        if let Some(scale) =
            kind.strip_prefix("Decimal128(").and_then(|rest| rest.trim_end_matches(')').split(", ").nth(1))
        {
            held = held.plain(name, scale.parse().expect("a scale"));
        } else if kind.starts_with("Int") {
            held = held.plain(name, 0);
        } else if kind.starts_with("Time64") {
            // A time of day has no zone; on the wire it has a Z.
            held.edit(name, |text| text.trim_end_matches('Z').to_owned());
        }
    }
    held
}

#[test]
fn every_type_and_awkward_value_arrives_exactly() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", &pipeline("object = \"Awkward__c\"", "csv"));
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let kinds: Vec<&str> =
        plan["columns"].as_array().expect("columns").iter().filter_map(|c| c["salesforce_type"].as_str()).collect();
    for kind in [
        "id",
        "reference",
        "string",
        "textarea",
        "boolean",
        "int",
        "long",
        "double",
        "currency",
        "percent",
        "date",
        "datetime",
        "time",
        "picklist",
        "multipicklist",
        "combobox",
        "email",
        "phone",
        "url",
        "encryptedstring",
        "datacategorygroupreference",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let held = awkward(&plan);
    for format in FORMATS {
        let (report, path) = run(&bench, "object = \"Awkward__c\"", format);
        let skipped: Vec<&str> =
            report["skipped_fields"].as_array().expect("fields").iter().filter_map(|f| f["name"].as_str()).collect();
        assert!(skipped.contains(&"Body__c") && skipped.contains(&"Place__c"), "{skipped:?}");
        let found = read(&bench, &path, "Awkward__c");
        assert_eq!(found.columns, held.columns, "{format}");
        assert_eq!(found.rows.len(), held.rows.len(), "{format}");
        for name in &held.columns {
            if format == "sqlite" && held.column(name).iter().flatten().all(|text| is_number_or_flag(text)) {
                continue;
            }
            assert_eq!(found.column(name), held.column(name), "{format}: {name}");
        }
        if format == "sqlite" {
            check_sqlite_numbers(&found, &held);
        }
    }
}

fn is_number_or_flag(text: &str) -> bool {
    text.parse::<f64>().is_ok() || text == "true" || text == "false"
}

/// SQLite has no decimals: a number where a number holds every digit, else exact text.
fn check_sqlite_numbers(found: &Table, held: &Table) {
    for name in ["Money__c", "Fraction__c", "Whole__c", "Tiny__c", "Percent__c"] {
        for (shown, exact) in found.column(name).iter().zip(held.column(name)) {
            let trim = |text: &str| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text.to_owned(),
            };
            assert_eq!(shown.as_deref().map(trim), exact.as_deref().map(trim), "{name}");
        }
    }
}

/// Written down here and nowhere derived: what the object is known to hold.
#[test]
fn known_values_are_found_again_in_every_format() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let source = "object = \"Awkward__c\"\nfields = [\"Name\", \"Text__c\", \"Long__c\", \"Money__c\", \"Day__c\", \"Moment__c\", \"Clock__c\", \"Parent__r.Parent__r.Text__c\", \"Account__r.Name\"]";
    for format in FORMATS {
        let (_, path) = run(&bench, source, format);
        let found = read(&bench, &path, "Awkward__c");
        let has = |column: &str, text: &str| {
            assert!(found.column(column).iter().flatten().any(|cell| cell == text), "{format}: {column}: {text:?}")
        };
        for text in [
            "say \"hello\"",
            "\"\"",
            "a,b",
            "line one\r\nline two",
            "日本語のテキスト",
            "👩‍👩‍👧‍👦",
            "nul\0byte",
            "\u{feff}bom",
            "0012",
            "null",
            "NA",
            "C:\\temp\\new",
        ] {
            has("Text__c", text);
        }
        assert!(found.column("Long__c").iter().flatten().any(|text| text.chars().count() == 131_072), "{format}");
        for day in ["1700-01-01", "1969-12-31", "2000-02-29", "4000-12-31"] {
            has("Day__c", day);
        }
        has("Moment__c", "1969-12-31T23:59:59.000Z");
        has("Moment__c", "4000-12-31T00:00:00.000Z");
        has("Clock__c", "23:59:59.999");
        has("Parent__r.Parent__r.Text__c", "2");
        let missing = |column: &str| found.column(column).iter().filter(|cell: &&Cell| cell.is_none()).count();
        assert!(
            missing("Account__r.Name") > 0 && missing("Parent__r.Parent__r.Text__c") > 0,
            "{format}: parents that are missing"
        );
        if format != "sqlite" {
            has("Money__c", "9999999.99");
            has("Money__c", "0.01");
        }
    }
}
