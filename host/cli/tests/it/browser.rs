//! The authorization-code flow with a real browser: login page, approval page, callback; and the pages without one.

use forcepump_emulator::Options;
use forcepump_emulator::access::{App, Installation};

use crate::desk::{Desk, Talk};
use crate::driver::Driver;

/// Begins an `add` and gives the address of its login page.
fn begin(desk: &Desk, more: &[&str]) -> (Talk, String) {
    let more = [&["--no-browser", "--redirect-uri", "http://localhost:0/OauthRedirect"], more].concat();
    let mut talk = Talk::start(desk.command(&desk.add("web", "authorization-code", &more)));
    talk.say(&desk.secret_line());
    let url = talk.line_with("/services/oauth2/authorize");
    (talk, url)
}

fn log_in(desk: &Desk, driver: &Driver, url: &str) {
    let who = desk.org.emulator().credentials();
    driver.open(url);
    driver.enter("#username", &who.username);
    driver.enter("#password", &who.password);
    driver.press("#Login");
}

#[test]
fn a_person_types_allows_and_the_connection_is_saved() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::new();
    let (talk, url) = begin(&desk, &desk.app());
    assert!(url.contains("code_challenge_method=S256"), "{url}");
    driver.open(&url);
    driver.enter("#username", &desk.org.emulator().credentials().username);
    driver.enter("#password", "wrong");
    driver.press("#Login");
    assert!(driver.text("#error").contains("check your username"));
    log_in(&desk, &driver, &url);
    assert!(driver.text("#scopes").contains("Manage user data via APIs"));
    driver.press("#oaapprove");
    assert!(driver.text("#done h1").contains("Salesforce has answered"));
    assert!(driver.address().starts_with("http://localhost:"), "{}", driver.address());
    let added = talk.end().ends(0);
    assert!(added.stdout.contains("saved in"), "{}", added.stdout);
    desk.org.emulator().expire_sessions();
    desk.run(&["connection", "test", "web"]).ends(0);

    // allowed before: logging in is enough
    let mut talk = Talk::start(desk.command(&["connection", "reconnect", "web", "--no-browser"]));
    let url = talk.line_with("/services/oauth2/authorize");
    driver.open(&url);
    assert!(driver.text("#done h1").contains("Salesforce has answered"));
    talk.end().ends(0);
}

#[test]
fn a_person_denies() {
    let Some(driver) = Driver::start() else { return };
    let desk = Desk::new();
    let (talk, url) = begin(&desk, &desk.app());
    log_in(&desk, &driver, &url);
    driver.press("#oadeny");
    assert!(driver.text("#refused h1").contains("Salesforce has refused"));
    let denied = talk.end().ends(4);
    assert!(
        denied.stderr.contains("access_denied") && denied.stderr.contains("nothing was saved"),
        "{}",
        denied.stderr
    );
    assert!(!desk.bench.path("connections.toml").exists());
}

#[test]
fn an_uninstalled_app_has_no_callback_and_its_page_is_explained() {
    let Some(driver) = Driver::start() else { return };
    let app = App {
        client_id: "3MVG9uninstalled".to_owned(),
        client_secret: None,
        secret_required: false,
        callbacks: vec!["http://localhost:*".to_owned()],
        installation: Installation::Uninstalled,
        ..App::default()
    };
    // a user who is no administrator
    let account = forcepump_emulator::options::Account {
        username: Some("luis.ortega@forcepump.example".to_owned()),
        ..Default::default()
    };
    let profile = forcepump_emulator::access::UserAccess {
        username: "luis.ortega@forcepump.example".to_owned(),
        approve_uninstalled: Some(false),
        ..Default::default()
    };
    let desk = Desk::with(Options { apps: vec![app], account, users: vec![profile], ..Options::default() });
    let (talk, url) = begin(&desk, &["--client-id", "3MVG9uninstalled", "--wait", "8"]);
    log_in(&desk, &driver, &url);
    let page = driver.text("#error");
    assert!(page.contains("OAUTH_APPROVAL_ERROR_GENERIC"), "{page}");
    assert!(driver.address().contains("app+must+be+installed"), "{}", driver.address());
    let silent = talk.end().ends(4);
    for word in ["nothing came to", "OAUTH_APPROVAL_ERROR_GENERIC", "Approve Uninstalled Connected Apps"] {
        assert!(silent.stderr.contains(word), "{word}: {}", silent.stderr);
    }

    // what the page says, pasted, is explained at once
    for text in [page, driver.address()] {
        let more = ["--client-id", "3MVG9uninstalled", "--paste"];
        let pasted = desk.typed(&desk.add("web", "authorization-code", &more), &format!("{text}\n")).ends(4);
        assert!(pasted.stderr.contains("nothing was saved"), "{}", pasted.stderr);
    }
    assert!(!desk.bench.path("connections.toml").exists());
}
