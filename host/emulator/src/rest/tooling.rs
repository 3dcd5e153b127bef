//! The one query of the Tooling API that is served: fields with their data classification.

use serde_json::{Value, json};

use super::query::{Piece, batch_of, first_piece};
use crate::data::{Moments, QueryMode};
use crate::server::{ApiVersion, Call, Reply, State};

/// Objects of the data APIs that the Tooling API has too.
const STORED: [&str; 5] = ["EntityDefinition", "Organization", "Profile", "RecordType", "User"];

/// `GET /tooling/query?q=`.
pub(crate) fn tooling_query(state: &State, call: &Call, version: ApiVersion) -> Reply {
    let Some(soql) = call.param("q") else {
        return Reply::bad_request("MALFORMED_QUERY", "A query string has to be specified");
    };
    let object = crate::soql::parse(soql).map(|statement| statement.from.dotted()).unwrap_or_default();
    if STORED.iter().any(|known| known.eq_ignore_ascii_case(&object)) {
        return stored(state, soql, version);
    }
    field_definitions(state, soql, version, true)
}

/// A statement over an object that both APIs have: the same rows with more keys around them.
fn stored(state: &State, soql: &str, version: ApiVersion) -> Reply {
    let prepared = match state.org.prepare(soql, QueryMode::Rest) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let object = prepared.object().to_owned();
    let found = match prepared.count_only() {
        Some(total) => Piece { total, locator: None, records: Vec::new() },
        None => first_piece(state, prepared, batch_of(None), version, Moments::Offset),
    };
    let next = found.locator.map(|locator| format!("/services/data/v{version}/tooling/query/{locator}"));
    let mut answer = json!({
        "size": found.records.len(),
        "totalSize": found.total,
        "done": next.is_none(),
        "queryLocator": null,
        "entityTypeName": object,
        "records": found.records,
    });
    if let Some(next) = next {
        answer["nextRecordsUrl"] = next.into();
    }
    Reply::ok(&answer)
}

/// The fields that a statement over `FieldDefinition` asks for; REST has fewer keys around them than the Tooling API.
pub(super) fn field_definitions(state: &State, soql: &str, version: ApiVersion, tooling: bool) -> Reply {
    // The setup knows fields that field-level security hides from the data APIs.
    let org = state.own().map_or(&state.org, |tenant| &tenant.org);
    match org.field_definitions(soql, &version.to_string()) {
        Ok(answer) if tooling => Reply::ok(&answer),
        Ok(answer) => {
            let text = answer.to_string().replace("/tooling/sobjects/FieldDefinition/", "/sobjects/FieldDefinition/");
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            let records = answer.get("records").cloned().unwrap_or_default();
            Reply::ok(&json!({ "totalSize": answer.get("totalSize"), "done": true, "records": records }))
        }
        Err(error) => error.into(),
    }
}
