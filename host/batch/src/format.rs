//! The three formats of results, behind one decoder.

use arrow_schema::SchemaRef;

use crate::{CsvDecoder, DecodeError, DecodeOptions, DecodedBatch, JsonDecoder, XmlDecoder};

/// What a Bulk API 1.0 result without rows is, in place of a list, whatever the job's format.
const NOTHING_FOUND: &[u8] = b"Records not found for this query";

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultFormat {
    /// A header line, then a line a record.
    #[default]
    Csv,
    /// An array of objects, parents as objects within them.
    Json,
    /// One element a record, parents as elements within them.
    Xml,
}

/// Decodes one part of a result in any format: [`feed`](Self::feed) it chunks cut anywhere, then
/// [`finish`](Self::finish).
pub struct PageDecoder {
    decoder: Decoder,
    /// The first bytes, as long as they may be the words that stand for no rows.
    start: Option<Vec<u8>>,
}

enum Decoder {
    Csv(Box<CsvDecoder>),
    Json(Box<JsonDecoder>),
    Xml(Box<XmlDecoder>),
}

impl PageDecoder {
    /// A decoder for a part with the columns of `schema`.
    ///
    /// # Errors
    /// As [`CsvDecoder::new`].
    pub fn new(format: ResultFormat, schema: SchemaRef, options: DecodeOptions) -> Result<Self, DecodeError> {
        let decoder = match format {
            ResultFormat::Csv => Decoder::Csv(Box::new(CsvDecoder::new(schema, options)?)),
            ResultFormat::Json => Decoder::Json(Box::new(JsonDecoder::new(schema, options)?)),
            ResultFormat::Xml => Decoder::Xml(Box::new(XmlDecoder::new(schema, options)?)),
        };
        Ok(Self { decoder, start: Some(Vec::new()) })
    }

    /// Decodes the next chunk; batches that became complete are appended to `out`.
    ///
    /// # Errors
    /// When the part cannot be read on; records that do not fit are rejects instead.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        let Some(mut start) = self.start.take() else { return self.pass(bytes, out) };
        start.extend_from_slice(bytes);
        if may_be_nothing(&start) {
            self.start = Some(start);
            return Ok(());
        }
        self.pass(&start, out)
    }

    /// Ends the part; the last batch is appended to `out`. Gives the number of records, rejected ones too.
    ///
    /// # Errors
    /// When the part ends within a record.
    pub fn finish(&mut self, out: &mut Vec<DecodedBatch>) -> Result<u64, DecodeError> {
        match self.start.take() {
            Some(start) if start.trim_ascii() == NOTHING_FOUND => {}
            Some(start) => self.pass(&start, out)?,
            None => {}
        }
        match &mut self.decoder {
            Decoder::Csv(decoder) => decoder.finish(out),
            Decoder::Json(decoder) => decoder.finish(out),
            Decoder::Xml(decoder) => decoder.finish(out),
        }
    }

    fn pass(&mut self, bytes: &[u8], out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        match &mut self.decoder {
            Decoder::Csv(decoder) => decoder.feed(bytes, out),
            Decoder::Json(decoder) => decoder.feed(bytes, out),
            Decoder::Xml(decoder) => decoder.feed(bytes, out),
        }
    }
}

/// Whether more bytes are needed to tell.
fn may_be_nothing(start: &[u8]) -> bool {
    match start.strip_prefix(NOTHING_FOUND) {
        Some(rest) => rest.trim_ascii().is_empty(),
        None => NOTHING_FOUND.starts_with(start),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn rows(format: ResultFormat, chunks: &[&str]) -> Result<u64, DecodeError> {
        let schema = Arc::new(Schema::new(vec![Field::new("RecordTypeId", DataType::Utf8, true)]));
        let mut decoder = PageDecoder::new(format, schema, DecodeOptions::default())?;
        let mut out = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk.as_bytes(), &mut out)?;
        }
        decoder.finish(&mut out)
    }

    #[test]
    fn the_words_for_no_rows_are_no_row_in_any_format() {
        for format in [ResultFormat::Csv, ResultFormat::Json, ResultFormat::Xml] {
            assert_eq!(rows(format, &["Records not", " found for this query"]).unwrap(), 0);
            assert_eq!(rows(format, &["Records not found for this query\n"]).unwrap(), 0);
            assert_eq!(rows(format, &[]).unwrap(), 0);
            assert!(rows(format, &["Records not"]).is_err());
            assert!(rows(format, &["Records not found for this query", "\nx"]).is_err());
        }
    }

    #[test]
    fn what_starts_alike_is_read_as_it_is() {
        assert_eq!(rows(ResultFormat::Csv, &["Record", "TypeId\n012\n"]).unwrap(), 1);
        assert_eq!(rows(ResultFormat::Csv, &["", "R", "ecordTypeId\n012\n013\n"]).unwrap(), 2);
    }
}
