//! Files read again: size and digest, rows counted anew, and the values of one column.
//!
//! Nothing of the encoders is used here, so that one mistake cannot stand on both sides.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use arrow_schema::Schema;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::{Compression, Format};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// The bytes of a file as they are on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

/// Reads a file to its end.
///
/// # Errors
/// What the operating system says, for example that the file is gone.
pub fn bytes_of(path: &Path) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER_BYTES]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok(Bytes { bytes, sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect() })
}

/// What takes the values of a column.
pub type OnValue<'a> = &'a mut dyn FnMut(&str);

/// Counts the rows of a file that a sink wrote, and hands over the values of the column of that name, nulls left out.
/// None for a raw file, whose rows only its writer knows.
///
/// # Errors
/// A sentence: what cannot be read as the format, or that there is no such column.
pub fn rows_of(
    path: &Path,
    format: Format,
    compression: Compression,
    column: Option<(&str, OnValue<'_>)>,
) -> Result<Option<u64>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let text = |file: File| -> Result<BufReader<Box<dyn Read>>, String> {
        let bytes: Box<dyn Read> = match compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(|error| error.to_string())?),
        };
        Ok(BufReader::with_capacity(BUFFER_BYTES, bytes))
    };
    match format {
        Format::Raw => Ok(None),
        Format::Csv => csv_rows(text(file)?, column).map(Some),
        Format::JsonLines => json_rows(text(file)?, column).map(Some),
        Format::Parquet => parquet_rows(file, column).map(Some),
        Format::Arrow => arrow_rows(file, column).map(Some),
    }
}

/// Records of RFC 4180 but for the header.
fn csv_rows(mut text: impl BufRead, mut column: Option<(&str, OnValue<'_>)>) -> Result<u64, String> {
    let mut record = Vec::new();
    if !next_record(&mut text, &mut record)? {
        return Ok(0);
    }
    let header = fields(&record);
    let place = match &column {
        None => None,
        Some((name, _)) => {
            let found = header.iter().position(|field| field.eq_ignore_ascii_case(name));
            Some(found.ok_or_else(|| format!("there is no column {name}"))?)
        }
    };
    let mut rows = 0;
    while next_record(&mut text, &mut record)? {
        rows += 1;
        if let (Some(place), Some((_, take))) = (place, &mut column) {
            let fields = fields(&record);
            match fields.get(place) {
                Some(value) if !value.is_empty() => take(value),
                Some(_) => {}
                None => return Err(format!("record {rows} has {} fields", fields.len())),
            }
        }
    }
    Ok(rows)
}

/// Reads up to the line end that ends a record: one outside of quotes.
fn next_record(text: &mut impl BufRead, record: &mut Vec<u8>) -> Result<bool, String> {
    record.clear();
    loop {
        let read = text.read_until(b'\n', record).map_err(|error| error.to_string())?;
        let is_open = !record.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2);
        match (read, is_open) {
            (0, true) => return Err("the file ends within quotes".to_owned()),
            (0, false) => return Ok(!record.is_empty()),
            (_, true) => {}
            (_, false) if !record.ends_with(b"\n") => return Err("the last line is cut off".to_owned()),
            (_, false) => return Ok(true),
        }
    }
}

/// The fields of a record, unquoted.
fn fields(record: &[u8]) -> Vec<String> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let (mut fields, mut field, mut quoted) = (Vec::new(), Vec::new(), false);
    let mut rest = record.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' if quoted && rest.peek() == Some(&b'"') => {
                rest.next();
                field.push(b'"');
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => fields.push(String::from_utf8_lossy(&std::mem::take(&mut field)).into_owned()),
            other => field.push(other),
        }
    }
    fields.push(String::from_utf8_lossy(&field).into_owned());
    fields
}

fn json_rows(mut text: impl BufRead, mut column: Option<(&str, OnValue<'_>)>) -> Result<u64, String> {
    let (mut rows, mut line) = (0, Vec::new());
    loop {
        line.clear();
        if text.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            return Ok(rows);
        }
        rows += 1;
        if !line.ends_with(b"\n") {
            return Err("the last line is cut off".to_owned());
        }
        if let Some((name, take)) = &mut column {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&line).map_err(|error| format!("line {rows} is no JSON object: {error}"))?;
            let found = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            match found {
                None => return Err(format!("there is no column {name} in line {rows}")),
                Some(serde_json::Value::Null) => {}
                Some(serde_json::Value::String(value)) => take(value),
                Some(other) => take(&other.to_string()),
            }
        }
    }
}

fn parquet_rows(file: File, column: Option<(&str, OnValue<'_>)>) -> Result<u64, String> {
    let said = |error: ::parquet::errors::ParquetError| error.to_string();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(said)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let Some((name, take)) = column else { return Ok(rows) };
    let place = place_of(builder.schema(), name)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), [place]);
    let mut read = 0;
    for batch in builder.with_projection(mask).build().map_err(said)? {
        let batch = batch.map_err(|error| error.to_string())?;
        read += batch.num_rows() as u64;
        values(&batch, 0, name, take)?;
    }
    if read == rows { Ok(rows) } else { Err(format!("its footer says {rows} rows, and it holds {read}")) }
}

fn arrow_rows(file: File, mut column: Option<(&str, OnValue<'_>)>) -> Result<u64, String> {
    let reader = FileReader::try_new(BufReader::new(file), None).map_err(|error| error.to_string())?;
    let place = column.as_ref().map(|(name, _)| place_of(&reader.schema(), name)).transpose()?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|error| error.to_string())?;
        rows += batch.num_rows() as u64;
        if let (Some(place), Some((name, take))) = (place, &mut column) {
            values(&batch, place, name, take)?;
        }
    }
    Ok(rows)
}

fn place_of(schema: &Schema, name: &str) -> Result<usize, String> {
    let mut names = schema.fields().iter();
    names.position(|field| field.name().eq_ignore_ascii_case(name)).ok_or_else(|| format!("there is no column {name}"))
}

fn values(batch: &RecordBatch, place: usize, name: &str, take: OnValue<'_>) -> Result<(), String> {
    let column = batch.columns().get(place);
    let texts = column.and_then(|column| column.as_string_opt::<i32>());
    let texts = texts.ok_or_else(|| format!("the column {name} is no text"))?;
    texts.iter().flatten().for_each(take);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray};

    use super::*;
    use crate::files::Root;

    const FORMATS: [(Format, Compression); 9] = [
        (Format::Csv, Compression::None),
        (Format::Csv, Compression::Gzip),
        (Format::Csv, Compression::Zstd),
        (Format::JsonLines, Compression::None),
        (Format::JsonLines, Compression::Gzip),
        (Format::JsonLines, Compression::Zstd),
        (Format::Parquet, Compression::None),
        (Format::Parquet, Compression::Zstd),
        (Format::Arrow, Compression::None),
    ];

    fn batch() -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["001a", "001B", "00\"1\nc,"]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![None, Some("two\r\nlines"), Some("\"")]));
        RecordBatch::try_from_iter_with_nullable([("Name", names, true), ("Id", ids, false)]).unwrap()
    }

    #[test]
    fn what_a_sink_wrote_is_counted_anew() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for (format, compression) in FORMATS {
            let mut sink = root.create("file", format, compression).unwrap();
            sink.write_batch(&batch()).unwrap();
            sink.write_batch(&batch()).unwrap();
            let written = sink.finish().unwrap();
            let path = folder.path().join("file");
            assert_eq!(bytes_of(&path).unwrap(), Bytes { bytes: written.bytes, sha256: written.sha256 });
            assert_eq!(rows_of(&path, format, compression, None), Ok(Some(6)), "{format:?} {compression:?}");
            let mut ids = Vec::new();
            let mut take = |id: &str| ids.push(id.to_owned());
            assert_eq!(rows_of(&path, format, compression, Some(("id", &mut take))), Ok(Some(6)));
            assert_eq!(ids, ["001a", "001B", "00\"1\nc,", "001a", "001B", "00\"1\nc,"], "{format:?} {compression:?}");
            let nobody = rows_of(&path, format, compression, Some(("X", &mut |_| {})));
            assert!(nobody.unwrap_err().contains("no column X"));
        }
    }

    #[test]
    fn a_file_that_was_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        for (format, compression) in FORMATS {
            let mut sink = root.create("file", format, compression).unwrap();
            sink.write_batch(&batch()).unwrap();
            sink.finish().unwrap();
            let path = folder.path().join("file");
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&path, &whole[..whole.len() - 2]).unwrap();
            assert!(rows_of(&path, format, compression, None).is_err(), "{format:?} {compression:?}");
        }
        assert!(bytes_of(&folder.path().join("gone")).is_err());
    }
}
