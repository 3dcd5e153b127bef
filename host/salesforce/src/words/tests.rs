//! Every error of the references has words: the codes stand here as they stand there.

use super::oauth_table::OAUTH;
use super::soap_table::SOAP;
use super::{Words, api, find, jobs};

/// salesforce-auth-rest.md 1.3: the server's own list, and the texts seen with them.
const OAUTH_CODES: &str = "access_denied app_blocked app_not_found authorization_pending bad_jti_claim app_attest_failed \
    app_attest_failed_retry ecapp_policy_not_found exceeded_registration_limit fail_close_app_blocked failed_registration \
    immediate_unsuccessful installation_error invalid_app_access invalid_assertion_type invalid_basic_auth_header \
    invalid_dpop_proof invalid_client invalid_client_id invalid_distribution_state invalid_expid invalid_grant invalid_otp \
    invalid_request invalid_scope invalid_session_level invalid_token login_error oauth_flow_disabled \
    oauth_policy_not_found otp_error redirect_uri_missing redirect_uri_mismatch registration_error server_error \
    service_unavailable slow_down system_down unknown_error unsupported_expid unsupported_grant_type \
    unsupported_response_type unsupported_token_type use_dpop_nonce OAUTH_APP_ACCESS_DENIED OAUTH_APP_BLOCKED \
    OAUTH_AUTHORIZATION_BLOCKED OAUTH_APPROVAL_ERROR_GENERIC OAUTH_EC_APP_NOT_FOUND inactive_user inactive_org \
    rate_limit_exceeded Bad_OAuth_Token Missing_OAuth_Token";
const OAUTH_TEXTS: [(&str, &str); 19] = [
    ("invalid_grant", "expired access/refresh token"),
    ("invalid_grant", "expired authorization code"),
    ("invalid_grant", "invalid authorization code"),
    ("invalid_grant", "authentication failure"),
    ("invalid_grant", "authentication failure - Invalid Password"),
    ("invalid_grant", "user hasn't approved this consumer"),
    ("invalid_grant", "audience is invalid"),
    ("invalid_grant", "Audience validation failed"),
    ("invalid_grant", "invalid assertion"),
    ("invalid_grant", "inactive user"),
    ("invalid_grant", "IP restricted or invalid login hours"),
    ("invalid_grant", "no client credentials user enabled"),
    ("invalid_grant", "request not supported on this domain"),
    ("invalid_grant", "activation secret invalid"),
    ("invalid_request", "missing required code challenge"),
    ("invalid_client", "invalid client credentials"),
    ("invalid_client", "app must be installed into org"),
    ("app_not_found", "External client app is not installed in this org"),
    ("invalid_app_access", "user is not admin approved to access this app"),
];
/// salesforce-auth-rest.md 2.1, 2.2.
const SOAP_CODES: &str = "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN INVALID_OPERATION INSUFFICIENT_ACCESS \
    INVALID_SESSION_ID LOGIN_DURING_RESTRICTED_TIME LOGIN_DURING_RESTRICTED_DOMAIN PASSWORD_LOCKOUT ORG_LOCKED \
    TRIAL_EXPIRED INACTIVE_PORTAL LOGIN_CHALLENGE_ISSUED LOGIN_CHALLENGE_PENDING SSO_SERVICE_DOWN \
    INVALID_SSO_GATEWAY_URL CLIENT_NOT_ACCESSIBLE_FOR_USER CLIENT_REQUIRE_UPDATE_FOR_USER API_DISABLED_FOR_ORG \
    API_CURRENTLY_DISABLED ORG_IN_MAINTENANCE SERVER_UNAVAILABLE REQUEST_LIMIT_EXCEEDED REQUEST_RUNNING_TOO_LONG \
    EXCEEDED_QUOTA TXN_SECURITY_BLOCK TXN_SECURITY_RUNTIME_EXCEPTION UNSUPPORTED_API_VERSION \
    INVALID_OPERATION_WITH_EXPIRED_PASSWORD";
/// salesforce-auth-rest.md 3.6, salesforce-bulk.md 1.9 and 4.6.
const API_CODES: &str = "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY \
    FUNCTIONALITY_NOT_ENABLED FORBIDDEN INVALID_OPERATION_WITH_EXPIRED_PASSWORD NOT_FOUND ENTITY_IS_DELETED INVALID_TYPE \
    INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE MALFORMED_QUERY NUMBER_OUTSIDE_VALID_RANGE \
    INVALID_QUERY_FILTER_OPERATOR QUERY_TIMEOUT QUERY_TOO_COMPLICATED INVALID_QUERY_LOCATOR EXCEEDED_ID_LIMIT \
    OPERATION_TOO_LARGE EXCEEDED_MAX_SEMIJOIN_SUBSELECTS EXTERNAL_OBJECT_EXCEPTION EXTERNAL_OBJECT_CONNECTION_EXCEPTION \
    INVALID_TYPE_FOR_OPERATION UNABLE_TO_LOCK_ROW JSON_PARSER_ERROR REQUIRED_FIELD_MISSING STRING_TOO_LONG \
    DUPLICATE_VALUE DUPLICATES_DETECTED INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_CROSS_REFERENCE_KEY MALFORMED_ID \
    INVALID_EMAIL_ADDRESS FIELD_CUSTOM_VALIDATION_EXCEPTION CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY \
    INVALID_REPLICATION_DATE MALFORMED_SEARCH METHOD_NOT_ALLOWED UNKNOWN_EXCEPTION SERVER_UNAVAILABLE API_ERROR \
    INVALIDENTITY FEATURENOTENABLED TXN_SECURITY_METERING_ERROR INVALIDJOBSTATE UNSUPPORTED_MEDIA_TYPE \
    UNSUPPORTED_API_VERSION ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED Unknown InvalidOperation InvalidUrl \
    InvalidUser InvalidXml InvalidXML FeatureNotEnabled InvalidJob InvalidJobState InvalidBatch InternalServerError \
    ClientInputError Timeout TooManyLockFailure InvalidVersion HttpsRequired UnsupportedContentType InvalidEntity \
    TransactionSecurityBlock TransactionSecurityInternalError TransactionSecurityDeveloperError Gone MethodNotAllowed";
const LIMITS: [(&str, &str, &str); 7] = [
    ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "24 hours"),
    ("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", "at once"),
    ("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", "at once"),
    ("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", "query jobs"),
    ("", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded", "storage"),
    ("ExceededQuota", "ApiBatchItems Limit exceeded.", "batches"),
    ("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", "storage"),
];
const STATUSES: [u16; 16] = [300, 404, 405, 406, 409, 410, 412, 414, 415, 420, 428, 429, 431, 500, 502, 503];
const REASONS: [&str; 5] = [
    "QUERY_TIMEOUT: Your query request was running for too long.",
    "InternalServerError : Retried more than 15 times",
    "Tried more than thirty times",
    "InvalidBatch : Field name not found : X",
    "TooManyLockFailure : Too many lock failure 9. Trying again later.",
];

#[track_caller]
fn is_told(words: Option<&Words>, what: &str) {
    let words = words.unwrap_or_else(|| panic!("no words for {what}"));
    assert!(words.what.len() > 10 && words.way_out.len() > 5, "{what}: {words:?}");
    for text in [words.what, words.cause, words.way_out] {
        assert!(!text.ends_with('.') && !text.contains('\n'), "{what}: {text}");
    }
}

#[test]
fn every_oauth_error_of_the_reference_has_words() {
    OAUTH_CODES.split_whitespace().for_each(|code| is_told(find(OAUTH, code, ""), code));
    OAUTH_TEXTS.iter().for_each(|(code, text)| is_told(find(OAUTH, code, text), text));
}

#[test]
fn every_soap_fault_of_the_reference_has_words() {
    SOAP_CODES.split_whitespace().for_each(|code| is_told(find(SOAP, code, ""), code));
}

#[test]
fn every_api_error_of_the_reference_has_words() {
    API_CODES.split_whitespace().for_each(|code| is_told(api::of_answer(0, code, ""), code));
    STATUSES.iter().for_each(|status| is_told(api::of_answer(*status, "", ""), &status.to_string()));
    REASONS.iter().for_each(|reason| is_told(jobs::of_reason(reason), reason));
    for (code, text, expected) in LIMITS {
        is_told(api::of_limit(code, text), text);
        assert!(api::of_limit(code, text).is_some_and(|words| words.what.contains(expected)), "{text}");
    }
    for (code, text) in [
        ("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        ("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
        ("", "Connected app is not attached to Agent"),
        ("InvalidSessionId", "Invalid session id"),
    ] {
        is_told(Some(api::of_session(code, text)), text);
    }
}

#[test]
fn wide_entries_do_not_hide_narrow_ones() {
    for list in [OAUTH, SOAP, super::api_table::API] {
        for (index, words) in list.iter().enumerate() {
            let code = words.code.trim_end_matches('*');
            if code.is_empty() {
                continue;
            }
            let first = find(list, words.code.replace('*', "X").as_str(), words.part);
            assert_eq!(first, Some(&list[index]), "{code}: {}", words.part);
        }
    }
}
