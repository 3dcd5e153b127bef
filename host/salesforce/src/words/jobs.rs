//! Why a job or a batch failed, in words: `errorMessage` of Bulk API 2.0, `stateMessage` of Bulk API 1.0.

use super::api_table::API;
use super::{Words, entry, find};

/// Parts of reasons, in the order in which they are compared.
pub(super) const JOBS: &[Words] = &[
    entry(
        "",
        "query_timeout",
        "Salesforce gave the query up after about 2 minutes",
        "the conditions use no index, or the object is very large",
        "narrow `where` on indexed fields (Id, SystemModstamp, lookups, external ids), name fewer fields, drop ORDER BY; for very large objects use api = \"bulk1\" with pk_chunking",
    ),
    entry(
        "",
        "running for too long",
        "Salesforce gave the query up after about 2 minutes",
        "the conditions use no index, or the object is very large",
        "narrow `where` on indexed fields (Id, SystemModstamp, lookups, external ids), name fewer fields, drop ORDER BY; for very large objects use api = \"bulk1\" with pk_chunking",
    ),
    entry(
        "",
        "tried more than",
        "Salesforce tried again and again, and gave the query up",
        "the query is too slow",
        "narrow `where` on indexed fields, name fewer fields, drop ORDER BY",
    ),
    entry(
        "",
        "unexpected exception",
        "a fault inside Salesforce",
        "",
        "run again, and give the id to Salesforce support if it stays",
    ),
    entry(
        "",
        "operation_too_large",
        "the query needs more ids than Salesforce handles at once",
        "who and what of activities, or a permission that has to be looked up row by row",
        "narrow `where`, leave out polymorphic parents, or use a user with \"View All Data\"",
    ),
    entry(
        "",
        "records not processed",
        "the batch has no result",
        "it failed, or was not processed",
        "see Setup > Bulk Data Load Jobs, and run again",
    ),
    entry("", "too many lock failure", "rows were held by others for too long", "", "run again at a quieter hour"),
    entry(
        "",
        "field name not found",
        "a column is no field of the object",
        "a slip in the name, or field-level security hides it from the user",
        "`forcepump org describe OBJECT` lists what the user sees; Setup > Object Manager > the object > Fields > Set Field-Level Security",
    ),
];

/// What a reason means; none for what Salesforce's own text says best.
pub(crate) fn of_reason(reason: &str) -> Option<&'static Words> {
    find(JOBS, "", reason).or_else(|| codes(reason).find_map(|code| find(API, code, reason)))
}

/// Reasons are `InvalidBatch : Failed to process query: INVALID_FIELD: …`: the last code is the one that tells.
fn codes(reason: &str) -> impl Iterator<Item = &str> {
    let head = reason.lines().next().unwrap_or_default();
    head.rsplit(':').map(str::trim).filter(|part| !part.is_empty() && !part.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_both_apis_have_words() {
        for (reason, expected) in [
            ("QUERY_TIMEOUT: Your query request was running for too long.", "indexed"),
            ("InternalServerError : Retried more than 15 times", "indexed"),
            (
                "InvalidBatch : Failed to process query: INVALID_FIELD: \nSELECT Foo FROM Account\n^",
                "Field-Level Security",
            ),
            (
                "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
                "BillingStreet",
            ),
            (
                "InvalidBatch : Failed to process query: INVALID_TYPE: entity type FeedLike does not support query",
                "rest",
            ),
            (
                "InvalidBatch : Failed to process query: OPERATION_TOO_LARGE: exceeded 100000 distinct ids",
                "View All Data",
            ),
            (
                "Unexpected exception encountered in query processing. Please contact support with the following id: 1 (1)",
                "support",
            ),
        ] {
            let words = of_reason(reason).unwrap_or_else(|| panic!("{reason}"));
            assert!(words.way_out.contains(expected), "{reason}: {words:?}");
        }
        assert_eq!(of_reason("nobody knows"), None);
    }
}
