//! Where the records of a JSON text begin and end, found chunk by chunk without reading them.

use std::ops::Range;

use memchr::memchr2;

use super::feed::Scan;

/// Finds the objects in one or several arrays, one after the other: `[{…},{…}] [{…}]`.
#[derive(Debug, Default)]
pub(super) struct JsonScan {
    place: Place,
    /// Where to go on in the buffer.
    at: usize,
    record_start: usize,
    depth: u32,
    in_text: bool,
}

/// What may come next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An array, or the end.
    #[default]
    Outside,
    /// A record, or the end of the array.
    First,
    /// A record.
    Next,
    /// A comma, or the end of the array.
    After,
    /// The rest of a record.
    Within,
}

impl Scan for JsonScan {
    fn next(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, String> {
        while let Some(byte) = buffer.get(self.at).copied() {
            if self.place == Place::Within {
                match self.within(buffer) {
                    Some(end) => return Ok(Some(self.record_start..end)),
                    None => return Ok(None),
                }
            }
            self.between(byte)?;
            self.at += 1;
        }
        Ok(None)
    }

    fn forget(&mut self) -> usize {
        let done = if self.place == Place::Within { self.record_start } else { self.at };
        self.at -= done;
        self.record_start = 0;
        done
    }

    fn is_at_end(&self) -> bool {
        self.place == Place::Outside
    }
}

impl JsonScan {
    fn between(&mut self, byte: u8) -> Result<(), String> {
        self.place = match (self.place, byte) {
            (place, b' ' | b'\n' | b'\r' | b'\t') => place,
            (Place::Outside, b'[') => Place::First,
            (Place::First | Place::Next, b'{') => {
                (self.record_start, self.depth, self.in_text) = (self.at, 1, false);
                Place::Within
            }
            (Place::First | Place::After, b']') => Place::Outside,
            (Place::After, b',') => Place::Next,
            (place, byte) => return Err(unexpected(place, byte)),
        };
        Ok(())
    }

    /// Behind the record's end, if that is in the buffer.
    fn within(&mut self, buffer: &[u8]) -> Option<usize> {
        while self.at < buffer.len() {
            if self.in_text {
                let Some(found) = memchr2(b'"', b'\\', &buffer[self.at..]) else {
                    self.at = buffer.len();
                    return None;
                };
                self.at += found;
                if buffer[self.at] == b'\\' {
                    // what is escaped may not have come yet
                    buffer.get(self.at + 1)?;
                    self.at += 2;
                } else {
                    self.in_text = false;
                    self.at += 1;
                }
                continue;
            }
            match buffer[self.at] {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if self.depth == 0 {
                self.place = Place::After;
                return Some(self.at);
            }
        }
        None
    }
}

fn unexpected(place: Place, byte: u8) -> String {
    let expected = match place {
        Place::Outside => "an array of records",
        Place::First => "a record or the end of the array",
        Place::Next => "a record",
        Place::After => "a comma or the end of the array",
        Place::Within => "the rest of the record",
    };
    format!("`{}` instead of {expected}", char::from(byte).escape_default())
}
