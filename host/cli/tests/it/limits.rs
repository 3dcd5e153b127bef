//! The share of an org's calls that runs may use, from the terminal; logins that are tried again in sight.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use forcepump_emulator::Options;

use crate::harness::{Bench, Org, Ran};
use crate::orgs::{SMALL_ROWS, faulty, small, wait_until};

const PIPELINE: &str = "name = \"limited\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\napi = \"bulk2\"\n[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

/// A bench on an org with so many calls a day, of which runs may use that share.
fn bench(calls: u64, share: &str) -> (Org, Bench) {
    let org = small(Options { daily_api_requests: calls, ..Options::default() });
    let bench = Bench::on(&org);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.limits]\ndaily_share = {share}\nconcurrency = 1\n"));
    bench.write("p.toml", PIPELINE);
    (org, bench)
}

#[test]
fn a_run_stops_at_the_share_and_leaves_the_org_tidy() {
    let (org, bench) = bench(10, "0.5");
    let ran = bench.run(&["run", "p.toml"]).ends(4);
    for part in ["of its 10 API calls", "daily_share = 0.5", "[org.limits]", "hint:"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    assert!(ran.stderr.contains("warning:") && ran.stderr.contains("stop at 5"), "{ran:?}");
    org.is_tidy();
    assert_eq!(org.emulator().jobs().len(), 1);
}

#[test]
fn a_larger_share_lets_it_through_and_the_summary_compares_the_calls() {
    let (org, bench) = bench(40, "1.0");
    let ran = bench.run(&["run", "p.toml"]).ends(0);
    assert!(ran.stdout.contains("of about") && ran.stdout.contains("expected"), "{ran:?}");
    let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(report["rows"]["written"], SMALL_ROWS);
    assert!(report["calls_estimated"].as_u64().is_some_and(|calls| calls > 3), "{report}");
    org.is_tidy();
}

#[test]
fn one_request_at_a_time_is_enough_for_each_api() {
    for api in ["bulk2", "bulk1", "rest"] {
        let (org, bench) = bench(1_000, "1.0");
        bench.write("p.toml", &PIPELINE.replace("bulk2", api));
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!(report["rows"]["written"], SMALL_ROWS, "{api}");
        drop(org);
    }
}

#[test]
fn a_signal_ends_the_wait_of_a_job_that_is_refused_for_now() {
    let org = faulty(
        "[[fault]]\non = { route = \"bulk2-create\", times = \"always\" }\ndo = { kind = \"limit\", which = \"concurrent\" }\n",
        false,
    );
    let bench = Bench::on(&org);
    bench.write("p.toml", PIPELINE);
    let mut command = bench.command(&["run", "p.toml"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    wait_until("the job is refused a third time", || org.asked("/jobs/query") == 3);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let ran = Ran::of(child.wait_with_output().expect("it ends")).ends(130);
    assert!(!ran.stderr.contains("may be left"), "{ran:?}");
    assert!(org.asked("/jobs/query") <= 4, "no more attempts");
}

#[test]
fn plan_and_limits_show_what_is_left_and_warn_before_a_run_that_does_not_fit() {
    let (_org, bench) = bench(20, "0.5");
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let calls = &plan["calls"];
    assert_eq!((&calls["rows"], &calls["job"], &calls["quota"]["share"]), (&SMALL_ROWS.into(), &2.into(), &10.into()));
    let parts = ["planning", "job", "polls", "pages"].map(|kind| calls[kind].as_u64().unwrap_or_default());
    assert_eq!(calls["total"].as_u64(), Some(parts.iter().sum()));
    let notes = plan["notes"].to_string();
    assert!(notes.contains("it would stop on the way"), "{notes}");
    let limits = bench.run(&["org", "limits"]).ends(0);
    assert!(limits.stdout.contains("runs may go on to 10 (daily_share = 0.5)"), "{limits:?}");
    let limits = bench.run(&["org", "limits", "--json"]).ends(0).json();
    assert_eq!(limits["calls"]["allowed"], 20);
}

#[test]
fn a_share_that_is_none_is_refused_with_the_form() {
    let (_org, bench) = bench(20, "50");
    let ran = bench.run(&["org", "limits"]).ends(2);
    assert!(ran.stderr.contains("at most 1"), "{ran:?}");
}

#[test]
fn a_login_that_is_refused_is_told_and_a_signal_ends_the_wait() {
    let bench = Bench::new();
    // a port that nobody listens at
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    bench.write(
        "connections.toml",
        &format!("[org]\nurl = \"http://{address}\"\nauth = \"client-credentials\"\nclient_id = \"x\"\nclient_secret = \"file:s\"\n"),
    );
    bench.write("s", "s3cr3t");
    let mut command = bench.command(&["org", "limits"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let mut first = String::new();
    stderr.read_line(&mut first).expect("a line");
    assert!(first.contains("login at 127.0.0.1") && first.contains("trying again in"), "{first}");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("UTF-8");
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 130, "{first}{rest}");
    assert!(rest.lines().filter(|line| line.contains("trying again")).count() < 4, "{rest}");
}
