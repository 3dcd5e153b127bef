//! Describes and single records.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use http::StatusCode;
use http::header::{IF_MODIFIED_SINCE, LAST_MODIFIED};
use serde_json::{Value, json};

use crate::data::QueryMode;
use crate::server::{ApiVersion, Call, Reply, State};

/// The date format of HTTP (RFC 9110, 5.6.7).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// `GET /sobjects`.
pub(crate) fn sobjects(state: &State, call: &Call) -> Reply {
    unless_unchanged(state, call, || Reply::ok(&state.org.describe_global()))
}

/// `GET /sobjects/X`.
pub(crate) fn sobject(state: &State, object: &str) -> Reply {
    let global = state.org.describe_global();
    let entry =
        global.get("sobjects").and_then(Value::as_array).into_iter().flatten().find(|entry| {
            entry.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(object))
        });
    match entry {
        Some(entry) => Reply::ok(&json!({"objectDescribe": entry, "recentItems": []})),
        None => Reply::not_found(),
    }
}

/// `GET /sobjects/X/describe`.
pub(crate) fn describe(state: &State, call: &Call, object: &str, version: ApiVersion) -> Reply {
    match state.org.describe(object, version.number()) {
        Some(found) => unless_unchanged(state, call, || Reply::ok(&found)),
        None => Reply::not_found(),
    }
}

/// `GET /sobjects/X/ID`, with `fields=A,B` only those.
pub(crate) fn record(state: &State, call: &Call, object: &str, id: &str, version: ApiVersion) -> Reply {
    match call.param("fields") {
        Some(_) => record_by_key(state, call, object, "Id", id, version),
        None => state.org.record(object, id).map_or_else(Reply::not_found, |found| Reply::ok(&found)),
    }
}

/// `GET /sobjects/X/FIELD/VALUE`, by an external id.
pub(crate) fn record_by_key(
    state: &State,
    call: &Call,
    object: &str,
    field: &str,
    value: &str,
    version: ApiVersion,
) -> Reply {
    let Some(described) = state.org.describe(object, version.number()) else {
        return Reply::not_found();
    };
    if !is_key(&described, field) {
        let message = format!("Provided external ID field does not exist or is not accessible: {field}");
        return Reply::error(StatusCode::NOT_FOUND, "NOT_FOUND", &message);
    }
    let value = value.replace('\\', "\\\\").replace('\'', "\\'");
    let fields = call.param("fields").unwrap_or("Id");
    let prepared =
        match state.org.prepare(&format!("SELECT {fields} FROM {object} WHERE {field} = '{value}'"), QueryMode::Rest) {
            Ok(prepared) => prepared,
            Err(error) => return error.into(),
        };
    let mut rows = Vec::new();
    prepared.json_rows(0..prepared.total(), &version.to_string(), &mut rows);
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) if call.param("fields").is_some() => Reply::ok(&row),
        (Some(row), true) => full_record(state, object, &row),
        (Some(last), false) => {
            rows.push(last);
            let urls: Vec<&Value> = rows.iter().filter_map(|row| row.pointer("/attributes/url")).collect();
            Reply::json(StatusCode::MULTIPLE_CHOICES, &urls)
        }
        (None, _) => Reply::not_found(),
    }
}

fn full_record(state: &State, object: &str, row: &Value) -> Reply {
    let id = row.get("Id").and_then(Value::as_str).unwrap_or_default();
    state.org.record(object, id).map_or_else(Reply::not_found, |found| Reply::ok(&found))
}

/// Whether a described object can be looked up by this field.
fn is_key(described: &Value, field: &str) -> bool {
    let truth = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
    described.get("fields").and_then(Value::as_array).into_iter().flatten().any(|entry| {
        entry.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(field))
            && (truth(entry, "externalId") || truth(entry, "idLookup"))
    })
}

/// The names in a global describe.
pub(super) fn names(global: &Value) -> Vec<&str> {
    let list = global.get("sobjects").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| entry.get("name").and_then(Value::as_str)).collect()
}

/// 304 when nothing changed since `If-Modified-Since`; the schema changes only with a restart.
fn unless_unchanged(state: &State, call: &Call, make: impl FnOnce() -> Reply) -> Reply {
    let changed = state.started.trunc_subsecs(0);
    let since: Option<DateTime<Utc>> = call
        .header(IF_MODIFIED_SINCE)
        .and_then(|text| NaiveDateTime::parse_from_str(text, HTTP_DATE).ok())
        .map(|time| time.and_utc());
    if since.is_some_and(|since| since >= changed) {
        return Reply::empty(StatusCode::NOT_MODIFIED);
    }
    make().with(LAST_MODIFIED, &changed.format(HTTP_DATE).to_string())
}
