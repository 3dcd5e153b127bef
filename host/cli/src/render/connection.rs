//! Connections in words; never a secret, only where it lies.

use std::path::Path;

use console::style;
use forcepump_pipeline::{ConnectionSetting, ConnectionSummary, ConnectionTest};

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
        keys.map(|setting| setting.key.clone()).collect::<Vec<_>>().join(", ")
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
    lines.join("\n")
}

/// A login that worked, on one screen.
pub fn test(found: &ConnectionTest) -> String {
    let mut lines = vec![format!("{}: {}", style(clean(&found.name)).bold(), style("logged in").green())];
    let mut line = |label: &str, text: String| lines.push(format!("  {label:<13} {}", clean(&text)));
    line("instance", found.instance.clone());
    line("user", format!("{} ({}, {})", found.username, found.user, found.user_id));
    line("organization", found.organization_id.clone());
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
