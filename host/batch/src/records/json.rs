//! JSON records to typed Arrow batches, chunk by chunk; numbers keep every digit.

use std::borrow::Cow;
use std::fmt;

use arrow_schema::SchemaRef;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cells::{self, Cell, Fault};
use super::feed::Feed;
use super::json_scan::JsonScan;
use super::names::{Child, Node};
use super::rows::Rows;
use crate::{DecodeError, DecodeOptions, DecodedBatch};

/// What REST and Bulk API 1.0 add to every record.
const ATTRIBUTES: &str = "attributes";
/// Bulk API 1.0 gives it whether it was asked for or not.
const ID: &str = "Id";

/// Decodes arrays of records, one after the other: [`feed`](Self::feed) it chunks cut anywhere, then
/// [`finish`](Self::finish).
///
/// Null, an empty text and a field of a parent that is null are the same null that an empty CSV cell is. Datetimes may
/// end in `Z` or an offset, or be milliseconds of the epoch. A record must name each of its own fields and parents that
/// the schema has, and no other; a parent may lack fields, because its type may.
pub struct JsonDecoder(Feed<JsonScan>);

impl JsonDecoder {
    /// A decoder for records with the fields of `schema`.
    ///
    /// # Errors
    /// As [`crate::CsvDecoder::new`].
    pub fn new(schema: SchemaRef, options: DecodeOptions) -> Result<Self, DecodeError> {
        Feed::new(schema, options, "json", read_whole).map(Self)
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
    /// When the text ends within a record or an array.
    pub fn finish(&mut self, out: &mut Vec<DecodedBatch>) -> Result<u64, DecodeError> {
        self.0.finish(out)
    }
}

fn read_whole<'a>(rows: &Rows, text: &'a str, cells: &mut [Cell<'a>]) -> Result<(), Fault> {
    read(text, &rows.names, cells)?;
    cells::check_whole(cells, &rows.names, |column| rows.name(column))
}

fn read<'a>(text: &'a str, names: &Node, cells: &mut [Cell<'a>]) -> Result<(), Fault> {
    let mut fault = None;
    let mut parser = serde_json::Deserializer::from_str(text);
    let read = Record { names, cells, fault: &mut fault }.deserialize(&mut parser).and_then(|()| parser.end());
    match (fault, read) {
        (Some(fault), _) => Err(fault),
        (None, Err(error)) => Err(Fault::Syntax(error.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

/// Reads an object into the cells; what is wrong with its fields is kept beside serde's error.
struct Record<'s, 'a> {
    names: &'s Node,
    cells: &'s mut [Cell<'a>],
    fault: &'s mut Option<Fault>,
}

impl<'a> DeserializeSeed<'a> for Record<'_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Record<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    /// A parent that is null.
    fn visit_unit<E>(self) -> Result<(), E> {
        cells::set_null(self.cells, self.names);
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut hint = 0;
        while let Some(key) = map.next_key_seed(Key { names: self.names, hint: &mut hint })? {
            let done = match key {
                Found::Skip => map.next_value::<IgnoredAny>().map(|_| Ok(()))?,
                Found::Unknown(name) => Err(Fault::Unknown(self.names.full(&name))),
                Found::Child(Child { parent: Some(names), column: None, .. }) => {
                    map.next_value_seed(Record { names, cells: self.cells, fault: self.fault })?;
                    Ok(())
                }
                Found::Child(Child { column: Some(column), name, .. }) => {
                    let value = value(map.next_value::<&RawValue>()?.get());
                    value.and_then(|cell| cells::set(self.cells, *column, cell, || self.names.full(name)))
                }
                Found::Child(_) => Ok(()),
            };
            if let Err(fault) = done {
                *self.fault = Some(fault);
                return Err(M::Error::custom("a field is wrong"));
            }
        }
        Ok(())
    }
}

/// Looks a key up without making a text of it.
struct Key<'n, 'h> {
    names: &'n Node,
    hint: &'h mut usize,
}

enum Found<'n> {
    Child(&'n Child),
    Skip,
    Unknown(String),
}

impl<'n, 'a> DeserializeSeed<'a> for Key<'n, '_> {
    type Value = Found<'n>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Found<'n>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n, '_> {
    type Value = Found<'n>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Found<'n>, E> {
        Ok(match self.names.child(name, self.hint) {
            Some(child) => Found::Child(child),
            None if name == ATTRIBUTES || name == ID => Found::Skip,
            None => Found::Unknown(name.to_owned()),
        })
    }
}

/// A value as a cell; `text` is valid JSON.
fn value(text: &str) -> Result<Cell<'_>, Fault> {
    Ok(match text.as_bytes() {
        [b'n', ..] => Cell::Null,
        [b'"', within @ .., b'"'] if memchr::memchr(b'\\', within).is_none() => {
            Cell::Text(Cow::Borrowed(&text[1..text.len() - 1]))
        }
        [b'"', ..] => match serde_json::from_str::<String>(text) {
            Ok(text) => Cell::Text(Cow::Owned(text)),
            // half of a surrogate pair stands for no character
            Err(_) => Cell::NoText(text),
        },
        [b't' | b'f', ..] => Cell::Text(Cow::Borrowed(text)),
        [b'{' | b'[', ..] => return Err(Fault::Syntax("a field holds an object where a value is expected".into())),
        _ => Cell::Number(text),
    })
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
