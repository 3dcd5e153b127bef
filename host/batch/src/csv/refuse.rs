//! Finding records that are not UTF-8, and telling of cells that do not fit.

use super::scan::{Cell, End, cell_at, undouble};

/// Bytes checked for UTF-8 at a time: few enough to stay in the nearest cache until they are parsed.
const UTF8_WINDOW_BYTES: usize = 16 << 10;
/// Characters of a bad cell that its reject's reason shows; the whole cell is among the values.
const SHOWN_CHARS: usize = 60;

/// How far a buffer is known to be UTF-8; windows are checked while they are about to be parsed.
#[derive(Default)]
pub(super) struct Utf8Window {
    valid_to: usize,
}

impl Utf8Window {
    /// Whether the record from `start` to `end` is UTF-8. Records are asked for in order.
    #[inline(always)]
    pub(super) fn covers(&mut self, buffer: &[u8], start: usize, end: usize) -> bool {
        end <= self.valid_to || self.check(buffer, start, end)
    }

    #[inline(never)]
    fn check(&mut self, buffer: &[u8], start: usize, end: usize) -> bool {
        let window_end = (start + UTF8_WINDOW_BYTES).max(end).min(buffer.len());
        let valid = match simdutf8::compat::from_utf8(&buffer[start..window_end]) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        self.valid_to = start + valid;
        end <= self.valid_to
    }
}

/// The first cell of a record that is not UTF-8.
pub(super) fn bad_utf8_cell(buffer: &[u8], start: usize, delimiter: u8) -> usize {
    let mut at = start;
    let mut number = 0;
    while let Ok(cell) = cell_at(buffer, at, delimiter) {
        if std::str::from_utf8(&buffer[cell.start..cell.end]).is_err() {
            return number;
        }
        if cell.ended_by == End::Newline {
            break;
        }
        (at, number) = (cell.next, number + 1);
    }
    0
}

pub(super) fn cell_text(record: &[u8], cell: Cell) -> Option<String> {
    let value = &record[cell.start..cell.end];
    if value.is_empty() {
        return None;
    }
    let mut single = Vec::new();
    if cell.doubled {
        undouble(value, &mut single);
    } else {
        single.extend_from_slice(value);
    }
    Some(String::from_utf8_lossy(&single).into_owned())
}

/// A cell as a reject shows it: in quotes, without control characters, cut.
pub(crate) fn shorten(cell: &str) -> String {
    let mut shown: String = cell.chars().take(SHOWN_CHARS).collect();
    if shown.len() < cell.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
