//! What the encoder writes.

use crate::decode;
use crate::schema;
use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int8Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use forcepump_batch::{EncodeOptions, QuoteStyle, SalesforceType as T, encode_batch};
use std::sync::Arc;

fn encode(batch: &RecordBatch, options: &EncodeOptions) -> String {
    let mut out = Vec::new();
    encode_batch(batch, options, true, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn style(quote: QuoteStyle) -> EncodeOptions {
    EncodeOptions { quote, ..EncodeOptions::default() }
}

fn batch() -> RecordBatch {
    let schema = schema(&[("Name", T::String, 0), ("Amount", T::Currency, 2)]);
    let page = decode(&schema, b"Name,Amount\n\"a,b\",-0.5\n,1.2E3\n\"say \"\"hi\"\"\",\nplain,7\n");
    page.batch().clone()
}

#[test]
fn quoting_styles() {
    let batch = batch();
    assert_eq!(
        encode(&batch, &style(QuoteStyle::Always)),
        "\"Name\",\"Amount\"\n\"a,b\",\"-0.50\"\n\"\",\"1200.00\"\n\"say \"\"hi\"\"\",\"\"\n\"plain\",\"7.00\"\n"
    );
    assert_eq!(
        encode(&batch, &style(QuoteStyle::Necessary)),
        "Name,Amount\n\"a,b\",-0.50\n,1200.00\n\"say \"\"hi\"\"\",\nplain,7.00\n"
    );
    assert_eq!(
        encode(&batch, &style(QuoteStyle::Text)),
        "\"Name\",\"Amount\"\n\"a,b\",-0.50\n,1200.00\n\"say \"\"hi\"\"\",\n\"plain\",7.00\n"
    );
}

#[test]
fn other_dialects() {
    let options = EncodeOptions {
        delimiter: b';',
        null: "NULL".to_owned(),
        crlf: true,
        header: false,
        ..EncodeOptions::default()
    };
    let expected = "a,b;-0.50\r\nNULL;1200.00\r\n\"say \"\"hi\"\"\";NULL\r\nplain;7.00\r\n";
    assert_eq!(encode(&batch(), &options), expected);
}

#[test]
fn null_stays_apart_from_text() {
    let texts = StringArray::from(vec![None, Some(""), Some("NULL"), Some(" x")]);
    let columns = [("T", Arc::new(texts.clone()) as ArrayRef), ("U", Arc::new(texts))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(encode(&batch, &EncodeOptions::default()), "T,U\n,\n\"\",\"\"\nNULL,NULL\n\" x\",\" x\"\n");
    let options = EncodeOptions { null: "NULL".to_owned(), ..EncodeOptions::default() };
    assert_eq!(encode(&batch, &options), "T,U\nNULL,NULL\n\"\",\"\"\n\"NULL\",\"NULL\"\n\" x\",\" x\"\n");
}

#[test]
fn a_null_alone_in_its_record_is_no_blank_line() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some("x")]));
    let batch = RecordBatch::try_from_iter([("T", texts)]).unwrap();
    assert_eq!(encode(&batch, &EncodeOptions::default()), "T\n\"\"\nx\n");
}

#[test]
fn types_beyond_salesforce() {
    let columns: [(&str, ArrayRef); 3] = [
        ("f", Arc::new(Float64Array::from(vec![0.1, 1e300, f64::NAN]))),
        ("i", Arc::new(Int8Array::from(vec![-128, 0, 7]))),
        ("b", Arc::new(BinaryArray::from(vec![&b"\xFF\x00"[..], b"", b"abc"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(encode(&batch, &EncodeOptions::default()), "f,i,b\n0.1,-128,/wA=\n1e300,0,\"\"\nNaN,7,YWJj\n");
}

#[test]
fn what_cannot_be_written_says_why() {
    let field = Field::new("L", DataType::new_list(DataType::Utf8, true), true);
    let batch = RecordBatch::new_empty(Arc::new(Schema::new(vec![field])));
    let mut out = Vec::new();
    let error = encode_batch(&batch, &EncodeOptions::default(), true, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "cannot write the column `L` as csv");
    let options = EncodeOptions { delimiter: b'"', ..EncodeOptions::default() };
    assert!(encode_batch(&batch, &options, true, &mut out).is_err());
    assert!(out.is_empty());
}
