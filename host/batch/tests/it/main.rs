//! The CSV dialect through the crate's public face: decoding, encoding, and the way there and back.

mod decode;
mod encode;
mod properties;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use forcepump_batch::{
    CsvDecoder, DecodeError, DecodeOptions, DecodedBatch, FieldSpec, SalesforceType as T, arrow_field,
};
use std::sync::Arc;

/// A schema of fields given as name, type and scale.
fn schema(fields: &[(&str, T, i8)]) -> SchemaRef {
    let fields = fields.iter().map(|(name, kind, scale)| {
        let nullable = *kind != T::Id;
        let spec = FieldSpec { scale: *scale, nullable, ..FieldSpec::new(*name, *kind) };
        arrow_field(&spec).expect("a bulk type")
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Two texts.
fn texts() -> SchemaRef {
    schema(&[("A", T::String, 0), ("B", T::String, 0)])
}

/// What a page gave.
#[derive(Debug)]
struct Page {
    decoded: Vec<DecodedBatch>,
    records: Result<u64, DecodeError>,
}

impl Page {
    fn batch(&self) -> &RecordBatch {
        assert_eq!(self.decoded.len(), 1, "{self:?}");
        &self.decoded[0].batch
    }

    fn error(&self) -> String {
        self.records.as_ref().expect_err("a page that fails").to_string()
    }
}

/// Decodes the chunks of one page.
fn decode_chunks<'a>(schema: &SchemaRef, options: &DecodeOptions, chunks: impl IntoIterator<Item = &'a [u8]>) -> Page {
    let mut decoder = CsvDecoder::new(schema.clone(), options.clone()).expect("valid options");
    let mut decoded = Vec::new();
    for chunk in chunks {
        if let Err(error) = decoder.feed(chunk, &mut decoded) {
            return Page { decoded, records: Err(error) };
        }
    }
    let records = decoder.finish(&mut decoded);
    Page { decoded, records }
}

/// Decodes a page that comes in one piece.
fn decode(schema: &SchemaRef, page: &[u8]) -> Page {
    decode_chunks(schema, &DecodeOptions::default(), [page])
}
