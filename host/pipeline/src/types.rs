//! The published type table as a document.

use forcepump_batch::type_table;
use serde::Serialize;

/// What one field type of Salesforce becomes; forms are absent where it becomes no column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedType {
    /// describe's type
    #[serde(rename = "type")]
    pub name: &'static str,
    /// Arrow type, which transforms see
    pub arrow: Option<&'static str>,
    /// text in CSV files, by an example
    pub csv: Option<&'static str>,
    /// value in JSON lines, by an example
    pub json: Option<&'static str>,
    /// type that SQLite tables declare; absent also where none is declared
    pub sqlite: Option<&'static str>,
    /// type in Parquet files
    pub parquet: Option<&'static str>,
    /// what a user should know
    pub note: &'static str,
}

/// Every field type of Salesforce with what it becomes.
#[must_use]
pub fn published_types() -> Vec<PublishedType> {
    let published = |row: &type_table::TypeRow| {
        let forms = row.column.forms();
        PublishedType {
            name: row.name,
            arrow: forms.map(|forms| forms.arrow),
            csv: forms.map(|forms| forms.csv),
            json: forms.map(|forms| forms.json),
            sqlite: forms.map(|forms| forms.sqlite).filter(|sqlite| !sqlite.is_empty()),
            parquet: forms.map(|forms| forms.parquet),
            note: row.note,
        }
    };
    type_table::rows().iter().map(published).collect()
}
