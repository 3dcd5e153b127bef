//! Columns that nobody wants are not asked for; rows that cannot be held exactly are refused and told, never changed.

use forcepump_emulator::Options;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS};
use crate::{proxy, tables};

/// The query of the last job, as it was sent.
fn sent(org: &Org, bench: &Bench) -> String {
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert!(org.emulator().jobs().len() == 1);
    plan["soql"].as_str().expect("SOQL").to_owned()
}

#[test]
fn only_what_is_used_is_asked_for() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let text = "name = \"few\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\n\
        [[transform]]\nplugin = \"filter\"\nconfig = { where = 'Industry is not null' }\n\
        [[transform]]\nplugin = \"shape\"\nconfig = { columns = [\"Name\", { from = \"BillingCity\", as = \"city\" }, \"Website\"] }\n\
        [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";
    bench.write("p.toml", text);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let soql = sent(&org, &bench);
    let list =
        soql.strip_prefix("SELECT ").and_then(|rest| rest.strip_suffix(" FROM Account")).expect("a plain SELECT");
    let mut asked: Vec<&str> = list.split(", ").collect();
    asked.sort_unstable();
    assert_eq!(asked, ["BillingCity", "Id", "Industry", "Name", "Website"]);
    let path = report["results"][0]["files"][0].as_str().expect("a file");
    let table = tables::csv(&bench.read(&format!("out/{path}")));
    assert_eq!(table.columns, ["Name", "city", "Website"]);
    assert!(table.rows.iter().any(|row| row.iter().all(Option::is_some)), "the columns that are read have values");
}

#[test]
fn a_destination_that_takes_only_keys_gets_only_keys() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write(
        "p.toml",
        "name = \"keys\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nmax_records = 100000\n\
         [destination]\nplugin = \"sqlite\"\nmode = \"delete\"\nkeys = [\"Id\"]\ngrant = { sql = { db = \"sqlite:a.db\" } }\n",
    );
    let db = rusqlite::Connection::open(bench.path("a.db")).expect("a database");
    db.execute_batch("CREATE TABLE Account (Id TEXT, mine TEXT)").expect("a table");
    drop(db);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let rows = org.emulator().rows("Account").expect("accounts");
    assert_eq!(report["rows"]["read"], rows);
    let bytes = report["bytes_read"].as_u64().expect("bytes");
    assert!(bytes < rows * 30, "an id of 18 characters in quotes a row, not {bytes} bytes for {rows} rows");
}

/// Three rows of the small org with values that their types cannot hold exactly.
const CHANGES: &[proxy::Change] = &[
    ("\"Account, 7\",\"7.0\"", "\"Account, 7\",\"7.x\""),
    ("\"Account, 23\",\"23.0\"", "\"Account, 23\",\"2.35\""),
    ("\"Account, 39\",\"39.0\"", "\"Account, 39\",\"1E99\""),
];

#[test]
fn rows_that_cannot_be_held_exactly_are_rejects_in_every_format() {
    for (format, grant) in [("csv", "files = { out = \"out\" }"), ("sqlite", "sql = { db = \"sqlite:out.db\" }")] {
        let org = orgs::small(Options::default());
        let bench = Bench::on(&org);
        let who = org.emulator().credentials();
        bench.write("token.txt", &who.access_token);
        let through = proxy::start(&who.instance_url, CHANGES);
        bench.write(
            "connections.toml",
            &format!(
                "[org]\nauth = \"access-token\"\ninstance_url = \"{through}\"\naccess_token = \"file:token.txt\"\n"
            ),
        );
        bench.write(
            "p.toml",
            &format!(
                "name = \"odd\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n\
                 [destination]\nplugin = \"{format}\"\nmode = \"overwrite\"\ngrant = {{ {grant} }}\n"
            ),
        );
        let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
        check_rejects(&bench, &report);
        let found = match format {
            "sqlite" => tables::sqlite(&bench.path("out.db"), "Account").column("Name"),
            _ => files(&bench, &report),
        };
        assert_eq!(found.len(), SMALL_ROWS - CHANGES.len());
        assert!(
            !found.iter().flatten().any(|name| ["Account, 7", "Account, 23", "Account, 39"].contains(&name.as_str()))
        );
        let words = bench.run(&["run", "p.toml"]).ends(3);
        assert!(words.stdout.starts_with("odd: complete with 3 rejected rows, 37 rows written"), "{}", words.stdout);
    }
}

fn files(bench: &Bench, report: &Value) -> Vec<tables::Cell> {
    let names = report["results"][0]["files"].as_array().expect("files").iter().filter_map(Value::as_str);
    names.flat_map(|name| tables::csv(&bench.read(&format!("out/{name}"))).column("Name")).collect()
}

fn check_rejects(bench: &Bench, report: &Value) {
    let rows = &report["rows"];
    assert_eq!(report["state"], "complete-with-rejects");
    assert_eq!((&rows["read"], &rows["rejected"], &rows["written"]), (&40.into(), &3.into(), &37.into()));
    let text = bench.read(report["rejects_file"].as_str().expect("a file"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told = |key: &str| lines.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("row"), [7, 23 - 15, 39 - 30], "places within their pages");
    assert!(
        told("column").iter().all(|column| column == "AnnualRevenue")
            && told("stage").iter().all(|stage| stage == "decode")
    );
    let values: Vec<&Value> = lines.iter().map(|line| &line["values"]["AnnualRevenue"]).collect();
    assert_eq!(values, ["7.x", "2.35", "1E99"], "as they came");
    assert!(told("id").iter().all(|id| id.as_str().is_some_and(|id| id.len() == 18 && id.starts_with("001"))));
    let by_code: u64 = report["rejects_by_code"].as_object().expect("codes").values().filter_map(Value::as_u64).sum();
    assert_eq!(by_code, 3);
}
