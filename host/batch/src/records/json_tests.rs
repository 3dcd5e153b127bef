use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::CsvDecoder;
use crate::reject;

fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("Id", false),
        text("Name", true),
        Field::new("Amount", DataType::Decimal128(18, 2), true),
        Field::new("Count", DataType::Int32, true),
        Field::new("Active", DataType::Boolean, true),
        Field::new("Day", DataType::Date32, true),
        Field::new("At", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("Hour", DataType::Time64(TimeUnit::Microsecond), true),
        text("Owner.Name", true),
        text("Owner.Boss.Name", true),
    ]))
}

fn decode_in(text: &[u8], chunk: usize) -> Result<(u64, Vec<DecodedBatch>), DecodeError> {
    let mut decoder = JsonDecoder::new(schema(), DecodeOptions::default())?;
    let mut out = Vec::new();
    for bytes in text.chunks(chunk) {
        decoder.feed(bytes, &mut out)?;
    }
    let records = decoder.finish(&mut out)?;
    Ok((records, out))
}

fn decode(text: &str) -> Result<(u64, Vec<DecodedBatch>), DecodeError> {
    decode_in(text.as_bytes(), usize::MAX)
}

fn from_csv(text: &str) -> RecordBatch {
    let mut decoder = CsvDecoder::new(schema(), DecodeOptions::default()).unwrap();
    let mut out = Vec::new();
    decoder.feed(text.as_bytes(), &mut out).unwrap();
    decoder.finish(&mut out).unwrap();
    out.remove(0).batch
}

const RECORD: &str = r#"{"attributes":{"type":"X","url":"/a"},"Id":"001","Name":"a\n\"b\" \ud83d\ude00 \u00e9","Amount":1234567890123456.78,
  "Count":7,"Active":true,"Day":"2024-04-16","At":"2024-04-16T19:00:00.000+0000","Hour":"10:30:00.000Z",
  "Owner":{"attributes":{"type":"User","url":"/b"},"Name":"Ada","Boss":null}}"#;
const MILLIS: &str = r#"{"attributes":{"type":"X"},"Id":"002","Name":null,"Amount":1.5E7,"Count":null,"Active":false,
  "Day":1713225600000,"At":1713294000000,"Hour":null,"Owner":null}"#;
const CSV: &str = "\"Id\",\"Name\",\"Amount\",\"Count\",\"Active\",\"Day\",\"At\",\"Hour\",\"Owner.Name\",\"Owner.Boss.Name\"\n\
    \"001\",\"a\n\"\"b\"\" 😀 é\",\"1234567890123456.78\",\"7\",\"true\",\"2024-04-16\",\"2024-04-16T19:00:00.000Z\",\"10:30:00.000Z\",\"Ada\",\"\"\n\
    \"002\",\"\",\"1.5E7\",\"\",\"false\",\"2024-04-16\",\"2024-04-16T19:00:00.000Z\",\"\",\"\",\"\"\n";

#[test]
fn records_are_what_csv_gives_however_they_are_cut() {
    let text = format!("[{RECORD},\n{MILLIS}]\n");
    for chunk in [1, 2, 3, 7, 64, 1_000_000] {
        let (records, out) = decode_in(text.as_bytes(), chunk).unwrap();
        assert_eq!((records, out.len()), (2, 1), "{chunk}");
        assert_eq!(out[0].batch, from_csv(CSV), "{chunk}");
    }
}

#[test]
fn arrays_follow_each_other_and_may_be_empty() {
    let text = format!("[] [{RECORD}][{MILLIS}]\r\n[ ]");
    let (records, out) = decode(&text).unwrap();
    assert_eq!((records, out[0].batch.num_rows()), (2, 2));
    assert_eq!(decode("").unwrap().0, 0);
    assert_eq!(decode(" [ ] ").unwrap().0, 0);
}

#[test]
fn rows_that_do_not_fit_are_rejects_with_their_cells() {
    let bad = |from: &str, to: &str| RECORD.replacen(from, to, 1);
    let table = [
        (bad("1234567890123456.78", "1.234"), reject::TOO_MANY_DECIMALS, "Amount"),
        (bad("\"Count\":7", "\"Count\":99999999999"), reject::NUMBER_OUT_OF_RANGE, "Count"),
        (bad("\"Active\":true", "\"Active\":\"yes\""), reject::BAD_BOOLEAN, "Active"),
        (bad("\"2024-04-16\"", "\"2024-04-31\""), reject::BAD_DATE, "Day"),
        (bad("\"2024-04-16\"", "1713225600001"), reject::BAD_DATE, "Day"),
        (bad("T19:00:00.000+0000", "T19:00:00.000"), reject::BAD_DATETIME, "At"),
        (bad("\"Id\":\"001\"", "\"Id\":null"), reject::MISSING_VALUE, "Id"),
        (bad("\\ud83d\\ude00", "\\ud83d"), reject::BAD_UTF8, "Name"),
    ];
    for (record, code, column) in table {
        let (records, out) = decode(&format!("[{record},{MILLIS}]")).unwrap();
        let reject = &out[0].rejects[0];
        assert_eq!((records, out[0].batch.num_rows(), reject.row), (2, 1, 0));
        assert_eq!((reject.code.as_str(), reject.column.as_str()), (code, column));
        assert_eq!(reject.values[8].as_deref(), Some("Ada"));
        assert_eq!(out[0].page_row(0), 1);
    }
}

#[test]
fn bytes_that_are_no_text_reject_their_row() {
    let mut text = format!("[{MILLIS},").into_bytes();
    text.extend_from_slice(RECORD.replacen("\\u00e9", "?", 1).replace('?', "\u{1}").as_bytes());
    let at = text.iter().position(|byte| *byte == 1).unwrap();
    text[at] = 0xFF;
    text.push(b']');
    let (_, out) = decode_in(&text, 5).unwrap();
    assert_eq!((out[0].rejects[0].code.as_str(), out[0].rejects[0].column.as_str()), (reject::BAD_UTF8, "Name"));
}

#[test]
fn what_is_no_list_of_whole_records_is_an_error() {
    let error = |text: &str| decode(text).unwrap_err().to_string();
    assert!(error(&RECORD.replace("\"Name\":\"a", "\"Nome\":\"a").pipe()).contains("`Nome`"));
    assert!(error(&RECORD.replace("\"Name\":\"Ada\"", "\"Nick\":\"Ada\"").pipe()).contains("`Owner.Nick`"));
    assert!(error(&RECORD.replace("\"Count\":7,", "").pipe()).contains("lacks the field `Count`"));
    assert!(error(&RECORD.replace("\"Count\":7,", "\"Count\":7,\"Count\":8,").pipe()).contains("twice"));
    assert!(error(&RECORD.replace("\"Count\":7", "\"Count\":{}").pipe()).contains("object"));
    assert!(error("{}").contains("array"));
    assert!(error("[1]").contains("record"));
    assert!(error(&format!("[{RECORD},]")).contains("a record"));
    assert!(error("<html>").contains("array"));
    let whole = format!("[{RECORD},{MILLIS}]");
    for end in 1..whole.len() - 1 {
        assert!(decode(&whole[..end]).is_err(), "{end}");
    }
}

trait Pipe {
    fn pipe(&self) -> String;
}

impl Pipe for String {
    fn pipe(&self) -> String {
        format!("[{self}]")
    }
}

#[test]
fn after_an_error_the_decoder_is_spent() {
    let mut decoder = JsonDecoder::new(schema(), DecodeOptions::default()).unwrap();
    let mut out = Vec::new();
    assert!(decoder.feed(b"x", &mut out).is_err());
    assert!(matches!(decoder.feed(b"[]", &mut out), Err(DecodeError::Spent)));
    assert!(matches!(decoder.finish(&mut out), Err(DecodeError::Spent)));
}

#[test]
fn batches_are_cut_by_rows() {
    let options = DecodeOptions { batch_rows: 2, ..DecodeOptions::default() };
    let mut decoder = JsonDecoder::new(schema(), options).unwrap();
    let mut out = Vec::new();
    decoder.feed(format!("[{}]", [MILLIS; 5].join(",")).as_bytes(), &mut out).unwrap();
    assert_eq!(decoder.finish(&mut out).unwrap(), 5);
    let rows: Vec<(u64, usize)> = out.iter().map(|b| (b.first_row, b.batch.num_rows())).collect();
    assert_eq!(rows, [(0, 2), (2, 2), (4, 1)]);
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(name in any::<String>(), chunk in 1usize..40) {
        let quoted = serde_json::to_string(&name).unwrap();
        let record = MILLIS.replacen("\"Name\":null", &format!("\"Name\":{quoted}"), 1);
        let (_, out) = decode_in(format!("[{record}]").as_bytes(), chunk).unwrap();
        let column = crate::text::ColumnText::new(out[0].batch.column(1).as_ref()).unwrap();
        prop_assert_eq!(column.as_str(0).unwrap_or_default(), name);
    }

    #[test]
    fn any_bytes_are_an_error_or_rows(bytes in prop::collection::vec(any::<u8>(), 0..200), chunk in 1usize..40) {
        let _ = decode_in(&bytes, chunk);
    }

    #[test]
    fn any_change_of_a_byte_is_an_error_or_rows(at in 0usize..500, byte in any::<u8>()) {
        let mut text = format!("[{RECORD},{MILLIS}]").into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = decode_in(&text, 50);
    }
}
