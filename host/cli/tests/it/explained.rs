//! Errors of Salesforce as a person sees them: its own code and text, what that means, the way out, and the exit code.

use forcepump_emulator::Options;

use crate::harness::Bench;
use crate::orgs::{script_of, small};

const PIPELINE: &str = "name = \"told\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\napi = \"bulk2\"\n[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";

/// Runs against an org with that fault; what must be said, whatever else is.
#[track_caller]
fn says(fault: &str, code: i32, words: &[&str]) {
    let org = small(Options { faults: script_of(&format!("[[fault]]\n{fault}\n")), ..Options::default() });
    let bench = Bench::on(&org);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\nmax_attempts = 1\n"));
    bench.write("p.toml", PIPELINE);
    let ran = bench.run(&["run", "p.toml"]).ends(code);
    for word in words {
        assert!(ran.stderr.contains(word), "{fault}: `{word}` is not in: {}", ran.stderr);
    }
    let hints = ran.stderr.lines().filter(|line| line.starts_with("hint: ")).count();
    assert_eq!(hints, 1, "{fault}: {}", ran.stderr);
}

#[test]
fn refused_logins() {
    for (error, description, way_out) in [
        ("invalid_client", "app must be installed into org", "Approve Uninstalled Connected Apps"),
        ("invalid_client", "invalid client credentials", "Manage Consumer Details"),
        ("invalid_client_id", "client identifier invalid", "App Manager"),
        ("app_not_found", "External client app is not installed in this org", "External Client App Manager"),
        ("invalid_app_access", "user is not admin approved to access this app", "permission set"),
        ("app_blocked", "this app is blocked by admin", "Unblock"),
        ("fail_close_app_blocked", "blocked", "Use Any API Client"),
        ("oauth_flow_disabled", "flow disabled", "enable the flow"),
        ("invalid_grant", "no client credentials user enabled", "Run As"),
        ("invalid_grant", "request not supported on this domain", "my_domain"),
        ("invalid_grant", "expired access/refresh token", "connection reconnect"),
        ("invalid_grant", "ip restricted or invalid login hours", "Login Hours"),
        ("invalid_grant", "inactive user", "Setup > Users"),
        ("invalid_grant", "authentication failure", "Setup > Login History"),
        ("rate_limit_exceeded", "number of logins exceeded", "3600"),
    ] {
        let fault = format!(
            "on = {{ route = \"token\" }}\ndo = {{ kind = \"oauth-error\", error = \"{error}\", description = \"{description}\" }}"
        );
        says(&fault, 4, &[error, description, way_out]);
    }
}

#[test]
fn refused_requests() {
    for (route, status, error, message, code, way_out) in [
        (
            "describe",
            403,
            "API_DISABLED_FOR_ORG",
            "The REST API is not enabled for this Organization.",
            4,
            "API Enabled",
        ),
        ("describe", 403, "INSUFFICIENT_ACCESS", "insufficient access", 4, "Object Settings"),
        (
            "describe",
            401,
            "INVALID_SESSION_ID",
            "This session is not valid for use with the REST API",
            4,
            "Use Any API Client",
        ),
        (
            "describe",
            410,
            "UNSUPPORTED_API_VERSION",
            "The requested API version has been retired",
            4,
            "raise api_version",
        ),
        ("bulk2-create", 400, "MALFORMED_QUERY", "unexpected token: x", 2, "org query"),
        ("bulk2-create", 400, "INVALID_FIELD", "No such column 'X' on entity 'Y'", 2, "Field-Level Security"),
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
    let limit = |which: &str| {
        format!(
            "on = {{ route = \"bulk2-create\", times = \"always\" }}\ndo = {{ kind = \"limit\", which = \"{which}\" }}"
        )
    };
    says(&limit("total"), 4, &["TotalRequests Limit exceeded.", "24 hours", "Company Information"]);
    says(&limit("storage"), 4, &["LIMIT_EXCEEDED", "DailyBulkV2QueryFileStorageMB"]);
    for (reason, way_out) in [
        ("QUERY_TIMEOUT: Your query request was running for too long.", "indexed fields"),
        ("InternalServerError : Retried more than 15 times", "indexed fields"),
        (
            "Unexpected exception encountered in query processing. Please contact support with the following id: 1 (1)",
            "support",
        ),
    ] {
        let fault =
            format!("on = {{ route = \"bulk2-job\" }}\ndo = {{ kind = \"job-failed\", reason = \"{reason}\" }}");
        says(&fault, 4, &[reason, way_out]);
    }
}
