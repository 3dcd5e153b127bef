//! Runs that bring deletions, and backfills, killed on the way and run again: in the end the table is the source.

use std::time::Duration;

use forcepump_emulator::Options;
use forcepump_emulator::data::QueryMode;
use serde_json::json;

use crate::changing::{Things, lead_to, rows};
use crate::harness::{Bench, Org};
use crate::held;
use crate::orgs::script_of;
use crate::process::{Fate, Running, When};
use crate::resume::{committed, stopped};
use crate::tables;

/// Things at the beginning; pages hold ten.
const THINGS: usize = 30;
const PAGE_ROWS: u64 = 10;
const COLUMNS: [&str; 2] = ["Id", "Name"];

fn pipeline(deletes: &str, api: &str) -> String {
    format!(
        r#"
name = "things"
[source]
connection = "org"
object = "Thing__c"
api = "{api}"
fields = ["Id", "Name", "SystemModstamp"]
[source.incremental]
deletes = "{deletes}"
[destination]
plugin = "sqlite"
mode = "merge"
keys = ["Id"]
config = {{ table = "things" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

/// The n-th page of Bulk API 2.0 says nothing more after some bytes.
fn stall(nth: usize) -> String {
    format!(
        "[[fault]]\non = {{ route = \"bulk2-results\", nth = {nth} }}\ndo = {{ kind = \"stall\", after_bytes = 20 }}\n"
    )
}

fn org(faults: &str) -> Things {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..THINGS).map(|row| format!("T{row:02}\n")).collect();
    std::fs::write(folder.path().join("Thing__c.csv"), format!("Name\n{rows}")).expect("a file");
    let data = Some(folder.path().to_owned());
    let org = Org::with(Options { data, page_size: PAGE_ROWS, faults: script_of(faults), ..Options::default() });
    org.emulator().clock().freeze();
    Things { org }
}

/// A bench that has read the things by REST, so that the pages of Bulk API 2.0 count from here.
fn read_once(things: &Things, deletes: &str) -> Bench {
    let bench = Bench::on(&things.org);
    bench.write("p.toml", &pipeline(deletes, "rest"));
    things.later();
    bench.run(&["run", "p.toml"]).ends(0);
    bench.write("p.toml", &pipeline(deletes, "bulk2"));
    bench
}

/// Twelve things go, at two moments; fifteen change, eight come, and one that nobody saw comes and goes.
fn change(things: &Things, bench: &Bench, round: usize) {
    let ids = rows(bench, "SELECT Id FROM things ORDER BY Id");
    let there = held::of_org(&things.org, "SELECT Id FROM Thing__c", QueryMode::Bulk2);
    let ids: Vec<&String> = ids.iter().filter(|id| there.contains_key(*id)).collect();
    for (number, id) in ids.iter().take(12).enumerate() {
        things.delete(id);
        if number == 5 {
            things.later();
        }
    }
    for id in ids.iter().skip(12).take(15) {
        things.update(id, &json!({ "Name": format!("changed {round}") }));
    }
    for number in 0..8 {
        things.create(&json!({ "Name": format!("new {round}.{number}") }));
    }
    let passing = things.create(&json!({ "Name": "never seen" }));
    things.delete(&passing);
    things.later();
}

/// Every row of the source, as it is; deleted ones gone, or flagged.
#[track_caller]
fn table_is_source(things: &Things, bench: &Bench, deletes: &str) {
    let expected = held::of_org(&things.org, "SELECT Id, Name FROM Thing__c", QueryMode::Bulk2);
    let mut table = tables::sqlite(&bench.path("crm.db"), "things");
    if deletes == "flag" {
        let all = held::of_org(&things.org, "SELECT Id, IsDeleted FROM Thing__c", QueryMode::Bulk2All);
        let found = held::keyed(&table, &["Id", "IsDeleted"]).unwrap_or_else(|wrong| panic!("{wrong}"));
        held::same(&all, &found).unwrap_or_else(|wrong| panic!("{wrong}"));
        let flag = table.columns.iter().position(|name| name == "IsDeleted").expect("a flag");
        table.rows.retain(|row| !matches!(row[flag].as_deref(), Some("1" | "true")));
    }
    let found = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
    held::same(&expected, &found).unwrap_or_else(|wrong| panic!("{deletes}: {wrong}"));
}

/// Passes of the newest run that have committed units.
fn passes(bench: &Bench) -> Vec<String> {
    let db = rusqlite::Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let sql = "SELECT DISTINCT pass FROM unit WHERE run = (SELECT id FROM run ORDER BY rowid DESC LIMIT 1) ORDER BY 1";
    let mut statement = db.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("text")
}

#[test]
fn deletions_survive_kills_within_and_between_the_passes() {
    // Two pages of deleted rows come first, then three of others.
    for (deletes, page, in_passes) in [
        ("delete", 1, &[][..]),
        ("delete", 2, &["d"]),
        ("delete", 3, &["d"]),
        ("delete", 4, &["", "d"]),
        ("flag", 1, &[]),
        ("flag", 3, &[""]),
    ] {
        let things = org(&stall(page));
        let bench = read_once(&things, deletes);
        let before = committed(&bench);
        change(&things, &bench, 0);
        let units = before + u32::try_from(page).expect("a page") - 1;
        assert_eq!(stopped(&things.org, &bench, units, page, "-KILL").code, -1);
        assert_eq!(passes(&bench), in_passes, "{deletes}, page {page}");
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!(report["went_on"]["units"], page - 1, "{report:#}");
        table_is_source(&things, &bench, deletes);
        if deletes == "delete" {
            assert_eq!(report["deleted"], 13, "{report:#}");
        }
        change(&things, &bench, 1);
        bench.run(&["run", "p.toml"]).ends(0);
        table_is_source(&things, &bench, deletes);
        things.org.is_tidy();
    }
}

#[test]
fn deletions_survive_kills_at_any_request() {
    for deletes in ["delete", "flag"] {
        let things = org("");
        let bench = read_once(&things, deletes);
        let mut kills = 0;
        for (round, request) in (2..12_u64).step_by(2).enumerate() {
            change(&things, &bench, round);
            let when = When::Answered(request, Duration::from_millis(request % 4 * 5));
            let fate = Running::start(&bench, &["run", "p.toml", "--json"]).killed(&things.org, when);
            kills += usize::from(matches!(fate.unwrap_or_else(|wrong| panic!("{wrong}")), Fate::Killed));
            bench.run(&["run", "p.toml"]).ends(0);
            table_is_source(&things, &bench, deletes);
        }
        assert!(kills >= 2, "{deletes}: {kills} kills");
    }
}

#[test]
fn a_pass_of_deletions_is_halved_and_its_halves_go_on_after_a_kill() {
    let slow = "[[fault]]\non = { route = \"bulk2-create\", nth = 1 }\ndo = { kind = \"job-failed\", reason = \"QUERY_TIMEOUT: Your query request was running for too long.\" }\n";
    // Within the second half, and after both.
    for (page, in_passes) in [(2, &["d.0"][..]), (3, &["d.0", "d.1"])] {
        let things = org(&format!("{slow}{}", stall(page)));
        let bench = read_once(&things, "delete");
        let before = committed(&bench);
        change(&things, &bench, 0);
        let units = before + u32::try_from(page).expect("a page") - 1;
        assert_eq!(stopped(&things.org, &bench, units, page, "-KILL").code, -1);
        assert_eq!(passes(&bench), in_passes);
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!((&report["deleted"], &report["went_on"]["units"]), (&13.into(), &(page - 1).into()), "{report:#}");
        table_is_source(&things, &bench, "delete");
        bench.run(&["verify", "latest"]).ends(0);
        things.org.is_tidy();
    }
}

#[test]
fn what_is_left_of_a_lost_job_of_deletions_is_read_by_another() {
    let things = org(&stall(2));
    let bench = read_once(&things, "delete");
    let before = committed(&bench);
    change(&things, &bench, 0);
    assert_eq!(stopped(&things.org, &bench, before + 1, 2, "-KILL").code, -1);
    for job in things.org.emulator().jobs() {
        things.org.emulator().lose_job(&job.id);
    }
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["deleted"], 13, "{report:#}");
    assert!(passes(&bench).contains(&"dx1".to_owned()), "{:?}", passes(&bench));
    table_is_source(&things, &bench, "delete");
}

/// An org with so many things, and another field when `fresh`; pages hold ten.
fn grown(fresh: bool, faults: &str) -> Org {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |row: usize| if fresh { format!("T{row:02},fresh {row}\n") } else { format!("T{row:02}\n") };
    let head = if fresh { "Name,Fresh__c\n" } else { "Name\n" };
    let text: String = (0..THINGS).map(row).collect();
    std::fs::write(folder.path().join("Thing__c.csv"), format!("{head}{text}")).expect("a file");
    let data = Some(folder.path().to_owned());
    Org::with(Options { data, page_size: PAGE_ROWS, faults: script_of(faults), ..Options::default() })
}

#[test]
fn a_killed_backfill_is_run_again_and_leaves_nothing_in_the_org() {
    for page in 1..=3 {
        let before = grown(false, "");
        let bench = Bench::on(&before);
        let text = pipeline("ignore", "rest").replace("fields = [\"Id\", \"Name\", \"SystemModstamp\"]\n", "");
        bench.write("p.toml", &text);
        bench.run(&["run", "p.toml"]).ends(0);
        let after = grown(true, &stall(page));
        lead_to(&bench, &after);
        bench.run(&["run", "p.toml"]).ends(0);
        bench.write("p.toml", &text.replace("\"rest\"", "\"bulk2\""));
        let backfill = ["backfill", "p.toml", "--json"];
        let stalled = || after.asked("/results") >= page && committed_fields(&bench) == (page - 1) * PAGE_ROWS as usize;
        assert_eq!(killed_once(&bench, &backfill, stalled), -1);
        // A run in between is not in its way, nor it in that of the run.
        bench.run(&["run", "p.toml"]).ends(0);
        let filled = bench.run(&backfill).ends(0).json();
        assert_eq!((&filled["backfilled"], &filled["rows"]["written"]), (&json!(["Fresh__c"]), &json!(THINGS)));
        assert_eq!(committed_fields(&bench), THINGS, "page {page}");
        let given_up = &filled["given_up"];
        assert_eq!(
            (given_up.as_array().map(Vec::len), &given_up[0]["units"]),
            (Some(1), &json!(page - 1)),
            "{filled:#}"
        );
        let nothing = bench.run(&["backfill", "p.toml"]).ends(0).stdout;
        assert!(nothing.contains("nothing to fill in"), "{nothing}");
        after.is_tidy();
    }
}

/// Things whose new field is filled in as the org has it.
fn committed_fields(bench: &Bench) -> usize {
    let sql = "SELECT count(*) FROM things WHERE Fresh__c = 'fresh ' || CAST(substr(Name, 2) AS INTEGER)";
    rows(bench, sql)[0].parse().expect("a number")
}

/// Starts a command and kills it when that holds; gives its end.
fn killed_once(bench: &Bench, args: &[&str], holds: impl FnMut() -> bool) -> i32 {
    let mut child = bench.command(args).stdout(std::process::Stdio::null()).spawn().expect("the binary starts");
    crate::orgs::wait_until("it may be killed", holds);
    child.kill().expect("a signal");
    child.wait().expect("its end").code().unwrap_or(-1)
}
