//! How Parquet files are laid out: small memory, quick to write, good to read.

use std::io::Write;

use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use ::parquet::errors::Result;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::Compression;

pub(crate) use ::parquet::arrow::ArrowWriter;

/// Encoded bytes of the row group in progress, at which it is written out. Bounds the memory of a
/// file being written; readers still get groups of some 10,000 rows.
const ROW_GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Rows encoded between two looks at the row group's size.
const STEP_ROWS: usize = 8192;
/// Distinct values of a column's row group, in bytes, beyond which plain encoding takes over.
const DICTIONARY_BYTES: usize = 128 * 1024;
/// Uncompressed bytes of a page.
const PAGE_BYTES: usize = 256 * 1024;
/// Rows of a page at most.
const PAGE_ROWS: usize = 32 * 1024;

/// A writer for rows of `columns`.
pub(crate) fn open<W: Write + Send>(file: W, columns: &SchemaRef, compression: Compression) -> Result<ArrowWriter<W>> {
    let options = ArrowWriterOptions::new().with_properties(properties(compression));
    ArrowWriter::try_new_with_options(file, SchemaRef::clone(columns), options)
}

fn properties(compression: Compression) -> WriterProperties {
    let codec = match compression {
        Compression::None => Codec::SNAPPY,
        Compression::Gzip => Codec::GZIP(GzipLevel::default()),
        Compression::Zstd => Codec::ZSTD(ZstdLevel::default()),
    };
    WriterProperties::builder()
        .set_created_by(concat!("forcepump ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build()
}

/// Encodes `batch`, and closes the row group once it is large enough.
pub(crate) fn write<W: Write + Send>(writer: &mut ArrowWriter<W>, batch: &RecordBatch) -> Result<()> {
    let mut start = 0;
    while start < batch.num_rows() {
        let rows = STEP_ROWS.min(batch.num_rows() - start);
        writer.write(&batch.slice(start, rows))?;
        if writer.memory_size() >= ROW_GROUP_BYTES {
            writer.flush()?;
        }
        start += rows;
    }
    Ok(())
}
