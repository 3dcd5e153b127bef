//! Errors of Salesforce as a person sees them: its own code and text, what that means, the way out, and the exit code.
//!
//! Where an org, an app or a user can be in the state that brings an error about, the emulated one is in it; a fault
//! script stands in for what is wrong with Salesforce itself, or with something between.

use forcepump_emulator::Options;
use forcepump_emulator::access::{App, Flow, Installation, Policy, UserAccess};
use forcepump_emulator::options::Account;

use crate::harness::{Bench, Org};
use crate::orgs::{script_of, small};

const PIPELINE: &str = "name = \"told\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\napi = \"bulk2\"\n[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
/// The user of the orgs of this file.
const USER: &str = "ada@acme.example";
const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.key");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.pub");

/// Runs once, without retries; what must be said, whatever else is.
#[track_caller]
fn run_says(bench: &Bench, pipeline: &str, code: i32, words: &[&str]) {
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\nmax_attempts = 1\n"));
    bench.write("p.toml", pipeline);
    let ran = bench.run(&["run", "p.toml"]).ends(code);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in: {}", ran.stderr);
    }
    let hints = ran.stderr.lines().filter(|line| line.starts_with("hint: ")).count();
    assert_eq!(hints, 1, "{words:?}: {}", ran.stderr);
}

/// As [`run_says`], against an org with that fault.
#[track_caller]
fn says(fault: &str, code: i32, words: &[&str]) {
    let org = small(Options { faults: script_of(&format!("[[fault]]\n{fault}\n")), ..Options::default() });
    run_says(&Bench::on(&org), PIPELINE, code, words);
}

/// As [`run_says`], against an org in that state, with the connection of its app.
#[track_caller]
fn state_says(options: Options, code: i32, words: &[&str]) {
    run_says(&Bench::on(&small(options)), PIPELINE, code, words);
}

/// An org whose user is [`USER`].
fn options() -> Options {
    Options { account: Account { username: Some(USER.to_owned()), ..Account::default() }, ..Options::default() }
}

/// An org whose app differs.
fn with_app(change: impl FnOnce(&mut App)) -> Options {
    let account = Account::default();
    let mut app = App {
        client_id: account.client_id,
        client_secret: Some(account.client_secret),
        run_as: Some(USER.to_owned()),
        ..App::default()
    };
    change(&mut app);
    Options { apps: vec![app], ..options() }
}

/// An org whose user differs.
fn with_user(change: impl FnOnce(&mut UserAccess)) -> Options {
    let mut user = UserAccess { username: USER.to_owned(), ..UserAccess::default() };
    change(&mut user);
    Options { users: vec![user], ..options() }
}

fn with_policy(change: impl FnOnce(&mut Policy)) -> Options {
    let mut policy = Policy::default();
    change(&mut policy);
    Options { policy, ..options() }
}

#[test]
fn apps_that_may_not_log_in() {
    let uninstalled = with_app(|app| app.installation = Installation::Uninstalled);
    let plain = UserAccess { username: USER.to_owned(), approve_uninstalled: Some(false), ..UserAccess::default() };
    let uninstalled = Options { users: vec![plain], ..uninstalled };
    let cases: [(Options, &[&str]); 6] = [
        (uninstalled, &["invalid_client", "app must be installed into org", "Approve Uninstalled Connected Apps"]),
        (
            with_app(|app| app.client_secret = Some("renewed".to_owned())),
            &["invalid_client", "invalid client credentials", "Manage Consumer Details"],
        ),
        (
            with_app(|app| app.admin_approved_only = true),
            &["invalid_app_access", "user is not admin approved to access this app", "permission set"],
        ),
        (with_app(|app| app.installation = Installation::Blocked), &["app_blocked", "blocked by admin", "Unblock"]),
        (
            with_app(|app| app.flows_off = vec![Flow::ClientCredentials]),
            &["oauth_flow_disabled", "flow is disabled", "enable the flow"],
        ),
        (
            with_app(|app| app.run_as = None),
            &["invalid_grant", "no client credentials user enabled", "Client Credentials Flow > Run As"],
        ),
    ];
    for (options, words) in cases {
        state_says(options, 4, words);
    }
    let org = small(options());
    let bench = Bench::on(&org);
    let known = &org.emulator().credentials().client_id;
    bench.write("connections.toml", &bench.read("connections.toml").replace(known, "3MVG9unknown"));
    run_says(&bench, PIPELINE, 4, &["invalid_client_id", "client identifier invalid", "App Manager"]);
}

#[test]
fn users_and_orgs_that_let_nobody_in() {
    let cases: [(Options, &[&str]); 5] = [
        (
            with_policy(|policy| policy.my_domain = false),
            &["invalid_grant", "request not supported on this domain", "my_domain"],
        ),
        (
            with_user(|user| user.ip_restricted = true),
            &["invalid_grant", "ip restricted or invalid login hours", "Login Hours"],
        ),
        (with_user(|user| user.active = Some(false)), &["invalid_grant", "inactive user", "Setup > Users"]),
        (with_policy(|policy| policy.logins_per_hour = 0), &["rate_limit_exceeded", "3600"]),
        (with_policy(|policy| policy.active = false), &["inactive_org", "account executive"]),
    ];
    for (options, words) in cases {
        state_says(options, 4, words);
    }
}

/// The lines of a connection at the org, but for its name.
fn connection(org: &Org, auth: &str, more: &str) -> String {
    format!("[org]\nurl = \"{}\"\nauth = \"{auth}\"\n{more}\n", org.emulator().url())
}

#[test]
fn other_logins_refused() {
    let refresh = |org: &Org| {
        let client = &org.emulator().credentials().client_id;
        let more = format!(
            "client_id = \"{client}\"\nclient_secret = \"env:FORCEPUMP_TEST_SECRET\"\nrefresh_token = \"file:r\""
        );
        connection(org, "refresh-token", &more)
    };
    let org = small(options());
    let bench = Bench::on(&org);
    bench.write("r", "5Aep861dead");
    bench.write("connections.toml", &refresh(&org));
    let words = ["invalid_grant", "expired access/refresh token", "put its new refresh token in ./r"];
    run_says(&bench, PIPELINE, 4, &words);

    let certificate = std::fs::read_to_string(CERTIFICATE).expect("the app's certificate");
    for (without_approval, certificate, audience, words) in [
        (
            false,
            Some(certificate.clone()),
            "",
            ["invalid_grant", "user hasn't approved this consumer", "pre-authorized"],
        ),
        (
            true,
            Some(certificate),
            "audience = \"https://elsewhere.example\"",
            ["invalid_grant", "audience is invalid", "test.salesforce.com"],
        ),
        (true, None, "", ["invalid_grant", "invalid assertion", "digital signatures"]),
    ] {
        let org = small(with_app(|app| {
            app.jwt_without_approval = without_approval;
            app.jwt_certificate = certificate;
        }));
        let bench = Bench::on(&org);
        let client = &org.emulator().credentials().client_id;
        let more =
            format!("client_id = \"{client}\"\nusername = \"{USER}\"\nprivate_key = \"file:{KEY_FILE}\"\n{audience}");
        bench.write("connections.toml", &connection(&org, "jwt-bearer", &more));
        run_says(&bench, PIPELINE, 4, &words);
    }
}

#[test]
fn soap_logins_refused() {
    let cases: [(Options, bool, &[&str]); 8] = [
        (with_user(|user| user.locked = true), true, &["INVALID_LOGIN", "locked", "Setup > Login History"]),
        (options(), false, &["LOGIN_MUST_USE_SECURITY_TOKEN", "Reset My Security Token"]),
        (
            with_user(|user| user.password_expired = true),
            true,
            &["INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "Password Never Expires"],
        ),
        (with_user(|user| user.ip_restricted = true), true, &["LOGIN_DURING_RESTRICTED_DOMAIN", "Login IP Ranges"]),
        (with_user(|user| user.any_api_auth = false), true, &["INSUFFICIENT_ACCESS", "Use Any API Auth"]),
        (with_policy(|policy| policy.soap_login = false), true, &["INVALID_OPERATION", "disabled by default"]),
        (with_policy(|policy| policy.active = false), true, &["ORG_LOCKED", "account executive"]),
        (with_policy(|policy| policy.api_enabled = false), true, &["API_DISABLED_FOR_ORG", "API Enabled"]),
    ];
    for (options, with_token, words) in cases {
        let org = small(options);
        let bench = Bench::on(&org);
        let who = org.emulator().credentials();
        bench.write("password", &who.password);
        bench.write("token", &who.security_token);
        let token = if with_token { "security_token = \"file:token\"" } else { "" };
        let more = format!("username = \"{USER}\"\npassword = \"file:password\"\n{token}");
        bench.write("connections.toml", &connection(&org, "soap", &more));
        run_says(&bench, PIPELINE, 4, words);
    }
}

#[test]
fn refused_logins_that_no_org_brings_about() {
    for (error, description, way_out) in [
        ("app_not_found", "External client app is not installed in this org", "External Client App Manager"),
        ("fail_close_app_blocked", "blocked", "Use Any API Client"),
        ("invalid_grant", "authentication failure", "Setup > Login History"),
    ] {
        let fault = format!(
            "on = {{ route = \"token\" }}\ndo = {{ kind = \"oauth-error\", error = \"{error}\", description = \"{description}\" }}"
        );
        says(&fault, 4, &[error, description, way_out]);
    }
}

#[test]
fn logins_answered_with_a_bare_status() {
    for (status, body, said, way_out) in [
        (403, "html", "HTTP 403 and an HTML page", "Setup > My Domain"),
        (404, "html", "the host has no login at this address", "Setup > My Domain"),
        (407, "empty", "HTTP 407 and nothing", "HTTPS_PROXY"),
        (429, "html", "too many requests", "3600"),
        (500, "html", "a fault inside Salesforce", "status.salesforce.com"),
        (502, "html", "HTTP 502 and an HTML page", "status.salesforce.com"),
        (503, "empty", "overloaded or in maintenance", "status.salesforce.com"),
    ] {
        let fault = format!(
            "on = {{ route = \"token\", times = \"always\" }}\ndo = {{ kind = \"status\", code = {status}, body = \"{body}\" }}"
        );
        says(&fault, 4, &[said, way_out]);
    }
}

#[test]
fn users_that_may_log_in_and_not_read() {
    let cases: [(Options, &[&str]); 3] = [
        (
            with_user(|user| user.api_enabled = Some(false)),
            &["API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", "API Enabled"],
        ),
        (
            with_user(|user| user.rest_allowed = false),
            &["INVALID_SESSION_ID", "This session is not valid for use with the REST API", "Use Any API Client"],
        ),
        (
            with_policy(|policy| policy.api_enabled = false),
            &["API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", "API Enabled"],
        ),
    ];
    for (options, words) in cases {
        state_says(options, 4, words);
    }
}

#[test]
fn queries_that_salesforce_refuses() {
    let org = small(options());
    for (pipeline, words) in [
        (
            PIPELINE.replace("api =", "where = \"Name LIKE\"\napi ="),
            ["MALFORMED_QUERY", "the query is no SOQL", "org query"],
        ),
        (
            PIPELINE.replace("api =", "where = \"Nonesuch__c = 1\"\napi ="),
            ["INVALID_FIELD", "No such column 'Nonesuch__c'", "Field-Level Security"],
        ),
    ] {
        run_says(&Bench::on(&org), &pipeline, 2, &words);
    }
}

#[test]
fn refused_requests() {
    for (route, status, error, message, code, way_out) in [
        ("describe", 403, "INSUFFICIENT_ACCESS", "insufficient access", 4, "Object Settings"),
        (
            "describe",
            410,
            "UNSUPPORTED_API_VERSION",
            "The requested API version has been retired",
            4,
            "raise api_version",
        ),
        ("bulk2-create", 400, "INVALID_TYPE", "sObject type 'X' is not supported", 2, "org objects"),
        ("bulk2-create", 400, "EXCEEDED_ID_LIMIT", "too many ids", 4, "narrow `where`"),
        ("bulk2-create", 400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's", 4, "View All Data"),
        ("bulk2-create", 400, "TXN_SECURITY_METERING_ERROR", "took too long", 4, "Transaction Security Policies"),
        ("bulk2-create", 503, "SERVER_UNAVAILABLE", "Server Unavailable", 4, "status.salesforce.com"),
    ] {
        let fault = format!(
            "on = {{ route = \"{route}\", times = \"always\" }}\ndo = {{ kind = \"status\", code = {status}, body = \"json\", error_code = \"{error}\", message = \"{message}\" }}"
        );
        says(&fault, code, &[error, message, way_out]);
    }
    says(
        "on = { route = \"describe\", times = \"always\" }\ndo = { kind = \"html-503\" }",
        4,
        &["HTML page", "status.salesforce.com"],
    );
}

#[test]
fn limits_and_failed_jobs() {
    let jobs = Options { daily_query_jobs: 0, ..options() };
    state_says(jobs, 4, &["LIMIT_EXCEEDED", "Max bulk v2 query jobs (0) per 24 hrs", "DailyBulkV2QueryJobs"]);
    let storage = Options { daily_query_result_kb: 0, ..options() };
    state_says(storage, 4, &["LIMIT_EXCEEDED", "DailyBulkV2QueryFileStorageMB"]);
    says(
        "on = { route = \"bulk2-create\", times = \"always\" }\ndo = { kind = \"limit\", which = \"total\" }",
        4,
        &["TotalRequests Limit exceeded.", "24 hours", "Company Information"],
    );
    for (reason, way_out) in [
        ("QUERY_TIMEOUT: Your query request was running for too long.", "indexed fields"),
        ("InternalServerError : Retried more than 15 times", "indexed fields"),
        (
            "Unexpected exception encountered in query processing. Please contact support with the following id: 1 (1)",
            "support",
        ),
    ] {
        let fault = format!(
            "on = {{ route = \"bulk2-job\", times = \"always\" }}\ndo = {{ kind = \"job-failed\", reason = \"{reason}\" }}"
        );
        says(&fault, 4, &[reason, way_out]);
    }
}
