//! Jobs that Salesforce does not have any more when a run goes on: what is left is read by another, or the feed begins anew.

use forcepump_emulator::Options;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS, script_of};
use crate::resume::{SOURCE, bench, each_once, files, killed, org, run, sqlite, sqlite_names, stalls, stopped};
use crate::tables;

/// The same rows in an order that no id tells.
fn unordered() -> String {
    SOURCE.replace(
        "object = \"Account\"\nfields = [\"Id\", \"Name\", \"AnnualRevenue\"]",
        "query = \"SELECT Id, Name, AnnualRevenue FROM Account ORDER BY Name DESC\"",
    )
}

fn killed_in(source: &str, destination: &str) -> (Org, Bench) {
    let org = org(&stalls(1));
    let bench = bench(&org, &format!("{source}{destination}"));
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    (org, bench)
}

#[test]
fn without_its_job_a_run_that_merges_begins_anew_and_one_that_appends_says_so() {
    let (org, bench) = killed_in(&unordered(), &sqlite("mode = \"merge\"\nkeys = [\"Id\"]"));
    assert!(org.emulator().lose_job(&org.job().id));
    let (ran, _) = run(&bench);
    assert!(ran.stderr.contains("its Salesforce job is gone"), "{}", ran.stderr);
    each_once(sqlite_names(&bench));

    let (org, bench) = killed_in(&unordered(), &sqlite("mode = \"append\""));
    assert!(org.emulator().lose_job(&org.job().id));
    for _ in 0..2 {
        let refused = bench.run(&["run", "p.toml"]).ends(2);
        assert!(refused.stderr.contains("job is gone") && refused.stderr.contains("15 rows"), "{}", refused.stderr);
    }
    bench.run(&["run", "p.toml", "--fresh"]).ends(0);
    assert_eq!(sqlite_names(&bench).len(), SMALL_ROWS + 15);
}

#[test]
fn without_its_job_the_ids_that_are_committed_are_left_out() {
    for destination in [sqlite("mode = \"append\""), files("csv", "overwrite")] {
        let (org, bench) = killed(&stalls(2), &destination);
        assert!(org.emulator().lose_job(&org.job().id));
        // and once more while the job that took its place is read
        assert_eq!(stopped(&org, &bench, 2, 4, "-KILL").code, -1, "{destination}");
        let ran = bench.run(&["run", "p.toml", "--json"]).ends(0);
        let report = ran.json();
        assert_eq!((&report["state"], &report["rows"]["read"]), (&"complete".into(), &SMALL_ROWS.into()), "{report:#}");
        assert_eq!((&report["rows"]["announced"], &report["went_on"]["units"]), (&SMALL_ROWS.into(), &2.into()));
        if destination.contains("sqlite") {
            each_once(sqlite_names(&bench));
        }
        assert_eq!(org.emulator().jobs().len(), 2);
        org.is_tidy();
    }
}

#[test]
fn before_the_first_unit_a_lost_job_is_made_again() {
    let stuck =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 1 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
    let org = org(stuck);
    let bench = bench(&org, &format!("{SOURCE}{}", sqlite("mode = \"append\"")));
    assert_eq!(stopped(&org, &bench, 0, 1, "-KILL").code, -1);
    assert!(org.emulator().lose_job(&org.job().id));
    let (ran, _) = run(&bench);
    assert!(ran.stderr.contains("another one is made"), "{}", ran.stderr);
    each_once(sqlite_names(&bench));
}

/// The n-th job that is made ends like this.
fn job_fails(nth: usize, kind: &str) -> String {
    format!("[[fault]]\non = {{ route = \"bulk2-create\", nth = {nth} }}\ndo = {{ {kind} }}\n")
}

const TIMEOUT: &str = "kind = \"job-failed\", reason = \"QUERY_TIMEOUT: Your query request was running for too long.\"";

#[test]
fn what_is_left_of_a_lost_job_is_not_forgotten_when_no_other_can_be_made() {
    for refused in ["kind = \"limit\", which = \"jobs\"", "kind = \"job-failed\", reason = \"InternalServerError\""] {
        let (org, bench) = killed(&format!("{}{}", stalls(1), job_fails(2, refused)), &sqlite("mode = \"append\""));
        assert!(org.emulator().lose_job(&org.job().id));
        let partial = bench.run(&["run", "p.toml", "--json"]).ends(7).json();
        assert_eq!((&partial["state"], &partial["resumable"]), (&"partial".into(), &true.into()), "{partial:#}");
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!(
            (&report["run_id"], &report["rows"]["read"]),
            (&partial["run_id"], &SMALL_ROWS.into()),
            "{report:#}"
        );
        each_once(sqlite_names(&bench));
        bench.run(&["verify", "latest"]).ends(0);
    }
}

#[test]
fn nor_when_the_job_in_its_place_is_lost_too() {
    let refused = job_fails(3, "kind = \"limit\", which = \"jobs\"");
    let stall = stalls(1);
    let faults = format!("{stall}{}{refused}", stall.replace("nth = 2", "nth = 3"));
    let (org, bench) = killed(&faults, &sqlite("mode = \"append\""));
    lose_all(&org);
    assert_eq!(stopped(&org, &bench, 1, 3, "-KILL").code, -1);
    lose_all(&org);
    assert_ne!(bench.run(&["run", "p.toml"]).code, 0, "no job can be made");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["state"], &report["rows"]["written"]), (&"complete".into(), &SMALL_ROWS.into()), "{report:#}");
    each_once(sqlite_names(&bench));
}

#[test]
fn what_is_left_of_a_lost_job_is_read_in_halves_when_it_takes_too_long() {
    for (source, more) in [(SOURCE.to_owned(), ""), (incremental(), "[source.incremental]\n")] {
        let org = org(&format!("{}{}", stalls(2), job_fails(2, TIMEOUT)));
        let bench = bench(&org, &format!("{source}{more}{}", sqlite("mode = \"append\"")));
        assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
        assert!(org.emulator().lose_job(&org.job().id));
        // It is killed within the halves, too.
        assert_eq!(stopped(&org, &bench, 2, 4, "-KILL").code, -1);
        let passes = passes(&bench);
        assert!(passes.contains(&"x1.0".to_owned()), "{passes:?}");
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        let rows = &report["rows"];
        assert_eq!((&rows["announced"], &rows["read"]), (&SMALL_ROWS.into(), &SMALL_ROWS.into()), "{report:#}");
        each_once(sqlite_names(&bench));
        bench.run(&["verify", "latest", "--keys"]).ends(0);
        org.is_tidy();
    }
}

fn incremental() -> String {
    SOURCE.replace("\"AnnualRevenue\"]", "\"SystemModstamp\"]")
}

#[test]
fn a_half_whose_job_is_lost_is_read_by_another_and_the_other_half_is_read_after_it() {
    let short = "[[fault]]\non = { route = \"bulk2-results\", nth = 6 }\ndo = { kind = \"stall\", after_bytes = 20 }\n";
    let org = org(&format!("{}{short}{}", stalls(2), job_fails(2, TIMEOUT)));
    let bench = bench(&org, &format!("{SOURCE}{}", sqlite("mode = \"append\"")));
    assert_eq!(stopped(&org, &bench, 1, 2, "-KILL").code, -1);
    assert!(org.emulator().lose_job(&org.job().id));
    assert_eq!(stopped(&org, &bench, 2, 4, "-KILL").code, -1);
    lose_all(&org);
    assert_eq!(stopped(&org, &bench, 3, 6, "-KILL").code, -1);
    lose_all(&org);
    bench.run(&["run", "p.toml"]).ends(0);
    each_once(sqlite_names(&bench));
    bench.run(&["verify", "latest"]).ends(0);
}

fn lose_all(org: &Org) {
    for job in org.emulator().jobs() {
        org.emulator().lose_job(&job.id);
    }
}

/// Passes that have committed units.
fn passes(bench: &Bench) -> Vec<String> {
    let db = rusqlite::Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let mut statement = db.prepare("SELECT DISTINCT pass FROM unit ORDER BY pass").expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("text")
}

/// Two feeds, one after the other; the second keeps a memory over its rows, so that what is left of a lost job cannot be
/// told. `account` is its own destination.
fn two(destination: &str, account: &str) -> String {
    format!(
        r#"
name = "two"
[source]
connection = "org"
api = "bulk2"
fields = ["Id", "Name"]
objects = ["Contact"]
parallel_feeds = 1
[[source.feeds]]
object = "Account"
{account}
[[transform]]
plugin = "dedupe"
objects = ["Account"]
config = {{ keys = ["Name"] }}
{destination}
"#
    )
}

const TWO_SQLITE: &str =
    "[destination]\nplugin = \"sqlite\"\nMODE\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";

/// The first feed is complete, the second is killed in its second page, and its job is lost.
fn two_killed(pipeline: &str, faults: &str) -> (Org, Bench) {
    let stuck =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 5 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
    let generate = vec![("Contact".to_owned(), SMALL_ROWS as u64)];
    let org = orgs::small(Options { faults: script_of(&format!("{stuck}{faults}")), generate, ..Options::default() });
    let bench = bench(&org, pipeline);
    assert_eq!(stopped(&org, &bench, 4, 5, "-KILL").code, -1);
    let jobs = org.emulator().jobs();
    let account = jobs.iter().find(|job| job.object == "Account").expect("a job");
    assert!(org.emulator().lose_job(&account.id));
    (org, bench)
}

fn ids(bench: &Bench, table: &str) -> Vec<Option<String>> {
    tables::sqlite(&bench.path("out.db"), table).column("Id")
}

#[track_caller]
fn feed<'a>(report: &'a Value, name: &str) -> &'a Value {
    let feeds = report["feeds"].as_array().expect("feeds");
    feeds.iter().find(|feed| feed["feed"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"))
}

/// The run went on, the second feed began anew within it, and both are whole.
#[track_caller]
fn one_began_anew(report: &Value, bench: &Bench) {
    let runs = bench.run(&["runs", "--json"]).ends(0).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs:#}");
    assert_eq!((&report["state"], &report["run_id"]), (&"complete".into(), &runs[0]["run_id"]));
    let (contact, account) = (feed(report, "Contact"), feed(report, "Account"));
    assert_eq!((&contact["complete_before"], &account["complete_before"]), (&true.into(), &false.into()));
    assert_eq!((&account["rows"]["written"], &account["units"]), (&SMALL_ROWS.into(), &3.into()), "{report:#}");
    assert_eq!((&report["rows"]["read"], &report["went_on"]["units"]), (&(2 * SMALL_ROWS).into(), &3.into()));
    let given_up = &report["given_up"];
    assert_eq!((&given_up[0]["feed"], &given_up[0]["run_id"]), (&"Account".into(), &report["run_id"]), "{report:#}");
    assert_eq!((&given_up[0]["units"], &given_up[0]["rows"]), (&1.into(), &15.into()), "{report:#}");
    assert!(given_up[0]["why"].as_str().is_some_and(|why| why.contains("job is gone")), "{report:#}");
}

#[test]
fn one_feed_begins_anew_and_the_others_stay() {
    for mode in ["mode = \"overwrite\"", "mode = \"merge\"\nkeys = [\"Id\"]"] {
        let (org, bench) = two_killed(&two(&TWO_SQLITE.replace("MODE", mode), ""), "");
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        one_began_anew(&report, &bench);
        for table in ["Contact", "Account"] {
            each_once(ids(&bench, table));
        }
        bench.run(&["verify", "latest", "--keys"]).ends(0);
        org.is_tidy();
        let next = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_ne!(next["run_id"], report["run_id"]);
        assert!(next.get("given_up").is_none(), "{next:#}");
        each_once(ids(&bench, "Account"));
    }
}

#[test]
fn files_of_a_feed_that_begins_anew_are_only_those_of_the_second_time() {
    for mode in ["overwrite", "append"] {
        let (org, bench) = two_killed(&two(&files("csv", mode), ""), "");
        let contacts = || std::fs::read_dir(bench.path("out/Contact")).expect("a folder").count();
        assert_eq!(contacts(), 4, "three files and the manifest");
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        one_began_anew(&report, &bench);
        assert_eq!(contacts(), 4);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(bench.path("out/Account")).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                found.extend(tables::csv(&std::fs::read_to_string(path).expect("a file")).column("Name"));
            }
        }
        each_once(found);
        bench.run(&["verify", "latest"]).ends(0);
        org.is_tidy();
    }
}

#[test]
fn a_feed_that_begins_anew_and_is_killed_goes_on_with_that() {
    let stuck =
        "[[fault]]\non = { route = \"bulk2-results\", nth = 7 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
    let (org, bench) = two_killed(&two(&TWO_SQLITE.replace("MODE", "mode = \"overwrite\""), ""), stuck);
    // Killed in the second page of the second time.
    assert_eq!(stopped(&org, &bench, 4, 7, "-KILL").code, -1);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["state"], report.get("given_up")), (&"complete".into(), None), "{report:#}");
    each_once(ids(&bench, "Account"));
    each_once(ids(&bench, "Contact"));
    bench.run(&["verify", "latest"]).ends(0);
    org.is_tidy();
}

#[test]
fn a_feed_that_was_being_given_up_begins_anew_all_the_same() {
    let (org, bench) = two_killed(&two(&TWO_SQLITE.replace("MODE", "mode = \"overwrite\""), ""), "");
    // As a kill leaves it after the destination was told, and before the state has forgotten it.
    let out = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    out.execute_batch(
        "DROP TABLE _forcepump_new_Account;
         INSERT INTO _forcepump_units SELECT DISTINCT target, feed, run, '(discarded)', 0, 0 FROM _forcepump_units
         WHERE feed = 'Account'",
    )
    .expect("what the destination does");
    drop(out);
    let db = rusqlite::Connection::open(bench.path(".forcepump/state.db")).expect("the state");
    let noted = db.execute("UPDATE feed SET anew = 'its Salesforce job is gone' WHERE feed = 'Account'", []);
    assert_eq!(noted.expect("an update"), 1);
    drop(db);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    one_began_anew(&report, &bench);
    each_once(ids(&bench, "Account"));
    org.is_tidy();
}

#[test]
fn rejected_rows_of_the_first_time_are_not_there_twice() {
    let (_org, bench) = {
        let pipeline = two(&TWO_SQLITE.replace("MODE", "mode = \"merge\"\nkeys = [\"Id\"]"), "");
        let generate = vec![("Contact".to_owned(), SMALL_ROWS as u64)];
        let stuck =
            "[[fault]]\non = { route = \"bulk2-results\", nth = 5 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";
        let org = orgs::small(Options { faults: script_of(stuck), generate, ..Options::default() });
        let bench = bench(&org, &pipeline);
        let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
        let table = "CREATE TABLE Account (Id TEXT, Name TEXT CHECK (Name NOT IN ('Account, 3', 'Account, 20')))";
        db.execute_batch(table).expect("a table");
        drop(db);
        assert_eq!(stopped(&org, &bench, 4, 5, "-KILL").code, -1);
        lose_all(&org);
        (org, bench)
    };
    let report = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!(report["rows"]["rejected"], 2, "{report:#}");
    let text = bench.read(report["rejects_file"].as_str().expect("a file"));
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn whether_a_feed_may_begin_anew_is_a_matter_of_its_own_mode() {
    let merge = "[source.feeds.destination]\nmode = \"merge\"\nkeys = [\"Id\"]";
    let (_org, bench) = two_killed(&two(&TWO_SQLITE.replace("MODE", "mode = \"append\""), merge), "");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    one_began_anew(&report, &bench);
    each_once(ids(&bench, "Contact"));
    each_once(ids(&bench, "Account"));

    let append = "[source.feeds.destination]\nmode = \"append\"\nkeys = []";
    let (_org, bench) = two_killed(&two(&TWO_SQLITE.replace("MODE", "mode = \"merge\"\nkeys = [\"Id\"]"), append), "");
    for _ in 0..2 {
        let refused = bench.run(&["run", "p.toml", "--json"]).ends(7).json();
        let error = feed(&refused, "Account")["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("1 units") && error.contains("15 rows") && error.contains("--fresh"), "{error}");
        assert_eq!(ids(&bench, "Account").len(), 15, "nothing was added");
    }
    let fresh = bench.run(&["run", "p.toml", "--fresh", "--json"]).ends(0).json();
    assert_eq!(ids(&bench, "Account").len(), SMALL_ROWS + 15, "as it was asked for");
    assert_eq!(fresh["given_up"][0]["why"], "a new run was asked for", "{fresh:#}");
    each_once(ids(&bench, "Contact"));
}

#[test]
fn a_run_that_is_given_up_is_told_to_machines_too() {
    let (_org, bench) = killed(&stalls(1), &files("csv", "append"));
    let before = bench.run(&["runs", "--json"]).ends(0).json()[0]["run_id"].clone();
    bench.write("p.toml", &format!("{SOURCE}{}", files("csv", "append")).replace(", \"AnnualRevenue\"", ""));
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let given_up = &report["given_up"];
    assert_eq!(given_up.as_array().map(Vec::len), Some(1), "{report:#}");
    assert_eq!((&given_up[0]["run_id"], given_up[0].get("feed")), (&before, None));
    assert_eq!((&given_up[0]["units"], &given_up[0]["rows"]), (&1.into(), &15.into()));
    assert!(given_up[0]["why"].as_str().is_some_and(|why| why.contains("file has changed")), "{report:#}");
    let old = bench.run(&["show", before.as_str().expect("an id"), "--json"]).ends(0).json();
    assert_eq!(old["state"], "given-up");
    assert_eq!(old["given_up"], given_up[0]["why"]);
    let words = bench.run(&["show", "latest"]).ends(0).stdout;
    assert!(words.contains("given up") && words.contains(before.as_str().expect("an id")), "{words}");
}
