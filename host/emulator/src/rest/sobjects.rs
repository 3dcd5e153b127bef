//! Describes and single records.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use http::StatusCode;
use http::header::{ETAG, IF_MODIFIED_SINCE, LAST_MODIFIED};
use serde_json::{Value, json};

use super::upsert::{Key, choices};
use crate::data::edit::EditError;
use crate::server::{ApiVersion, Call, Content, Reply, State, is_held, tag};

/// The date format of HTTP (RFC 9110, 5.6.7).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// `GET /sobjects`.
pub(crate) fn sobjects(state: &State, call: &Call, version: ApiVersion) -> Reply {
    unless_unchanged(state, call, || Reply::ok(&state.org.describe_global(version.number())))
}

/// `GET /sobjects/X`.
pub(crate) fn sobject(state: &State, object: &str, version: ApiVersion) -> Reply {
    let global = state.org.describe_global(version.number());
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
        Some(mut found) => {
            name_pages(&mut found, &state.base_url);
            unless_unchanged(state, call, || Reply::ok(&found))
        }
        None => Reply::not_found(),
    }
}

/// Adds the pages of the user interface, which alone are named with their host.
pub(crate) fn name_pages(described: &mut Value, base_url: &str) {
    let Some(prefix) = described.get("keyPrefix").and_then(Value::as_str).map(str::to_owned) else { return };
    if let Some(Value::Object(urls)) = described.get_mut("urls") {
        urls.insert("uiEditTemplate".to_owned(), format!("{base_url}/{{ID}}/e").into());
        urls.insert("uiDetailTemplate".to_owned(), format!("{base_url}/{{ID}}").into());
        urls.insert("uiNewRecord".to_owned(), format!("{base_url}/{prefix}/e").into());
    }
}

/// `GET /sobjects/X/ID`, with `fields=A,B` only those.
pub(crate) fn record(state: &State, call: &Call, object: &str, id: &str, version: ApiVersion) -> Reply {
    if state.org.is_deleted(object, id) {
        return EditError::new("ENTITY_IS_DELETED", "entity is deleted").into();
    }
    match call.param("fields") {
        Some(_) => record_by_key(state, call, Key { object, field: "Id", value: id }, version),
        None => full_record(state, object, id, version),
    }
}

/// `GET /sobjects/X/FIELD/VALUE`, by an external id.
pub(crate) fn record_by_key(state: &State, call: &Call, key: Key<'_>, version: ApiVersion) -> Reply {
    let wanted = call.param("fields");
    let rows = match key.find(state, wanted.unwrap_or("Id"), version) {
        Ok(rows) => rows,
        Err(refused) => return refused,
    };
    match rows.as_slice() {
        [] => Reply::not_found(),
        [row] if wanted.is_some() => Reply::ok(row),
        [row] => full_record(state, key.object, row.get("Id").and_then(Value::as_str).unwrap_or_default(), version),
        several => choices(several),
    }
}

fn full_record(state: &State, object: &str, id: &str, version: ApiVersion) -> Reply {
    let found = state.org.record(object, id, &version.to_string());
    found.map_or_else(Reply::not_found, |found| Reply::ok(&found))
}

/// The names in a global describe.
pub(super) fn names(global: &Value) -> Vec<&str> {
    let list = global.get("sobjects").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| entry.get("name").and_then(Value::as_str)).collect()
}

/// 304 when the client holds it by its tag, else when nothing changed since `If-Modified-Since`; the schema changes only
/// with a restart.
fn unless_unchanged(state: &State, call: &Call, make: impl FnOnce() -> Reply) -> Reply {
    let reply = make();
    let Content::Bytes(bytes) = &reply.content else { return reply };
    let (tag, changed) = (tag(bytes), state.started.trunc_subsecs(0));
    let since: Option<DateTime<Utc>> = call
        .header(IF_MODIFIED_SINCE)
        .and_then(|text| NaiveDateTime::parse_from_str(text, HTTP_DATE).ok())
        .map(|time| time.and_utc());
    // A tag comes before a date (RFC 9110, 13.1.3).
    let held = is_held(&call.headers, &tag).unwrap_or_else(|| since.is_some_and(|since| since >= changed));
    let reply = if held { Reply::empty(StatusCode::NOT_MODIFIED) } else { reply };
    reply.with(ETAG, &tag).with(LAST_MODIFIED, &changed.format(HTTP_DATE).to_string())
}
