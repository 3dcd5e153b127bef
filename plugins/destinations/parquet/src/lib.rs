//! Writes Parquet files, one a unit, encoded by the host.

use forcepump_file_destination::{FileDestination, FileFormat};
use forcepump_plugin_sdk::export_destination;
use forcepump_plugin_sdk::files::{Compression, Format};

/// What is particular to Parquet.
#[derive(Debug)]
pub struct Parquet;

impl FileFormat for Parquet {
    const NAME: &'static str = "parquet";
    const SUMMARY: &'static str = "writes Parquet files, one a unit";
    const EXTENSION: &'static str = "parquet";
    const FORMAT: Format = Format::Parquet;
    const COMPRESSIONS: &'static [(&'static str, Compression)] = &[
        // What the host takes for Parquet when nothing is asked for, and what every reader knows.
        ("snappy", Compression::None),
        ("gzip", Compression::Gzip),
        ("zstd", Compression::Zstd),
    ];
    const COMPRESSED_INSIDE: bool = true;
}

export_destination!(FileDestination<Parquet>);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{DestinationRun, Table, files, target};
    use forcepump_plugin_sdk::{PluginError, WriteMode};

    #[test]
    fn a_unit_becomes_a_file_of_the_format() -> Result<(), PluginError> {
        files::grant("out");
        let table = Table::new().text("Id", ["1", "2"]);
        let config = serde_json::json!({"compression": "gzip"});
        let target = target(&config, &table.schema, WriteMode::Append, &[]);
        let mut run = DestinationRun::<FileDestination<Parquet>>::prepare(target)?;
        run.unit("0", std::slice::from_ref(&table))?;
        let all = files::under("out");
        let file = &all["Account/Account-test-run-0.parquet"];
        assert_eq!((file.format, file.compression), (Format::Parquet, Compression::Gzip));
        assert_eq!(file.tables, [table]);
        Ok(())
    }
}
