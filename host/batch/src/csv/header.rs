//! The header line: which CSV column is which field.

use super::error::DecodeError;
use super::scan::{Stop, cell_at, undouble};
use arrow_schema::Schema;

/// UTF-8's byte order mark, which some tools put before the header.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// `record` without a byte order mark.
pub(super) fn without_mark(record: &[u8]) -> &[u8] {
    record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record)
}

/// For each CSV column the number of its field, every field exactly once.
pub(super) fn match_header(record: &[u8], delimiter: u8, schema: &Schema) -> Result<Vec<usize>, DecodeError> {
    let mut fields = Vec::new();
    for name in names(record, delimiter)? {
        let field = schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(&name));
        let Some(field) = field else {
            return Err(DecodeError::UnknownColumn { column: name });
        };
        if fields.contains(&field) {
            return Err(DecodeError::DuplicateColumn { column: name });
        }
        fields.push(field);
    }
    let missing = (0..schema.fields().len()).find(|field| !fields.contains(field));
    match missing {
        Some(field) => Err(DecodeError::MissingColumn { column: schema.field(field).name().clone() }),
        None => Ok(fields),
    }
}

fn names(record: &[u8], delimiter: u8) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < record.len() {
        let cell = cell_at(record, at, delimiter).map_err(|stop| match stop {
            Stop::Incomplete => DecodeError::Truncated { row: 0 },
            Stop::Malformed => DecodeError::Malformed { row: 0 },
        })?;
        let mut name = Vec::new();
        undouble(&record[cell.start..cell.end], &mut name);
        names.push(String::from_utf8_lossy(&name).into_owned());
        at = cell.next;
    }
    Ok(names)
}
