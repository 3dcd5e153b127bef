//! Ctrl-C in the middle of a run: the right code, nothing half-visible, and a second run that goes on and completes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use forcepump_emulator::{JobState, Options};

use crate::harness::{Bench, Org, Ran};
use crate::orgs::{self, SMALL_ROWS, script_of, wait_until};
use crate::resume::committed;
use crate::tables;

const SOURCE: &str = "name = \"stopped\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
/// The second page says nothing more after some rows.
const STALLED_PAGE: &str =
    "[[fault]]\non = { route = \"bulk2-results\", nth = 2 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
/// The job stays in progress.
const STUCK_JOB: &str = "[[fault]]\non = { route = \"bulk2-job\" }\ndo = { kind = \"job-stuck\" }\n";

fn start(bench: &Bench, args: &[&str]) -> Child {
    let mut command = bench.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn end(child: Child) -> Ran {
    Ran::of(child.wait_with_output().expect("it ends"))
}

/// A run that stands in the middle of its second page, stopped there.
fn stopped_within_a_page(org: &Org, destination: &str) -> (Bench, Ran) {
    let bench = Bench::on(org);
    bench.write("p.toml", &format!("{SOURCE}{destination}"));
    let child = start(&bench, &["run", "p.toml", "--json"]);
    wait_until("the first page is committed, the second one asked for", || {
        committed(&bench) == 1 && org.asked("/results") == 2
    });
    signal(&child, "-INT");
    (bench, end(child))
}

fn stalled() -> Org {
    orgs::faulty(STALLED_PAGE, false)
}

/// Files of the folder but those of the listed names; none when there is no folder.
fn files(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    found.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn within_a_page_nothing_of_it_is_seen_in_files_and_the_next_run_completes() {
    let org = stalled();
    let (bench, ran) = stopped_within_a_page(&org, CSV);
    let report = ran.ends(130).json();
    assert_eq!((&report["state"], &report["error"]["class"]), (&"cancelled".into(), &"interrupted".into()));
    assert_eq!(report["rows"]["written"], 15);
    assert_eq!(report["resumable"], true);
    let names = files(&bench.path("out/Account"));
    assert!(names.iter().all(|name| name.ends_with(".csv")) && names.len() == 1, "one whole page: {names:?}");
    bench.run(&["run", "p.toml"]).ends(0);
    let manifest: serde_json::Value = serde_json::from_str(&bench.read("out/Account/manifest.json")).expect("JSON");
    assert_eq!(manifest["rows"], SMALL_ROWS);
    org.is_tidy();
}

#[test]
fn within_a_page_nothing_of_it_is_seen_in_sqlite_and_the_next_run_completes() {
    let org = stalled();
    let (bench, ran) = stopped_within_a_page(&org, SQLITE);
    ran.ends(130);
    let names = tables::sqlite(&bench.path("out.db"), "account").column("Name");
    assert_eq!(names.len(), 15, "the page that was committed, and no row of the other");
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(tables::sqlite(&bench.path("out.db"), "account").rows.len(), SMALL_ROWS);
    org.is_tidy();
}

#[test]
fn an_overwriting_run_that_is_stopped_leaves_the_old_rows() {
    let org = stalled();
    let bench = Bench::on(&org);
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT); INSERT INTO account VALUES ('1', 'old')")
        .expect("rows");
    drop(db);
    bench.write("p.toml", &format!("{SOURCE}{}", SQLITE.replace("append", "overwrite")));
    let child = start(&bench, &["run", "p.toml", "--json"]);
    wait_until("the second page is asked for", || org.asked("/results") == 2);
    signal(&child, "-INT");
    end(child).ends(130);
    assert_eq!(tables::sqlite(&bench.path("out.db"), "account").column("Name"), [Some("old".to_owned())]);
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(tables::sqlite(&bench.path("out.db"), "account").rows.len(), SMALL_ROWS);
}

#[test]
fn a_job_that_runs_stays_and_a_fresh_run_aborts_and_deletes_it() {
    let org = orgs::faulty(STUCK_JOB, false);
    let bench = Bench::on(&org);
    bench.write("p.toml", &format!("{SOURCE}{CSV}"));
    let child = start(&bench, &["run", "p.toml", "--json"]);
    let job = |org: &Org| org.emulator().jobs().first().cloned();
    wait_until("the job was looked at", || job(&org).is_some_and(|job| org.asked(&job.id) >= 2));
    signal(&child, "-INT");
    let report = end(child).ends(130).json();
    assert_eq!(report["rows"]["read"], 0);
    let job = org.job();
    assert_eq!((job.state.is_terminal(), job.deleted, &report["resumable"]), (false, false, &true.into()));
    assert_eq!(report["job_id"], job.id.as_str());
    assert_eq!(files(&bench.path("out/Account")), Vec::<String>::new());
    bench.run(&["run", "p.toml", "--fresh"]).ends(0);
    let job = org.emulator().jobs()[0].clone();
    assert_eq!((job.state, job.deleted), (JobState::Aborted, true));
    org.is_tidy();
}

#[test]
fn a_slow_wire_does_not_delay_the_end() {
    let options =
        Options { generate: vec![("Contact".to_owned(), 20_000)], bandwidth: Some(200_000), ..Options::default() };
    let org = orgs::small(options);
    let bench = Bench::on(&org);
    bench.write(
        "p.toml",
        &format!("{SOURCE}{CSV}").replace("Account", "Contact").replace("\"Name\", \"AnnualRevenue\"", ""),
    );
    let child = start(&bench, &["run", "p.toml", "--json"]);
    wait_until("a page is asked for", || org.asked("/results") >= 1);
    signal(&child, "-TERM");
    let report = end(child).ends(130).json();
    assert!(report["rows"]["read"].as_u64() < Some(20_000), "{report:#}");
    assert!(!bench.path("out/Contact/manifest.json").exists());
}

#[test]
fn the_words_say_what_happens_and_a_second_signal_ends_at_once() {
    let silent_abort = "[[fault]]\non = { route = \"bulk2-abort\", times = \"always\" }\ndo = { kind = \"stall\" }\n";
    let org = orgs::small(Options { faults: script_of(&format!("{STUCK_JOB}{silent_abort}")), ..Options::default() });
    let bench = Bench::on(&org);
    bench.write("p.toml", &format!("{SOURCE}{CSV}"));
    let mut child = start(&bench, &["run", "p.toml"]);
    let mut lines =
        BufReader::new(child.stderr.take().expect("standard error")).lines().map(|line| line.expect("text"));
    wait_until("the job exists", || !org.emulator().jobs().is_empty());
    signal(&child, "-INT");
    let stopping = lines.find(|line| line.contains("stopping"));
    assert!(stopping.is_some_and(|line| line.contains("once more")));
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(files(&bench.path("out/Account")), Vec::<String>::new());
}

#[test]
fn check_plan_and_preview_end_too() {
    let org = orgs::faulty(
        "[[fault]]\non = { route = \"describe\", times = \"always\" }\ndo = { kind = \"stall\" }\n",
        false,
    );
    let bench = Bench::on(&org);
    bench.write("p.toml", &format!("{SOURCE}{CSV}"));
    for (number, command) in ["check", "plan", "preview", "run"].into_iter().enumerate() {
        let child = start(&bench, &[command, "p.toml"]);
        wait_until("describe is asked for", || org.asked("/describe") == number + 1);
        signal(&child, "-INT");
        end(child).ends(130);
    }
    assert!(org.emulator().jobs().is_empty());
}
