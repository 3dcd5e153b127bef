//! `/composite/sobjects`: up to 200 records of any objects in one call.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::records::{edit, not_json};
use super::upsert::{Key, NotUpserted, Upserted};
use crate::data::QueryMode;
use crate::data::edit::{Edit, EditError};
use crate::server::{ApiVersion, Call, Reply, State};

/// Records that one call may change (REST API Developer Guide, "sObject Collections").
const MOST_RECORDS: usize = 200;
/// Records that one call may fetch; more ids than a URI holds come in a body.
const MOST_FETCHED: usize = 2_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    #[serde(default)]
    all_or_none: bool,
    records: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Wanted {
    ids: Vec<String>,
    fields: Vec<String>,
}

/// What became of one record: its id, and whether it is new where that is told.
type Outcome = Result<(String, Option<bool>), (Option<String>, EditError)>;

/// Answers every method of the resource.
pub(crate) fn collections(
    state: &State,
    call: &Call,
    object: Option<&str>,
    key: Option<&str>,
    version: ApiVersion,
) -> Reply {
    match (object, key) {
        (Some(object), Some(key)) => upsert(state, call, object, key, version),
        (Some(object), None) => fetch(state, call, object, version),
        (None, _) if call.method == Method::DELETE => delete(state, call),
        (None, _) => change(state, call, call.method == Method::PATCH),
    }
}

fn collection(call: &Call) -> Result<Collection, Reply> {
    let found: Collection = serde_json::from_slice(&call.body).map_err(|error| not_json(&error))?;
    check_count(found.records.len())?;
    Ok(found)
}

fn check_count(records: usize) -> Result<(), Reply> {
    match records {
        0 => Err(Reply::bad_request("REQUIRED_FIELD_MISSING", "At least 1 record is required")),
        1..=MOST_RECORDS => Ok(()),
        _ => {
            let message =
                format!("record limit reached. cannot submit more than {MOST_RECORDS} records into this call");
            Err(Reply::bad_request("EXCEEDED_ID_LIMIT", &message))
        }
    }
}

/// `POST` and `PATCH`.
fn change(state: &State, call: &Call, update: bool) -> Reply {
    let wanted = match collection(call) {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    let one = |record: Map<String, Value>| changed(state, record, update);
    answer(state, wanted.all_or_none, wanted.records.into_iter().map(one))
}

fn changed(state: &State, mut fields: Map<String, Value>, update: bool) -> Outcome {
    let missing = |name: &str| {
        let text = format!("Required fields are missing: [{name}]");
        (None, EditError { fields: vec![name.to_owned()], ..EditError::new("REQUIRED_FIELD_MISSING", text) })
    };
    let kind = fields.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Value::as_str);
    let object = kind.ok_or_else(|| missing("attributes.type"))?.to_owned();
    if !update {
        let id = edit(state, &Edit::Create { object, fields }).map_err(|error| (None, error))?;
        return Ok((id, None));
    }
    let name = fields.keys().find(|name| name.eq_ignore_ascii_case("Id")).cloned();
    let id = name.and_then(|name| fields.remove(&name)).and_then(|id| id.as_str().map(str::to_owned));
    let id = id.ok_or_else(|| {
        let text = "Id not specified in an update call";
        (None, EditError { fields: vec!["Id".to_owned()], ..EditError::new("MISSING_ARGUMENT", text) })
    })?;
    let done = edit(state, &Edit::Update { object, id: id.clone(), fields });
    done.map(|id| (id, None)).map_err(|error| (Some(id), error))
}

/// `PATCH /composite/sobjects/X/FIELD`.
fn upsert(state: &State, call: &Call, object: &str, key: &str, version: ApiVersion) -> Reply {
    let wanted = match collection(call) {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    let Some(object) = state.org.object_name(object) else { return Reply::not_found() };
    let one = |mut record: Map<String, Value>| -> Outcome {
        let name = record.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
        let value = match name.and_then(|name| record.remove(&name)) {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let key = Key { object: &object, field: key, value: &value };
        match key.upsert(state, record, false, version) {
            Ok(Upserted { id, created }) => Ok((id, Some(created))),
            Err(NotUpserted::Record(error)) => Err((None, error)),
            Err(NotUpserted::Reply(reply)) if reply.status == StatusCode::MULTIPLE_CHOICES => {
                let text = format!("{}: more than one record found for external id field: [{value}]", key.field);
                Err((None, EditError::new("DUPLICATE_EXTERNAL_ID", text)))
            }
            Err(NotUpserted::Reply(_)) => {
                let text = format!("Provided external ID field does not exist or is not accessible: {}", key.field);
                Err((None, EditError::new("INVALID_FIELD", text)))
            }
        }
    };
    answer(state, wanted.all_or_none, wanted.records.into_iter().map(one))
}

/// `DELETE /composite/sobjects?ids=…`.
fn delete(state: &State, call: &Call) -> Reply {
    let ids: Vec<&str> = call.param("ids").unwrap_or_default().split(',').map(str::trim).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    if let Err(refused) = check_count(ids.len()) {
        return refused;
    }
    let one = |id: &str| -> Outcome {
        let unknown = || EditError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
        let object = state.org.object_of(id).ok_or_else(|| (Some(id.to_owned()), unknown()))?;
        let done = edit(state, &Edit::Delete { object, id: id.to_owned() });
        done.map(|id| (id, None)).map_err(|error| (Some(id.to_owned()), error))
    };
    let all_or_none = call.param("allOrNone").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    answer(state, all_or_none, ids.into_iter().map(one))
}

/// The outcomes in their order; when all or none was wanted, a failure undoes what succeeded.
fn answer(state: &State, all_or_none: bool, outcomes: impl Iterator<Item = Outcome>) -> Reply {
    let before = state.org.held();
    let mut outcomes: Vec<Outcome> = outcomes.collect();
    if all_or_none && outcomes.iter().any(Result::is_err) {
        state.org.put_back(before);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            let text =
                "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Err((None, EditError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", text)));
        }
    }
    Reply::ok(&outcomes.iter().map(entry).collect::<Vec<Value>>())
}

fn entry(outcome: &Outcome) -> Value {
    let mut out = Map::new();
    let (id, created, error) = match outcome {
        Ok((id, created)) => (Some(id), *created, None),
        Err((id, error)) => (id.as_ref(), None, Some(error)),
    };
    if let Some(id) = id {
        out.insert("id".to_owned(), json!(id));
    }
    out.insert("success".to_owned(), json!(error.is_none()));
    // Here it is statusCode, around a whole answer it is errorCode.
    let errors = error.map(|error| json!({"statusCode": error.code, "message": error.message, "fields": error.fields}));
    out.insert("errors".to_owned(), Value::Array(errors.into_iter().collect()));
    if let Some(created) = created {
        out.insert("created".to_owned(), json!(created));
    }
    Value::Object(out)
}

/// `GET` and `POST /composite/sobjects/X`: the records of these ids in their order, null for those that are not there.
fn fetch(state: &State, call: &Call, object: &str, version: ApiVersion) -> Reply {
    let list = |name: &str| {
        let names = call.param(name).unwrap_or_default().split(',').map(|part| part.trim().to_owned());
        names.filter(|part| !part.is_empty()).collect()
    };
    let wanted = if call.method == Method::POST {
        match serde_json::from_slice(&call.body) {
            Ok(wanted) => wanted,
            Err(error) => return not_json(&error),
        }
    } else {
        Wanted { ids: list("ids"), fields: list("fields") }
    };
    let Some(object) = state.org.object_name(object) else { return Reply::not_found() };
    if wanted.ids.is_empty() || wanted.fields.is_empty() {
        return Reply::bad_request("REQUIRED_FIELD_MISSING", "At least 1 id and 1 field are required");
    }
    if wanted.ids.len() > MOST_FETCHED {
        let message = format!("record limit reached. cannot submit more than {MOST_FETCHED} records into this call");
        return Reply::bad_request("EXCEEDED_ID_LIMIT", &message);
    }
    match records(state, &object, &wanted, version) {
        Ok(found) => Reply::ok(&found),
        Err(refused) => refused,
    }
}

fn records(state: &State, object: &str, wanted: &Wanted, version: ApiVersion) -> Result<Vec<Value>, Reply> {
    let ours = |id: &&String| state.org.object_of(id).as_deref() == Some(object);
    let ids: Vec<String> = wanted.ids.iter().filter(ours).map(|id| format!("'{id}'")).collect();
    let mut fields: Vec<&str> = wanted.fields.iter().map(String::as_str).collect();
    let with_id = fields.iter().any(|field| field.eq_ignore_ascii_case("Id"));
    if !with_id {
        fields.push("Id");
    }
    // Checked also where no record is there to be shown.
    let filter = if ids.is_empty() { "Id = null".to_owned() } else { format!("Id IN ({})", ids.join(",")) };
    let soql = format!("SELECT {} FROM {object} WHERE {filter}", fields.join(","));
    let prepared = state.org.prepare(&soql, QueryMode::Rest)?;
    let mut rows = Vec::new();
    prepared.json_rows(0..prepared.total(), &version.to_string(), &mut rows);
    let of = |id: &String| {
        let row = rows.iter().find(|row| {
            let found = row.get("Id").and_then(Value::as_str).unwrap_or_default();
            crate::ids::short(found).is_some_and(|short| id.starts_with(short))
        });
        let mut row = row.cloned().unwrap_or(Value::Null);
        if let (Value::Object(fields), false) = (&mut row, with_id) {
            fields.shift_remove("Id");
        }
        row
    };
    Ok(wanted.ids.iter().map(of).collect())
}
