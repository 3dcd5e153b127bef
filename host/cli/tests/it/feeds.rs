//! Several feeds in one pipeline: side by side, one horizon, and what fails fails alone.

use std::process::{Command, Stdio};

use forcepump_emulator::Options;
use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::orgs::{self, script_of, wait_until};
use crate::tables;

const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nconfig = { table = \"sf_{object}\" }\ngrant = { sql = { db = \"sqlite:crm.db\" } }\n";
const CSV: &str = "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\n";

fn pipeline(source: &str, destination: &str) -> String {
    format!("name = \"crm\"\n{source}\n{destination}").replacen("[source]", "[source]\nconnection = \"org\"", 1)
}

fn bench(org: &Org, source: &str, destination: &str) -> Bench {
    let bench = Bench::on(org);
    bench.write("p.toml", &pipeline(source, destination));
    bench
}

#[track_caller]
fn feed<'a>(report: &'a Value, name: &str) -> &'a Value {
    let feeds = report["feeds"].as_array().expect("feeds");
    feeds.iter().find(|feed| feed["feed"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"))
}

fn rows(bench: &Bench, table: &str) -> u64 {
    tables::sqlite(&bench.path("crm.db"), table).rows.len() as u64
}

/// One answer in place of the describe of Contact: the user may not see the object.
fn no_permission(times: &str) -> Org {
    let fault = format!(
        "[[fault]]\non = {{ path = \"*/sobjects/Contact/describe\", times = {times} }}\ndo = {{ kind = \"status\", code = 403, error_code = \"INSUFFICIENT_ACCESS\", message = \"insufficient access rights on object\" }}\n"
    );
    Org::with(Options { faults: script_of(&fault), ..Options::default() })
}

#[test]
fn three_objects_go_into_tables_of_their_own() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\", \"Contact\"]\nfields = [\"Id\", \"SystemModstamp\"]\n[[source.feeds]]\nobject = \"Opportunity\"\nwhere = \"Amount > 500\"\n[source.feeds.destination]\nmode = \"merge\"\nkeys = [\"Id\"]\nconfig = { table = \"deals\" }";
    let bench = bench(&org, source, SQLITE);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&report["state"], &report["feeds"].as_array().map(Vec::len)), (&"complete".into(), &Some(3)));
    for (name, table) in [("Account", "sf_Account"), ("Contact", "sf_Contact"), ("Opportunity", "deals")] {
        let of = feed(&report, name);
        assert_eq!(of["rows"]["written"].as_u64(), Some(rows(&bench, table)), "{name}");
        assert_eq!((&of["state"], &of["error"]), (&"complete".into(), &Value::Null));
    }
    for name in ["Account", "Contact"] {
        assert_eq!(feed(&report, name)["rows"]["written"].as_u64(), org.emulator().rows(name));
    }
    let deals = feed(&report, "Opportunity")["rows"]["written"].as_u64().expect("a number");
    assert!(deals > 0 && deals < org.emulator().rows("Opportunity").expect("rows"));
    let sum: u64 = ["sf_Account", "sf_Contact", "deals"].iter().map(|table| rows(&bench, table)).sum();
    assert_eq!(report["rows"]["written"].as_u64(), Some(sum));
    assert_eq!(report["results"].as_array().map(Vec::len), Some(1), "one database");
    let shown = bench.run(&["show", "latest"]).ends(0).stdout;
    for part in ["crm: complete", "Account", "Contact", "Opportunity", "feed"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let again = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(rows(&bench, "deals"), deals, "merged");
    assert_ne!(again["run_id"], report["run_id"]);
    org.is_tidy();
}

#[test]
fn files_lie_in_a_folder_for_each_object() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\", \"Lead\", \"Empty__c\"]\nparallel_feeds = 1";
    let bench = bench(&org, source, CSV);
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    for name in ["Account", "Lead", "Empty__c"] {
        let manifest: Value = serde_json::from_str(&bench.read(&format!("out/{name}/manifest.json"))).expect("JSON");
        assert_eq!((&manifest["run"], &manifest["feed"]), (&ran["run_id"], &name.into()));
        assert_eq!(manifest["rows"].as_u64(), org.emulator().rows(name), "{name}");
    }
    let files = ran["results"][0]["files"].as_array().expect("files");
    assert!(files.len() >= 3, "{ran:#}");
}

#[test]
fn a_feed_that_fails_leaves_the_others_whole_and_the_next_run_reads_only_it() {
    let org = no_permission("1");
    let bench = bench(&org, "[source]\nobjects = [\"Account\", \"Contact\", \"Lead\"]\nfields = [\"Id\"]", SQLITE);
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(7);
    let first = ran.json();
    assert_eq!(first["state"], "partial");
    assert_eq!(feed(&first, "Contact")["state"], "failed");
    let error = first["error"]["message"].as_str().expect("an error");
    assert!(error.contains("feed `Contact`") && error.contains("INSUFFICIENT_ACCESS"), "{error}");
    for name in ["Account", "Lead"] {
        assert_eq!(feed(&first, name)["state"], "complete", "{first:#}");
        assert_eq!(Some(rows(&bench, &format!("sf_{name}"))), org.emulator().rows(name));
    }
    let words = bench.run(&["show"]).ends(0).stdout;
    assert!(words.contains("partial") && words.contains("feed `Contact`"), "{words}");
    let asked = org.asked("/query");
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((&second["run_id"], &second["state"]), (&first["run_id"], &"complete".into()));
    assert_eq!(feed(&second, "Account")["complete_before"], true);
    assert_eq!(feed(&second, "Contact")["complete_before"], false);
    assert!(org.asked("/query") > asked);
    for name in ["Account", "Contact", "Lead"] {
        assert_eq!(Some(rows(&bench, &format!("sf_{name}"))), org.emulator().rows(name), "none twice");
    }
    let third = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_ne!(third["run_id"], first["run_id"], "the run was complete");
}

#[test]
fn a_feed_that_never_works_does_not_hold_up_the_others_for_ever() {
    let org = no_permission("\"always\"");
    let bench = bench(&org, "[source]\nobjects = [\"Account\", \"Contact\"]\nfields = [\"Id\"]", SQLITE);
    let run = || bench.run(&["run", "p.toml", "--json"]).ends(7).json();
    let ids: Vec<Value> = (0..3).map(|_| run()["run_id"].clone()).collect();
    assert_eq!(ids[0], ids[1], "it goes on");
    assert_ne!(ids[1], ids[2], "and came no further, so that a new run reads the others anew");
    assert_eq!(Some(rows(&bench, "sf_Account")), org.emulator().rows("Account").map(|rows| 2 * rows));
}

#[test]
fn what_a_complete_feed_has_read_is_known_when_its_run_is_given_up() {
    let org = no_permission("1");
    let source = "[source]\nobjects = [\"Account\", \"Contact\"]\nfields = [\"Id\", \"SystemModstamp\"]\nincremental = { overlap_minutes = 52560000 }";
    let bench = bench(&org, source, SQLITE);
    let report = bench.run(&["run", "p.toml", "--json"]).ends(7).json();
    assert_eq!((&feed(&report, "Account")["state"], &report["resumable"]), (&"complete".into(), &true.into()));
    let report = bench.run(&["run", "--fresh", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["went_on"], Value::Null);
    for (name, table) in [("Account", "sf_Account"), ("Contact", "sf_Contact")] {
        assert_eq!(org.emulator().rows(name), Some(rows(&bench, table)), "{name}: every row once");
    }
}

#[test]
fn files_of_a_complete_feed_may_be_taken_away_before_the_others_are_there() {
    let org = no_permission("1");
    let csv = CSV.replace("overwrite", "append");
    let bench = bench(&org, "[source]\nobjects = [\"Account\", \"Contact\"]\nfields = [\"Id\"]", &csv);
    bench.run(&["run", "p.toml"]).ends(7);
    std::fs::remove_dir_all(bench.path("out/Account")).expect("its files");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert!(report["went_on"].is_object() && feed(&report, "Account")["complete_before"] == true, "{report:#}");
    assert!(!bench.path("out/Account").exists(), "its rows are not exported a second time");
}

#[test]
fn nothing_done_by_any_feed_is_a_failed_run() {
    let org = Org::demo();
    let bench = bench(&org, "[source]\nobjects = [\"Acount\", \"Contct\"]", SQLITE);
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(2).json();
    assert_eq!(ran["state"], "failed");
    let error = ran["error"]["message"].as_str().expect("an error");
    assert!(error.contains("feed `Acount`") && error.contains("feed `Contct`"), "{error}");
    let checked = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(checked.contains("feed `Acount`") && checked.contains("feed `Contct`"), "{checked}");
}

#[test]
fn all_feeds_end_at_one_horizon() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\", \"Contact\"]\nfields = [\"Id\", \"SystemModstamp\"]\nparallel_feeds = 1\n[source.incremental]\noverlap_minutes = 20000000\n[[source.feeds]]\nobject = \"Lead\"\nincremental = false";
    let bench = bench(&org, source, SQLITE);
    let first = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let to = |report: &Value, name: &str| feed(report, name)["window"]["to"].clone();
    assert!(to(&first, "Account").is_string());
    assert_eq!(to(&first, "Account"), to(&first, "Contact"));
    assert_eq!(to(&first, "Lead"), Value::Null);
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    for name in ["Account", "Contact"] {
        assert_eq!(feed(&second, name)["window"]["cursor"], to(&first, name));
        assert_eq!(feed(&second, name)["rows"]["written"], 0, "each knows its own rows again");
        assert_eq!(Some(rows(&bench, &format!("sf_{name}"))), org.emulator().rows(name));
    }
}

#[test]
fn one_interruption_stops_every_feed() {
    let stuck = "[[fault]]\non = { route = \"bulk2-job\", times = \"always\" }\ndo = { kind = \"job-stuck\" }\n";
    let org = Org::with(Options { faults: script_of(stuck), ..Options::default() });
    let source = "[source]\nobjects = [\"Account\", \"Contact\", \"Lead\"]\napi = \"bulk2\"\nparallel_feeds = 2";
    let bench = bench(&org, source, SQLITE);
    let mut command = bench.command(&["run", "p.toml", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    wait_until("two jobs were made", || org.emulator().jobs().len() == 2);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let report = Ran::of(child.wait_with_output().expect("it ends")).ends(130).json();
    assert_eq!((&report["state"], &report["error"]["class"]), (&"cancelled".into(), &"interrupted".into()));
    for name in ["Account", "Contact", "Lead"] {
        assert_eq!(feed(&report, name)["state"], "cancelled");
    }
    assert_eq!(org.emulator().jobs().len(), 2, "the third was not begun");
}

#[test]
fn one_target_is_refused_by_name_before_anything_is_sent() {
    let org = Org::demo();
    let one = SQLITE.replace("sf_{object}", "all");
    let bench = bench(&org, "[source]\nobjects = [\"Account\", \"Contact\"]", &one);
    for command in ["check", "plan", "run"] {
        let refused = bench.run(&[command, "p.toml"]).ends(2).stderr;
        assert!(refused.contains("`Account` and `Contact`") && refused.contains("all_{object}"), "{refused}");
    }
    assert!(org.emulator().requests().is_empty());
}

#[test]
fn a_given_value_counts_in_every_feed() {
    let org = Org::demo();
    let source = "[variables]\nfrom = \"'A'\"\n[source]\nobjects = [\"Account\", \"Campaign\"]\nwhere = \"Name >= $from\"\nfields = [\"Id\", \"Name\"]";
    let bench = bench(&org, source, SQLITE);
    let plan = bench.run(&["plan", "p.toml", "--set", "from=M", "--json"]).ends(0).json();
    let soql = |number: usize| plan["feeds"][number]["soql"].as_str().unwrap_or_default().to_owned();
    assert!((0..2).all(|number| soql(number).contains("Name >= 'M'")), "{plan:#}");
    let all = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let some = bench.run(&["run", "p.toml", "--set", "from=M", "--json"]).ends(0).json();
    assert!(some["rows"]["written"].as_u64() < all["rows"]["written"].as_u64());
}

#[test]
fn what_bulk_refuses_of_one_object_falls_back_for_it_alone() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\"]\nfields = [\"Id\"]\nmax_records = 1000\n[[source.feeds]]\nobject = \"EntityDefinition\"\nfields = [\"QualifiedApiName\"]";
    let bench = bench(&org, source, SQLITE);
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(ran.stderr.contains("crm EntityDefinition: EntityDefinition is read by REST"), "{}", ran.stderr);
    let report = bench.run(&["show", "--json"]).ends(0).json()["report"].clone();
    assert_eq!((&feed(&report, "Account")["api"], &feed(&report, "Account")["units"]), (&"bulk2".into(), &2.into()));
    assert_eq!(feed(&report, "EntityDefinition")["api"], "rest");
}

#[test]
fn feeds_take_turns_in_one_database() {
    // Each feed's unit is open for longer than SQLite waits for another writer.
    let generate = vec![("Contact".to_owned(), 6_000), ("Lead".to_owned(), 6_000)];
    let org = orgs::small(Options { generate, page_size: 6_000, bandwidth: Some(100_000), ..Options::default() });
    let source = "[source]\nobjects = [\"Contact\", \"Lead\"]\nfields = [\"Id\", \"LastName\", \"CreatedDate\", \"SystemModstamp\"]\napi = \"bulk2\"";
    let bench = bench(&org, source, SQLITE);
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(!ran.stderr.contains("asks to call"), "{}", ran.stderr);
    assert_eq!((rows(&bench, "sf_Contact"), rows(&bench, "sf_Lead")), (6_000, 6_000));
}

#[test]
fn the_calls_of_all_feeds_are_estimated_and_counted_each_for_itself() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\", \"Contact\", \"Lead\"]\nfields = [\"Id\"]\napi = \"bulk2\"";
    let bench = bench(&org, source, SQLITE);
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let feeds = plan["feeds"].as_array().expect("feeds");
    for part in ["planning", "job", "polls", "pages", "total", "rows"] {
        let sum: u64 = feeds.iter().filter_map(|feed| feed["calls"][part].as_u64()).sum();
        assert_eq!(plan["calls"][part].as_u64(), Some(sum), "{part}");
    }
    let words = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    let total = plan["calls"]["total"].as_u64().expect("a number");
    assert!(words.lines().nth(1).is_some_and(|line| line.contains(&format!("about {total} calls"))), "{words}");
    let before = org.emulator().requests().len() as u64;
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let of =
        |key: &str| ran["feeds"].as_array().expect("feeds").iter().filter_map(|feed| feed[key].as_u64()).sum::<u64>();
    assert_eq!(ran["calls_estimated"].as_u64(), Some(of("calls_estimated")), "{ran:#}");
    assert_eq!(ran["calls_used"].as_u64(), Some(of("calls_used")), "{ran:#}");
    // One of them is the login, which Salesforce does not count.
    assert_eq!(org.emulator().requests().len() as u64 - before, of("calls_used") + 1);
    let shown = bench.run(&["show"]).ends(0).stdout;
    assert!(shown.contains(&format!("of about {} expected", of("calls_estimated"))), "{shown}");
}

#[test]
fn plan_and_preview_show_each_feed() {
    let org = Org::demo();
    let source = "[source]\nobjects = [\"Account\", \"Lead\"]\nfields = [\"Id\", \"Name\"]";
    let transform = "[[transform]]\nplugin = \"mask\"\nobjects = [\"Lead\"]\nconfig = { salt = \"pepper-and-salt\", columns = { Name = \"tokenise\" } }\n";
    let bench = bench(&org, source, &format!("{transform}{SQLITE}"));
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    for part in ["crm: 2 feeds, 2 at a time: Account, Lead", "source: Account by", "source: Lead by", "sf_Lead"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    assert_eq!(plan.matches("transform 1: mask").count(), 1, "{plan}");
    let both = bench.run(&["preview", "p.toml", "-n", "2", "--json"]).ends(0).json();
    assert_eq!(both["feeds"][1]["object"], "Lead");
    assert_eq!(
        (both["feeds"][0]["stages"].as_array().map(Vec::len), both["feeds"][1]["stages"].as_array().map(Vec::len)),
        (Some(1), Some(2))
    );
    let one = bench.run(&["preview", "p.toml", "-n", "2", "--feed", "lead"]).ends(0).stdout;
    assert!(one.starts_with("Lead, 2 rows") && !one.contains("Account"), "{one}");
    let unknown = bench.run(&["preview", "p.toml", "--feed", "Leed"]).ends(2).stderr;
    assert!(unknown.contains("no feed `Leed`; did you mean `Lead`?"), "{unknown}");
    bench.run(&["lock", "p.toml"]).ends(0);
    bench.run(&["check", "p.toml", "--locked"]).ends(0);
    let wider = pipeline(source, &format!("{}{SQLITE}", transform.replace("objects = [\"Lead\"]\n", "")));
    bench.write("p.toml", &wider);
    let refused = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(refused.contains("not pinned"), "{refused}");
}
