//! Queries too long for an address: sent in the body of a composite request.
//!
//! Request lines and headers together hold 16,384 bytes (API Request Limits); Composite takes the address of a query in
//! its body, and counts as one call.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::rest::Page;
use crate::answer::Refusal;
use crate::client::{Call, Client};
use crate::error::{Error, Result};

/// Bytes of an encoded query that an address surely holds: headers and cookies need the rest.
const MAX_ADDRESS_BYTES: usize = 12_000;
const WHAT: &str = "the query, in a composite request";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite<'a> {
    #[serde(borrow)]
    composite_response: Vec<Part<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    http_status_code: u16,
}

/// Whether the query does not fit into an address.
pub(super) fn is_wide(soql: &str) -> bool {
    encoded(soql).len() > MAX_ADDRESS_BYTES
}

/// Runs the query by a composite request; gives its first page. The others have short addresses.
pub(super) async fn query(client: &Client, version: &str, resource: &str, soql: &str) -> Result<Page> {
    let mut call = Call::new(Method::POST, WHAT, format!("/services/data/v{version}/composite"));
    call.json = Some(json!({
        "allOrNone": false,
        "compositeRequest": [{
            "method": "GET",
            "url": format!("{resource}?q={}", encoded(soql)),
            "referenceId": "rows",
        }],
    }));
    // it only reads
    call.idempotent = true;
    let reply = match client.whole(&call).await {
        Ok(reply) => reply,
        Err(Error::Api { status: 404 | 405, .. }) => return Err(too_long(soql)),
        Err(error) => return Err(error),
    };
    let broken =
        |detail: String| Error::protocol(WHAT, format!("the answer is not one of a composite request: {detail}"));
    let answer: Composite<'_> = serde_json::from_slice(&reply.body).map_err(|e| broken(e.to_string()))?;
    let [part] = answer.composite_response.as_slice() else {
        return Err(broken("it has not one part".to_owned()));
    };
    let body: Bytes = reply.body.slice_ref(part.body.get().as_bytes());
    let status = StatusCode::from_u16(part.http_status_code).map_err(|e| broken(e.to_string()))?;
    match status.is_success() {
        true => Page::read(WHAT, &body),
        false => Err(Refusal::read(status, &HeaderMap::new(), &body).into_error(WHAT, client.api_usage())),
    }
}

fn too_long(soql: &str) -> Error {
    Error::query(format!(
        "the query has {} characters, too many for an address of the REST API, and the org takes no composite request\n  \
         hint: name fewer fields, or read by api = \"bulk2\"",
        soql.chars().count()
    ))
}

/// Percent-encoded as in an address.
fn encoded(soql: &str) -> String {
    let mut text = String::with_capacity(soql.len() * 2);
    for byte in soql.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            b' ' => text.push('+'),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded_and_measured() {
        assert_eq!(encoded("SELECT Id, Ü FROM A WHERE x = '+'"), "SELECT+Id%2C+%C3%9C+FROM+A+WHERE+x+%3D+%27%2B%27");
        assert!(!is_wide("SELECT Id FROM Account"));
        assert!(is_wide(&format!("SELECT {} FROM Account", vec!["Some_Field__c"; 800].join(", "))));
    }
}
