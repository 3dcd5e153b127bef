//! An entry in words, one line for each thing that an operator decides on.

use serde::Serialize;

use super::entry::Entry;
use crate::file::{Grant, HttpCredential, HttpGrant};

/// Every line of an entry. A component of the program has no digest here: it changes with the program.
pub(super) fn lines(entry: &Entry) -> Vec<String> {
    let mut lines = vec![format!("plugin {} ({})", entry.plugin, entry.name)];
    if !entry.built_in {
        lines.push(format!("version {}, sha256 {}", entry.version, entry.sha256));
    }
    lines.extend(entry.imports.iter().map(|capability| format!("imports {capability}")));
    lines.extend(entry.asks.iter().map(|ask| format!("asks {ask}")));
    lines.extend(grant(&entry.grant));
    lines.push(match &entry.columns {
        Some(columns) => format!("reads {}", listed(columns)),
        None => "reads every column that is not withheld".to_owned(),
    });
    lines.extend(entry.withhold.iter().map(|column| format!("withholds {column}")));
    lines.extend(entry.withhold_classified.then(|| "withholds classified columns".to_owned()));
    lines.extend((!entry.objects.is_empty()).then(|| serves(entry)));
    lines
}

/// The objects whose rows go through it.
pub(super) fn serves(entry: &Entry) -> String {
    if entry.objects.is_empty() {
        return "serves every object".to_owned();
    }
    format!("serves {}", entry.objects.join(", "))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "no column".to_owned() } else { names.join(", ") }
}

/// The grants in words, each whole.
pub(super) fn grant(grant: &Grant) -> Vec<String> {
    let files = grant.files.iter().map(|(name, path)| format!("grants files {name} = {path}"));
    let sql = grant.sql.iter().map(|(name, dsn)| format!("grants sql {name} = {dsn}"));
    let http = grant.http.iter().map(|(name, http)| format!("grants http {name} = {}", self::http(http)));
    let clock = grant.clock.then(|| "grants clock".to_owned());
    let random = grant.random.then(|| "grants random".to_owned());
    files.chain(sql).chain(http).chain(clock).chain(random).collect()
}

/// `https://api.example.com [get, head] /v1, credential bearer env:TOKEN`.
pub(super) fn http(grant: &HttpGrant) -> String {
    let methods: Vec<String> = grant.methods.iter().map(word).collect();
    let mut text = format!("{} [{}] {}", grant.origin, methods.join(", "), grant.paths.join(" "));
    match &grant.credential {
        Some(HttpCredential::Bearer(secret)) => text.push_str(&format!(", credential bearer {secret}")),
        Some(HttpCredential::Basic { user, password }) => {
            text.push_str(&format!(", credential basic {user} {password}"));
        }
        Some(HttpCredential::Header { name, value }) => text.push_str(&format!(", credential header {name} {value}")),
        None => {}
    }
    if grant.private_addresses {
        text.push_str(", private addresses");
    }
    text
}

/// A choice of the file, as it is written there.
fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
