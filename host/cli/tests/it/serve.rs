//! `forcepump emulator` with org files: what it prints, what it refuses, and that it serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::Bench;

const PRODUCTION: &str = "name = \"Acme\"\n[[app]]\nclient_id = \"partner\"\ninstallation = \"blocked\"\n\
                          [policy]\nsoap_login = false\n";
const SANDBOX: &str = "name = \"Acme UAT\"\nsandbox = \"uat\"\ndata = \"rows\"\n";

/// A running emulator, ended by a signal when it is dropped.
struct Served(Child);

impl Served {
    /// Starts it and reads its lines, one for each org.
    fn start(bench: &Bench, args: &[&str], orgs: usize) -> (Served, Vec<Value>) {
        let mut child =
            bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let served = Served(child);
        let parse = |line: std::io::Result<String>| serde_json::from_str(&line.expect("a line")).expect("JSON");
        (served, lines.take(orgs).map(parse).collect())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let ended = self.0.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0), "a signal is its normal end");
    }
}

/// The status line of a GET.
fn get(base: &str, path: &str, token: &str) -> String {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn several_orgs_are_served_each_with_its_line() {
    let bench = Bench::new();
    bench.write("production.toml", PRODUCTION);
    bench.write("uat.toml", SANDBOX);
    std::fs::create_dir(bench.path("rows")).expect("a folder");
    bench.write("rows/Account.csv", "Name\nOne\n");
    let args = ["emulator", "--org", "production.toml", "--org", "uat.toml"];
    let (_served, orgs) = Served::start(&bench, &args, 2);
    let text = |org: usize, key: &str| orgs[org][key].as_str().unwrap_or_default().to_owned();
    // A sandbox has the login address of sandboxes.
    assert_ne!(text(0, "SF_LOGIN_URL"), text(1, "SF_LOGIN_URL"));
    assert_ne!(text(0, "SF_INSTANCE_URL"), text(1, "SF_INSTANCE_URL"));
    assert_eq!(text(1, "SF_USERNAME"), format!("{}.uat", text(0, "SF_USERNAME")));
    let limits = "/services/data/v62.0/limits";
    for (at, of, status) in [(0, 0, "200"), (1, 1, "200"), (0, 1, "401"), (1, 0, "401")] {
        let line = get(&text(at, "SF_INSTANCE_URL"), limits, &text(of, "SF_ACCESS_TOKEN"));
        assert!(line.contains(status), "{line}");
    }
    for org in [0, 1] {
        let line = get(&text(org, "SF_LOGIN_URL"), "/.well-known/openid-configuration", "");
        assert!(line.contains("200"), "{line}");
    }
}

#[test]
fn one_org_file_is_one_org_at_one_address() {
    let bench = Bench::new();
    bench.write("acme.toml", PRODUCTION);
    let (_served, orgs) = Served::start(&bench, &["emulator", "--org", "acme.toml"], 1);
    assert_eq!(orgs[0]["SF_LOGIN_URL"], orgs[0]["SF_INSTANCE_URL"]);
}

#[test]
fn wrong_org_files_are_named() {
    let bench = Bench::new();
    bench.write("typo.toml", "[policy]\nsoap_logins = false\n");
    bench.write("hidden.toml", "[[profile]]\nname = \"Standard User\"\nhidden = [\"Acount\"]\n");
    for (args, words) in [
        (["emulator", "--org", "typo.toml"].as_slice(), ["typo.toml", "soap_logins"]),
        (&["emulator", "--org", "none.toml"], ["cannot read", "none.toml"]),
        (&["emulator", "--org", "hidden.toml"], ["no object 'Acount'", "'Account'"]),
        (&["emulator", "--org", "typo.toml", "--seed", "2"], ["--org", "--seed"]),
    ] {
        let wrong = bench.run(args).ends(2);
        assert!(words.iter().all(|word| wrong.stderr.contains(word)), "{}", wrong.stderr);
    }
}
