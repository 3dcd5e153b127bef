//! Where cells and records end, found without copying.

const QUOTE: u8 = b'"';
/// Words of eight bytes searched before the general search is called; most cells end within them.
const INLINE_WORDS: usize = 4;

/// What stands behind a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delimiter,
    Newline,
}

/// One cell within a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// First byte of the value, quotes left out.
    pub(super) start: usize,
    /// Behind the last byte of the value.
    pub(super) end: usize,
    /// Whether the value still has its quotes doubled.
    pub(super) doubled: bool,
    /// First byte behind the delimiter or the line end.
    pub(super) next: usize,
    pub(super) ended_by: End,
}

/// Why no cell could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The buffer ends before the cell does.
    Incomplete,
    /// Something else than a delimiter or a line end follows the closing quote.
    Malformed,
}

/// The cell that begins at `at`.
#[inline(always)]
pub(super) fn cell_at(buffer: &[u8], at: usize, delimiter: u8) -> Result<Cell, Stop> {
    match buffer.get(at) {
        Some(&QUOTE) => quoted(buffer, at + 1, delimiter),
        Some(_) => unquoted(buffer, at, delimiter),
        None => Err(Stop::Incomplete),
    }
}

#[inline(always)]
fn quoted(buffer: &[u8], start: usize, delimiter: u8) -> Result<Cell, Stop> {
    let end = find_quote(buffer, start).ok_or(Stop::Incomplete)?;
    match buffer.get(end + 1) {
        Some(&byte) if byte == delimiter => {
            Ok(Cell { start, end, doubled: false, next: end + 2, ended_by: End::Delimiter })
        }
        Some(b'\n') => Ok(Cell { start, end, doubled: false, next: end + 2, ended_by: End::Newline }),
        _ => quoted_general(buffer, start, end, delimiter),
    }
}

/// A quoted cell whose first closing candidate `end` is not plainly its end.
#[cold]
fn quoted_general(buffer: &[u8], start: usize, mut end: usize, delimiter: u8) -> Result<Cell, Stop> {
    let mut doubled = false;
    loop {
        let (next, ended_by) = match buffer.get(end + 1) {
            None => return Err(Stop::Incomplete),
            Some(&QUOTE) => {
                doubled = true;
                end = find_quote(buffer, end + 2).ok_or(Stop::Incomplete)?;
                continue;
            }
            Some(&byte) if byte == delimiter => (end + 2, End::Delimiter),
            Some(b'\n') => (end + 2, End::Newline),
            Some(b'\r') => match buffer.get(end + 2) {
                None => return Err(Stop::Incomplete),
                Some(b'\n') => (end + 3, End::Newline),
                Some(_) => return Err(Stop::Malformed),
            },
            Some(_) => return Err(Stop::Malformed),
        };
        return Ok(Cell { start, end, doubled, next, ended_by });
    }
}

fn unquoted(buffer: &[u8], start: usize, delimiter: u8) -> Result<Cell, Stop> {
    let rest = &buffer[start..];
    let length = memchr::memchr2(delimiter, b'\n', rest).ok_or(Stop::Incomplete)?;
    let mut end = start + length;
    let next = end + 1;
    if rest[length] == delimiter {
        return Ok(Cell { start, end, doubled: false, next, ended_by: End::Delimiter });
    }
    if rest[..length].last() == Some(&b'\r') {
        end -= 1;
    }
    Ok(Cell { start, end, doubled: false, next, ended_by: End::Newline })
}

/// The next quote at or behind `from`.
#[inline(always)]
fn find_quote(buffer: &[u8], from: usize) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_le_bytes([QUOTE; 8]);
    let mut at = from;
    for _ in 0..INLINE_WORDS {
        let Some(word) = buffer.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
            break;
        };
        // A byte of `difference` is zero where a quote stands; the lowest bit set below is exact.
        let difference = u64::from_le_bytes(*word) ^ QUOTES;
        let hits = difference.wrapping_sub(LOW) & !difference & HIGH;
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = buffer.get(at..)?;
    memchr::memchr(QUOTE, rest).map(|found| at + found)
}

/// Where a record ends that may lie in several chunks; agrees with [`cell_at`] on what a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RecordEnd {
    /// At the start of a cell.
    #[default]
    CellStart,
    Unquoted,
    Quoted,
    /// Behind a quote that closes the cell or is the first of two.
    QuoteSeen,
    /// Behind a closing quote and CR.
    ReturnSeen,
}

impl RecordEnd {
    /// Reads on through `chunk`; the length of the record's part in it, or `None` when the record goes on.
    ///
    /// A record that turns out malformed ends at the byte that shows it.
    pub(super) fn advance(&mut self, chunk: &[u8], delimiter: u8) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            let (state, skip) = match *self {
                Self::CellStart if byte == QUOTE => (Self::Quoted, 1),
                Self::CellStart | Self::Unquoted => match memchr::memchr2(delimiter, b'\n', &chunk[at..]) {
                    Some(found) if chunk[at + found] == b'\n' => {
                        return self.end(at + found + 1);
                    }
                    Some(found) => (Self::CellStart, found + 1),
                    None => (Self::Unquoted, chunk.len() - at),
                },
                Self::Quoted => match memchr::memchr(QUOTE, &chunk[at..]) {
                    Some(found) => (Self::QuoteSeen, found + 1),
                    None => (Self::Quoted, chunk.len() - at),
                },
                Self::QuoteSeen if byte == QUOTE => (Self::Quoted, 1),
                Self::QuoteSeen if byte == delimiter => (Self::CellStart, 1),
                Self::QuoteSeen if byte == b'\r' => (Self::ReturnSeen, 1),
                Self::QuoteSeen | Self::ReturnSeen => return self.end(at + 1),
            };
            *self = state;
            at += skip;
        }
        None
    }

    fn end(&mut self, length: usize) -> Option<usize> {
        *self = Self::CellStart;
        Some(length)
    }
}

/// Appends a value with its doubled quotes made single.
pub(super) fn undouble(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(QUOTE, rest) {
        out.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_found_at_every_distance() {
        for distance in 0..80 {
            let mut text = vec![b'!'; distance];
            text.extend_from_slice(b"\"#\"");
            assert_eq!(find_quote(&text, 0), Some(distance));
            assert_eq!(find_quote(&text, distance + 1), Some(distance + 2));
            assert_eq!(find_quote(&text, distance + 9), None);
        }
    }

    #[test]
    fn record_ends_wherever_the_chunks_are_cut() {
        let record = b"\"a\nb\"\"\r\n\",x\"y,\"\"\r\n";
        for cut in 0..record.len() {
            let mut end = RecordEnd::default();
            assert_eq!(end.advance(&record[..cut], b','), None, "{cut}");
            assert_eq!(end.advance(&record[cut..], b','), Some(record.len() - cut), "{cut}");
        }
    }

    #[test]
    fn doubled_quotes_become_single() {
        let mut out = Vec::new();
        undouble(b"\"\"a\"\"\"\"b", &mut out);
        assert_eq!(out, b"\"a\"\"b");
    }
}
