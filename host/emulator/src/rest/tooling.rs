//! The one query of the Tooling API that is served: fields with their data classification.

use crate::server::{ApiVersion, Call, Reply, State};

/// `GET /tooling/query?q=`.
pub(crate) fn tooling_query(state: &State, call: &Call, version: ApiVersion) -> Reply {
    let Some(soql) = call.param("q") else {
        return Reply::bad_request("MALFORMED_QUERY", "A query string has to be specified");
    };
    // The setup knows fields that field-level security hides from the data APIs.
    let org = state.own().map_or(&state.org, |tenant| &tenant.org);
    match org.field_definitions(soql, &version.to_string()) {
        Ok(answer) => Reply::ok(&answer),
        Err(error) => error.into(),
    }
}
