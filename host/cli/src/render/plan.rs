//! A plan in words: what will be sent, what comes back, and what each plugin does with it.

use console::style;
use forcepump_pipeline::file::PluginLimits;
use forcepump_pipeline::{CallEstimate, CallQuota, Plan, PlanColumn, PlanStep, ShownWindow};
use serde::Serialize;

use super::numbers::{count, several};
use super::table;
use crate::output::clean;

/// The plans of several feeds, each whole.
pub fn feeds(name: &str, at_a_time: usize, calls: &CallEstimate, plans: &[Plan]) -> String {
    let objects: Vec<&str> = plans.iter().map(|plan| plan.object.as_str()).collect();
    let count = several(plans.len() as u64, "feed");
    let heading = format!("{}: {count}, {at_a_time} at a time: {}", clean(name), clean(&objects.join(", ")));
    let mut text = Text::default();
    text.heading(&heading);
    text.line("estimate", &estimate(calls));
    // What one feed can have and all together cannot.
    if plans.iter().all(|plan| plan.calls.warning().is_none()) {
        calls.warning().iter().for_each(|note| text.line("note", note));
    }
    let plans = plans.iter().map(plan);
    [text.0.join("\n")].into_iter().chain(plans).collect::<Vec<_>>().join("\n\n")
}

/// The whole plan.
pub fn plan(plan: &Plan) -> String {
    let mut text = Text::default();
    text.heading(&format!("source: {} by connection `{}`", plan.object, plan.connection));
    text.line("org", &plan.org);
    text.line("api", &format!("{}, version {}, {}", plan.api, plan.api_version, plan.action));
    if !plan.api_why.is_empty() {
        text.line("why", &plan.api_why);
    }
    if let Some(soql) = &plan.deletes_soql {
        text.line("deletes", soql);
    }
    text.line("soql", &plan.soql);
    if let Some(window) = &plan.window {
        text.line("window", &window_text(window));
    }
    for variable in &plan.variables {
        let value = variable.value.as_deref().unwrap_or("NULL");
        text.line("variable", &format!("${} = {value} ({})", variable.name, variable.origin));
    }
    if let Some(finds) = &plan.finds {
        let (rows, of) = (count(finds.rows), count(finds.of_rows));
        text.line("finds", &format!("about {rows} of {of} rows, by {}, cost {:.2}", finds.by, finds.relative_cost));
    }
    text.line("calls", &plan.expected_calls);
    text.line("estimate", &estimate(&plan.calls));
    text.line("columns", &plan.columns.len().to_string());
    text.block(&columns(&plan.columns));
    text.list("pruned", &plan.pruned);
    for expanded in &plan.expanded {
        text.line("expanded", &format!("{}: {}", expanded.name, expanded.into.join(", ")));
    }
    for field in &plan.skipped_fields {
        text.line("skipped", &format!("{}: {}", field.name, field.reason));
    }
    if let Some(drift) = &plan.drift {
        let policy = |kind: &str, policy| format!("{kind} fields: {}", word(policy));
        let policies = [policy("new", &drift.new), policy("gone", &drift.gone), policy("retyped", &drift.kind)];
        text.line("drift", &policies.join(", "));
    }
    for change in &plan.field_changes {
        text.line("changed", &change.words());
    }
    let mut before = &plan.columns;
    for (index, transform) in plan.transforms.iter().enumerate() {
        text.heading(&format!("transform {}: {} {}", index + 1, transform.plugin, transform.version));
        step(&mut text, transform, before);
        before = &transform.output;
    }
    text.heading(&format!("destination: {} {}", plan.destination.plugin, plan.destination.version));
    step(&mut text, &plan.destination, before);
    for note in &plan.notes {
        text.line("note", note);
    }
    text.0.join("\n")
}

/// How many calls, of which kinds, for how many rows, and what is left.
fn estimate(calls: &CallEstimate) -> String {
    let kinds = [(calls.planning, "to plan"), (calls.job, "job"), (calls.polls, "polls"), (calls.pages, "pages")];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{} {kind}", count(*number)))
        .collect();
    let rows = calls.rows.map_or_else(|| "rows not known".to_owned(), |rows| format!("about {} rows", count(rows)));
    let left = calls.quota.map_or_else(String::new, |quota| format!("; {}", quota_text(&quota)));
    format!("about {} calls ({}), {rows}{left}", count(calls.total), kinds.join(", "))
}

/// The org's calls, and the part of them that runs may use.
pub fn quota_text(quota: &CallQuota) -> String {
    format!(
        "the org has used {} of {} in 24 hours, runs may go on to {} (daily_share = {}): {} left",
        count(quota.used),
        count(quota.allowed),
        count(quota.share),
        quota.daily_share,
        count(quota.left)
    )
}

/// What an incremental run reads.
pub fn window_text(window: &ShownWindow) -> String {
    let from = window.from.as_deref().unwrap_or("the beginning of everything");
    let known = match &window.cursor {
        Some(cursor) => format!("; the last run ended at {cursor}, of rows before it only late ones are taken"),
        None => String::new(),
    };
    let slices = window.slice.as_ref().map(|length| format!(", in slices of {length}")).unwrap_or_default();
    format!("{} from {from} to {}{slices}{known}", window.field, window.to)
}

/// One line for a pipeline that can be run.
pub fn checked(plan: &Plan) -> String {
    let plugins: Vec<&str> = plan.transforms.iter().chain([&plan.destination]).map(|s| s.plugin.as_str()).collect();
    format!(
        "{}: {}, {} of {} through {}",
        style(clean(&plan.pipeline)).bold(),
        style("ok").green(),
        several(plan.columns.len() as u64, "column"),
        clean(&plan.object),
        clean(&plugins.join(", ")),
    )
}

/// One plugin; columns that come out as they went in are not listed again.
fn step(text: &mut Text, step: &PlanStep, before: &[PlanColumn]) {
    text.line("digest", &step.digest);
    text.list("reads", &step.reads);
    text.list("keeps", &step.keeps);
    text.list("computes", &step.computes);
    text.list("constants", &step.constants);
    text.list("drops", &step.drops);
    text.list("withheld", &step.withheld);
    if let Some(mode) = &step.mode {
        let keys = if step.keys.is_empty() { String::new() } else { format!(" by {}", step.keys.join(", ")) };
        text.line("mode", &format!("{}{keys}", word(mode)));
    }
    text.line("config", &step.config.to_string());
    text.list("asks", &step.asks);
    text.list("grants", &step.grants);
    text.line("limits", &limits(&step.limits));
    if rows(&step.output) == rows(before) {
        text.line("output", &format!("the same {} columns", before.len()));
    } else {
        text.line("output", &format!("{} columns", step.output.len()));
        text.block(&columns(&step.output));
    }
}

/// A choice of the pipeline file, as it is written there.
fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn limits(limits: &PluginLimits) -> String {
    let given = [
        limits.memory_mib.map(|mib| format!("memory {mib} MiB")),
        limits.call_ms.map(|ms| format!("call {ms} ms")),
        limits.output_mib.map(|mib| format!("output {mib} MiB")),
        limits.fan_out.map(|rows| format!("fan-out {rows}")),
        limits.rows.map(|rows| format!("rows {rows}")),
        limits.log_lines_per_second.map(|lines| format!("log {lines} lines/s")),
        limits.http_calls_per_second.map(|calls| format!("http {calls} calls/s")),
        limits.http_response_mib.map(|mib| format!("http response {mib} MiB")),
        limits.files_mib.map(|mib| format!("files {mib} MiB")),
        limits.fuel.map(|units| format!("fuel {units}")),
    ];
    let given: Vec<String> = given.into_iter().flatten().collect();
    if given.is_empty() { "default".to_owned() } else { given.join(", ") }
}

fn columns(columns: &[PlanColumn]) -> String {
    table::whole(&["column", "salesforce type", "arrow type", "nullable"], &rows(columns))
}

fn rows(columns: &[PlanColumn]) -> Vec<Vec<String>> {
    let row = |column: &PlanColumn| {
        let nullable = if column.nullable { "yes" } else { "no" };
        let salesforce_type = column.salesforce_type.clone().unwrap_or_default();
        vec![column.name.clone(), salesforce_type, column.arrow_type.clone(), nullable.to_owned()]
    };
    columns.iter().map(row).collect()
}

#[derive(Default)]
struct Text(Vec<String>);

impl Text {
    fn heading(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push(String::new());
        }
        self.0.push(style(clean(text)).bold().to_string());
    }

    fn line(&mut self, label: &str, text: &str) {
        self.0.push(format!("  {label:<10} {}", clean(text)));
    }

    fn list(&mut self, label: &str, items: &[String]) {
        if !items.is_empty() {
            self.line(label, &items.join(", "));
        }
    }

    fn block(&mut self, block: &str) {
        self.0.extend(block.lines().map(|line| format!("  {line}")));
    }
}
