//! The one query of the Tooling API that is served: fields with their data classification.

use serde_json::{Value, json};

use crate::server::{ApiVersion, Call, Reply, State};

/// `GET /tooling/query?q=`.
pub(crate) fn tooling_query(state: &State, call: &Call, version: ApiVersion) -> Reply {
    let Some(soql) = call.param("q") else {
        return Reply::bad_request("MALFORMED_QUERY", "A query string has to be specified");
    };
    field_definitions(state, soql, version, true)
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
