//! Connections in words; never a secret, only where it lies.

use std::path::Path;

use console::style;
use forcepump_pipeline::{
    ConnectionForgotten, ConnectionSaved, ConnectionSetting, ConnectionSummary, ConnectionTest, ConnectionTokens,
    RevokedTokens,
};

use super::numbers::count;
use super::table;
use crate::output::clean;

/// One row a connection.
pub fn list(file: &Path, found: &[ConnectionSummary]) -> String {
    let path = clean(&file.display().to_string());
    if found.is_empty() {
        return format!("{path} has no connection");
    }
    let missing = |summary: &ConnectionSummary| {
        let keys = summary.settings.iter().filter(|setting| setting.found == Some(false));
        let tokens = summary.tokens.as_ref().filter(|t| !t.status.refresh_token && !t.status.access_token);
        let keys = keys.map(|setting| setting.key.clone()).chain(tokens.map(|_| "tokens".to_owned()));
        keys.collect::<Vec<_>>().join(", ")
    };
    let row = |summary: &ConnectionSummary| {
        let version = summary.api_version.clone();
        vec![summary.name.clone(), summary.place.clone(), summary.auth.clone(), version, missing(summary)]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    format!("{path}\n{}", table::whole(&["connection", "org", "login", "API version", "secrets not found"], &rows))
}

/// One connection, a line each setting.
pub fn show(found: &ConnectionSummary) -> String {
    let mut lines = vec![style(clean(&found.name)).bold().to_string()];
    let mut line = |label: &str, text: &str| lines.push(format!("  {label:<15} {}", clean(text)));
    line("org", &found.place);
    line("login", &found.auth);
    line("API version", &found.api_version);
    for ConnectionSetting { key, value, found } in &found.settings {
        let there = match found {
            None => "",
            Some(true) => " (there)",
            Some(false) => " (not found)",
        };
        line(key, &format!("{value}{there}"));
    }
    if let Some(ConnectionTokens { status, problem }) = &found.tokens {
        line("access token", &there(status.access_token, status.access_age_seconds));
        line("refresh token", &there(status.refresh_token, status.refresh_age_seconds));
        if let Some(problem) = problem {
            line("tokens", problem.split('\n').next().unwrap_or_default());
        }
        if !status.access_token && !status.refresh_token {
            line("to log in", &format!("forcepump connection reconnect {}", found.name));
        }
    }
    lines.join("\n")
}

fn there(is_there: bool, age_seconds: Option<u64>) -> String {
    match (is_there, age_seconds) {
        (false, _) => "none".to_owned(),
        (true, None) => "there".to_owned(),
        (true, Some(seconds)) => format!("there, {} old", age(seconds)),
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A connection that was saved, with what its test found.
pub fn saved(saved: &ConnectionSaved) -> String {
    let place = format!("{}: saved in {}", style(clean(&saved.name)).bold(), clean(&saved.file.display().to_string()));
    match &saved.test {
        Some(found) => format!("{}\n{place}", test(found)),
        None => place,
    }
}

/// What was forgotten of a connection.
pub fn forgotten(forgotten: &ConnectionForgotten) -> String {
    let mut parts = vec![match forgotten.revoked {
        RevokedTokens::Yes => "tokens revoked at the org",
        RevokedTokens::AlreadyDead => "tokens were dead at the org already",
        RevokedTokens::Nothing => "no tokens to revoke",
        RevokedTokens::Failed => "tokens NOT revoked at the org",
    }];
    if forgotten.deleted {
        parts.push("deleted here");
    }
    if forgotten.removed {
        parts.push("connection removed");
    }
    let mut text = format!("{}: {}", style(clean(&forgotten.name)).bold(), parts.join(", "));
    if let Some(left) = &forgotten.left {
        text.push_str(&format!("\n  {} still leads to the revoked token; put a new one there", clean(left)));
    }
    text
}

/// A login that worked, on one screen.
pub fn test(found: &ConnectionTest) -> String {
    let mut lines = vec![format!("{}: {}", style(clean(&found.name)).bold(), style("logged in").green())];
    let mut line = |label: &str, text: String| lines.push(format!("  {label:<13} {}", clean(&text)));
    line("login", found.auth.clone());
    line("instance", found.instance.clone());
    if !found.username.is_empty() {
        line("user", format!("{} ({}, {})", found.username, found.user, found.user_id));
        let words = if found.organization.is_empty() { String::new() } else { format!(" ({})", found.organization) };
        line("organization", format!("{}{words}", found.organization_id));
    }
    line("API version", format!("{}; the org offers up to {}", found.api_version, found.newest_version));
    line("objects", format!("{} can be queried", count(found.objects as u64)));
    for limit in &found.limits {
        let number = |value: i64| u64::try_from(value).map_or_else(|_| value.to_string(), count);
        line("limit", format!("{}: {} of {} left", limit.name, number(limit.remaining), number(limit.max)));
    }
    for note in &found.notes {
        line("note", note.clone());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_a_unit_that_fits() {
        let told = [0, 119, 120, 7_199, 7_200, 172_800].map(age);
        assert_eq!(told, ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
    }
}
