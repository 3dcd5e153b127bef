//! What only the org can tell: the login, the clock, versions, permissions, limits, APIs.

use forcepump_salesforce::{Api, Client, ErrorKind, Limits};

use super::{Check, CheckState, fields};
use crate::org::Org;

/// The checks that need the org, in their order.
pub(super) const NAMES: [&str; 8] = [LOGIN, CLOCK, VERSION, USER, LIMITS, "REST", "Bulk API 2.0", "Bulk API 1.0"];
const LOGIN: &str = "login";
const CLOCK: &str = "clock";
const VERSION: &str = "API version";
const USER: &str = "user";
const LIMITS: &str = "limits";
const OBJECTS: &str = "objects";

/// Salesforce refuses JWT assertions that are this far in the future or the past.
const CLOCK_FAILS_SECONDS: u64 = 180;
/// Further apart than answers take, something is wrong.
const CLOCK_WARNS_SECONDS: u64 = 30;
/// Versions up to this one are unsupported from Summer '27 and retired in Summer '28 (REST API guide, "API End-of-Life").
const ENDING_VERSION: u32 = 40;
/// Limits of which little is left are told of.
const LITTLE_LEFT: f64 = 0.1;
/// Limits that a run needs.
const NEEDED: [&str; 4] =
    ["DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyBulkApiBatches"];
/// Objects that are told by name.
const TOLD: usize = 8;

/// Examines the org; after a login that failed there is nothing more to see.
pub(super) async fn examine(org: &Org, object: Option<&str>, checks: &mut Vec<Check>) {
    let client = org.client();
    if let Err(error) = client.login().await {
        let way = match error.kind() {
            ErrorKind::Transport | ErrorKind::Interrupted => {
                "is the host right, and can this machine reach it (DNS, proxy, firewall)?"
            }
            _ => "see the settings of the connection",
        };
        checks.push(Check::of_error(LOGIN, CheckState::Failed, &error, way));
        checks.extend(NAMES.into_iter().skip(1).map(|name| Check::skipped(name, "the login failed")));
        return;
    }
    let instance = client.instance_host().await.unwrap_or_default();
    checks.push(Check::ok(LOGIN, format!("{} at {instance}", org.auth())));
    let version = version(client).await;
    checks.push(clock(client));
    checks.push(version);
    checks.push(user(client).await);
    checks.push(limits(client).await);
    for (name, api) in [("REST", Api::Rest), ("Bulk API 2.0", Api::Bulk2), ("Bulk API 1.0", Api::Bulk1)] {
        checks.push(reach(client, name, api).await);
    }
    checks.push(objects(client).await);
    if let Some(object) = object {
        fields::examine(client, object, checks).await;
    }
}

async fn version(client: &Client) -> Check {
    let ours = client.api_version();
    let served = match client.versions().await {
        Ok(served) => served,
        Err(error) => return Check::of_error(VERSION, CheckState::Failed, &error, "is this the org's own address?"),
    };
    let number = |version: &str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let (oldest, newest) = match served.as_slice() {
        [oldest, .., newest] => (oldest.version.as_str(), newest.version.as_str()),
        [only] => (only.version.as_str(), only.version.as_str()),
        [] => return Check::warning(VERSION, "the org lists no version", "is this the org's own address?"),
    };
    if !served.iter().any(|version| version.version == ours) {
        let found = format!("{ours} is not served; the org serves {oldest} to {newest}");
        return Check::failed(VERSION, found, format!("set api_version = \"{newest}\""));
    }
    if number(ours).is_some_and(|ours| ours <= ENDING_VERSION) {
        let found = format!("{ours} is served, but retired in Summer '28");
        return Check::warning(VERSION, found, format!("set api_version = \"{newest}\""));
    }
    Check::ok(VERSION, format!("{ours} is served, up to {newest}"))
}

fn clock(client: &Client) -> Check {
    let Some(offset) = client.clock_offset_seconds() else {
        return Check::warning(CLOCK, "the org's answers have no Date", "look at the clock of this machine yourself");
    };
    let (apart, way) = (offset.unsigned_abs(), "set the clock of this machine, for example by NTP");
    let side = if offset > 0 { "behind" } else { "before" };
    let found = format!("this machine's clock is {apart} s {side} Salesforce's");
    match apart {
        CLOCK_FAILS_SECONDS.. => Check::failed(CLOCK, found, way),
        CLOCK_WARNS_SECONDS.. => Check::warning(CLOCK, found, way),
        _ => Check::ok(CLOCK, format!("{apart} s from Salesforce's")),
    }
}

async fn user(client: &Client) -> Check {
    match client.identity().await {
        Ok(who) => Check::ok(USER, format!("{} ({}) in org {}", who.username, who.user_id, who.organization_id)),
        Err(error) => Check::of_error(
            USER,
            CheckState::Warning,
            &error,
            "who is logged in cannot be told; give the app the scope \"id\"",
        ),
    }
}

async fn limits(client: &Client) -> Check {
    let limits = client.limits().await;
    let share = client.daily_share();
    if let Some(share) = share.filter(forcepump_salesforce::DailyShare::is_used_up) {
        let found =
            format!("{} of {} API calls are used, and runs stop at {}", share.used, share.allowed, share.calls());
        return Check::failed(
            LIMITS,
            found,
            "raise limits.daily_share of the connection, or wait until calls are freed",
        );
    }
    let limits = match limits {
        Ok(limits) => limits,
        Err(error) => {
            let way = "give the user \"View Setup and Configuration\" to have the limits told";
            return Check::of_error(LIMITS, CheckState::Warning, &error, way);
        }
    };
    let short = short(&limits);
    if !short.is_empty() {
        return Check::warning(LIMITS, short.join(", "), "they count over 24 hours: wait, or ask Salesforce for more");
    }
    let runs = share.map(|share| format!("runs may use {} more API calls today", share.left()));
    Check::ok(LIMITS, runs.unwrap_or_else(|| "enough of each".to_owned()))
}

/// Limits of which little or nothing is left.
fn short(limits: &Limits) -> Vec<String> {
    let known = NEEDED.iter().filter_map(|name| limits.get(*name).map(|limit| (name, limit)));
    known
        .filter(|(_, limit)| limit.max > 0 && (limit.remaining as f64) < LITTLE_LEFT * limit.max as f64)
        .map(|(name, limit)| format!("{name}: {} of {} left", limit.remaining, limit.max))
        .collect()
}

async fn reach(client: &Client, name: &'static str, api: Api) -> Check {
    match client.reach(api).await {
        Ok(()) => Check::ok(name, "answers"),
        // the other APIs may still do
        Err(error) => {
            let state = if api == Api::Bulk1 { CheckState::Warning } else { CheckState::Failed };
            Check::of_error(
                name,
                state,
                &error,
                "see the user's permissions: \"API Enabled\", and the app's scope \"api\"",
            )
        }
    }
}

async fn objects(client: &Client) -> Check {
    let all = match client.describe_global().await {
        Ok(all) => all,
        Err(error) => return Check::of_error(OBJECTS, CheckState::Failed, &error, "give the user \"API Enabled\""),
    };
    let not: Vec<&str> = all.iter().filter(|object| !object.queryable).map(|object| object.name.as_str()).collect();
    let queryable = all.len() - not.len();
    if queryable == 0 {
        let way = "give the user Read on objects: Setup > Permission Sets > Object Settings";
        return Check::failed(OBJECTS, "the user can query none", way);
    }
    let listed = not.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
    let more = if not.len() > TOLD { ", …" } else { "" };
    let rest =
        if not.is_empty() { String::new() } else { format!("; no query reads {} others: {listed}{more}", not.len()) };
    Check::ok(OBJECTS, format!("the user can query {queryable}{rest}"))
}

#[cfg(test)]
mod tests {
    use forcepump_salesforce::Limit;

    use super::*;

    #[test]
    fn limits_that_run_short_are_told() {
        let limit = |remaining| Limit { max: 100, remaining };
        let limits = Limits::from([
            ("DailyApiRequests".to_owned(), limit(9)),
            ("DailyBulkV2QueryJobs".to_owned(), limit(10)),
            ("MassEmail".to_owned(), limit(0)),
        ]);
        assert_eq!(short(&limits), ["DailyApiRequests: 9 of 100 left"]);
    }
}
