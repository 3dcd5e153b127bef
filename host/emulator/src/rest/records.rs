//! Changes of single records, and the lists of what changed.

use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Map, Value, json};

use crate::data::QueryMode;
use crate::data::edit::{Author, Edit, EditError};
use crate::server::{ApiVersion, Call, Reply, State};

/// `POST /sobjects/X`.
pub(crate) fn create(state: &State, call: &Call, object: &str, version: ApiVersion) -> Reply {
    let fields = match fields_of(call) {
        Ok(fields) => fields,
        Err(error) => return not_json(&error),
    };
    match edit(state, &Edit::Create { object: object.to_owned(), fields }) {
        Ok(id) => {
            let name = state.org.object_name(object).unwrap_or_default();
            let location = format!("/services/data/v{version}/sobjects/{name}/{id}");
            let body = json!({"id": id, "success": true, "errors": []});
            Reply::json(StatusCode::CREATED, &body).with(LOCATION, &location)
        }
        Err(error) => error.into(),
    }
}

/// `PATCH /sobjects/X/ID`.
pub(crate) fn update(state: &State, call: &Call, object: &str, id: &str) -> Reply {
    let fields = match fields_of(call) {
        Ok(fields) => fields,
        Err(error) => return not_json(&error),
    };
    done(edit(state, &Edit::Update { object: object.to_owned(), id: id.to_owned(), fields }))
}

/// `DELETE /sobjects/X/ID`.
pub(crate) fn delete(state: &State, object: &str, id: &str) -> Reply {
    done(edit(state, &Edit::Delete { object: object.to_owned(), id: id.to_owned() }))
}

/// Changes a record as the caller, now.
pub(super) fn edit(state: &State, edit: &Edit) -> Result<String, EditError> {
    state.org.edit(edit, Author { user: &state.user.id, at: state.org.clock().now() })
}

fn done(outcome: Result<String, EditError>) -> Reply {
    outcome.map_or_else(Reply::from, |_| Reply::empty(StatusCode::NO_CONTENT))
}

/// The fields in the body of a call.
pub(super) fn fields_of(call: &Call) -> serde_json::Result<Map<String, Value>> {
    serde_json::from_slice(&call.body)
}

/// The answer to a body that is none.
pub(super) fn not_json(error: &serde_json::Error) -> Reply {
    Reply::bad_request("JSON_PARSER_ERROR", &error.to_string())
}

impl From<EditError> for Reply {
    /// As REST words it: refusals of a change name their fields, also where there are none.
    fn from(error: EditError) -> Reply {
        let status = match error.code {
            "NOT_FOUND" | "ENTITY_IS_DELETED" => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut entry = json!({"message": error.message, "errorCode": error.code});
        let bare = ["INVALID_FIELD", "NOT_FOUND", "JSON_PARSER_ERROR", "INVALID_TYPE_FOR_OPERATION"];
        if !bare.contains(&error.code) {
            entry["fields"] = json!(error.fields);
        }
        Reply::json(status, &[entry])
    }
}

/// `GET /sobjects/X/updated` and `GET /sobjects/X/deleted`, from `start` until `end`.
pub(crate) fn changes(state: &State, call: &Call, object: &str, version: ApiVersion, deleted: bool) -> Reply {
    let Some(name) = state.org.object_name(object) else { return Reply::not_found() };
    let (start, end) = match (moment(call, "start"), moment(call, "end")) {
        (Some(start), Some(end)) if start < end => (start, end),
        _ => return Reply::bad_request("INVALID_REPLICATION_DATE", "startDate has to be before endDate"),
    };
    let shown = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ");
    let soql = format!(
        "SELECT Id, SystemModstamp FROM {name} WHERE SystemModstamp >= {} AND SystemModstamp < {} AND IsDeleted = {deleted}",
        shown(start),
        shown(end)
    );
    let prepared = match state.org.prepare(&soql, QueryMode::RestAll) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let mut rows = Vec::new();
    prepared.json_rows(0..prepared.total(), &version.to_string(), &mut rows);
    let covered = end.min(state.org.clock().now()).format("%Y-%m-%dT%H:%M:00.000+0000").to_string();
    if deleted {
        let entry = |row: &Value| json!({"id": row["Id"], "deletedDate": row["SystemModstamp"]});
        let earliest = state.started.format("%Y-%m-%dT%H:%M:00.000+0000").to_string();
        let found: Vec<Value> = rows.iter().map(entry).collect();
        return Reply::ok(
            &json!({"deletedRecords": found, "earliestDateAvailable": earliest, "latestDateCovered": covered}),
        );
    }
    let ids: Vec<&Value> = rows.iter().map(|row| &row["Id"]).collect();
    Reply::ok(&json!({"ids": ids, "latestDateCovered": covered}))
}

/// A moment of the query; where a client forgot to encode it, its plus has become a space.
fn moment(call: &Call, name: &str) -> Option<DateTime<Utc>> {
    let text = call.param(name)?.replace(' ', "+");
    DateTime::parse_from_rfc3339(&text).ok().map(|at| at.with_timezone(&Utc))
}
