//! Rules over a parsed pipeline file that its shape alone cannot express.

use super::expand::expand;
use super::{
    DestinationStep, MAX_BATCH_ROWS, MAX_PARALLEL_PAGES, Mode, PipelineFile, PluginLimits, RejectLimit, Source, feeds,
};

/// One fault: the key at which it stands, and what is wrong with the way out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// dotted key, for example `source.where`
    pub key: String,
    /// what is wrong, the expected form, the way out
    pub message: String,
}

impl Problem {
    /// A fault at a key.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

/// Every fault of the file; empty when it can be planned.
#[must_use]
pub fn validate(file: &PipelineFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !file.source.has_feeds() {
        feeds::refuse_without(file, &mut problems);
        problems.extend(validate_one(file));
        return problems;
    }
    feeds::check(file, &mut problems);
    if problems.is_empty() {
        problems = validate_feeds(file);
    }
    problems
}

/// The faults of each feed; what all have in common is told once, and of what some have in common it is told which.
fn validate_feeds(file: &PipelineFile) -> Vec<Problem> {
    let mut found: Vec<(Problem, Vec<String>)> = Vec::new();
    let feeds = file.source.all_feeds();
    for (number, feed) in feeds.iter().enumerate() {
        let own = serde_json::to_value(feed).unwrap_or_default();
        for problem in validate_one(&expand(file, feed)) {
            if let Some(key) = own_key(&own, &problem.key) {
                let key = format!("{}.{key}", feeds::key_of(&file.source, number));
                found.push((Problem { key, ..problem }, Vec::new()));
                continue;
            }
            match found.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, of)) => of.push(feed.object.clone()),
                None => found.push((problem, vec![feed.object.clone()])),
            }
        }
    }
    let told = |(problem, of): (Problem, Vec<String>)| match of.len() {
        some if some > 0 && some < feeds.len() => {
            Problem { message: format!("feed `{}`: {}", of.join("`, `"), problem.message), ..problem }
        }
        _ => problem,
    };
    found.into_iter().map(told).collect()
}

/// The key below the feed that a fault stands at, when the feed itself says it.
fn own_key(own: &serde_json::Value, key: &str) -> Option<String> {
    let below = key.strip_prefix("source.").unwrap_or(key);
    let first = below.split('.').next()?;
    own.get(first).map(|_| below.to_owned())
}

/// Every fault of a pipeline of one object or a query.
fn validate_one(file: &PipelineFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_name(&file.name, &mut problems);
    if let Some(RejectLimit::Share(text)) = &file.max_rejects
        && let Err(message) = parse_share(text)
    {
        problems.push(Problem::new("max_rejects", message));
    }
    if let Some(repeatable) = &file.repeatable
        && let Err(message) = parse_moment(&repeatable.as_of)
    {
        problems.push(Problem::new("repeatable.as_of", message));
    }
    check_source(&file.source, &mut problems);
    for (index, step) in file.transform.iter().enumerate() {
        let key = format!("transform[{index}]");
        check_plugin(&key, &step.plugin, &mut problems);
        check_limits(&key, &step.limits, &mut problems);
    }
    check_plugin("destination", &file.destination.plugin, &mut problems);
    check_limits("destination", &file.destination.limits, &mut problems);
    check_destination(&file.destination, &mut problems);
    super::deletes::check_deletes(file, &mut problems);
    problems
}

/// A moment such as `2024-06-30T00:00:00Z`, in microseconds since the epoch.
///
/// # Errors
/// What is wrong and the expected form.
pub fn parse_moment(text: &str) -> Result<i64, String> {
    let moment = chrono::DateTime::parse_from_rfc3339(text.trim());
    moment.map(|moment| moment.timestamp_micros()).map_err(|error| {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        format!("`{shown}` is no moment ({error}); write date, time and zone, for example \"2024-06-30T00:00:00Z\"")
    })
}

/// A share such as `0.5%`, in millionths of a percent.
///
/// # Errors
/// What is wrong and the expected form.
pub fn parse_share(text: &str) -> Result<u64, String> {
    const DECIMALS: usize = 6;
    let wrong = || {
        let shown = text.escape_debug();
        format!(
            "`{shown}` is no share of rows; write 0% to 100% with at most {DECIMALS} decimals, for example \"0.5%\", or a number of rows without quotes"
        )
    };
    let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > DECIMALS {
        return Err(wrong());
    }
    let share: u64 = format!("{whole}{decimals:0<DECIMALS$}").parse().map_err(|_| wrong())?;
    if share > 100_000_000 { Err(wrong()) } else { Ok(share) }
}

fn check_name(name: &str, problems: &mut Vec<Problem>) {
    const MAX_CHARS: usize = 64;
    let fits = !name.is_empty()
        && name.len() <= MAX_CHARS
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !fits {
        problems.push(Problem::new(
            "name",
            format!("`{}` must be 1 to {MAX_CHARS} letters, digits, - or _", name.escape_debug()),
        ));
    }
}

fn check_source(source: &Source, problems: &mut Vec<Problem>) {
    match (&source.object, &source.query) {
        (Some(_), Some(_)) => {
            problems.push(Problem::new("source", "has both `object` and `query`; keep one of them"));
        }
        (None, None) => problems.push(Problem::new(
            "source",
            "has neither `object`, `objects` nor `query`; give one, for example object = \"Account\"",
        )),
        (None, Some(_)) => check_query_alone(source, problems),
        (Some(_), None) => {}
    }
    if source.max_records == Some(0) {
        problems.push(Problem::new("source.max_records", "must be 1 or more"));
    }
    if source.batch_rows.is_some_and(|rows| rows == 0 || rows > MAX_BATCH_ROWS) {
        problems.push(Problem::new("source.batch_rows", format!("must be 1 to {MAX_BATCH_ROWS}")));
    }
    if source.parallel_pages.is_some_and(|pages| !(1..=MAX_PARALLEL_PAGES).contains(&pages)) {
        problems.push(Problem::new("source.parallel_pages", format!("must be 1 to {MAX_PARALLEL_PAGES}")));
    }
    super::reading::check(source, problems);
    if let Some(version) = &source.api_version {
        check_api_version(version, problems);
    }
    check_where(source, problems);
    check_incremental(source, problems);
}

fn check_incremental(source: &Source, problems: &mut Vec<Problem>) {
    let Some(incremental) = &source.incremental else { return };
    if source.query.is_some() {
        problems.push(Problem::new(
            "source.incremental",
            "goes with `object`; a query sets its own bounds, for example with a variable: where SystemModstamp > $since",
        ));
    }
    if let Some(Err(message)) = incremental.since.as_deref().map(parse_moment) {
        problems.push(Problem::new("source.incremental.since", message));
    }
    if let Some(Err(message)) = incremental.slice.as_deref().map(super::incremental::parse_length) {
        problems.push(Problem::new("source.incremental.slice", message));
    }
}

fn check_query_alone(source: &Source, problems: &mut Vec<Problem>) {
    if !source.fields.is_empty() {
        problems.push(Problem::new("source.fields", "goes with `object`; a query names its fields in its SELECT list"));
    }
    if source.condition.is_some() {
        problems.push(Problem::new("source.where", "goes with `object`; a query has its own WHERE clause"));
    }
}

fn check_where(source: &Source, problems: &mut Vec<Problem>) {
    let Some(text) = source.condition.as_deref() else { return };
    let trimmed = text.trim_start();
    let leads = trimmed.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("where"))
        && trimmed[5..].starts_with(char::is_whitespace);
    if leads {
        problems.push(Problem::new(
            "source.where",
            format!("starts with the word WHERE; write: where = {:?}", trimmed[5..].trim()),
        ));
    } else if trimmed.is_empty() {
        problems.push(Problem::new("source.where", "is empty; leave the key out to read all rows"));
    }
}

fn check_api_version(version: &str, problems: &mut Vec<Problem>) {
    let fits = version.split_once('.').is_some_and(|(major, minor)| {
        minor == "0" && major.parse::<u32>().is_ok_and(|number| (47..1000).contains(&number))
    });
    if !fits {
        problems.push(Problem::new(
            "source.api_version",
            format!("`{version}` must be 47.0 or newer (Bulk API 2.0 query), for example \"62.0\""),
        ));
    }
}

fn check_plugin(key: &str, plugin: &str, problems: &mut Vec<Problem>) {
    if plugin.trim().is_empty() {
        problems.push(Problem::new(
            format!("{key}.plugin"),
            "is empty; name a first-party plugin or the path of a component file",
        ));
    }
}

fn check_limits(key: &str, limits: &PluginLimits, problems: &mut Vec<Problem>) {
    let bounds = [
        ("memory_mib", limits.memory_mib, 4_096),
        ("call_ms", limits.call_ms, 3_600_000),
        ("output_mib", limits.output_mib, 2_048),
        ("fan_out", limits.fan_out, 65_536),
        ("rows", limits.rows, 16_777_216),
        ("log_lines_per_second", limits.log_lines_per_second, 100_000),
        ("http_calls_per_second", limits.http_calls_per_second, 10_000),
        ("http_response_mib", limits.http_response_mib, 1_024),
    ];
    for (name, value, max) in bounds {
        if value.is_some_and(|number| number == 0 || number > max) {
            problems.push(Problem::new(format!("{key}.limits.{name}"), format!("must be 1 to {max}")));
        }
    }
    for (name, value) in [("files_mib", limits.files_mib), ("fuel", limits.fuel)] {
        if value == Some(0) {
            problems.push(Problem::new(format!("{key}.limits.{name}"), "must be 1 or more"));
        }
    }
}

fn check_destination(step: &DestinationStep, problems: &mut Vec<Problem>) {
    let needs_keys = matches!(step.mode, Mode::Merge | Mode::Update | Mode::Delete);
    if needs_keys && step.keys.is_empty() {
        problems.push(Problem::new(
            "destination.keys",
            "is missing; merge, update and delete need the columns that identify a row, for example keys = [\"Id\"]",
        ));
    }
    if !needs_keys && !step.keys.is_empty() {
        problems.push(Problem::new(
            "destination.keys",
            "goes with mode merge, update or delete; append and overwrite use no keys",
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse_pipeline;
    use super::*;

    fn problems_of(text: &str) -> Vec<Problem> {
        validate(&parse_pipeline(text, Path::new("p.toml")).unwrap())
    }

    fn with_source(lines: &str) -> Vec<Problem> {
        problems_of(&format!("name = 'a'\n[source]\nconnection = 'demo'\n{lines}\n[destination]\nplugin = 'csv'\n"))
    }

    #[test]
    fn a_leading_where_is_refused_with_the_corrected_text() {
        let found = with_source("object = 'Account'\nwhere = \"WHERE Name != null\"");
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains(r#"where = "Name != null""#), "{found:?}");
    }

    #[test]
    fn a_field_that_starts_like_where_is_no_where() {
        assert!(with_source("object = 'A'\nwhere = \"Whereabouts__c = 'x'\"").is_empty());
    }

    #[test]
    fn object_and_query_exclude_each_other() {
        assert_eq!(with_source("object = 'A'\nquery = 'SELECT Id FROM A'").len(), 1);
        assert_eq!(with_source("").len(), 1);
        assert_eq!(with_source("query = 'SELECT Id FROM A'\nfields = ['Id']").len(), 1);
    }

    #[test]
    fn merge_needs_keys_and_append_takes_none() {
        let text = |mode: &str| {
            format!("name='a'\n[source]\nconnection='d'\nobject='A'\n[destination]\nplugin='sqlite'\n{mode}")
        };
        assert_eq!(problems_of(&text("mode='merge'"))[0].key, "destination.keys");
        assert_eq!(problems_of(&text("keys=['Id']"))[0].key, "destination.keys");
        assert!(problems_of(&text("mode='merge'\nkeys=['Id']")).is_empty());
    }

    #[test]
    fn moments_have_a_zone() {
        assert_eq!(parse_moment("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(parse_moment("1970-01-01T02:00:00+02:00"), Ok(0));
        assert!(parse_moment("2024-06-30").is_err() && parse_moment("2024-06-30T00:00:00").is_err());
    }

    #[test]
    fn shares_are_exact() {
        assert_eq!(parse_share("0.5%"), Ok(500_000));
        assert_eq!(parse_share(" 100 %"), Ok(100_000_000));
        assert_eq!(parse_share("0.000001%"), Ok(1));
        for wrong in ["0.5", "", "%", "-1%", "101%", "1e1%", ".5%", "5.%", "0.0000001%", "½%"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
        let text = "name='a'\nmax_rejects='5'\n[source]\nconnection='d'\nobject='A'\n[destination]\nplugin='csv'\n";
        assert_eq!(problems_of(text)[0].key, "max_rejects");
    }

    #[test]
    fn versions_and_limits_are_bounded() {
        assert_eq!(with_source("object='A'\napi_version='62'").len(), 1);
        assert_eq!(with_source("object='A'\napi_version='30.0'").len(), 1);
        assert!(with_source("object='A'\napi_version='62.0'").is_empty());
        assert_eq!(with_source("object='A'\nbatch_rows=0").len(), 1);
        assert_eq!(with_source("object='A'\nparallel_pages=0").len(), 1);
        assert_eq!(with_source("object='A'\nparallel_pages=33").len(), 1);
        assert!(with_source("object='A'\nparallel_pages=8").is_empty());
    }
}
