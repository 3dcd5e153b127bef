//! Writes JSON Lines files, one a unit, encoded by the host.

use forcepump_file_destination::{FileDestination, FileFormat};
use forcepump_plugin_sdk::export_destination;
use forcepump_plugin_sdk::files::{Compression, Format};

/// What is particular to JSON Lines.
#[derive(Debug)]
pub struct JsonLines;

impl FileFormat for JsonLines {
    const NAME: &'static str = "jsonl";
    const SUMMARY: &'static str = "writes files with one JSON object a line, one a unit";
    const EXTENSION: &'static str = "jsonl";
    const FORMAT: Format = Format::JsonLines;
    const COMPRESSIONS: &'static [(&'static str, Compression)] =
        &[("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
    const COMPRESSED_INSIDE: bool = false;
}

export_destination!(FileDestination<JsonLines>);

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
        let mut run = DestinationRun::<FileDestination<JsonLines>>::prepare(target)?;
        run.unit("0", std::slice::from_ref(&table))?;
        let all = files::under("out");
        let file = &all["Account/Account-test-run-0.jsonl.gz"];
        assert_eq!((file.format, file.compression), (Format::JsonLines, Compression::Gzip));
        assert_eq!(file.tables, [table]);
        Ok(())
    }
}
