//! What the decoder makes of good, odd and broken pages.

use crate::{decode, decode_chunks, schema, texts};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use forcepump_batch::{CsvDecoder, DecodeOptions, SalesforceType as T};
use std::sync::Arc;

fn strings(batch: &RecordBatch, column: usize) -> Vec<Option<&str>> {
    batch.column(column).as_string::<i32>().iter().collect()
}

#[test]
fn every_type_of_the_table() {
    let schema = schema(&[
        ("Id", T::Id, 0),
        ("Flag", T::Boolean, 0),
        ("Count", T::Int, 0),
        ("Big", T::Long, 0),
        ("Amount", T::Currency, 2),
        ("Day", T::Date, 0),
        ("At", T::DateTime, 0),
        ("Clock", T::Time, 0),
        ("Many", T::MultiPicklist, 0),
    ]);
    let page = decode(
        &schema,
        b"\"Id\",\"Flag\",\"Count\",\"Big\",\"Amount\",\"Day\",\"At\",\"Clock\",\"Many\"\n\
          \"0013h00000Ffg18AAB\",\"true\",\"5.0\",\"1.2E3\",\"1.2345678E7\",\"1969-12-31\",\
          \"2024-04-16T19:00:00.000Z\",\"10:30:00.000Z\",\"A;B;C\"\n\
          \"0013h00000Ffg19AAB\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"\n",
    );
    assert_eq!(page.records.as_ref().ok(), Some(&2), "{page:?}");
    let batch = page.batch();
    assert!(batch.column(1).as_boolean().value(0));
    assert_eq!(batch.column(2).as_primitive::<Int32Type>().value(0), 5);
    assert_eq!(batch.column(3).as_primitive::<Int64Type>().value(0), 1_200);
    assert_eq!(batch.column(4).as_primitive::<Decimal128Type>().value(0), 1_234_567_800);
    assert_eq!(batch.column(5).as_primitive::<Date32Type>().value(0), -1);
    let instants = batch.column(6).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(instants.value(0), 1_713_294_000_000_000);
    assert_eq!(batch.column(7).as_primitive::<Time64MicrosecondType>().value(0), 37_800_000_000);
    assert_eq!(strings(batch, 8), [Some("A;B;C"), None]);
    for column in 1..9 {
        assert!(batch.column(column).is_null(1), "{column}");
    }
}

#[test]
fn text_stays_as_it_is() {
    let page = decode(
        &texts(),
        b"A,B\n\"say \"\"hi\"\"\",\"a\nb\r\nc\rd\"\r\n\"NA\",#N/A\n\"null\",\"007\"\n\"x\0y\",a\"b\n\"\"\"\",\"  \"\n",
    );
    let batch = page.batch();
    let first = [Some("say \"hi\""), Some("NA"), Some("null"), Some("x\0y"), Some("\"")];
    assert_eq!(strings(batch, 0), first);
    let second = [Some("a\nb\r\nc\rd"), Some("#N/A"), Some("007"), Some("a\"b"), Some("  ")];
    assert_eq!(strings(batch, 1), second);
}

#[test]
fn header_names_in_any_order_and_case_behind_a_byte_order_mark() {
    for page in [&b"\xEF\xBB\xBF\"b\",\"A\"\r\n\"2\",\"1\"\r\n"[..], b"\n\"b\",A\n\n2,1\n\n", b"b,a\n2,1"] {
        let page = decode(&texts(), page);
        assert_eq!(page.records.as_ref().ok(), Some(&1), "{page:?}");
        assert_eq!(strings(page.batch(), 0), [Some("1")]);
        assert_eq!(strings(page.batch(), 1), [Some("2")]);
    }
}

#[test]
fn pages_without_rows() {
    for page in [&b""[..], b"\xEF\xBB\xBF", b"\"A\",\"B\"\n", b"\"A\",\"B\"", b"\n", b"A,B\r\n"] {
        let page = decode(&texts(), page);
        assert_eq!(page.records.as_ref().ok(), Some(&0), "{page:?}");
        assert!(page.decoded.is_empty());
    }
}

#[test]
fn wrong_headers_name_the_column() {
    for (page, words) in [
        (&b"A,B,C\n"[..], "has the column `C`, which the schema does not have"),
        (b"A\n", "lacks the column `B`"),
        (b"A,B,a\n", "has the column `a` twice"),
        (b"Records not found for this query", "has the column `Records not found for this query`"),
    ] {
        let error = decode(&texts(), page).error();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn broken_pages_are_errors_with_the_row() {
    for (page, words) in [
        (&b"A,B\n1,2\n1,2,3\n"[..], "row 1 has 3 cells instead of 2"),
        (b"A,B\n1,2\n1\n", "row 1 has 1 cells instead of 2"),
        (b"A,B\n1,2\n\"1\"x,2\n", "row 1 has text behind a closing quote"),
        (b"A,B\n\"1\",\"2\"\r3\n", "row 0 has text behind a closing quote"),
        (b"A,B\n1,2\n1,\"2\n", "ends inside a quoted cell of row 1"),
        (b"A,B\n1,2\n1", "row 1 has 1 cells instead of 2"),
        (b"A,\"B", "ends inside a quoted cell of row 0"),
    ] {
        let error = decode(&texts(), page).error();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn rows_that_do_not_fit_are_rejected_alone() {
    let schema = schema(&[("Id", T::Id, 0), ("Name", T::String, 0), ("Amount", T::Currency, 2)]);
    let page = decode(
        &schema,
        b"Amount,Name,Id\n1.00,a,i0\n1.005,\"b\"\"c\",i1\n2,c,i2\nx,,i3\n3,\xFF,i4\n4,\xC3\xA9,i5\n5,d,\n1E99,e,i7\n",
    );
    assert_eq!(page.records.as_ref().ok(), Some(&8), "{page:?}");
    assert_eq!(strings(page.batch(), 0), [Some("i0"), Some("i2"), Some("i5")]);
    assert_eq!(strings(page.batch(), 1), [Some("a"), Some("c"), Some("é")]);
    let decoded = &page.decoded[0];
    let rejects: Vec<_> = decoded.rejects.iter().map(|r| (r.row, r.code.as_str(), r.column.as_str())).collect();
    let expected = [
        (1, "too_many_decimals", "Amount"),
        (3, "bad_number", "Amount"),
        (4, "bad_utf8", "Name"),
        (6, "missing_value", "Id"),
        (7, "number_out_of_range", "Amount"),
    ];
    assert_eq!(rejects, expected);
    assert_eq!(
        decoded.rejects[0].reason,
        "column `Amount`: the cell \"1.005\" has more decimal places than the column"
    );
    let values = ["i1", "b\"c", "1.005"].map(|text| Some(text.to_owned()));
    assert_eq!(decoded.rejects[0].values, values);
    assert_eq!(decoded.rejects[1].values, [Some("i3".to_owned()), None, Some("x".to_owned())]);
    assert_eq!([0, 1, 2].map(|row| decoded.page_row(row)), [0, 2, 5]);
}

#[test]
fn each_bad_cell_has_its_code() {
    for (kind, cell, code) in [
        (T::Boolean, "yes", "bad_boolean"),
        (T::Int, "2147483648", "number_out_of_range"),
        (T::Long, "1.5", "too_many_decimals"),
        (T::Date, "2023-02-29", "bad_date"),
        (T::DateTime, "2024-04-16T19:00:00.000", "bad_datetime"),
        (T::Time, "25:00:00", "bad_time"),
        (T::Double, "NaN", "bad_number"),
        (T::Double, "\"\"\"5\"\"\"", "bad_number"),
    ] {
        let page = decode(&schema(&[("X", kind, 0)]), format!("X\n{cell}\n").as_bytes());
        assert_eq!(page.decoded[0].rejects[0].code, code, "{kind} {cell}");
        assert_eq!(page.batch().num_rows(), 0);
    }
}

#[test]
fn batches_end_by_rows_or_bytes() {
    let rows: String = (0..10).map(|row| format!("{row},{}\n", "x".repeat(20))).collect();
    let page = format!("A,B\n{rows}");
    for (batch_rows, batch_bytes, sizes) in
        [(4, 1 << 20, vec![4, 4, 2]), (100, 50, vec![3, 3, 3, 1]), (100, 1, vec![1; 10])]
    {
        let options = DecodeOptions { delimiter: b',', batch_rows, batch_bytes };
        let page = decode_chunks(&texts(), &options, [page.as_bytes()]);
        let found: Vec<_> = page.decoded.iter().map(|d| d.batch.num_rows()).collect();
        assert_eq!(found, sizes);
        let mut first = 0;
        for decoded in &page.decoded {
            assert_eq!(decoded.first_row, first);
            first += decoded.batch.num_rows() as u64;
        }
    }
}

#[test]
fn other_delimiters() {
    for delimiter in [b'\t', b';', b'|', b'^', b'`', b' '] {
        let page = format!("\"A\"{0}\"B\"\n\"1,\"{0}2\n", delimiter as char);
        let options = DecodeOptions { delimiter, ..DecodeOptions::default() };
        let page = decode_chunks(&texts(), &options, [page.as_bytes()]);
        assert_eq!(strings(page.batch(), 0), [Some("1,")]);
        assert_eq!(strings(page.batch(), 1), [Some("2")]);
    }
}

#[test]
fn impossible_decoders_say_why() {
    let error = |schema, options| CsvDecoder::new(schema, options).err().unwrap().to_string();
    for delimiter in [b'"', b'\n', b'\r', 0xC3] {
        let options = DecodeOptions { delimiter, ..DecodeOptions::default() };
        assert!(error(texts(), options).contains("delimiter"));
    }
    let options = DecodeOptions { batch_rows: 0, ..DecodeOptions::default() };
    assert!(error(texts(), options).contains("batch_rows"));
    let options = DecodeOptions { batch_bytes: usize::MAX, ..DecodeOptions::default() };
    assert!(error(texts(), options).contains("batch_bytes"));
    let of = |fields: Vec<Field>| Arc::new(Schema::new(fields));
    let default = DecodeOptions::default;
    assert!(error(of(vec![]), default()).contains("no columns"));
    let float = Field::new("F", DataType::Float64, true);
    assert!(error(of(vec![float]), default()).contains("`F` has the type Float64"));
    let twice = ["a", "A"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec();
    assert!(error(of(twice), default()).contains("`A` twice"));
}

#[test]
fn a_failed_decoder_is_spent() {
    let mut decoder = CsvDecoder::new(texts(), DecodeOptions::default()).unwrap();
    let mut out = Vec::new();
    assert!(decoder.feed(b"A,C\n", &mut out).is_err());
    let error = decoder.feed(b"1,2\n", &mut out).unwrap_err();
    assert!(error.to_string().contains("failed before"), "{error}");
    assert!(decoder.finish(&mut out).is_err());
}
