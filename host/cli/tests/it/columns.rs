//! Columns that nobody wants are not asked for; rows that cannot be held exactly are refused and told, never changed.

use crate::harness::{Bench, Org};
use crate::tables;

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
    let text = "name = \"few\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\n\
        [[transform]]\nplugin = \"filter\"\nconfig = { where = 'Industry is not null' }\n\
        [[transform]]\nplugin = \"shape\"\nconfig = { columns = [\"Name\", { from = \"BillingCity\", as = \"city\" }, \"Website\"] }\n\
        [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";
    bench.write("p.toml", text);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let soql = sent(&org, &bench);
    let list = soql.strip_prefix("SELECT ").and_then(|rest| rest.strip_suffix(" FROM Account")).expect("a plain SELECT");
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
        "name = \"keys\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nmax_records = 100000\n\
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
