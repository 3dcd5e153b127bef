//! What can go wrong with SQL, case for case the contract's `sql-error`.

use rusqlite::{ErrorCode, ffi};

/// Why a connection, a statement or a bulk insert failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The statement does what this grant does not allow.
    #[error("{0}")]
    Denied(String),
    /// No connection of that name was granted.
    #[error("no sql connection of that name is granted")]
    UnknownConnection,
    /// The database refused. The message holds no literals of the statement.
    #[error("{message} (SQLSTATE {state})")]
    Database {
        /// Five characters, as in ISO 9075 and in PostgreSQL's list where that is finer.
        state: String,
        /// The database's words, with literals replaced by `?`.
        message: String,
    },
    /// The same call may succeed later: another writer holds the database.
    #[error("{0}")]
    Retryable(String),
    /// A value, a statement or a result is larger than this number of bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// The connection can no longer be used.
    #[error("the database file was moved, replaced or removed while it was open")]
    Lost,
}

impl SqlError {
    /// A refusal by the database with a state of our choice.
    pub(crate) fn database(state: &str, message: impl Into<String>) -> Self {
        Self::Database { state: state.to_owned(), message: message.into() }
    }

    /// Classifies what SQLite said.
    pub(crate) fn from_sqlite(error: &rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::SqliteFailure(code, message) => Self::from_code(*code, message.as_deref().unwrap_or("no details")),
            E::SqlInputError { error, msg, .. } => Self::from_code(*error, msg),
            E::ExecuteReturnedResults => Self::database("0A000", "the statement gives rows; use query"),
            E::MultipleStatement => Self::database("42601", "only one statement at a time is taken"),
            E::InvalidParameterCount(given, expected) => {
                let message = format!("the statement has {expected} parameters, but {given} values were given");
                Self::database("07001", message)
            }
            E::NulError(_) => Self::database("42601", "the statement has a NUL character in it"),
            E::InvalidQuery => Self::database("42601", "the statement is not one that can be run here"),
            other => Self::database("HY000", without_literals(&other.to_string())),
        }
    }

    fn from_code(error: ffi::Error, message: &str) -> Self {
        let text = without_literals(message);
        match (error.code, error.extended_code) {
            (_, ffi::SQLITE_READONLY_DBMOVED) => Self::Lost,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
                Self::Retryable(format!("another writer holds the database: {text}"))
            }
            (ErrorCode::TooBig, _) => Self::TooLarge(super::connection::VALUE_MAX_BYTES),
            // rusqlite steps a statement that SQLite found nothing in.
            (ErrorCode::ApiMisuse, _) => Self::database("42601", "there is no statement in the text"),
            (ErrorCode::AuthorizationForStatementDenied, _) => Self::Denied(text),
            (code, extended) => Self::database(state_of(code, extended, message), text),
        }
    }
}

/// The SQLSTATE that fits SQLite's result code and, where that says only "error", its words.
fn state_of(code: ErrorCode, extended: i32, message: &str) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => "23505",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "23502",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "23503",
        ffi::SQLITE_CONSTRAINT_CHECK => "23514",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "42804",
        _ => match code {
            ErrorCode::ConstraintViolation => "23000",
            ErrorCode::TypeMismatch => "42804",
            ErrorCode::DiskFull => "53100",
            ErrorCode::OutOfMemory => "53200",
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => "25006",
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => "XX001",
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => "58030",
            ErrorCode::OperationInterrupted => "57014",
            ErrorCode::ParameterOutOfRange => "07001",
            _ => state_of_words(message),
        },
    }
}

/// SQLite reports every mistake in a statement as plain SQLITE_ERROR.
fn state_of_words(message: &str) -> &'static str {
    const WORDS: [(&str, &str); 9] = [
        ("no such table", "42P01"),
        ("no such column", "42703"),
        ("has no column named", "42703"),
        ("duplicate column name", "42701"),
        ("already exists", "42P07"),
        ("ON CONFLICT clause does not match", "42P10"),
        ("no such function", "42883"),
        ("syntax error", "42601"),
        ("incomplete input", "42601"),
    ];
    WORDS.iter().find(|(words, _)| message.contains(words)).map_or("HY000", |(_, state)| state)
}

/// SQLite quotes the piece of the statement at which it stumbled, which may be a value: strings and
/// numbers are replaced by `?`, and the text is cut and freed of control characters.
pub(crate) fn without_literals(message: &str) -> String {
    const MESSAGE_MAX_CHARS: usize = 300;
    let mut clean = String::new();
    let mut chars = message.chars().peekable();
    let mut inside_word = false;
    while let Some(c) = chars.next() {
        if c == '\'' {
            // A doubled quote inside a string ends one skipped piece and begins the next.
            while chars.next_if(|next| *next != '\'').is_some() {}
            chars.next();
            clean.push('?');
        } else if c.is_ascii_digit() && !inside_word {
            while chars.next_if(|next| next.is_alphanumeric() || matches!(next, '.' | '_')).is_some() {}
            clean.push('?');
        } else {
            clean.push(if c.is_control() { ' ' } else { c });
        }
        inside_word = c.is_alphanumeric() || c == '_';
    }
    clean.chars().take(MESSAGE_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_strings_and_numbers_but_keeps_names() {
        for (message, clean) in [
            ("near \"'s3cret'\": syntax error", "near \"?\": syntax error"),
            ("near \"12.50\": syntax error", "near \"?\": syntax error"),
            ("no such column: a1_2", "no such column: a1_2"),
            ("unrecognized token: \"'it''s open", "unrecognized token: \"??"),
            ("UNIQUE constraint failed: t2.Ext_Id__c", "UNIQUE constraint failed: t2.Ext_Id__c"),
            ("a\nb\u{1b}", "a b "),
        ] {
            assert_eq!(without_literals(message), clean);
        }
    }
}
