//! Runs that are killed or stopped and go on: no row is lost, none is there twice, and the job is made once.

use std::process::{Child, Stdio};

use forcepump_emulator::Options;
use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::orgs::{self, SMALL_ROWS, script_of, wait_until};
use crate::tables;

/// What most of the tests read.
pub const SOURCE: &str = "name = \"resumed\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n";

pub fn sqlite(mode: &str) -> String {
    format!(
        "[destination]\nplugin = \"sqlite\"\n{mode}\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = {{ db = \"sqlite:out.db\" }}\n"
    )
}

pub fn files(plugin: &str, mode: &str) -> String {
    format!(
        "[destination]\nplugin = \"{plugin}\"\nmode = \"{mode}\"\n[destination.grant]\nfiles = {{ out = \"out\" }}\n"
    )
}

/// Every second request for a page says nothing more after some bytes, so often.
pub fn stalls(times: usize) -> String {
    let fault = |nth| {
        format!(
            "[[fault]]\non = {{ route = \"bulk2-results\", nth = {nth} }}\ndo = {{ kind = \"stall\", after_bytes = 300 }}\n"
        )
    };
    (1..=times).map(|time| fault(2 * time)).collect()
}

pub fn org(faults: &str) -> Org {
    orgs::small(Options { faults: script_of(faults), ..Options::default() })
}

pub fn bench(org: &Org, pipeline: &str) -> Bench {
    let bench = Bench::on(org);
    bench.write("p.toml", pipeline);
    bench
}

/// Runs with words, and gives these with the report.
#[track_caller]
pub fn run(bench: &Bench) -> (Ran, Value) {
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    let report = bench.run(&["show", "--json"]).ends(0).json()["report"].clone();
    (ran, report)
}

/// Units that the state knows to be committed.
pub fn committed(bench: &Bench) -> u32 {
    let path = bench.path(".forcepump/state.db");
    let count = || {
        let db = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        db.query_row("SELECT COUNT(*) FROM unit WHERE standing = 0", [], |row| row.get::<_, u32>(0)).ok()
    };
    count().unwrap_or(0)
}

fn start(bench: &Bench, args: &[&str]) -> Child {
    let mut command = bench.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// Runs until so many units are committed and another page is asked for, and stops there.
pub fn stopped(org: &Org, bench: &Bench, units: u32, asked: usize, signal: &str) -> Ran {
    let child = start(bench, &["run", "p.toml", "--json"]);
    wait_until("the units are committed", || committed(bench) == units && org.asked("/results") >= asked);
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    Ran::of(child.wait_with_output().expect("it ends"))
}

/// Killed in the middle of the second page.
pub fn killed(faults: &str, destination: &str) -> (Org, Bench) {
    let org = org(faults);
    let bench = bench(&org, &format!("{SOURCE}{destination}"));
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    (org, bench)
}

/// The same into a table that rows are appended to.
pub fn killed_before_a_job_is_lost() -> (Org, Bench) {
    killed(&stalls(1), &sqlite("mode = \"append\""))
}

/// The run went on with one committed unit, and is whole.
#[track_caller]
fn whole(report: &Value) {
    let rows = |name: &str| report["rows"][name].as_u64().expect("a count") as usize;
    assert_eq!((rows("announced"), rows("read"), rows("written")), (SMALL_ROWS, SMALL_ROWS, SMALL_ROWS), "{report:#}");
    assert_eq!((&report["state"], &report["resumable"]), (&"complete".into(), &false.into()));
    assert_eq!((&report["units"], &report["went_on"]["units"]), (&3.into(), &1.into()), "{report:#}");
}

#[track_caller]
pub fn each_once(mut names: Vec<Option<String>>) {
    assert_eq!(names.len(), SMALL_ROWS);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), SMALL_ROWS, "a row is there twice");
}

pub fn sqlite_names(bench: &Bench) -> Vec<Option<String>> {
    tables::sqlite(&bench.path("out.db"), "account").column("Name")
}

#[test]
fn a_killed_run_goes_on_into_sqlite_in_every_mode() {
    for mode in ["mode = \"append\"", "mode = \"merge\"\nkeys = [\"Id\"]", "mode = \"overwrite\""] {
        let (org, bench) = killed(&stalls(1), &sqlite(mode));
        let (ran, report) = run(&bench);
        assert!(ran.stderr.contains("goes on with run"), "{mode}: {}", ran.stderr);
        assert!(ran.stdout.contains("1 unit of these, 15 rows written"), "{mode}: {}", ran.stdout);
        whole(&report);
        each_once(sqlite_names(&bench));
        assert_eq!(org.job().id, report["job_id"], "the job was made once");
        org.is_tidy();
    }
}

#[test]
fn a_killed_run_goes_on_into_files() {
    for plugin in ["csv", "jsonl", "parquet"] {
        let (org, bench) = killed(&stalls(1), &files(plugin, "overwrite"));
        whole(&bench.run(&["run", "p.toml", "--json"]).ends(0).json());
        let manifest: Value = serde_json::from_str(&bench.read("out/Account/manifest.json")).expect("JSON");
        assert_eq!((&manifest["rows"], manifest["files"].as_array().map(Vec::len)), (&SMALL_ROWS.into(), Some(3)));
        let mut names = Vec::new();
        for file in manifest["files"].as_array().expect("files") {
            let path = bench.path(&format!("out/Account/{}", file["path"].as_str().expect("a path")));
            let table = match plugin {
                "csv" => tables::csv(&std::fs::read_to_string(path).expect("a file")),
                "jsonl" => tables::jsonl(&std::fs::read_to_string(path).expect("a file")),
                _ => tables::parquet(&path),
            };
            names.extend(table.column("Name"));
        }
        each_once(names);
        let left = std::fs::read_dir(bench.path("out/Account")).expect("a folder").count();
        assert_eq!(left, 4, "three files and the manifest, and nothing of the kill");
        org.is_tidy();
    }
}

#[test]
fn a_run_that_is_killed_at_every_page_comes_to_its_end() {
    let (org, bench) = killed(&stalls(2), &sqlite("mode = \"append\""));
    assert_eq!(stopped(&org, &bench, 2, 4, "-KILL").code, -1);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["units"], &report["went_on"]["units"]), (&3.into(), &2.into()));
    each_once(sqlite_names(&bench));
    org.is_tidy();
}

#[test]
fn a_stopped_run_is_resumed_by_its_id() {
    let org = org(&stalls(1));
    let bench = bench(&org, &format!("{SOURCE}{}", sqlite("mode = \"append\"")));
    let report = stopped(&org, &bench, 1, 2, "-INT").ends(130).json();
    assert_eq!((&report["state"], &report["resumable"]), (&"cancelled".into(), &true.into()));
    let run = report["run_id"].as_str().expect("an id");
    let shown = bench.run(&["show"]).ends(0).stdout;
    assert!(shown.contains(&format!("forcepump resume {run}")) && shown.contains("40 rows announced"), "{shown}");
    let listed = bench.run(&["runs"]).ends(0).stdout;
    assert!(listed.contains("can go on") && listed.contains("cancelled"), "{listed}");
    assert!(!org.job().deleted, "the job stays for the run that goes on");
    let resumed = bench.run(&["resume", run, "--json"]).ends(0).json();
    assert_eq!(resumed["run_id"], run);
    whole(&resumed);
    each_once(sqlite_names(&bench));
    org.is_tidy();
    let again = bench.run(&["resume", run]).ends(2);
    assert!(again.stderr.contains("it is complete"), "{}", again.stderr);
    assert!(bench.run(&["resume", "nothing"]).ends(2).stderr.contains(run));
}

#[test]
fn a_changed_file_begins_anew_and_leaves_nothing_of_the_other_run() {
    let (org, bench) = killed(&stalls(1), &files("csv", "append"));
    let before = std::fs::read_dir(bench.path("out/Account")).expect("a folder").count();
    assert!(before >= 1);
    bench.write("p.toml", &format!("{SOURCE}{}", files("csv", "append")).replace(", \"AnnualRevenue\"", ""));
    let (ran, report) = run(&bench);
    assert!(
        ran.stderr.contains("is given up") && ran.stderr.contains("the pipeline file has changed"),
        "{}",
        ran.stderr
    );
    assert!(report["went_on"].is_null());
    let run = report["run_id"].as_str().expect("an id").to_owned();
    let names: Vec<String> = std::fs::read_dir(bench.path("out/Account"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| name.contains(&run)), "{names:?}");
    assert_eq!(org.emulator().jobs().len(), 2);
    org.is_tidy();
    assert!(bench.run(&["runs"]).ends(0).stdout.contains("given-up"));
}

#[test]
fn rows_that_would_be_doubled_are_not_without_a_word() {
    let (org, bench) = killed(&stalls(1), &sqlite("mode = \"append\""));
    let changed = format!("{SOURCE}{}", sqlite("mode = \"append\"")).replace("api = \"bulk2\"", "api = \"rest\"");
    bench.write("p.toml", &changed);
    let refused = bench.run(&["run", "p.toml"]).ends(2);
    assert!(
        refused.stderr.contains("1 units of it with 15 rows") && refused.stderr.contains("--fresh"),
        "{}",
        refused.stderr
    );
    let cannot = bench.run(&["resume"]).ends(2);
    assert!(cannot.stderr.contains("the pipeline file has changed"), "{}", cannot.stderr);
    bench.run(&["run", "--fresh", "p.toml"]).ends(0);
    assert_eq!(sqlite_names(&bench).len(), SMALL_ROWS + 15, "as it was accepted");
    org.is_tidy();
}

#[test]
fn a_fresh_run_takes_the_place_of_one_that_overwrites() {
    let (org, bench) = killed(&stalls(1), &sqlite("mode = \"overwrite\""));
    let report = bench.run(&["run", "--fresh", "p.toml", "--json"]).ends(0).json();
    assert!(report["went_on"].is_null());
    each_once(sqlite_names(&bench));
    org.is_tidy();
}

/// Its units have the names of its batches: those of another job would be other ones, with the same rows.
#[test]
fn what_may_be_there_of_a_job_of_bulk_1_is_not_read_by_another_one() {
    let org = org("");
    let source = SOURCE.replace("bulk2", "bulk1");
    let bench = bench(&org, &format!("{source}{}", sqlite("mode = \"append\"")));
    bench.run(&["run", "p.toml"]).ends(0);
    // As it is after a kill between the commit and the note of it, when the job has ended since.
    let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    db.execute_batch(
        "UPDATE unit SET standing = 2; UPDATE job SET done = 0; UPDATE feed SET concluded = 0; DELETE FROM feed_end;
         UPDATE run SET state = 'running', ended_at = NULL, report = NULL",
    )
    .expect("the state as it was");
    let refused = bench.run(&["run", "p.toml"]).ends(2);
    assert!(refused.stderr.contains("job was ended") && refused.stderr.contains("with 40 rows"), "{}", refused.stderr);
    each_once(sqlite_names(&bench));
}

#[test]
fn a_destination_that_is_gone_is_no_place_to_go_on_in() {
    let (_org, bench) = killed(&stalls(1), &sqlite("mode = \"append\""));
    for file in ["out.db", "out.db-wal", "out.db-shm"] {
        let _ = std::fs::remove_file(bench.path(file));
    }
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(ran.stderr.contains("out.db") && ran.stderr.contains("is gone"), "{}", ran.stderr);
    each_once(sqlite_names(&bench));
}

#[test]
fn a_memory_of_rows_is_rebuilt_before_a_run_goes_on() {
    let dedupe = "[[transform]]\nplugin = \"dedupe\"\n[transform.config]\nkeys = [\"Name\"]\n";
    let (org, bench) = killed(&stalls(1), &format!("{dedupe}{}", sqlite("mode = \"append\"")));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["state"], &report["rows"]["written"]), (&"complete".into(), &SMALL_ROWS.into()));
    each_once(sqlite_names(&bench));
    org.is_tidy();
}

#[test]
fn an_incremental_run_goes_on_in_its_own_window() {
    let incremental = SOURCE.replace("\"AnnualRevenue\"]", "\"SystemModstamp\"]") + "[source.incremental]\n";
    let org = org(&stalls(1));
    let bench = bench(&org, &format!("{incremental}{}", sqlite("mode = \"append\"")));
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let before: String = db.query_row("SELECT soql FROM job", [], |row| row.get(0)).expect("a job");
    drop(db);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    whole(&report);
    assert!(before.contains(report["window"]["to"].as_str().expect("a horizon")), "{before} {report:#}");
    each_once(sqlite_names(&bench));
    let next = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(next["window"]["cursor"], report["window"]["to"]);
    assert_eq!(sqlite_names(&bench).len(), SMALL_ROWS);
}

#[test]
fn rejected_rows_of_a_unit_that_was_not_committed_are_not_there_twice() {
    let org = org(&stalls(1));
    let bench = bench(&org, &format!("{SOURCE}{}", sqlite("mode = \"append\"")));
    let db = Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT CHECK (Name NOT IN ('Account, 3', 'Account, 20')))")
        .expect("a table");
    drop(db);
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    let runs = std::fs::read_dir(bench.path(".forcepump/runs")).expect("a folder");
    let run = runs.map(|entry| entry.expect("an entry").path()).next().expect("the run");
    let file = run.join("rejects.jsonl");
    // as a kill between the reject and the commit leaves it, in the middle of a second line
    let text = std::fs::read_to_string(&file).expect("the first unit's reject");
    std::fs::write(&file, format!("{text}{}{{\"run\":", text.replace("p00000", "p00001"))).expect("a file");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!((&report["rows"]["written"], &report["rows"]["rejected"]), (&38.into(), &2.into()), "{report:#}");
    assert_eq!(std::fs::read_to_string(&file).expect("the rejects").lines().count(), 2);
    let counted: u64 = report["rejects_by_code"].as_object().expect("codes").values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, 2);
}

/// A table that refuses two names, one in the first unit and one in the second.
const PICKY: &str = "CREATE TABLE account (Id TEXT, Name TEXT CHECK (Name NOT IN ('Account, 3', 'Account, 20')))";

fn out_db(bench: &Bench) -> Connection {
    Connection::open(bench.path("out.db")).expect("a database")
}

/// Killed in the middle of the second page; the table refused one row of the first.
fn killed_with_a_reject(steps: &str, allowed: u64) -> (Org, Bench) {
    let org = org(&stalls(1));
    let bench = bench(&org, &format!("max_rejects = {allowed}\n{SOURCE}{steps}{}", sqlite("mode = \"append\"")));
    out_db(&bench).execute_batch(PICKY).expect("a table");
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    (org, bench)
}

/// As a kill between the destination's commit and the note of it leaves the unit.
fn forget_the_answer(bench: &Bench) {
    let db = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    assert_eq!(db.execute("UPDATE unit SET standing = 2, token = ''", []).expect("an update"), 1);
    assert_eq!(db.execute("DELETE FROM unit_place", []).expect("a deletion"), 1);
}

/// Names of the rows in the rejects file of a report, whose counts are the same.
#[track_caller]
fn refused(bench: &Bench, report: &Value) -> Vec<String> {
    let text = bench.read(report["rejects_file"].as_str().expect("a file"));
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let mut names: Vec<String> =
        text.lines().map(|text| line(text)["values"]["Name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    let rows = |name: &str| report["rows"][name].as_u64().expect("a count") as usize;
    assert_eq!((rows("rejected"), rows("written")), (names.len(), SMALL_ROWS - names.len()), "{report:#}");
    let by_code = report["rejects_by_code"].as_object().expect("codes").values().filter_map(Value::as_u64);
    assert_eq!(by_code.sum::<u64>() as usize, names.len(), "{report:#}");
    names
}

#[test]
fn what_a_destination_refused_stays_refused_when_its_answer_was_lost() {
    let (org, bench) = killed_with_a_reject("", 2);
    forget_the_answer(&bench);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!(refused(&bench, &report), ["Account, 20", "Account, 3"]);
    assert_eq!((sqlite_names(&bench).len(), &report["units"]), (SMALL_ROWS - 2, &3.into()));
    let state = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let noted = "SELECT rejected, refused, written FROM unit WHERE unit LIKE '%p00000' AND standing = 0";
    let noted = state.query_row(noted, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(noted.expect("the unit"), (1, 1, 14));
    bench.run(&["verify", "latest"]).ends(0);
    org.is_tidy();
}

#[test]
fn what_a_destination_refused_stays_refused_when_a_memory_of_rows_is_rebuilt() {
    for loses_the_answer in [false, true] {
        let (org, bench) =
            killed_with_a_reject("[[transform]]\nplugin = \"dedupe\"\n[transform.config]\nkeys = [\"Name\"]\n", 2);
        if loses_the_answer {
            forget_the_answer(&bench);
        }
        let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
        assert_eq!(refused(&bench, &report), ["Account, 20", "Account, 3"]);
        assert_eq!(sqlite_names(&bench).len(), SMALL_ROWS - 2);
        bench.run(&["verify", "latest"]).ends(0);
        org.is_tidy();
    }
}

#[test]
fn what_a_destination_refused_then_is_forgotten_when_it_did_not_commit() {
    let (org, bench) = killed_with_a_reject("", 2);
    forget_the_answer(&bench);
    // The unit is not there, and the table has another condition by now.
    out_db(&bench)
        .execute_batch(&format!("DELETE FROM _forcepump_units; DROP TABLE account; {}", PICKY.replace("3'", "5'")))
        .expect("another table");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!(refused(&bench, &report), ["Account, 20", "Account, 5"]);
    assert_eq!(sqlite_names(&bench).len(), SMALL_ROWS - 2);
    org.is_tidy();
}

#[test]
fn rows_that_were_refused_before_count_towards_the_limit() {
    let (_org, bench) = killed_with_a_reject("", 1);
    forget_the_answer(&bench);
    let ran = bench.run(&["run", "p.toml", "--json"]);
    let report = ran.json();
    assert!(report["error"]["message"].as_str().is_some_and(|text| text.contains("2 of the 30 rows")), "{report:#}");
    assert_eq!(report["rows"]["rejected"], 1, "of the unit that is committed");
    let text = bench.read(report["rejects_file"].as_str().expect("a file"));
    assert_eq!(text.lines().count(), 2, "and why no further unit is");
}
