//! Rows to a server by the destination `http`: the real binary, the org and the server on loopback.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::receiver::{Received, Receiver};

/// What the server would know the program by; it stands in the environment only.
const TOKEN: &str = "t0ken/For+the=Server";

/// A pipeline that sends some accounts to `url`, granted `origin`.
fn pipeline(url: &str, origin: &str) -> String {
    format!(
        r#"
name = "accounts"
[source]
connection = "org"
object = "Account"
fields = ["Ext_Id__c", "Name", "AnnualRevenue"]
[destination]
plugin = "http"
mode = "append"
[destination.config]
url = "{url}"
rows_per_request = 20
credential = "api"
[destination.grant.http.api]
origin = "{origin}"
methods = ["post"]
paths = ["/v1"]
credential = {{ bearer = "env:API_TOKEN" }}
private_addresses = true
"#
    )
}

/// Runs `p.toml` with the token in the environment, and proxies that nobody must ask; the token must not stand in
/// anything that it leaves.
fn run(bench: &Bench, args: &[&str]) -> Ran {
    let mut command = bench.command(args);
    command.env("API_TOKEN", TOKEN);
    for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    let ran = Ran::of(command.output().expect("the binary starts"));
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{ran:?}");
    assert!(!holds(&bench.path("."), TOKEN.as_bytes()), "a file holds the token");
    ran
}

fn holds(folder: &Path, text: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, text),
        path => fs::read(path).expect("a file").windows(text.len()).any(|window| window == text),
    })
}

/// An org, and a pipeline that sends to the server.
fn bench_for(server: &Receiver) -> (Org, Bench) {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let origin = format!("http://{}", server.address);
    bench.write("p.toml", &pipeline(&format!("{origin}/v1/accounts"), &origin));
    (org, bench)
}

fn rows_of(requests: &[Received]) -> Vec<Value> {
    let lines = requests.iter().flat_map(|request| request.body.lines());
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_row_arrives_with_the_credential_and_a_key() {
    let server = Receiver::accepting();
    let (_org, bench) = bench_for(&server);
    run(&bench, &["check", "p.toml"]).ends(0);
    let plan = run(&bench, &["plan", "p.toml"]).ends(0);
    assert!(plan.stdout.contains(&server.address.to_string()), "{}", plan.stdout);
    assert_eq!(server.received().len(), 0, "looking sends nothing");
    let report = run(&bench, &["run", "p.toml", "--json"]).ends(0).json();
    let requests = server.received();
    let rows = rows_of(&requests);
    assert_eq!(report["rows"]["written"], rows.len(), "{report}");
    let destination = report["plugins"].as_array().and_then(|plugins| plugins.last()).expect("the destination");
    assert_eq!(destination["metrics"]["requests"], requests.len(), "{report}");
    assert!(rows.iter().all(|row| row["Ext_Id__c"].is_string() && row["Name"].is_string()), "{rows:?}");
    let mut keys: Vec<String> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    let run_id = report["run_id"].as_str().expect("a run id");
    assert!(keys.iter().all(|key| key.starts_with(&format!("{run_id}/Account/"))), "{keys:?}");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), requests.len());
    for request in &requests {
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert!(request.head[0].starts_with("POST /v1/accounts ") && request.body.lines().count() <= 20);
    }
}

#[test]
fn a_server_that_answers_with_the_credential_ends_the_run_without_it() {
    let echoes: [fn(&str) -> String; 3] = [
        str::to_owned,
        |authorization| serde_json::json!({"headers": {"Authorization": authorization}}).to_string(),
        |authorization| authorization.bytes().map(|byte| format!("%{byte:02X}")).collect(),
    ];
    for echo in echoes {
        let server = Receiver::start(move |request, _| (400, String::new(), echo(&request.header("authorization"))));
        let (_org, bench) = bench_for(&server);
        let refused = run(&bench, &["run", "p.toml"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(refused.stderr.contains("repeats the credential of grant.http.api"), "{}", refused.stderr);
        assert_eq!(server.received().len(), 1);
    }
}

#[test]
fn what_is_not_granted_is_not_sent() {
    let (server, other) = (Receiver::accepting(), Receiver::accepting());
    let (granted, elsewhere) = (format!("http://{}", server.address), format!("http://{}", other.address));
    for (url, says) in [
        (format!("{elsewhere}/v1/accounts"), "is not granted"),
        (format!("{granted}/v2/accounts"), "the path /v2/accounts is not granted"),
        (format!("{granted}/v1/..%2fv2"), "encoded dot, slash or backslash"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "is not granted"),
    ] {
        let org = Org::demo();
        let bench = Bench::on(&org);
        bench.write("p.toml", &pipeline(&url, &granted));
        let refused = run(&bench, &["run", "p.toml"]);
        assert_ne!(refused.code, 0, "{url}");
        assert!(refused.stderr.contains(says), "{url}: {}", refused.stderr);
    }
    assert_eq!((server.received().len(), other.received().len()), (0, 0));
}

#[test]
fn a_grant_that_cannot_be_kept_is_wrong_input() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let text = pipeline("https://api.example.com/v1/x", "https://api.example.com");
    for (from, to, says) in [
        ("https://api.example.com\"\nmethods", "http://api.example.com\"\nmethods", "loopback"),
        ("env:API_TOKEN", "hunter2-hunter2", "credential"),
        ("[\"/v1\"]", "[\"v1\"]", "\"v1\""),
        ("mode = \"append\"", "mode = \"overwrite\"", "append"),
    ] {
        assert!(text.contains(from), "{from}");
        bench.write("p.toml", &text.replace(from, to));
        let wrong = run(&bench, &["run", "p.toml"]).ends(2);
        assert!(wrong.stderr.contains(says) && !wrong.stderr.contains("hunter2"), "{to}: {}", wrong.stderr);
    }
    bench.write("p.toml", &text[..text.find("[destination.grant").expect("a grant")]);
    let wrong = run(&bench, &["run", "p.toml"]);
    assert!(wrong.code != 0 && wrong.stderr.contains("grant.http.api"), "{}", wrong.stderr);
}

#[test]
fn refused_requests_become_rejects_and_the_others_arrive() {
    let server = Receiver::start(|_, before| match before {
        1 => (422, String::new(), "the name is taken".to_owned()),
        _ => (201, String::new(), String::new()),
    });
    let (_org, bench) = bench_for(&server);
    let report = run(&bench, &["run", "p.toml", "--json"]).ends(3).json();
    let requests = server.received();
    let refused = rows_of(&requests[1..2]);
    assert_eq!(report["rejects_by_code"]["http_422"], refused.len(), "{report}");
    let total = rows_of(&requests).len();
    assert_eq!(report["rows"]["written"], total - refused.len());
    let lines = bench.read(report["rejects_file"].as_str().expect("rejects"));
    assert!(lines.lines().count() == refused.len() && lines.contains("the name is taken"), "{lines}");
}

#[test]
fn a_busy_server_gets_the_same_request_again_and_a_redirect_is_not_followed() {
    let server = Receiver::start(|_, before| match before {
        0 => (503, "retry-after: 0\r\n".to_owned(), "busy".to_owned()),
        _ => (200, String::new(), String::new()),
    });
    let (_org, bench) = bench_for(&server);
    run(&bench, &["run", "p.toml"]).ends(0);
    let requests = server.received();
    let said = |request: &Received| (request.header("idempotency-key"), request.body.clone());
    assert_eq!(said(&requests[0]), said(&requests[1]));

    let other = Receiver::accepting();
    let place = format!("location: http://{}/v1/accounts\r\n", other.address);
    let moved = Receiver::start(move |_, _| (307, place.clone(), String::new()));
    let (_org, bench) = bench_for(&moved);
    let refused = run(&bench, &["run", "p.toml"]);
    assert!(refused.code != 0 && refused.stderr.contains("no redirect is followed"), "{refused:?}");
    assert_eq!(other.received().len(), 0);
}

#[test]
fn a_server_that_is_not_there_is_named_in_the_error() {
    let server = Receiver::accepting();
    let (_org, bench) = bench_for(&server);
    // Nobody listens there: a port below those that are given out.
    bench.write("p.toml", &pipeline("http://127.0.0.1:9/v1/accounts", "http://127.0.0.1:9"));
    let ran = run(&bench, &["run", "p.toml", "--quiet"]).ends(5);
    assert!(ran.stderr.contains("more than 5 times: no connection"), "{ran:?}");
}
