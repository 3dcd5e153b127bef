//! A refused statement, as errorCode and message of the REST error array.

/// Characters of the statement shown before and after the fault (measured on recorded errors).
const EXCERPT_BEFORE_CHARS: usize = 33;
const EXCERPT_AFTER_CHARS: usize = 40;

/// Why a statement was refused; both parts go on the wire as they are, with HTTP status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SoqlError {
    /// `errorCode`, for example `INVALID_FIELD`.
    pub code: &'static str,
    /// `message`; may begin with a newline and hold an excerpt of the statement with a caret line.
    pub message: String,
}

impl SoqlError {
    /// A refusal without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> SoqlError {
        SoqlError { code, message: message.into() }
    }

    /// `MALFORMED_QUERY`.
    pub fn malformed(message: impl Into<String>) -> SoqlError {
        SoqlError::new("MALFORMED_QUERY", message)
    }

    /// A refusal with excerpt, caret and `ERROR at Row:r:Column:c`; `at` is a byte offset in `statement`.
    pub fn located(code: &'static str, statement: &str, at: usize, reason: &str) -> SoqlError {
        let at = floor_boundary(statement, at.min(statement.len()));
        let (before, after) = statement.split_at(at);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.get(line_start..).unwrap_or_default();
        let row = before.matches('\n').count() + 1;
        let column = line.chars().count() + 1;
        let shown = shown_before(line);
        let caret = " ".repeat(shown.chars().count());
        SoqlError::new(
            code,
            format!("\n{shown}{}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{reason}", shown_after(after)),
        )
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The end of `line`, from the last break between words that leaves it short enough.
fn shown_before(line: &str) -> &str {
    let skip = line.chars().count().saturating_sub(EXCERPT_BEFORE_CHARS);
    if skip == 0 {
        return line;
    }
    let cut = line.char_indices().nth(skip).map_or(0, |(index, _)| index);
    let rest = line.get(cut..).unwrap_or_default();
    rest.find([',', ' ']).and_then(|space| rest.get(space + 1..)).unwrap_or(rest)
}

fn shown_after(after: &str) -> &str {
    let line = after.split(['\n', '\r']).next().unwrap_or_default();
    match line.char_indices().nth(EXCERPT_AFTER_CHARS) {
        None => line,
        Some((cut, _)) => {
            let kept = line.get(..cut).unwrap_or(line);
            kept.rfind([',', ' ']).and_then(|space| kept.get(..space)).unwrap_or(kept)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_has_the_geometry_of_recorded_errors() {
        let error = SoqlError::located("INVALID_TYPE", "select count() from XYZZY", 20, "no");
        assert_eq!(error.message, "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nno");
        let error = SoqlError::located("INVALID_TYPE", "SELECT Id,Name,BillingCity,IsDeleted FROM Accout", 42, "no");
        assert_eq!(
            error.message,
            "\nName,BillingCity,IsDeleted FROM Accout\n                                ^\nERROR at Row:1:Column:43\nno"
        );
        let error = SoqlError::located("INVALID_FIELD", "SELECT SetupOwnerId FROM npe5__Affiliation__c", 7, "no");
        assert_eq!(
            error.message,
            "\nSELECT SetupOwnerId FROM npe5__Affiliation__c\n       ^\nERROR at Row:1:Column:8\nno"
        );
    }

    #[test]
    fn an_offset_inside_a_character_or_past_the_end_is_harmless() {
        for at in 0..12 {
            let _ = SoqlError::located("X", "SELÉCT\nö", at, "no");
        }
    }
}
