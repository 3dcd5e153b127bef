//! A plugin that sends requests: the granted origin and nothing else, with a credential that it never sees.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use forcepump_emulator::Options;

use crate::guests;
use crate::harness::{Bench, Org};
use crate::orgs;

/// What the credential's file holds.
const TOKEN: &str = "tok-5f0c2a9d81";

/// Starts a server; gives its port. It ends with the process.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || answer(&client));
        }
    });
    port
}

/// One answer a connection: who asked, an echo of the credential, or the way to another place.
fn answer(client: &TcpStream) {
    let mut lines = BufReader::new(client).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let request = lines.next().unwrap_or_default();
    let header = lines.find(|line| line.to_lowercase().starts_with("authorization:")).unwrap_or_default();
    let authorised = if header.ends_with(&format!("Bearer {TOKEN}")) { "with" } else { "without" };
    let (status, location, body) = if request.contains("/v1/echo") {
        ("200 OK", "", header)
    } else if request.contains("/v1/away") {
        ("302 Found", "location: /v2/secrets\r\n", "away".to_owned())
    } else {
        ("200 OK", "", format!("asked {authorised} credential"))
    };
    let length = body.len();
    let _ = write!(
        &mut &*client,
        "HTTP/1.1 {status}\r\n{location}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    guests::requesting_fickle(&bench);
    bench.write("token.txt", &format!("{TOKEN}\n"));
    (org, bench)
}

fn pipeline(fetch: &str, http: &str) -> String {
    format!(
        "name = \"asking\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n\
         [[transform]]\nplugin = \"./fickle.wasm\"\nconfig = {{ column = \"Name\", fetch = {{ {fetch} }} }}\n\
         grant = {{ clock = true, random = true, files = {{ out = \"out\" }}{http} }}\n\
         [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = {{ files = {{ out = \"out\" }} }}\n"
    )
}

fn granted(port: u16) -> String {
    format!(
        ", http = {{ api = {{ origin = \"http://127.0.0.1:{port}\", paths = [\"/v1\"], credential = {{ bearer = \"file:token.txt\" }}, private_addresses = true }} }}"
    )
}

/// What came of the request of each batch.
fn made(bench: &Bench, pipeline: &str) -> Vec<String> {
    bench.write("p.toml", pipeline);
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(0);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(TOKEN), "no secret is told: {ran:?}");
    let mut made: Vec<String> =
        guests::csv_rows(bench, &ran.json()).column("made").into_iter().map(Option::unwrap_or_default).collect();
    assert_eq!(made.len(), orgs::SMALL_ROWS);
    made.dedup();
    made
}

#[test]
fn the_credential_goes_to_its_origin_and_nowhere_else() {
    let (_org, bench) = bench();
    let port = server();
    let fetch = |path: &str, credential: &str| {
        let order = format!("url = \"http://127.0.0.1:{port}{path}\", credential = \"{credential}\"");
        made(&bench, &pipeline(&order, &granted(port)))
    };
    assert_eq!(fetch("/v1/hello", "api"), ["200 asked with credential"]);
    assert_eq!(fetch("/v1/hello", ""), ["200 asked without credential"]);
    assert_eq!(fetch("/v1/away", "api"), ["302 away"], "a redirect is told, not followed");
    let echoed = fetch("/v1/echo", "api");
    assert!(echoed[0].contains("Denied") && !echoed[0].contains("5f0c2a9d81"), "{echoed:?}");
    assert_eq!(fetch("/v1/hello", "other"), ["HttpError::UnknownCredential"]);
}

#[test]
fn what_is_not_granted_is_denied() {
    let (_org, bench) = bench();
    let (port, other) = (server(), server());
    for order in [
        format!("url = \"http://127.0.0.1:{port}/v2/secrets\""),
        format!("url = \"http://127.0.0.1:{other}/v1/hello\""),
        format!("url = \"http://localhost:{port}/v1/hello\""),
        format!("url = \"http://127.0.0.1:{port}/v1/hello\", body = \"x\""),
    ] {
        let said = made(&bench, &pipeline(&order, &granted(port)));
        assert!(said[0].contains("Denied"), "{order}: {said:?}");
    }
}

#[test]
fn the_plan_shows_the_grant_and_a_missing_one_is_told() {
    let (_org, bench) = bench();
    bench.write("p.toml", &pipeline("url = \"x\"", &granted(4711)));
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    let shown = "http api = http://127.0.0.1:4711 (get, head; /v1; bearer credential; private addresses)";
    assert!(plan.contains(shown) && !plan.contains(TOKEN), "{plan}");
    bench.write("p.toml", &pipeline("url = \"x\"", ""));
    let refused = bench.run(&["check", "p.toml"]).ends(2).stderr;
    assert!(refused.contains("capability `http`") && refused.contains("grant.http"), "{refused}");
}

#[test]
fn wrong_grants_are_refused_before_anything_is_sent() {
    let (org, bench) = bench();
    for (grant, says) in [
        ("origin = \"https://api.example.com/v1\"", "grant.http.api"),
        ("origin = \"http://api.example.com\"", "https"),
        ("origin = \"https://10.0.0.1\"", "private_addresses"),
        ("origin = \"https://api.example.com\", paths = [\"v1\"]", "`paths`"),
        ("origin = \"https://api.example.com\", credential = { bearer = \"tok-in-plain-text\" }", "credential"),
        ("origin = \"https://api.example.com\", credential = { bearer = \"file:missing.txt\" }", "missing.txt"),
        ("origin = \"https://api.example.com\", methods = [\"trace\"]", "known values here: get"),
    ] {
        bench.write("p.toml", &pipeline("url = \"x\"", &format!(", http = {{ api = {{ {grant} }} }}")));
        let refused = bench.run(&["check", "p.toml"]).ends(2).stderr;
        assert!(refused.contains(says) && !refused.contains("tok-in-plain-text"), "{grant}: {refused}");
    }
    assert!(org.emulator().jobs().is_empty());
}
