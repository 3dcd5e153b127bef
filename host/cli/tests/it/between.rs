//! What people do between a run that stopped and the next one: tables dropped, copies put back, files cut, names and
//! addresses changed. The next run goes on beside no hole, and says what it does.

use forcepump_emulator::Options;
use rusqlite::Connection;

use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS, script_of, wait_until};
use crate::process::Running;
use crate::tables;

const RUN: [&str; 2] = ["run", "p.toml"];
/// The n-th request for a page says nothing more after some bytes.
const STALL: &str = "do = { kind = \"stall\", after_bytes = 300 }\n";

fn pipeline(destination: &str) -> String {
    format!(
        "name = \"between\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n{destination}"
    )
}

fn sqlite(mode: &str) -> String {
    let grant = "config = { table = \"account\" }\ngrant = { sql = { db = \"sqlite:out.db\" } }\n";
    pipeline(&format!("[destination]\nplugin = \"sqlite\"\nmode = {mode}\n{grant}"))
}

fn org(stalls: &[u32]) -> Org {
    let fault = |nth: &u32| format!("[[fault]]\non = {{ route = \"bulk2-results\", nth = {nth} }}\n{STALL}");
    let faults: String = stalls.iter().map(fault).collect();
    orgs::small(Options { faults: script_of(&faults), ..Options::default() })
}

/// Units that the state knows to be committed.
fn committed(bench: &Bench) -> u32 {
    let count = || {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(bench.path(".forcepump/state.db"), flags).ok()?;
        db.query_row("SELECT COUNT(*) FROM unit WHERE standing = 0", [], |row| row.get(0)).ok()
    };
    count().unwrap_or(0)
}

/// Killed when so many units are committed and the page that stalls was asked for.
fn killed(org: &Org, bench: &Bench, units: u32, asked: usize) {
    let running = Running::start(bench, &RUN);
    wait_until("the units are committed", || committed(bench) == units && org.asked("/results") >= asked);
    running.stopped("-KILL");
}

/// Of three units one is committed, and the second page does not end.
fn begun(pipeline: &str) -> (Org, Bench) {
    let org = org(&[2]);
    let bench = Bench::on(&org);
    bench.write("p.toml", pipeline);
    killed(&org, &bench, 1, 2);
    (org, bench)
}

fn out_db(bench: &Bench, sql: &str) {
    Connection::open(bench.path("out.db")).expect("a database").execute_batch(sql).expect(sql);
}

#[track_caller]
fn each_once(bench: &Bench) {
    let mut ids = tables::sqlite(&bench.path("out.db"), "account").column("Id");
    assert_eq!(ids.len(), SMALL_ROWS);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), SMALL_ROWS, "a row is there twice");
}

const MODES: [&str; 3] = ["\"append\"", "\"merge\"\nkeys = [\"Id\"]", "\"overwrite\""];

#[test]
fn a_table_that_was_dropped_or_emptied_is_written_anew_from_its_beginning() {
    for mode in MODES {
        for (sql, word) in [("DROP TABLE", "is gone"), ("DELETE FROM", "is empty now")] {
            let (org, bench) = begun(&sqlite(mode));
            let table = if mode.contains("overwrite") { "_forcepump_new_account" } else { "account" };
            out_db(&bench, &format!("{sql} {table}"));
            let refused = bench.run(&["resume"]).ends(2).stderr;
            assert!(refused.contains(table) && refused.contains("--fresh"), "{mode}: {refused}");
            let ran = bench.run(&RUN).ends(0);
            assert!(ran.stderr.contains("is given up") && ran.stderr.contains(word), "{mode}: {}", ran.stderr);
            each_once(&bench);
            // The database has noted rows of the first try, which somebody has taken away.
            bench.run(&["verify", "latest"]).ends(if mode == MODES[0] { 8 } else { 0 });
            org.is_tidy();
        }
    }
}

#[test]
fn an_older_copy_of_the_database_is_not_gone_on_in() {
    for mode in MODES {
        let org = org(&[2, 4]);
        let bench = Bench::on(&org);
        bench.write("p.toml", &sqlite(mode));
        killed(&org, &bench, 1, 2);
        out_db(&bench, "VACUUM INTO 'copy.db'".replace("copy.db", &bench.path("copy.db").to_string_lossy()).as_str());
        killed(&org, &bench, 2, 4);
        for file in ["out.db-wal", "out.db-shm"] {
            let _ = std::fs::remove_file(bench.path(file));
        }
        std::fs::copy(bench.path("copy.db"), bench.path("out.db")).expect("a copy");
        if mode == MODES[0] {
            let refused = bench.run(&RUN).ends(2).stderr;
            assert!(refused.contains("knows 1 of the 2 units") && refused.contains("--fresh"), "{refused}");
            out_db(&bench, "DELETE FROM account");
        }
        let ran = bench.run(&RUN).ends(0);
        assert!(ran.stderr.contains("is given up"), "{mode}: {}", ran.stderr);
        each_once(&bench);
    }
}

#[test]
fn a_file_that_was_cut_is_written_anew() {
    let (org, bench) =
        begun(&pipeline("[destination]\nplugin = \"csv\"\nmode = \"append\"\ngrant = { files = { out = \"out\" } }\n"));
    let files = || {
        let entries = std::fs::read_dir(bench.path("out/Account")).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some_and(|e| e == "csv"))
    };
    let cut = files().next().expect("the first unit's file");
    std::fs::File::options().write(true).open(&cut).and_then(|file| file.set_len(100)).expect("a cut");
    let ran = bench.run(&RUN).ends(0);
    assert!(ran.stderr.contains("has 100 bytes now"), "{}", ran.stderr);
    let rows: usize =
        files().map(|path| tables::csv(&std::fs::read_to_string(path).expect("text")).column("Id").len()).sum();
    assert_eq!(rows, SMALL_ROWS);
    bench.run(&["verify", "latest"]).ends(0);
    org.is_tidy();
}

#[test]
fn another_name_in_the_same_file_is_told_of_the_run_that_waits() {
    let (_org, bench) = begun(&sqlite(MODES[0]));
    bench.write("p.toml", &sqlite(MODES[0]).replace("\"between\"", "\"renamed\""));
    let ran = bench.run(&RUN).ends(0);
    assert!(ran.stderr.contains("`between`") && ran.stderr.contains("15 rows of it"), "{}", ran.stderr);
    // The newest run is another one: what can go on is meant.
    let resumed = bench.run(&["resume"]);
    assert!(resumed.code == 2 && resumed.stderr.contains("it is of the pipeline `between`"), "{resumed:?}");
    bench.write("p.toml", &sqlite(MODES[0]));
    assert!(bench.run(&["resume"]).ends(0).stderr.contains("goes on with run"));
}

#[test]
fn an_org_at_another_address_is_the_same_and_another_org_is_not() {
    let (org, bench) = begun(&sqlite(MODES[0]));
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &connections.replace("127.0.0.1", "localhost"));
    let ran = bench.run(&RUN).ends(0);
    assert!(ran.stderr.contains("goes on with run"), "{}", ran.stderr);
    each_once(&bench);
    org.is_tidy();

    let (_org, bench) = begun(&sqlite(MODES[0]));
    let state = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    assert_eq!(state.execute("UPDATE feed SET org = '00D000000000062'", []).expect("an update"), 1);
    drop(state);
    let refused = bench.run(&RUN).ends(2).stderr;
    assert!(refused.contains("led to the org 00D000000000062 then") && refused.contains("15 rows"), "{refused}");
}

#[test]
fn a_demo_that_was_killed_goes_on_at_its_next_address() {
    let bench = Bench::new();
    let running = Running::start(&bench, &["demo", "--dir", "d"]);
    wait_until("the third pipeline has begun", || {
        let runs = Connection::open(bench.path("d/.forcepump/state.db"));
        let begun = "SELECT COUNT(*) FROM run WHERE pipeline = 'opportunities' AND fingerprint IS NOT NULL";
        runs.is_ok_and(|db| db.query_row(begun, [], |row| row.get::<_, u32>(0)).is_ok_and(|runs| runs > 0))
    });
    running.stopped("-KILL");
    let again = bench.run(&["demo", "--dir", "d"]).ends(0);
    assert!(again.stdout.contains("5,009 rows written") && !again.stderr.contains("is given up"), "{}", again.stderr);
}

#[test]
fn what_is_remembered_is_named_where_something_else_was_asked_for() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    bench.write("p.toml", &sqlite(MODES[0]));
    let none = |args: &[&str]| bench.run(args).ends(0).stdout;
    assert_eq!(none(&["runs", "between"]), "no run is remembered in .\n");
    bench.run(&RUN).ends(0);
    assert_eq!(
        none(&["runs", "beween"]),
        "no run of a pipeline `beween` is remembered in .; there are runs of between\n"
    );
    for command in ["runs", "show", "resume"] {
        let no_folder = bench.run(&[command, "--pipeline-folder", "nowhere"]).ends(2).stderr;
        assert!(no_folder.contains("there is no folder nowhere\nhint:"), "{no_folder}");
    }
    let no_run = bench.run(&["show", "2026"]).ends(2).stderr;
    assert!(no_run.contains("no run `2026`") && no_run.contains("hint:"), "{no_run}");
    bench.run(&["runs", "-n", "0"]).ends(2);
}

#[test]
fn what_lies_where_the_state_should_be_is_named_with_the_way_out() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    bench.write("p.toml", &sqlite(MODES[0]));
    bench.write(".forcepump", "a file");
    let wrong = bench.run(&RUN).ends(1).stderr;
    assert!(wrong.contains(".forcepump") && wrong.contains("has to be a folder"), "{wrong}");
    std::fs::remove_file(bench.path(".forcepump")).expect("removed");
    std::fs::create_dir_all(bench.path(".forcepump/state.db")).expect("a folder");
    for args in [&RUN[..], &["runs"]] {
        let wrong = bench.run(args).ends(1).stderr;
        assert!(wrong.contains("state.db") && wrong.contains("it has to be a file"), "{wrong}");
    }
    std::fs::remove_dir(bench.path(".forcepump/state.db")).expect("removed");
    bench.run(&RUN).ends(0);
    let state = Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    state.pragma_update(None, "user_version", 1).expect("an older version");
    drop(state);
    let wrong = bench.run(&RUN).ends(1).stderr;
    assert!(wrong.contains("already exists\nhint: the file is damaged") && !wrong.contains("CREATE"), "{wrong}");
    each_once(&bench);
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    bench.write("p.toml", &sqlite(MODES[0]));
    let full = || std::fs::File::options().write(true).open("/dev/full");
    let Ok(first) = full() else { return };
    for (args, out) in [(&["run", "p.toml", "--json"][..], first), (&["runs"], full().expect("as before"))] {
        let said = bench.command(args).stdout(out).output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("standard output could not be written"), "{stderr}");
    }
    each_once(&bench);
}
