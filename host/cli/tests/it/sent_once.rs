//! Rows sent to a server by runs that are killed: one that knows a request by its key has every row once.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use forcepump_emulator::Options;
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS, wait_until};
use crate::receiver::{Received, Receiver};

/// Rows of a request; three requests are a unit.
const ROWS_PER_REQUEST: usize = 5;
const UNIT_ROWS: usize = 15;

/// A service that keeps what came under each key, and waits with the answer to one request until it is told.
struct Service {
    receiver: Receiver,
    kept: Arc<Mutex<BTreeMap<String, String>>>,
    go_on: Sender<()>,
}

impl Service {
    /// Request number `waits`, from 0, is answered when it is told so; it is kept before.
    fn start(waits: usize) -> Self {
        let kept: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let (go_on, told) = channel();
        let (keeps, told) = (Arc::clone(&kept), Mutex::new(told));
        let receiver = Receiver::start(move |request, before| {
            let mut kept = keeps.lock().expect("lock");
            let known = kept.entry(request.header("idempotency-key")).or_insert_with(|| request.body.clone());
            // A service that is asked for another thing under a key that it knows refuses.
            let status = if *known == request.body { 200 } else { 422 };
            drop(kept);
            if before == waits {
                let _ = told.lock().expect("lock").recv();
            }
            (status, String::new(), String::new())
        });
        Self { receiver, kept, go_on }
    }

    /// Names of the rows, as often as they are kept.
    fn names(&self) -> Vec<String> {
        let kept = self.kept.lock().expect("lock");
        names(kept.values())
    }
}

fn names<'a>(bodies: impl Iterator<Item = &'a String>) -> Vec<String> {
    let row =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["Name"].as_str().expect("a name").to_owned();
    let mut names: Vec<String> = bodies.flat_map(|body| body.lines()).map(row).collect();
    names.sort();
    names
}

fn bench_for(service: &Service) -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let origin = format!("http://{}", service.receiver.address);
    bench.write(
        "p.toml",
        &format!(
            r#"
name = "sent"
[source]
connection = "org"
api = "bulk2"
object = "Account"
fields = ["Id", "Name"]
[destination]
plugin = "http"
[destination.config]
url = "{origin}/v1/accounts"
rows_per_request = {ROWS_PER_REQUEST}
[destination.grant.http.api]
origin = "{origin}"
methods = ["post"]
paths = ["/v1"]
private_addresses = true
"#
        ),
    );
    (org, bench)
}

/// Killed when that request was kept, and not answered.
fn killed(service: &Service, bench: &Bench, at: usize) {
    let mut command = bench.command(&["run", "p.toml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    wait_until("the request came", || service.receiver.received().len() == at + 1);
    child.kill().expect("a signal");
    assert_eq!(child.wait().expect("its end").code(), None);
    service.go_on.send(()).expect("the service waits");
}

#[test]
fn a_service_that_knows_the_key_has_every_row_once_whenever_the_run_is_killed() {
    let mut whole: Vec<String> = (0..SMALL_ROWS).map(|row| format!("Account, {row}")).collect();
    whole.sort();
    for at in 0..SMALL_ROWS.div_ceil(ROWS_PER_REQUEST) {
        let service = Service::start(at);
        let (org, bench) = bench_for(&service);
        killed(&service, &bench, at);
        let report = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        assert_eq!((&report["rows"]["written"], &report["rows"]["rejected"]), (&SMALL_ROWS.into(), &0.into()), "{at}");
        assert_eq!(service.names(), whole, "killed at request {at}");
        // One that knows no keys has those of the unit under way twice, and no other.
        let all: Vec<Received> = service.receiver.received();
        let all = names(all.iter().map(|request| &request.body));
        let doubled = all.len() - SMALL_ROWS;
        assert!(doubled > 0 && doubled <= UNIT_ROWS, "killed at request {at}: {doubled} rows twice");
        let mut once = all;
        once.dedup();
        assert_eq!(once, whole, "no row is lost");
        org.is_tidy();
    }
}

#[test]
fn what_was_sent_of_a_unit_is_not_sent_under_other_keys_when_its_job_is_lost() {
    // Within the second unit, and within the first.
    for (at, sent) in [(4, UNIT_ROWS + 2 * ROWS_PER_REQUEST), (1, 2 * ROWS_PER_REQUEST)] {
        let service = Service::start(at);
        let (org, bench) = bench_for(&service);
        killed(&service, &bench, at);
        assert!(org.emulator().lose_job(&org.job().id));
        for _ in 0..2 {
            let refused = bench.run(&["run", "p.toml"]).ends(2);
            for part in ["job is gone", "1 unit that was begun", "--fresh"] {
                assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
            }
        }
        assert_eq!(service.receiver.received().len(), at + 1, "nothing more was sent");
        assert_eq!(service.names().len(), sent);
        bench.run(&["run", "p.toml", "--fresh"]).ends(0);
        assert_eq!(service.names().len(), sent + SMALL_ROWS, "as it was asked for");
    }
}
