//! `connection`: every way into an org made, shown, used, reset and removed, and what goes wrong on the way.

use forcepump_emulator::Options;
use forcepump_emulator::access::{Policy, UserAccess};
use forcepump_emulator::options::Account;

use crate::desk::{Desk, KEY, Talk};
use crate::harness::Ran;
use crate::orgs;
use crate::person::Person;

const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.key");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.pub");

/// Shown, tried and used in a run; no secret is seen anywhere.
#[track_caller]
fn works(desk: &Desk, name: &str, secrets: &[&str]) {
    let shown = desk.run(&["connection", "show", name]).ends(0);
    let json = desk.run(&["connection", "show", name, "--json"]).ends(0);
    let tested = desk.run(&["connection", "test", name]).ends(0);
    assert!(tested.stdout.contains("logged in") && tested.stdout.contains("admin@"), "{}", tested.stdout);
    desk.bench.write(
        "p.toml",
        &format!(
            "name = \"p\"\n[source]\nconnection = \"{name}\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n\
             [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = {{ out = \"out\" }}\n"
        ),
    );
    let ran = desk.run(&["run", "p.toml", "--json"]).ends(0);
    assert_eq!(ran.json()["rows"]["written"], 40);
    let said = [&shown, &json, &tested, &ran].map(|ran| format!("{}{}", ran.stdout, ran.stderr)).concat();
    let files = desk.text("connections.toml") + &desk.text(&format!(".forcepump/tokens/{name}"));
    for secret in secrets {
        assert!(!said.contains(secret) && !files.contains(secret), "{secret} is seen");
    }
}

/// Reset and removed: nothing is left of it.
#[track_caller]
fn ends(desk: &Desk, name: &str) {
    desk.run(&["connection", "reset", name]).ends(0);
    let removed = desk.run(&["connection", "remove", name]).ends(0);
    assert!(removed.stdout.contains("connection removed"), "{}", removed.stdout);
    assert!(!desk.text("connections.toml").contains(&format!("[{name}]")));
    assert!(!desk.bench.path(&format!(".forcepump/tokens/{name}")).exists());
    desk.run(&["connection", "show", name]).ends(2);
}

#[test]
fn client_credentials() {
    let desk = Desk::new();
    let added = desk.typed(&desk.add("cc", "client-credentials", &desk.app()), &desk.secret_line()).ends(0);
    assert!(added.stdout.contains("saved in") && added.stdout.contains("logged in"), "{}", added.stdout);
    works(&desk, "cc", &[&desk.org.emulator().credentials().client_secret]);
    ends(&desk, "cc");
}

#[test]
fn soap() {
    let desk = Desk::new();
    let who = desk.org.emulator().credentials().clone();
    let more = ["--username", &who.username, "--password", "-", "--security-token", "-"];
    let lines = format!("{}\n{}\n", who.password, who.security_token);
    desk.typed(&desk.add("soap", "soap", &more), &lines).ends(0);
    works(&desk, "soap", &[&who.password, &who.security_token]);
    let again = desk.typed(&["connection", "reconnect", "soap"], &format!("wrong\n{}\n", who.security_token)).ends(4);
    assert!(again.stderr.contains("INVALID_LOGIN") && again.stderr.contains("nothing was saved"), "{}", again.stderr);
    desk.run(&["connection", "test", "soap"]).ends(0);
    desk.typed(&["connection", "reconnect", "soap"], &lines).ends(0);
    ends(&desk, "soap");
}

#[test]
fn jwt_bearer() {
    let certificate = std::fs::read_to_string(CERTIFICATE).expect("the app's certificate");
    let account = Account { jwt_certificate: Some(certificate), ..Account::default() };
    let desk = Desk::with(Options { account, ..Options::default() });
    let who = desk.org.emulator().credentials().clone();
    let key = format!("file:{KEY_FILE}");
    let more = ["--client-id", &who.client_id, "--username", &who.username, "--private-key", &key];
    desk.run(&desk.add("jwt", "jwt-bearer", &more)).ends(0);
    works(&desk, "jwt", &["PRIVATE KEY"]);
    let nothing = desk.run(&["connection", "reconnect", "jwt"]).ends(2);
    assert!(nothing.stderr.contains("logs in by itself"), "{}", nothing.stderr);
    ends(&desk, "jwt");
}

#[test]
fn access_token() {
    let desk = Desk::new();
    let who = desk.org.emulator().credentials().clone();
    let args = [
        "connection",
        "add",
        "token",
        "--auth",
        "access-token",
        "--instance-url",
        &who.instance_url,
        "--access-token",
        "-",
    ];
    desk.typed(&args, &format!("{}\n", who.access_token)).ends(0);
    works(&desk, "token", &[&who.access_token]);
    let reset = desk.run(&["connection", "reset", "token"]).ends(0);
    assert!(reset.stdout.contains("revoked at the org, deleted here"), "{}", reset.stdout);
    let gone = desk.run(&["connection", "test", "token"]).ends(2);
    assert!(gone.stderr.contains("connection reconnect token"), "{}", gone.stderr);
    ends(&desk, "token");
}

#[test]
fn a_refresh_token_that_was_typed_is_rotated_in_the_store() {
    let desk = Desk::with(Options { rotation: true, ..Options::default() });
    let who = desk.org.emulator().credentials().clone();
    let more = [&desk.app()[..], &["--refresh-token", "-"]].concat();
    desk.typed(&desk.add("r", "refresh-token", &more), &format!("{}{}\n", desk.secret_line(), who.refresh_token))
        .ends(0);
    works(&desk, "r", &[&who.refresh_token, &who.client_secret]);
    ends(&desk, "r");
}

#[test]
fn a_refresh_token_in_the_environment_that_rotates_is_told() {
    let desk = Desk::with(Options { rotation: true, ..Options::default() });
    let who = desk.org.emulator().credentials().clone();
    let more = ["--client-id", &who.client_id, "--client-secret", "env:SECRET", "--refresh-token", "env:TOKEN"];
    let mut command = desk.command(&desk.add("r", "refresh-token", &more));
    let added =
        Ran::of(command.env("SECRET", &who.client_secret).env("TOKEN", &who.refresh_token).output().expect("it runs"));
    let added = added.ends(0);
    assert!(added.stdout.contains("file:PATH") && !added.stdout.contains(&who.refresh_token), "{}", added.stdout);
    assert!(!desk.bench.path(".forcepump").exists());
}

#[test]
fn a_test_renews_what_is_kept_and_an_edit_tries_the_new_secret() {
    let desk = Desk::new();
    desk.add_web();
    let before = desk.logins();
    desk.run(&["connection", "test", "web"]).ends(0);
    assert_eq!(desk.logins(), before + 1);
    desk.run(&["org", "limits", "--connection", "web"]).ends(0);
    assert_eq!(desk.logins(), before + 1, "a command uses the session that is there");
    let edit = ["connection", "edit", "web", "--client-secret", "-"];
    let refused = desk.typed(&edit, "wrong\n").ends(4);
    assert!(refused.stderr.contains("client_secret is wrong"), "{}", refused.stderr);
    desk.run(&["connection", "test", "web"]).ends(0);
    desk.typed(&edit, &desk.secret_line()).ends(0);
    let moved =
        desk.run(&["connection", "edit", "web", "--client-id", "3MVG9other", "--no-browser", "--wait", "0"]).ends(4);
    assert!(moved.stderr.contains("open this page"), "another app needs another login: {}", moved.stderr);
    desk.run(&["connection", "test", "web"]).ends(0);
}

#[test]
fn the_browser() {
    let desk = Desk::new();
    desk.add_web();
    let shown = desk.run(&["connection", "show", "web", "--json"]).ends(0).json();
    assert_eq!((&shown["tokens"]["access_token"], &shown["tokens"]["refresh_token"]), (&true.into(), &true.into()));
    assert!(shown["tokens"]["refresh_age_seconds"].as_u64().is_some_and(|age| age < 600), "{shown}");
    works(&desk, "web", &[&desk.org.emulator().credentials().client_secret]);
    desk.org.emulator().expire_sessions();
    desk.run(&["connection", "test", "web"]).ends(0);

    let reset = desk.run(&["connection", "reset", "web", "--json"]).ends(0).json();
    assert_eq!((&reset["revoked"], &reset["deleted"]), (&"yes".into(), &true.into()));
    let without = desk.run(&["connection", "test", "web"]).ends(2);
    assert!(without.stderr.contains("forcepump connection reconnect web"), "{}", without.stderr);
    let list = desk.run(&["connection", "list"]).ends(0);
    assert!(list.stdout.contains("tokens"), "{}", list.stdout);
    assert!(desk.run(&["connection", "show", "web"]).ends(0).stdout.contains("refresh token   none"));
    ends(&desk, "web");
}

#[test]
fn a_public_app_without_pkce_and_a_person_who_pastes() {
    let desk = Desk::new();
    let more =
        ["--client-id", "PlatformCLI", "--no-pkce", "--paste", "--redirect-uri", "http://localhost:1718/OauthRedirect"];
    let mut talk = Talk::start(desk.command(&desk.add("cli", "authorization-code", &more)));
    let url = talk.line_with("/services/oauth2/authorize");
    assert!(!url.contains("code_challenge"), "{url}");
    let mut person = Person::of(&desk.org);
    let page = person.log_in(&url);
    let at = person.answer_to_nobody(&page, "save");
    talk.say(&format!("{at}\n"));
    talk.end().ends(0);
    works(&desk, "cli", &[]);

    // again, with the code alone
    let mut talk = Talk::start(desk.command(&["connection", "reconnect", "cli", "--paste"]));
    let url = talk.line_with("/services/oauth2/authorize");
    let at = Person::of(&desk.org).log_in_to_nobody(&url);
    let code = at.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    talk.say(&format!("{code}\n"));
    talk.end().ends(0);
    desk.run(&["connection", "test", "cli"]).ends(0);
}

#[test]
fn another_device() {
    let policy = Policy { device_interval_seconds: 1, ..Policy::default() };
    let desk = Desk::with(Options { policy, ..Options::default() });
    let mut talk = Talk::start(desk.command(&desk.add("tv", "device", &desk.app())));
    talk.say(&desk.secret_line());
    let code = talk.line_with("type the code").trim_end_matches(':').rsplit(' ').next().expect("a code").to_owned();
    let url = talk.line_with("http://");
    let done = Person::of(&desk.org).connect_device(&url, &code);
    assert!(done.text.contains("successfully connected"), "{}", done.text);
    talk.end().ends(0);
    works(&desk, "tv", &[&desk.org.emulator().credentials().client_secret]);
    ends(&desk, "tv");
}

#[test]
fn the_embedded_org() {
    let desk = Desk::new();
    let added = desk.run(&["connection", "add", "demo", "--demo"]).ends(0);
    assert!(added.stdout.contains("saved in"), "{}", added.stdout);
    assert_eq!(desk.text("connections.toml"), "[demo]\nenvironment = \"demo\"\n");
    assert!(!desk.bench.path(".forcepump").exists());
    desk.run(&["connection", "remove", "demo"]).ends(0);
}

#[test]
fn what_does_not_work_is_saved_by_force_only() {
    let desk = Desk::new();
    let args = desk.add("cc", "client-credentials", &desk.app());
    let refused = desk.typed(&args, "wrong\n").ends(4);
    assert!(
        refused.stderr.contains("client_secret is wrong") && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    assert!(!desk.bench.path("connections.toml").exists() && !desk.bench.path(".forcepump/tokens/cc").exists());
    let forced = desk.typed(&[&args[..], &["--force", "--json"]].concat(), "wrong\n").ends(0).json();
    assert!(forced["problem"].as_str().is_some_and(|text| text.contains("client_secret is wrong")), "{forced}");
    desk.run(&["connection", "test", "cc"]).ends(4);
    let mended = desk.typed(&["connection", "reconnect", "cc"], &desk.secret_line()).ends(0);
    assert!(mended.stdout.contains("logged in"), "{}", mended.stdout);
}

#[test]
fn tokens_of_a_login_whose_test_fails_are_revoked_unless_it_is_saved_by_force() {
    let admin = orgs::small(Options::default()).emulator().credentials().username.clone();
    let restricted = UserAccess { username: admin, rest_allowed: false, ..UserAccess::default() };
    let desk = Desk::with(Options { users: vec![restricted], ..Options::default() });
    let more = [&desk.app()[..], &["--no-browser", "--redirect-uri", "http://localhost:0/OauthRedirect"]].concat();
    let revocations = || {
        let requests = desk.org.emulator().requests();
        requests.iter().filter(|r| r.path.ends_with("/oauth2/revoke") && r.status == 200).count()
    };
    for (force, code, revoked) in [(&[][..], 4, 1), (&["--force"], 0, 1)] {
        let args = [&desk.add("web", "authorization-code", &more)[..], force].concat();
        let mut talk = Talk::start(desk.command(&args));
        talk.say(&desk.secret_line());
        let url = talk.line_with("/services/oauth2/authorize");
        let mut person = Person::of(&desk.org);
        let page = person.log_in(&url);
        if page.text.contains("oaapprove") {
            person.answer(&page, "save");
        }
        let ended = talk.end().ends(code);
        assert!(ended.stderr.contains("not valid for use with the REST API"), "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("the tokens of this login are revoked"), force.is_empty(), "{}", ended.stderr);
        assert_eq!((revocations(), desk.bench.path(".forcepump/tokens/web").exists()), (revoked, !force.is_empty()));
    }
}

#[test]
fn a_denial_and_silence_are_explained_and_nothing_is_saved() {
    let desk = Desk::new();
    let more = [&desk.app()[..], &["--no-browser", "--redirect-uri", "http://127.0.0.1:0/back"]].concat();
    let mut talk = Talk::start(desk.command(&desk.add("web", "authorization-code", &more)));
    talk.say(&desk.secret_line());
    let url = talk.line_with("/services/oauth2/authorize");
    let mut person = Person::of(&desk.org);
    let page = person.log_in(&url);
    assert!(person.answer(&page, "cancel").text.contains("refused"));
    let denied = talk.end().ends(4);
    assert!(denied.stderr.contains("access_denied"), "{}", denied.stderr);

    let silent = [&desk.add("web", "authorization-code", &more)[..], &["--wait", "0"]].concat();
    let silent = desk.typed(&silent, &desk.secret_line()).ends(4);
    for word in ["nothing came to", "OAUTH_APPROVAL_ERROR_GENERIC", "Connected Apps OAuth Usage", "--paste"] {
        assert!(silent.stderr.contains(word), "{word}: {}", silent.stderr);
    }
    let pasted = [&desk.add("web", "authorization-code", &more)[..], &["--paste"]].concat();
    let lines =
        format!("{}error=invalid_client_id&error_description=client%20identifier%20invalid\n", desk.secret_line());
    let pasted = desk.typed(&pasted, &lines).ends(4);
    assert!(pasted.stderr.contains("invalid_client_id"), "{}", pasted.stderr);
    assert!(!desk.bench.path("connections.toml").exists());
}

#[test]
fn wrong_inputs() {
    let desk = Desk::new();
    desk.bench.write("connections.toml", "[there]\nenvironment = \"demo\"\n");
    let url = desk.org.emulator().url();
    let table: [(&[&str], &str); 12] = [
        (&["add", "there", "--demo"], "edit there"),
        (&["add", "There", "--demo"], "case only"),
        (&["add", "../x", "--demo"], "letters, digits"),
        (&["add", "x"], "auth is missing"),
        (&["add", "x", "--auth", "soap"], "no org named"),
        (&["add", "x", "--auth", "soap", "--url", url], "needs username"),
        (&["add", "x", "--auth", "device", "--url", url], "needs client_id"),
        (&["add", "x", "--auth", "soap", "--url", url, "--username", "u", "--password", "hunter2"], "plain text"),
        (&["add", "x", "--auth", "soap", "--url", url, "--client-id", "c"], "no use"),
        (&["add", "x", "--auth", "jwt", "--url", url], "possible values"),
        (&["add", "x", "--sandbox", "--production"], "cannot be used"),
        (&["edit", "there"], "nothing to change"),
    ];
    for (args, expected) in table {
        let refused = desk.run(&[&["connection"], args].concat()).ends(2);
        assert!(refused.stderr.contains(expected), "{args:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    }
    let nowhere = desk.run(&["connection", "remove", "nobody"]).ends(2);
    assert!(nowhere.stderr.contains("`nobody` is not in"), "{}", nowhere.stderr);
    assert_eq!(desk.text("connections.toml"), "[there]\nenvironment = \"demo\"\n");
}

#[test]
fn keys_are_changed_and_comments_stay() {
    let desk = Desk::new();
    let who = desk.org.emulator().credentials().clone();
    let text = format!(
        "# our orgs\n[cc] # the warehouse\nurl = \"{}\"\nauth = \"client-credentials\"\nclient_id = \"{}\" # of the app\n\
         client_secret = \"file:secret\"\n\n# last\n[demo]\nenvironment = \"demo\"\n",
        who.instance_url, who.client_id
    );
    desk.bench.write("connections.toml", &text);
    desk.bench.write("secret", &who.client_secret);
    desk.run(&["connection", "edit", "cc", "--api-version", "64.0"]).ends(0);
    let edited = desk.text("connections.toml");
    assert_eq!(edited, text.replace("\"file:secret\"\n", "\"file:secret\"\napi_version = \"64.0\"\n"));

    let refused = desk.run(&["connection", "edit", "cc", "--client-id", "3MVG9other"]).ends(4);
    assert!(refused.stderr.contains("nothing was saved"), "{}", refused.stderr);
    assert_eq!(desk.text("connections.toml"), edited);

    desk.typed(&["connection", "edit", "cc", "--client-secret", "-", "--unset", "api-version"], &desk.secret_line())
        .ends(0);
    assert_eq!(desk.text("connections.toml"), text.replace("file:secret", "store:client_secret"));
    desk.run(&["connection", "edit", "cc", "--client-secret", "file:secret"]).ends(0);
    assert!(!desk.bench.path(".forcepump/tokens/cc").exists(), "a typed secret that nothing refers to is kept");
    desk.run(&["connection", "edit", "cc", "--demo", "--force"]).ends(0);
    assert!(desk.text("connections.toml").contains("environment = \"demo\"\n"));
}

#[test]
fn a_reset_without_the_org_deletes_here_and_says_that_nothing_was_revoked() {
    let Desk { org, bench } = {
        let desk = Desk::new();
        desk.add_web();
        desk
    };
    org.stop();
    let ran = {
        let mut command = bench.command(&["connection", "reset", "web"]);
        command.env("FORCEPUMP_KEY", KEY);
        Ran::of(command.output().expect("the binary starts"))
    };
    let ran = ran.ends(4);
    assert!(ran.stdout.contains("NOT revoked") && ran.stderr.contains("may still be valid"), "{ran:?}");
    let mut show = bench.command(&["connection", "show", "web"]);
    let shown = Ran::of(show.env("FORCEPUMP_KEY", KEY).output().expect("the binary starts"));
    assert!(shown.ends(0).stdout.contains("refresh token   none"));
}

#[test]
fn a_reset_revokes_and_a_removed_connections_token_is_dead_too() {
    let desk = Desk::new();
    for (verb, revocations) in [("reset", 1), ("remove", 2)] {
        if verb == "reset" {
            desk.add_web();
        } else {
            desk.run(&["connection", "remove", "web"]).ends(0);
            desk.add_web();
        }
        desk.run(&["connection", verb, "web"]).ends(0);
        let revoked = desk.org.emulator().requests();
        let revoked = revoked.iter().filter(|r| r.path.ends_with("/oauth2/revoke") && r.status == 200).count();
        assert_eq!(revoked, revocations, "{verb}");
    }
}
