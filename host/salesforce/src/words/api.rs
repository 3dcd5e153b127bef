//! Errors of REST, Bulk API 2.0 and Bulk API 1.0 in words.

use super::api_table::API;
use super::door_table::{LIMITS, SESSION, STATUS};
use super::{Words, find};
use crate::error::same_code;

/// What an answer means that is no limit and no session's end; none for what Salesforce's own text says best.
pub(crate) fn of_answer(status: u16, code: &str, message: &str) -> Option<&'static Words> {
    // codes before statuses: limits and a missing permission are both 403
    find(API, code, message).or_else(|| STATUS.iter().find(|(known, _)| *known == status).map(|(_, words)| words))
}

/// What a limit means, when the answer is about one.
pub(crate) fn of_limit(code: &str, message: &str) -> Option<&'static Words> {
    const CODES: [&str; 4] = ["REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "EXCEEDED_QUOTA", "STORAGE_LIMIT_EXCEEDED"];
    let is_limit = CODES.iter().any(|known| same_code(known, code)) || message.starts_with("Max bulk v2 query");
    if is_limit { find(LIMITS, code, message) } else { None }
}

/// Why a session is refused that a new login would not cure.
pub(crate) fn of_session(code: &str, message: &str) -> &'static Words {
    find(SESSION, code, message).unwrap_or(&SESSION[SESSION.len() - 1])
}
