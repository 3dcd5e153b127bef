//! The table of types.

use forcepump_pipeline::PublishedType;

use super::table;

/// One row a type of Salesforce.
pub fn types(types: &[PublishedType]) -> String {
    let row = |row: &PublishedType| {
        let sqlite = if row.arrow.is_some() { row.sqlite.unwrap_or("no type declared") } else { "" };
        let cells = [row.name, row.arrow.unwrap_or("none"), row.csv.unwrap_or_default(), sqlite];
        let cells = cells.into_iter().chain([row.parquet.unwrap_or_default(), row.note]);
        cells.map(str::to_owned).collect::<Vec<String>>()
    };
    let header = ["type", "Arrow", "CSV", "SQLite", "Parquet", "note"];
    table::whole(&header, &types.iter().map(row).collect::<Vec<_>>())
}
