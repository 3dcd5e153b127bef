//! Which errors say that another API may read what this one will not.

use crate::error::{Error, same_code};

/// Why an API does not read a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The API never reads this object or query: worth remembering.
    Always,
    /// A limit of this API is used up, or the query is too slow for it now.
    Now,
}

/// What Bulk API says of objects and queries that it does not take; lower case.
const ALWAYS: [&str; 7] = [
    "is not supported by the bulk api",
    "compound data not supported",
    "binary field not supported",
    "aggregate relationships not supported",
    "does not support query",
    "async api not enabled",
    "bulk api is not enabled",
];
const ALWAYS_CODES: [&str; 2] = ["INVALIDENTITY", "FEATURENOTENABLED"];
/// The limits of Bulk API 2.0 alone; the org's calls are another matter.
const NOW: [&str; 2] = ["max bulk v2 query jobs", "max bulk v2 query result size"];
const NOW_CODES: [&str; 1] = ["QUERY_TIMEOUT"];

impl Error {
    /// Whether this error is one API's refusal, which another API may not share.
    pub fn refused(&self) -> Option<Refused> {
        let (code, message) = match self {
            Self::Api { code, message, .. } | Self::Limit { code, message, .. } => (code.as_str(), message),
            Self::Job { state, message, .. } if state == "Failed" => ("", message),
            _ => return None,
        };
        let message = message.to_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
        let is = |codes: &[&str]| codes.iter().any(|known| same_code(known, code));
        if says(&ALWAYS) || is(&ALWAYS_CODES) {
            return Some(Refused::Always);
        }
        (says(&NOW) || is(&NOW_CODES)).then_some(Refused::Now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: &str, message: &str) -> Error {
        Error::Api {
            what: "x".into(),
            status: 400,
            code: code.into(),
            message: message.into(),
            hint: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn refusals_of_the_reference_are_known() {
        for (code, message) in [
            ("INVALIDENTITY", "Entity 'TaskStatus' is not supported by the Bulk API."),
            ("InvalidEntity", "no"),
            ("API_ERROR", "Selecting compound data not supported in Bulk Query"),
            ("FeatureNotEnabled", "Binary field not supported"),
            ("FEATURENOTENABLED", "Async API not enabled"),
            ("INVALID_TYPE_FOR_OPERATION", "entity type X does not support query"),
        ] {
            assert_eq!(api(code, message).refused(), Some(Refused::Always), "{message}");
        }
        let failed = |message: &str| Error::Job {
            id: "750".into(),
            object: "X".into(),
            state: "Failed".into(),
            message: message.into(),
        };
        let batch = "its batch failed (batch 751): InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query";
        assert_eq!(failed(batch).refused(), Some(Refused::Always));
        assert_eq!(failed("InternalServerError").refused(), None);
    }

    #[test]
    fn limits_of_one_api_pass_and_those_of_the_org_do_not() {
        let limit = |code: &str, message: &str| Error::Limit {
            what: "x".into(),
            status: 400,
            code: code.into(),
            message: message.into(),
            hint: String::new(),
        };
        let jobs = limit("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached");
        assert_eq!(jobs.refused(), Some(Refused::Now));
        assert_eq!(limit("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").refused(), None);
        assert_eq!(api("INVALID_FIELD", "No such column 'X' on entity 'Y'").refused(), None);
        assert_eq!(api("QUERY_TIMEOUT", "Your query request was running for too long.").refused(), Some(Refused::Now));
    }
}
