//! What a plugin says of itself, in words and as a document.

use console::style;
use forcepump_sandbox::{Description, Need, Plugin};
use serde_json::{Value, json};

use super::numbers::bytes;
use super::table;
use crate::output::clean;

/// One row a plugin.
pub fn list(plugins: &[Plugin]) -> String {
    let rows: Vec<Vec<String>> = plugins
        .iter()
        .map(|plugin| {
            let said = plugin.description();
            vec![said.name.clone(), kind(plugin).to_owned(), said.version.clone(), needs(said), said.summary.clone()]
        })
        .collect();
    table::whole(&["name", "kind", "version", "needs", "summary"], &rows)
}

/// A plugin in a list, for programs.
pub fn entry(plugin: &Plugin) -> Value {
    let said = plugin.description();
    json!({ "name": said.name, "kind": kind(plugin), "version": said.version, "summary": said.summary })
}

/// What the plugin does not say itself.
pub struct Origin {
    /// it is inside this program
    pub built_in: bool,
    /// steps for which the lock file of the current folder pins it
    pub pinned: Vec<String>,
}

/// Everything about one plugin, for people.
pub fn words(plugin: &Plugin, origin: &Origin) -> String {
    let said = plugin.description();
    let mut lines =
        vec![style(format!("{} {} ({})", clean(&said.name), clean(&said.version), kind(plugin))).bold().to_string()];
    let mut line = |label: &str, text: &str| lines.push(format!("  {label:<14} {}", clean(text)));
    line("summary", &said.summary);
    line("digest", &format!("sha256:{}", plugin.digest()));
    line("size", &bytes(plugin.size_bytes() as u64));
    line("comes from", if origin.built_in { "this program" } else { "a file" });
    line("pinned", &or(origin.pinned.join("; "), "not by forcepump.lock of this folder"));
    line("roles", &roles(plugin).join(", "));
    line("imports", &or_none(imports(plugin).join(", ")));
    line("wasi", &or_none(wasi(plugin).join(", ")));
    line("needs", &or_none(said.needs.iter().map(need).collect::<Vec<_>>().join("; ")));
    line("deterministic", yes_no(said.deterministic));
    line("stateful", yes_no(said.stateful));
    for metric in &said.metrics {
        line("metric", &format!("{} ({}): {}", metric.name, metric.unit, metric.help));
    }
    line("config schema", "");
    let schema = crate::output::json_text(&schema(said));
    lines.extend(schema.lines().map(|line| format!("    {line}")));
    lines.join("\n")
}

/// Everything about one plugin, for programs.
pub fn document(plugin: &Plugin, origin: &Origin) -> Value {
    let said = plugin.description();
    let needs: Vec<Value> = said
        .needs
        .iter()
        .map(|need| {
            let capability = need.capability.as_str();
            json!({ "capability": capability, "name": need.name, "why": need.why, "required": need.required })
        })
        .collect();
    let metrics: Vec<Value> =
        said.metrics.iter().map(|m| json!({ "name": m.name, "unit": m.unit, "help": m.help })).collect();
    json!({
        "name": said.name,
        "version": said.version,
        "kind": kind(plugin),
        "summary": said.summary,
        "digest": format!("sha256:{}", plugin.digest()),
        "bytes": plugin.size_bytes(),
        "built_in": origin.built_in,
        "pinned": origin.pinned,
        "roles": roles(plugin),
        "imports": imports(plugin),
        "wasi": wasi(plugin),
        "needs": needs,
        "deterministic": said.deterministic,
        "stateful": said.stateful,
        "metrics": metrics,
        "config_schema": schema(said),
    })
}

/// The schema as JSON; a text that is no JSON stays a text.
fn schema(said: &Description) -> Value {
    serde_json::from_str(&said.config_schema).unwrap_or_else(|_| Value::String(said.config_schema.clone()))
}

fn needs(said: &Description) -> String {
    or_none(said.needs.iter().map(|n| format!("{} `{}`", n.capability, n.name)).collect::<Vec<_>>().join(", "))
}

fn need(need: &Need) -> String {
    let required = if need.required { "required" } else { "optional" };
    format!("{} `{}` ({required}): {}", need.capability, need.name, need.why)
}

/// Capabilities that the component can reach at all, granted or not.
fn imports(plugin: &Plugin) -> Vec<&'static str> {
    plugin.imports().iter().map(|capability| capability.as_str()).collect()
}

/// Interfaces of WASI that it imports; what stands behind them is empty unless granted.
fn wasi(plugin: &Plugin) -> Vec<&str> {
    plugin.wasi_imports().iter().map(String::as_str).collect()
}

fn or_none(text: String) -> String {
    or(text, "none")
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// The exports that the host calls, but for `describe`.
fn roles(plugin: &Plugin) -> Vec<&'static str> {
    let roles = [
        (plugin.is_transform(), "transform"),
        (plugin.has_checkpoint(), "checkpoint"),
        (plugin.is_destination(), "destination"),
    ];
    roles.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect()
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn kind(plugin: &Plugin) -> &'static str {
    match (plugin.is_transform(), plugin.is_destination()) {
        (true, true) => "transform and destination",
        (true, false) => "transform",
        (false, true) => "destination",
        (false, false) => "neither",
    }
}
