//! XML records to typed Arrow batches, chunk by chunk.
//!
//! Bulk API 1.0: `<queryResult><records xsi:type="sObject"><type>Account</type><Id>…</Id><Name>…</Name>…`, the Id often
//! twice or nil, parents as elements of the same kind, nulls as `xsi:nil="true"`.

use std::borrow::Cow;

use arrow_schema::SchemaRef;

use super::cells::{self, Cell, Fault};
use super::feed::Feed;
use super::names::Node;
use super::rows::Rows;
use super::xml_scan::{Token, XmlScan, local, token_at};
use crate::{DecodeError, DecodeOptions, DecodedBatch};

/// The element that names a record's object.
const TYPE: &str = "type";
/// Given whether it was asked for or not, and often twice.
const ID: &str = "Id";

/// Decodes the records of one result: [`feed`](Self::feed) it chunks cut anywhere, then [`finish`](Self::finish).
///
/// Nil, an empty element and one that is missing are the same null that an empty CSV cell is.
pub struct XmlDecoder(Feed<XmlScan>);

impl XmlDecoder {
    /// A decoder for records with the fields of `schema`.
    ///
    /// # Errors
    /// As [`crate::CsvDecoder::new`].
    pub fn new(schema: SchemaRef, options: DecodeOptions) -> Result<Self, DecodeError> {
        Feed::new(schema, options, "xml", read).map(Self)
    }

    /// Decodes the next chunk; batches that became complete are appended to `out`.
    ///
    /// # Errors
    /// When the text cannot be read on; records that do not fit are rejects instead.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        self.0.feed(bytes, out)
    }

    /// Ends the text; the last batch is appended to `out`. Gives the number of records, rejected ones too.
    ///
    /// # Errors
    /// When the root element was not closed.
    pub fn finish(&mut self, out: &mut Vec<DecodedBatch>) -> Result<u64, DecodeError> {
        self.0.finish(out)
    }
}

fn read<'a>(rows: &Rows, text: &'a str, cells: &mut [Cell<'a>]) -> Result<(), Fault> {
    let mut reader = Reader { text, at: 0 };
    let record = reader.open()?;
    reader.fields(&record, &rows.names, cells)
}

/// A start tag.
struct Tag<'a> {
    name: &'a str,
    /// Nothing is within it.
    closed: bool,
    nil: bool,
}

/// Walks through the text of one record, which is whole.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn token(&mut self) -> Result<Token, Fault> {
        let found = match self.text.len() > self.at {
            true => token_at(self.text.as_bytes(), self.at).map_err(Fault::Syntax)?,
            false => None,
        };
        let (token, next) = found.ok_or_else(|| Fault::Syntax("the record ends too early".to_owned()))?;
        self.at = next;
        Ok(token)
    }

    fn slice(&self, range: std::ops::Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn tag(&self, token: Token) -> Option<Tag<'a>> {
        let Token::Open { name, attributes, closed } = token else { return None };
        let attributes = self.slice(attributes);
        let name = local(self.slice(name).as_bytes());
        Some(Tag { name: std::str::from_utf8(name).unwrap_or_default(), closed, nil: is_nil(attributes) })
    }

    fn open(&mut self) -> Result<Tag<'a>, Fault> {
        let token = self.token()?;
        self.tag(token).ok_or_else(|| Fault::Syntax("a record without a start".to_owned()))
    }

    /// What is within a record or a parent, up to its end.
    fn fields(&mut self, record: &Tag<'a>, names: &Node, cells: &mut [Cell<'a>]) -> Result<(), Fault> {
        let mut hint = 0;
        let mut any = false;
        if record.closed {
            cells::set_null(cells, names);
            return Ok(());
        }
        loop {
            let token = self.token()?;
            match token {
                Token::Close => break,
                Token::Text { range, .. } if !self.slice(range.clone()).trim().is_empty() => {
                    return Err(Fault::Syntax("text beside fields".to_owned()));
                }
                token => {
                    let Some(tag) = self.tag(token) else { continue };
                    any = true;
                    self.field(&tag, names, &mut hint, cells)?;
                }
            }
        }
        if !any {
            cells::set_null(cells, names);
        }
        Ok(())
    }

    fn field(&mut self, tag: &Tag<'a>, names: &Node, hint: &mut usize, cells: &mut [Cell<'a>]) -> Result<(), Fault> {
        // the object's name; a field would be spelled otherwise
        if tag.name == TYPE && !names.has_exactly(TYPE) {
            return self.value(tag).map(drop);
        }
        let Some(child) = names.child(tag.name, hint) else {
            return match tag.name {
                ID => self.value(tag).map(drop),
                name => Err(Fault::Unknown(names.full(name))),
            };
        };
        match (child.column, &child.parent) {
            (None, Some(parent)) => self.fields(tag, parent, cells),
            (None, None) => Ok(()),
            (Some(column), _) => {
                let value = self.value(tag)?;
                match cells.get_mut(column) {
                    Some(cell) if child.name == ID && (*cell == value || *cell == Cell::Null) => {
                        *cell = value;
                        Ok(())
                    }
                    Some(_) if child.name == ID && value == Cell::Null => Ok(()),
                    _ => cells::set(cells, column, value, || names.full(&child.name)),
                }
            }
        }
    }

    /// The text of an element, up to its end.
    fn value(&mut self, tag: &Tag<'a>) -> Result<Cell<'a>, Fault> {
        let mut whole: Option<Cow<'a, str>> = None;
        if tag.closed {
            return Ok(Cell::Null);
        }
        loop {
            match self.token()? {
                Token::Close => break,
                Token::Nothing => {}
                Token::Open { .. } => {
                    return Err(Fault::Syntax(format!("`{}` holds a record where a value is expected", tag.name)));
                }
                Token::Text { range, raw } => {
                    let text = self.slice(range);
                    let part = if raw { Cow::Borrowed(text) } else { unescape(text)? };
                    whole = Some(match whole {
                        None => part,
                        Some(before) => Cow::Owned(before.into_owned() + &part),
                    });
                }
            }
        }
        Ok(match whole {
            Some(text) if !tag.nil => Cell::Text(text),
            _ => Cell::Null,
        })
    }
}

/// Whether an attribute `nil` says so, whatever its prefix.
fn is_nil(attributes: &str) -> bool {
    let mut parts = attributes.split('=');
    let Some(mut name) = parts.next() else { return false };
    for part in parts {
        let value = part.trim_start();
        let quote = value.get(..1).unwrap_or_default();
        let (value, next) = value.get(1..).and_then(|rest| rest.split_once(quote)).unwrap_or_default();
        if local(name.trim().as_bytes()) == b"nil" {
            return matches!(value, "true" | "1");
        }
        name = next;
    }
    false
}

/// The text with its entities and character references resolved.
fn unescape(text: &str) -> Result<Cow<'_, str>, Fault> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let found = after.split_once(';').and_then(|(name, behind)| Some((character(name)?, behind)));
        let Some((character, behind)) = found else {
            let name: String = after.chars().take(12).collect();
            return Err(Fault::Syntax(format!("`&{}` stands for nothing", name.escape_debug())));
        };
        plain.push(character);
        rest = behind;
    }
    plain.push_str(rest);
    Ok(Cow::Owned(plain))
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
