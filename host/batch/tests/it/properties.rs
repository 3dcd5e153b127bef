//! What holds for any page, any cut and any batch.

use crate::{Page, decode, decode_chunks, schema};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_schema::SchemaRef;
use forcepump_batch::{DecodeOptions, EncodeOptions, QuoteStyle, SalesforceType as T, encode_batch};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;

fn mixed() -> SchemaRef {
    schema(&[("A", T::String, 0), ("N", T::Double, 3), ("D", T::DateTime, 0)])
}

/// Pieces of CSV, right and wrong ones, that meet in every way.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 24] = [
        b"\"",
        b"\"\"",
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\",\"",
        b"\"\n\"",
        b"a",
        b"\xC3\xA9",
        b"\xC3",
        b"\xF0\x9F\x98\x80",
        b"\0",
        b"1.5",
        b"-9.0E7",
        b"1.0005",
        b"2024-04-16T19:00:00.000Z",
        b"a,1,2024-04-16T19:00:00Z\n",
        b"\"a\",\"\",\"\"\n",
        b"\"x\"\"y\",\"7\",\"\"\r\n",
        b"\"a\nb\",\"1E2\",\"1969-12-31T00:00:00.000+0000\"\n",
        b",,\n",
        b"\"\xFF\",1,\n",
        b"some longer text that runs over several words of eight bytes",
    ];
    prop_oneof![
        8 => proptest::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ]
}

fn page() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![9 => Just(&b"\"A\",\"N\",\"D\"\n"[..]), 1 => Just(&b"\xEF\xBB\xBFd,a,n\r\n"[..])];
    (header, vec(piece(), 0..40)).prop_map(|(header, pieces)| [header, &pieces.concat()].concat())
}

fn whole_rows() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![Just("\"a\"\"b\""), Just("x\"y"), Just("\"é\r\n,\""), Just(""), Just("\"\"")];
    let number = prop_oneof![Just("1.5"), Just("\"-9.0E7\""), Just("1.00005"), Just("")];
    let instant = prop_oneof![Just("\"2024-04-16T19:00:00.000Z\""), Just("never"), Just("")];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let row = (text, number, instant, end).prop_map(|(a, n, d, end)| format!("{a},{n},{d}{end}"));
    vec(row, 0..30).prop_map(|rows| format!("A,N,D\n{}", rows.concat()).into_bytes())
}

fn same(one: &Page, other: &Page) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.decoded, &other.decoded);
    let text = |page: &Page| page.records.as_ref().map_err(ToString::to_string).cloned();
    prop_assert_eq!(text(one), text(other));
    Ok(())
}

fn cut(page: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut rest = page;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at((*size).min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = behind;
    }
    chunks
}

fn cuts_change_nothing(page: &[u8], sizes: &[usize], batch_rows: usize) -> Result<(), TestCaseError> {
    let options = DecodeOptions { batch_rows, ..DecodeOptions::default() };
    let whole = decode_chunks(&mixed(), &options, [page]);
    let chunks = cut(page, sizes);
    let in_chunks = decode_chunks(&mixed(), &options, chunks.iter().map(Vec::as_slice));
    same(&whole, &in_chunks)?;
    let bytewise = decode_chunks(&mixed(), &options, page.chunks(1));
    same(&whole, &bytewise)
}

/// Rows and rejects of a page add up to its records, and each has its own number.
fn every_record_is_accounted_for(page: &Page) -> Result<(), TestCaseError> {
    let Ok(records) = page.records else {
        return Ok(());
    };
    let mut seen = Vec::new();
    for decoded in &page.decoded {
        seen.extend((0..decoded.batch.num_rows()).map(|row| decoded.page_row(row)));
        seen.extend(decoded.rejects.iter().map(|reject| reject.row));
    }
    seen.sort_unstable();
    prop_assert_eq!(seen, (0..records).collect::<Vec<_>>());
    Ok(())
}

type Row = (
    (String, Option<String>, Option<bool>, Option<i32>),
    (Option<i64>, Option<i128>, Option<i32>, Option<i64>, Option<i64>),
);

fn row() -> impl Strategy<Value = Row> {
    const DECIMAL_LIMIT: i128 = 1_000_000_000_000_000_000;
    // An empty text comes back as null: the dialect cannot tell them apart.
    let text = "[ -~\n\r\t\0é😀\"\",;]{1,20}";
    (
        ("[a-zA-Z0-9]{18}", option::of(text), any::<Option<bool>>(), any::<Option<i32>>()),
        (
            any::<Option<i64>>(),
            option::of(1 - DECIMAL_LIMIT..DECIMAL_LIMIT),
            option::of(-719_162..=2_932_896i32),
            option::of(-62_135_596_800_000_000..=253_402_300_799_999_999i64),
            option::of(0..86_400_000_000i64),
        ),
    )
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    let schema = schema(&[
        ("Id", T::Id, 0),
        ("Text", T::TextArea, 0),
        ("Flag", T::Boolean, 0),
        ("Count", T::Int, 0),
        ("Big", T::Long, 0),
        ("Amount", T::Percent, 4),
        ("Day", T::Date, 0),
        ("At", T::DateTime, 0),
        ("Clock", T::Time, 0),
    ]);
    let decimals = rows.iter().map(|row| row.1.1).collect::<Decimal128Array>();
    let instants = rows.iter().map(|row| row.1.3).collect::<TimestampMicrosecondArray>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0.0.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.0.1.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.0.2).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.0.3).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.1.0).collect::<Int64Array>()),
        Arc::new(decimals.with_precision_and_scale(19, 4).expect("within 19 digits")),
        Arc::new(rows.iter().map(|row| row.1.2).collect::<Date32Array>()),
        Arc::new(instants.with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.1.4).collect::<Time64MicrosecondArray>()),
    ];
    RecordBatch::try_new(schema, columns).expect("columns of the schema")
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_batches(page in page(), sizes in vec(1..40usize, 1..6), batch_rows in 1..5usize) {
        cuts_change_nothing(&page, &sizes, batch_rows)?;
    }

    #[test]
    fn any_cut_of_whole_rows_gives_the_same_batches(page in whole_rows(), sizes in vec(1..40usize, 1..6), batch_rows in 1..5usize) {
        cuts_change_nothing(&page, &sizes, batch_rows)?;
        let options = DecodeOptions { batch_rows, ..DecodeOptions::default() };
        let page = decode_chunks(&mixed(), &options, [&page[..]]);
        prop_assert!(page.records.is_ok());
        every_record_is_accounted_for(&page)?;
    }

    #[test]
    fn any_bytes_are_answered(page in vec(any::<u8>(), 0..200)) {
        let with_header = [b"A,N,D\n", &page[..]].concat();
        every_record_is_accounted_for(&decode(&mixed(), &with_header))?;
        let _ = decode(&mixed(), &page);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        rows in vec(row(), 1..20),
        quote in proptest::sample::select(&[QuoteStyle::Always, QuoteStyle::Necessary, QuoteStyle::Text][..]),
        delimiter in proptest::sample::select(&b",;|\t^"[..]),
        crlf in any::<bool>(),
    ) {
        let batch = batch_of(&rows);
        let options = EncodeOptions { delimiter, quote, crlf, ..EncodeOptions::default() };
        let mut csv = Vec::new();
        encode_batch(&batch, &options, true, &mut csv).expect("plain types");
        let options = DecodeOptions { delimiter, ..DecodeOptions::default() };
        let page = decode_chunks(&batch.schema(), &options, [&csv[..]]);
        prop_assert_eq!(page.records.as_ref().ok(), Some(&(rows.len() as u64)), "{:?}", page);
        prop_assert_eq!(page.batch(), &batch);
    }
}
