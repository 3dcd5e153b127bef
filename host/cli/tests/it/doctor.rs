//! `doctor`: what is well, what is not, and the way out of it.

use forcepump_emulator::Options;
use forcepump_emulator::access::{Policy, UserAccess};
use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::orgs::small;

/// State and text of a check.
#[track_caller]
fn check(ran: &Ran, name: &str) -> (String, String) {
    let document = ran.json();
    let checks = document["checks"].as_array().cloned().unwrap_or_default();
    let found = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {document:#}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} → {}", text("found"), text("way_out")))
}

#[track_caller]
fn has(ran: &Ran, name: &str, state: &str, part: &str) {
    let (found, text) = check(ran, name);
    assert!(found == state && text.contains(part), "{name} is {found}: {text}");
}

#[test]
fn a_good_connection_is_well_on_one_screen() {
    let org = small(Options::default());
    let bench = Bench::on(&org);
    let ran = bench.run(&["doctor", "org", "--object", "account", "--json"]).ends(0);
    for (name, part) in [
        ("connections file", "connections.toml"),
        ("secrets", "1 found"),
        ("login", "client-credentials at 127.0.0.1"),
        ("clock", "s from Salesforce's"),
        ("API version", "62.0 is served"),
        ("user", "in org 00D"),
        ("limits", "more API calls today"),
        ("REST", "answers"),
        ("Bulk API 2.0", "answers"),
        ("Bulk API 1.0", "answers"),
        ("objects", "can query"),
        ("object", "Account: the user sees"),
        ("hidden fields", "none: describe shows all"),
    ] {
        has(&ran, name, "ok", part);
    }
    let words = bench.run(&["doctor"]).ends(0);
    assert!(words.stdout.starts_with("org\n") && words.stdout.trim_end().ends_with("all is well"), "{words:?}");
    assert!(words.stdout.lines().count() < 20, "{words:?}");
    assert!(org.emulator().jobs().is_empty());
}

#[test]
fn the_embedded_org_is_well() {
    let bench = Bench::new();
    bench.write("connections.toml", "[demo]\nenvironment = \"demo\"\n");
    bench.run(&["doctor", "demo"]).ends(0);
}

#[test]
fn fields_that_the_user_cannot_see_are_named() {
    let username = small(Options::default()).emulator().credentials().username.clone();
    let hidden = vec!["Account.AnnualRevenue".to_owned()];
    let users = vec![UserAccess { username, hidden, ..UserAccess::default() }];
    let org = small(Options { users, ..Options::default() });
    let ran = Bench::on(&org).run(&["doctor", "--object", "Account", "--json"]).ends(0);
    has(
        &ran,
        "hidden fields",
        "warning",
        "1 that the Tooling API lists and describe does not show to the user: AnnualRevenue",
    );
    let missing = Bench::on(&org).run(&["doctor", "--object", "Acount", "--json"]).ends(4);
    has(&missing, "object", "failed", "did you mean Account?");
    has(&missing, "hidden fields", "skipped", "cannot be described");
}

#[test]
fn what_cannot_be_compared_is_not_guessed() {
    let org = crate::orgs::faulty(
        "[[fault]]\non = { route = \"tooling-query\", times = \"always\" }\ndo = { kind = \"status\", code = 403, error_code = \"INSUFFICIENT_ACCESS\", message = \"no\" }\n",
        false,
    );
    let ran = Bench::on(&org).run(&["doctor", "--object", "Account", "--json"]).ends(0);
    has(&ran, "hidden fields", "warning", "cannot be known");
}

#[test]
fn a_failed_login_skips_the_rest_and_says_the_way_out() {
    let org = small(Options::default());
    let bench = Bench::on(&org);
    bench.write("wrong", "not the secret");
    let text = bench.read("connections.toml").replace("env:FORCEPUMP_TEST_SECRET", "file:wrong");
    bench.write("connections.toml", &text);
    let ran = bench.run(&["doctor", "--json"]).ends(4);
    let (state, text) = check(&ran, "login");
    assert!(state == "failed" && !text.ends_with("→ "), "{text}");
    has(&ran, "Bulk API 1.0", "skipped", "the login failed");
}

#[test]
fn a_secret_that_is_not_there_is_named() {
    let org = small(Options::default());
    let bench = Bench::on(&org);
    let text = bench.read("connections.toml").replace("FORCEPUMP_TEST_SECRET", "FORCEPUMP_NOWHERE");
    bench.write("connections.toml", &text);
    let ran = bench.run(&["doctor", "--json"]).ends(4);
    has(&ran, "secrets", "failed", "client_secret = env:FORCEPUMP_NOWHERE");
    has(&ran, "login", "skipped", "cannot be used");
}

#[test]
fn versions_permissions_and_limits_are_told_apart() {
    let org = small(Options::default());
    let bench = Bench::on(&org);
    let text = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{text}api_version = \"99.0\"\n"));
    let ran = bench.run(&["doctor", "--json"]).ends(4);
    has(&ran, "API version", "failed", "99.0 is not served");

    let policy = Policy { api_enabled: false, ..Policy::default() };
    let ran = ran_on(&small(Options { policy, ..Options::default() }));
    has(&ran, "REST", "failed", "API_DISABLED_FOR_ORG");

    let ran = ran_on(&small(Options { daily_api_requests: 4, ..Options::default() }));
    has(&ran, "limits", "failed", "daily_share");
}

fn ran_on(org: &Org) -> Ran {
    Bench::on(org).run(&["doctor", "--json"]).ends(4)
}

#[cfg(unix)]
#[test]
fn files_that_others_can_touch_are_told_of() {
    use std::os::unix::fs::PermissionsExt;
    let org = small(Options::default());
    let bench = Bench::on(&org);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(bench.path(name), std::fs::Permissions::from_mode(mode)).expect("permissions");
    };
    bench.write("secret", &org.emulator().credentials().client_secret);
    let text = bench.read("connections.toml").replace("env:FORCEPUMP_TEST_SECRET", "file:secret");
    bench.write("connections.toml", &text);
    mode("connections.toml", 0o666);
    mode("secret", 0o644);
    let ran = bench.run(&["doctor", "--json"]).ends(0);
    has(&ran, "connections file", "warning", "chmod go-w");
    has(&ran, "secrets", "warning", "chmod 600");
    mode("connections.toml", 0o644);
    mode("secret", 0o600);
    let ran = bench.run(&["doctor", "--json"]).ends(0);
    has(&ran, "connections file", "ok", "");
    has(&ran, "secrets", "ok", "1 found");
}

#[test]
fn a_connection_that_does_not_exist_is_wrong_input() {
    let bench = Bench::new();
    bench.write("connections.toml", "[demo]\nenvironment = \"demo\"\n");
    let ran = bench.run(&["doctor", "prod", "--json"]).ends(2);
    assert!(matches!(&ran.json()["error"]["class"], Value::String(class) if class == "input"), "{ran:?}");
}
