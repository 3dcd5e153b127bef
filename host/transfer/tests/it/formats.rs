//! Every type through every format, read back with readers of others.

use std::fs::{self, File};
use std::io::Read;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use forcepump_transfer::files::{Compression, FileError, Format, Root, Written};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::rows::{NASTY, WIDEST, every_type, plain};

struct Made {
    folder: TempDir,
    written: Written,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("f")).expect("file")
    }
}

fn make(format: Format, compression: Compression, batches: &[RecordBatch]) -> Made {
    let folder = tempfile::tempdir().expect("folder");
    let root = Root::open(folder.path()).expect("root");
    let mut sink = root.create("f", format, compression).expect("create");
    for batch in batches {
        sink.write_batch(batch).expect("write");
    }
    let written = sink.finish().expect("finish");
    Made { folder, written }
}

fn parquet(made: &Made) -> Vec<RecordBatch> {
    let file = File::open(made.folder.path().join("f")).expect("file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").with_batch_size(100_000).build();
    reader.expect("reader").map(|batch| batch.expect("batch")).collect()
}

#[test]
fn json_lines_keep_every_type() {
    let made = make(Format::JsonLines, Compression::None, &[every_type()]);
    let text = String::from_utf8(made.bytes()).expect("utf-8");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    let expected = "{\"none\":null,\"flag\":true,\"i8\":1,\"i16\":1,\"i32\":1,\"i64\":1,\"u8\":1,\"u16\":1,\"u32\":1,\
        \"u64\":1,\"f32\":1.5,\"f64\":0.1,\"text\":\"plain\",\"bytes\":\"YWJj\",\"money\":12.50,\"wide\":0.001,\
        \"whole\":7,\"day\":\"2024-04-16\",\"time\":\"19:00:00.000\",\"instant\":\"2024-04-16T19:00:00.000Z\"}";
    assert_eq!(lines.first(), Some(&expected));
    let extreme: serde_json::Value = serde_json::from_str(lines[1]).expect("json");
    assert_eq!(extreme["text"], NASTY);
    assert_eq!(extreme["f64"], -1e300);
    assert_eq!(extreme["i64"], i64::MIN);
    assert_eq!(extreme["u64"], u64::MAX);
    assert_eq!(extreme["time"], "23:59:59.999999");
    assert_eq!(extreme["instant"], "1969-12-31T23:59:59.999999Z");
    assert!(lines[1].contains(&format!("\"wide\":{WIDEST},")), "{}", lines[1]);
    assert!(lines[1].contains("\"money\":-9999999999999999.99,"), "{}", lines[1]);
    let nulls: serde_json::Value = serde_json::from_str(lines[2]).expect("json");
    assert!(nulls.as_object().is_some_and(|o| o.len() == 20 && o.values().all(serde_json::Value::is_null)));
}

#[test]
fn csv_has_one_header_and_quotes_what_needs_it() {
    let made = make(Format::Csv, Compression::None, &[every_type(), every_type()]);
    let text = String::from_utf8(made.bytes()).expect("utf-8");
    assert_eq!(text.matches("none,flag,i8").count(), 1);
    assert!(text.contains(&format!("\"{}\"", NASTY.replace('"', "\"\""))), "{text}");
    assert!(text.contains(WIDEST));
    assert_eq!(made.written.rows, 6);
}

#[test]
fn parquet_and_arrow_give_the_same_batch_back() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let made = make(Format::Parquet, compression, &[every_type()]);
        let read = parquet(&made);
        assert_eq!(read, [every_type()], "{compression:?}");
        let money = read[0].column_by_name("money").expect("column").as_primitive::<Decimal128Type>();
        assert_eq!((money.value(0), money.scale()), (1250, 2));
        let instant = read[0].column_by_name("instant").expect("column").as_primitive::<TimestampMicrosecondType>();
        assert_eq!(instant.timezone(), Some("UTC"));
    }
    let made = make(Format::Arrow, Compression::None, &[every_type(), every_type()]);
    let bytes = std::io::Cursor::new(made.bytes());
    let reader = arrow_ipc::reader::FileReader::try_new(bytes, None).expect("arrow");
    let read: Vec<RecordBatch> = reader.map(|batch| batch.expect("batch")).collect();
    assert_eq!(read, [every_type(), every_type()]);
}

#[test]
fn parquet_closes_row_groups_by_size() {
    let batches: Vec<RecordBatch> = (0..20).map(|n| plain(n * 50_000, 50_000)).collect();
    let made = make(Format::Parquet, Compression::None, &batches);
    let file = File::open(made.folder.path().join("f")).expect("file");
    let groups = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").metadata().num_row_groups();
    assert!((2..20).contains(&groups), "{groups}");
    assert_eq!(parquet(&made).iter().map(RecordBatch::num_rows).sum::<usize>(), 1_000_000);
    assert_eq!(made.written.rows, 1_000_000);
}

#[test]
fn whole_file_compressions_are_read_back() {
    let plain_bytes = make(Format::Csv, Compression::None, &[plain(0, 5000)]).bytes();
    let gzip = make(Format::Csv, Compression::Gzip, &[plain(0, 5000)]);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*gzip.bytes()).read_to_end(&mut unpacked).expect("gzip");
    assert!(unpacked == plain_bytes && gzip.written.bytes < plain_bytes.len() as u64 / 3);
    let zstd = make(Format::JsonLines, Compression::Zstd, &[plain(0, 5000)]);
    let unpacked = zstd::decode_all(&*zstd.bytes()).expect("zstd");
    assert_eq!(unpacked, make(Format::JsonLines, Compression::None, &[plain(0, 5000)]).bytes());
}

#[test]
fn a_file_without_rows_still_has_its_columns() {
    let empty = plain(0, 0);
    assert_eq!(make(Format::Csv, Compression::None, std::slice::from_ref(&empty)).bytes(), b"id,name\n");
    assert_eq!(make(Format::JsonLines, Compression::None, std::slice::from_ref(&empty)).bytes(), b"");
    let made = make(Format::Parquet, Compression::None, &[empty]);
    let file = File::open(made.folder.path().join("f")).expect("file");
    assert_eq!(ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").schema().fields().len(), 2);
    assert_eq!(make(Format::Csv, Compression::None, &[]).bytes(), b"");
}

#[test]
fn what_a_format_cannot_do_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let root = Root::open(folder.path()).expect("root");
    let wrong = |error: Result<(), FileError>, words: &str| {
        assert!(matches!(&error, Err(FileError::WrongFormat(text)) if text.contains(words)), "{error:?}");
    };
    wrong(root.create("f", Format::Arrow, Compression::Gzip).map(drop), "not compressed");
    for format in [Format::Arrow, Format::Parquet] {
        let sink = root.create("f", format, Compression::None).expect("create");
        wrong(sink.finish().map(drop), "empty batch");
    }
    let mut raw = root.create("raw", Format::Raw, Compression::None).expect("create");
    wrong(raw.write_batch(&plain(0, 1)), "raw file takes bytes");
    raw.write(b"still fine").expect("write");
    raw.finish().expect("finish");
    let mut csv = root.create("csv", Format::Csv, Compression::None).expect("create");
    wrong(csv.write(b"x"), "write batches");
    csv.write_batch(&plain(0, 1)).expect("write");
    wrong(csv.write_batch(&every_type()), "differ from the first");
    csv.write_batch(&plain(1, 1)).expect("write");
    assert_eq!(csv.finish().expect("finish").rows, 2);
}

#[test]
fn values_that_a_format_cannot_hold_are_refused() {
    let list = arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([Some([Some(1)])]);
    let nested =
        RecordBatch::try_from_iter([("tags", std::sync::Arc::new(list) as arrow_array::ArrayRef)]).expect("batch");
    let nan = arrow_array::Float64Array::from(vec![f64::NAN]);
    let nan =
        RecordBatch::try_from_iter([("ratio", std::sync::Arc::new(nan) as arrow_array::ArrayRef)]).expect("batch");
    let folder = tempfile::tempdir().expect("folder");
    let root = Root::open(folder.path()).expect("root");
    for (format, batch, word) in [
        (Format::Csv, &nested, "tags"),
        (Format::JsonLines, &nested, "tags"),
        (Format::JsonLines, &nan, "NaN in column \"ratio\""),
    ] {
        let mut sink = root.create("f", format, Compression::None).expect("create");
        let refused = sink.write_batch(batch);
        assert!(matches!(&refused, Err(FileError::WrongFormat(text)) if text.contains(word)), "{refused:?}");
        assert_eq!(sink.finish().map(drop), refused);
    }
    assert_eq!(parquet(&make(Format::Parquet, Compression::None, std::slice::from_ref(&nested))), [nested]);
}
