//! A refused statement, as errorCode and message of the REST error array.

/// Why a statement was refused; both parts go on the wire as they are, with HTTP status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SoqlError {
    /// `errorCode`, for example `INVALID_FIELD`.
    pub code: &'static str,
    /// `message`; may begin with a newline and hold an excerpt of the statement with a caret line.
    pub message: String,
}
