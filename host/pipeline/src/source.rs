//! From the pipeline's source to a resolved query.

use forcepump_salesforce::ErrorKind;

/// Whether the operator's own words (query, field, connection) are at fault, not Salesforce or the way to it.
pub(crate) fn is_input_fault(error: &forcepump_salesforce::Error) -> bool {
    matches!(error.kind(), ErrorKind::Config | ErrorKind::Query)
}
