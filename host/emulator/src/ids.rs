//! Ids of what is no row: jobs, result sets, cursors.

use crate::data::ids;

/// The 18 character id with this key prefix and serial number.
pub(crate) fn id18(prefix: [u8; 3], serial: u64) -> String {
    ids::of_row(prefix, serial).into_iter().map(char::from).collect()
}

/// The serial number in an id of 15 or 18 characters with this key prefix.
pub(crate) fn serial_of(prefix: [u8; 3], id: &str) -> Option<u64> {
    let id = ids::normalise(id.as_bytes())?;
    if id.starts_with(&prefix) { ids::row_of(&id) } else { None }
}

/// The 15 characters that identify a record, when `id` has 15 or 18.
pub(crate) fn short(id: &str) -> Option<&str> {
    matches!(id.len(), ids::SHORT_CHARS | ids::LONG_CHARS).then(|| id.get(..ids::SHORT_CHARS)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_come_back() {
        let id = id18(*b"750", 123_456_789);
        assert_eq!(id.len(), 18);
        assert_eq!(serial_of(*b"750", &id), Some(123_456_789));
        assert_eq!(serial_of(*b"750", &id[..15]), Some(123_456_789));
        assert_eq!(serial_of(*b"751", &id), None);
        assert_eq!(short("750"), None);
    }
}
