//! XML as far as results use it: tags and texts, and where each record begins and ends, found chunk by chunk.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::feed::Scan;

/// The element of one record, whatever its prefix.
const RECORD: &[u8] = b"records";

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Text up to the next `<`, or what a CDATA section holds; `raw`: entities stand for themselves.
    Text {
        range: Range<usize>,
        raw: bool,
    },
    /// `<name attributes>`; `closed`: `<name/>`.
    Open {
        name: Range<usize>,
        attributes: Range<usize>,
        closed: bool,
    },
    Close,
    /// A comment, the declaration.
    Nothing,
}

/// The token at `at` and where the next one begins; `None`: its end is not in the buffer.
pub(super) fn token_at(buffer: &[u8], at: usize) -> Result<Option<(Token, usize)>, String> {
    let rest = &buffer[at..];
    if rest.first() != Some(&b'<') {
        let end = memchr(b'<', rest).map_or(buffer.len(), |found| at + found);
        return Ok(Some((Token::Text { range: at..end, raw: false }, end)));
    }
    let delimited = |open: &[u8], close: &[u8]| {
        memmem::find(&rest[open.len()..], close).map(|found| {
            let start = at + open.len();
            (start..start + found, start + found + close.len())
        })
    };
    if let Some(sure) = starts(rest, b"<![CDATA[") {
        return Ok(sure
            .then(|| delimited(b"<![CDATA[", b"]]>"))
            .flatten()
            .map(|(range, next)| (Token::Text { range, raw: true }, next)));
    }
    if let Some(sure) = starts(rest, b"<!--") {
        return Ok(sure.then(|| delimited(b"<!--", b"-->")).flatten().map(|(_, next)| (Token::Nothing, next)));
    }
    if let Some(sure) = starts(rest, b"<?") {
        return Ok(sure.then(|| delimited(b"<?", b"?>")).flatten().map(|(_, next)| (Token::Nothing, next)));
    }
    if rest.starts_with(b"<!") {
        return Err("a document type, which no result has".to_owned());
    }
    let Some(end) = tag_end(rest) else { return Ok(None) };
    let (inner, next) = (&rest[1..end], at + end + 1);
    if inner.first() == Some(&b'/') {
        return Ok(Some((Token::Close, next)));
    }
    let closed = inner.last() == Some(&b'/');
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    let name = inner.iter().position(u8::is_ascii_whitespace).unwrap_or(inner.len());
    if name == 0 {
        return Err("a tag without a name".to_owned());
    }
    let start = at + 1;
    Ok(Some((Token::Open { name: start..start + name, attributes: start + name..start + inner.len(), closed }, next)))
}

/// Whether the text begins so: for sure, perhaps once more is there, or not at all.
fn starts(rest: &[u8], mark: &[u8]) -> Option<bool> {
    if rest.starts_with(mark) {
        return Some(true);
    }
    (rest.len() > 1 && rest.len() < mark.len() && mark.starts_with(rest)).then_some(false)
}

/// Where the `>` of a tag stands, beyond those in quotes.
fn tag_end(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.iter().enumerate() {
        match (quote, *byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// A name without its prefix.
pub(super) fn local(name: &[u8]) -> &[u8] {
    name.iter().rposition(|byte| *byte == b':').map_or(name, |colon| &name[colon + 1..])
}

/// Finds the records within the one root element.
#[derive(Debug, Default)]
pub(super) struct XmlScan {
    at: usize,
    depth: u32,
    record: Option<usize>,
    /// The root element was closed.
    ended: bool,
    /// A tag was seen.
    begun: bool,
}

impl Scan for XmlScan {
    fn next(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, String> {
        while self.at < buffer.len() {
            let Some((token, next)) = token_at(buffer, self.at)? else { return Ok(None) };
            let start = std::mem::replace(&mut self.at, next);
            let done = match token {
                Token::Text { range, .. } if self.depth < 2 => outside(&buffer[range], self.begun)?,
                Token::Open { .. } if self.ended => return Err("something follows the end".to_owned()),
                Token::Open { name, closed, .. } => self.open(start, &buffer[name], closed),
                Token::Close if self.depth == 0 => return Err("an end without a start".to_owned()),
                Token::Close => self.close(),
                _ => None,
            };
            if let Some(start) = done {
                return Ok(Some(start..next));
            }
        }
        Ok(None)
    }

    fn forget(&mut self) -> usize {
        let done = self.record.unwrap_or(self.at);
        self.at -= done;
        self.record = self.record.map(|_| 0);
        done
    }

    fn is_at_end(&self) -> bool {
        self.ended || !self.begun
    }
}

impl XmlScan {
    fn open(&mut self, start: usize, name: &[u8], closed: bool) -> Option<usize> {
        self.begun = true;
        let is_record = self.depth == 1 && local(name) == RECORD;
        match (closed, is_record) {
            (true, true) => return Some(start),
            (true, false) => self.ended = self.depth == 0,
            (false, _) => {
                self.depth += 1;
                if is_record {
                    self.record = Some(start);
                }
            }
        }
        None
    }

    fn close(&mut self) -> Option<usize> {
        self.depth -= 1;
        self.ended = self.depth == 0;
        if self.depth == 1 { self.record.take() } else { None }
    }
}

/// Nothing but space stands between records; before the first tag a byte order mark may.
fn outside(text: &[u8], begun: bool) -> Result<Option<usize>, String> {
    let text = if begun { text } else { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) };
    match text.trim_ascii() {
        [] => Ok(None),
        [first, ..] => Err(format!("`{}` between the records", char::from(*first).escape_default())),
    }
}
