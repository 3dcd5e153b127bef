//! Transforms with state in a run: one instance sees every page, and the end of its memory is told.

use forcepump_emulator::Options;

use crate::harness::{Bench, Org};
use crate::tables;

const ROWS: usize = 40;
const SOURCE: &str = "name = \"state\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = \"SELECT Id, Name, AnnualRevenue FROM Account ORDER BY Ext_Id__c\"\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

/// Forty accounts of seven names, in three pages that could be fetched side by side.
fn bench() -> (Org, Bench) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut accounts = "Ext_Id__c,Name,AnnualRevenue\n".to_owned();
    (0..ROWS).for_each(|i| accounts.push_str(&format!("A{i:02},name {},{i}\n", i % 7)));
    std::fs::write(folder.path().join("Account.csv"), accounts).expect("a file");
    let org = Org::with(Options { data: Some(folder.path().to_owned()), page_size: 15, ..Options::default() });
    let bench = Bench::on(&org);
    (org, bench)
}

fn step(plugin: &str, config: &str) -> String {
    format!("[[transform]]\nplugin = \"{plugin}\"\n[transform.config]\n{config}\n")
}

/// The rows that come out, of all files.
fn rows(bench: &Bench, steps: &str, counts: [usize; 4]) -> tables::Table {
    bench.write("p.toml", &format!("{SOURCE}{steps}{CSV}"));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let found = ["read", "filtered", "added", "written"].map(|name| report["rows"][name].as_u64().expect("a count"));
    assert_eq!(found, counts.map(|count| count as u64), "{steps}");
    let files = report["results"][0]["files"].as_array().expect("files");
    let mut names: Vec<&str> = files.iter().filter_map(|file| file.as_str()).collect();
    names.sort_unstable();
    let mut whole = tables::Table::default();
    for name in names {
        let part = tables::csv(&bench.read(&format!("out/{name}")));
        whole = tables::Table { columns: part.columns, rows: [whole.rows, part.rows].concat() };
    }
    whole
}

fn column(table: &tables::Table, name: &str) -> Vec<String> {
    table.column(name).into_iter().map(Option::unwrap_or_default).collect()
}

#[test]
fn the_first_row_of_a_key_is_found_across_pages() {
    let (_org, bench) = bench();
    let found = rows(&bench, &step("dedupe", "keys = [\"Name\"]"), [ROWS, 33, 0, 7]);
    assert_eq!(column(&found, "Name"), (0..7).map(|i| format!("name {i}")).collect::<Vec<_>>());
    assert_eq!(column(&found, "AnnualRevenue"), (0..7).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn the_last_row_of_a_key_is_found_across_pages() {
    let (_org, bench) = bench();
    let found = rows(&bench, &step("dedupe", "keys = [\"Name\"]\nkeep = \"last\""), [ROWS, ROWS, 7, 7]);
    assert_eq!(column(&found, "AnnualRevenue"), (33..40).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn groups_are_summed_across_pages_and_may_be_filtered_after() {
    let (_org, bench) = bench();
    let steps = step(
        "aggregate",
        "group_by = [\"Name\"]\nmeasures = [{ name = \"n\", function = \"count\" }, { name = \"total\", function = \"sum\", column = \"AnnualRevenue\" }]",
    ) + &step("filter", "where = 'n = 6'");
    // Seven groups of six rows, but for two of five.
    let found = rows(&bench, &steps, [ROWS, ROWS + 2, 7, 5]);
    let total = |name: usize| (0..ROWS).filter(|i| i % 7 == name).sum::<usize>();
    let expected = (0..5).map(|name| total(name).to_string());
    assert_eq!(column(&found, "total"), expected.collect::<Vec<_>>());
}

#[test]
fn one_group_is_there_even_of_no_rows() {
    let (_org, bench) = bench();
    let steps = step("aggregate", "measures = [{ name = \"n\", function = \"count\" }]");
    bench.write("p.toml", &format!("{SOURCE}{steps}{CSV}").replace("ORDER BY", "WHERE Name = 'nobody' ORDER BY"));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["rows"]["read"], &report["rows"]["written"]), (&0.into(), &1.into()));
}

#[test]
fn bounds_end_the_run_with_the_number_and_the_way_out() {
    let (org, bench) = bench();
    let measures = "measures = [{ name = \"n\", function = \"count\" }]";
    let cases = [
        (step("dedupe", "keys = [\"Id\"]\nmax_keys = 20"), "more than 20 different keys; raise max_keys"),
        (step("dedupe", "keys = [\"Id\"]\n[transform.limits]\nmemory_mib = 5"), "raise limits.memory_mib"),
        (
            step("dedupe", "keys = [\"Id\"]\nkeep = \"last\"\n[transform.limits]\nmemory_mib = 5"),
            "raise limits.memory_mib",
        ),
        (step("aggregate", &format!("group_by = [\"Id\"]\nmax_groups = 20\n{measures}")), "more than 20 groups"),
        (
            step("aggregate", &format!("group_by = [\"Id\"]\n{measures}\n[transform.limits]\nmemory_mib = 5")),
            "raise limits.memory_mib",
        ),
    ];
    for (steps, says) in cases {
        bench.write("p.toml", &format!("{SOURCE}{steps}{CSV}"));
        let ran = bench.run(&["run", "p.toml"]);
        assert!([6, 7].contains(&ran.code) && ran.stderr.contains(says), "{steps}: {}: {}", ran.code, ran.stderr);
        assert!(!bench.path("out/Account/manifest.json").exists(), "no run is complete");
    }
    bench.write("p.toml", &format!("{SOURCE}{CSV}"));
    bench.run(&["run", "p.toml"]).ends(0);
    org.is_tidy();
}
