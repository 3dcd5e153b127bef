//! Writes CSV files, one a unit, encoded by the host.

use forcepump_file_destination::{FileDestination, FileFormat};
use forcepump_plugin_sdk::export_destination;
use forcepump_plugin_sdk::files::{Compression, Format};

/// What is particular to CSV.
#[derive(Debug)]
pub struct Csv;

impl FileFormat for Csv {
    const NAME: &'static str = "csv";
    const SUMMARY: &'static str = "writes comma-separated files with a header line, one a unit";
    const EXTENSION: &'static str = "csv";
    const FORMAT: Format = Format::Csv;
    const COMPRESSIONS: &'static [(&'static str, Compression)] =
        &[("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
    const COMPRESSED_INSIDE: bool = false;
}

export_destination!(FileDestination<Csv>);

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
        let mut run = DestinationRun::<FileDestination<Csv>>::prepare(target)?;
        run.unit("0", std::slice::from_ref(&table))?;
        let all = files::under("out");
        let file = &all["Account/Account-test-run-0.csv.gz"];
        assert_eq!((file.format, file.compression), (Format::Csv, Compression::Gzip));
        assert_eq!(file.tables, [table]);
        Ok(())
    }
}
