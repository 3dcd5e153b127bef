//! `POST /composite/tree/X`: records with their children in one body, all of them or none.

use std::collections::HashSet;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::records::{edit, not_json};
use crate::data::edit::{Edit, EditError};
use crate::server::{ApiVersion, Call, Reply, State};

/// Records of one call, with all below them (REST API Developer Guide, "sObject Tree").
const MOST_RECORDS: usize = 200;
/// Levels below the records themselves.
const MOST_LEVELS: usize = 5;

#[derive(Deserialize)]
struct Tree {
    records: Vec<Map<String, Value>>,
}

/// What has been made so far, and what could not be.
#[derive(Default)]
struct Planted {
    references: HashSet<String>,
    ids: Vec<Value>,
    errors: Vec<Value>,
}

/// Creates the records, each before its children.
pub(crate) fn tree(state: &State, call: &Call, object: &str, version: ApiVersion) -> Reply {
    let wanted: Tree = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return not_json(&error),
    };
    let Some(object) = state.org.object_name(object) else { return Reply::not_found() };
    if wanted.records.is_empty() {
        return Reply::bad_request("REQUIRED_FIELD_MISSING", "At least 1 record is required");
    }
    let before = state.org.held();
    let mut planted = Planted::default();
    for record in wanted.records {
        plant(state, &object, record, (version, 0), &mut planted);
    }
    let failed = !planted.errors.is_empty();
    let (status, results) =
        if failed { (StatusCode::BAD_REQUEST, planted.errors) } else { (StatusCode::CREATED, planted.ids) };
    if failed {
        state.org.put_back(before);
    }
    Reply::json(status, &json!({"hasErrors": failed, "results": results}))
}

/// Creates one record and what is below it.
fn plant(
    state: &State,
    object: &str,
    mut fields: Map<String, Value>,
    (version, level): (ApiVersion, usize),
    planted: &mut Planted,
) {
    let reference =
        fields.get("attributes").and_then(|attributes| attributes.get("referenceId")).and_then(Value::as_str);
    let reference = reference.unwrap_or_default().to_owned();
    let refuse = |planted: &mut Planted, error: &EditError| {
        let error = json!({"statusCode": error.code, "message": error.message, "fields": error.fields});
        planted.errors.push(json!({"referenceId": reference, "errors": [error]}));
    };
    if reference.is_empty() || !planted.references.insert(reference.clone()) {
        return refuse(
            planted,
            &EditError::new("INVALID_INPUT", "Duplicate or missing ReferenceId provided in the request."),
        );
    }
    if planted.references.len() > MOST_RECORDS || level >= MOST_LEVELS {
        let text = format!("at most {MOST_RECORDS} records on {MOST_LEVELS} levels can be created in one call");
        return refuse(planted, &EditError::new("LIMIT_EXCEEDED", text));
    }
    let nested: Vec<String> =
        fields.iter().filter(|(_, value)| value.get("records").is_some()).map(|(name, _)| name.clone()).collect();
    let nested: Vec<(String, Value)> =
        nested.into_iter().filter_map(|name| fields.remove(&name).map(|value| (name, value))).collect();
    let made = edit(state, &Edit::Create { object: object.to_owned(), fields });
    let id = match made {
        Ok(id) => id,
        Err(error) => return refuse(planted, &error),
    };
    planted.ids.push(json!({"referenceId": reference, "id": id}));
    for (name, value) in nested {
        let Some((child, field)) = relationship(state, object, &name, version) else {
            let text = format!("No such relationship '{name}' on sobject of type {object}");
            refuse(planted, &EditError::new("INVALID_FIELD", text));
            continue;
        };
        for record in value.get("records").and_then(Value::as_array).into_iter().flatten() {
            let mut record = record.as_object().cloned().unwrap_or_default();
            record.insert(field.clone(), id.clone().into());
            plant(state, &child, record, (version, level + 1), planted);
        }
    }
}

/// Object and reference field of the children that a parent has under that name.
fn relationship(state: &State, object: &str, name: &str, version: ApiVersion) -> Option<(String, String)> {
    let described = state.org.describe(object, version.number())?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let children = described.get("childRelationships").and_then(Value::as_array)?;
    let found = children.iter().find(|entry| {
        text(entry, "relationshipName").is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
    })?;
    Some((text(found, "childSObject")?, text(found, "field")?))
}
