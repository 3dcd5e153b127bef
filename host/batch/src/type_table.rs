//! The published type table: what each field type of Salesforce becomes, in one place for code, command and documentation.
//!
//! `docs/types.md` is [`markdown`], `forcepump schema types` shows [`rows`]; tests hold both to what the code does.

use crate::types::SalesforceType as T;

/// What a field becomes: one of few kinds of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Text as Salesforce gives it.
    Text,
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// An exact decimal with the field's own decimal places.
    Decimal,
    /// A day.
    Date,
    /// A moment.
    Timestamp,
    /// A time of day.
    Time,
    /// No column: the field is expanded into others, or refused.
    None,
}

/// How a kind of column stands in memory, in text, and at the destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forms {
    /// Arrow type, which transforms see.
    pub arrow: &'static str,
    /// Text in CSV files, by an example.
    pub csv: &'static str,
    /// Value in JSON lines, by an example.
    pub json: &'static str,
    /// Type that the `sqlite` destination declares; empty when it declares none.
    pub sqlite: &'static str,
    /// Type in Parquet files.
    pub parquet: &'static str,
}

/// One field type of describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRow {
    /// The type.
    pub kind: T,
    /// Describe's spelling.
    pub name: &'static str,
    /// What it becomes.
    pub column: ColumnKind,
    /// What a user should know; empty when there is nothing.
    pub note: &'static str,
}

const fn row(kind: T, name: &'static str, column: ColumnKind, note: &'static str) -> TypeRow {
    TypeRow { kind, name, column, note }
}

const DECIMAL: &str = "every digit and the field's scale are kept; one digit more than describe's precision, at least 19 and at most 38 in all";
const UNIT: &str = "in the record's own currency; CurrencyIsoCode names it";

/// Every type (WSDL `fieldType`, plus `id`, `time` and `json` seen in REST).
const ROWS: [TypeRow; 27] = [
    row(T::Id, "id", ColumnKind::Text, "18 characters; the only column that is never null"),
    row(T::Reference, "reference", ColumnKind::Text, "the parent's Id, 18 characters"),
    row(T::String, "string", ColumnKind::Text, ""),
    row(T::Picklist, "picklist", ColumnKind::Text, "the API value, not the label"),
    row(T::MultiPicklist, "multipicklist", ColumnKind::Text, "the API values joined by ; as in A;B;C"),
    row(T::Combobox, "combobox", ColumnKind::Text, ""),
    row(T::TextArea, "textarea", ColumnKind::Text, "line ends and HTML are kept"),
    row(T::Email, "email", ColumnKind::Text, ""),
    row(T::Phone, "phone", ColumnKind::Text, ""),
    row(T::Url, "url", ColumnKind::Text, ""),
    row(
        T::EncryptedString,
        "encryptedstring",
        ColumnKind::Text,
        "masked by Salesforce unless the user has View Encrypted Data",
    ),
    row(T::AnyType, "anyType", ColumnKind::Text, "as in history tables: text of whatever the value is"),
    row(T::DataCategoryGroupReference, "datacategorygroupreference", ColumnKind::Text, ""),
    row(T::Json, "json", ColumnKind::Text, "the JSON text"),
    row(T::Boolean, "boolean", ColumnKind::Boolean, "null only where a parent is missing"),
    row(T::Int, "int", ColumnKind::Int32, ""),
    row(T::Long, "long", ColumnKind::Int64, ""),
    row(T::Double, "double", ColumnKind::Decimal, DECIMAL),
    row(T::Currency, "currency", ColumnKind::Decimal, UNIT),
    row(T::Percent, "percent", ColumnKind::Decimal, "12.5 is 12.5 %"),
    row(T::Date, "date", ColumnKind::Date, "years 0001 to 9999"),
    row(T::DateTime, "datetime", ColumnKind::Timestamp, "microseconds, always UTC"),
    row(T::Time, "time", ColumnKind::Time, "microseconds since midnight"),
    row(
        T::Base64,
        "base64",
        ColumnKind::None,
        "refused: no query returns it; fetch each body by REST, GET …/sobjects/OBJECT/ID/FIELD",
    ),
    row(T::Address, "address", ColumnKind::None, "expanded into its parts, such as BillingStreet, BillingCity"),
    row(T::Location, "location", ColumnKind::None, "expanded into its parts, such as X__Latitude__s, X__Longitude__s"),
    row(T::ComplexValue, "complexvalue", ColumnKind::Text, "the text that the API gives"),
];

/// Every field type, in the order of the table.
pub fn rows() -> &'static [TypeRow] {
    &ROWS
}

impl T {
    /// The type's row of the table.
    pub fn row(self) -> TypeRow {
        // The table has every type, which a test holds it to; text is what an unknown one would be.
        ROWS.into_iter().find(|row| row.kind == self).unwrap_or(row(self, "string", ColumnKind::Text, ""))
    }
}

impl ColumnKind {
    /// The kinds, each once.
    pub const ALL: [Self; 9] = [
        Self::Text,
        Self::Boolean,
        Self::Int32,
        Self::Int64,
        Self::Decimal,
        Self::Date,
        Self::Timestamp,
        Self::Time,
        Self::None,
    ];

    /// How it stands everywhere; none for [`ColumnKind::None`].
    pub const fn forms(self) -> Option<Forms> {
        Some(match self {
            Self::Text => forms("Utf8", "text", "\"text\"", "TEXT", "STRING"),
            Self::Boolean => forms("Boolean", "true", "true", "BOOLEAN", "BOOLEAN"),
            Self::Int32 => forms("Int32", "2024", "2024", "INTEGER", "INT32"),
            Self::Int64 => forms("Int64", "9007199254740993", "9007199254740993", "INTEGER", "INT64"),
            Self::Decimal => forms("Decimal128(19, 2)", "12.50", "12.50", "", "DECIMAL(19, 2)"),
            Self::Date => forms("Date32", "2024-04-16", "\"2024-04-16\"", "TEXT", "DATE"),
            Self::Timestamp => forms(
                "Timestamp(µs, \"UTC\")",
                "2024-04-16T19:00:00.000Z",
                "\"2024-04-16T19:00:00.000Z\"",
                "TEXT",
                "TIMESTAMP(MICROS, UTC)",
            ),
            Self::Time => forms("Time64(µs)", "19:00:00.000", "\"19:00:00.000\"", "TEXT", "TIME(MICROS)"),
            Self::None => return None,
        })
    }
}

const fn forms(
    arrow: &'static str,
    csv: &'static str,
    json: &'static str,
    sqlite: &'static str,
    parquet: &'static str,
) -> Forms {
    Forms { arrow, csv, json, sqlite, parquet }
}

const HEAD: &str = "# Types

What each field type of Salesforce becomes. The types come from describe alone, never from the rows: an empty result has
the same columns as a full one, in every run and by every API. `forcepump schema types` prints this table,
`forcepump org describe OBJECT` the columns of one object.

| describe | Arrow | CSV | JSON lines | SQLite | Parquet | note |
|---|---|---|---|---|---|---|
";

const FOOT: &str = "
Null is an empty cell in CSV (an empty text is `\"\"`), `null` in JSON lines, NULL in SQLite and Parquet; an empty cell of
a Salesforce answer is null. Every column but a record's own `Id` may be null, whatever describe says of the field: a
parent may be missing, and rows can be older than a rule.

SQLite: a decimal's column has no declared type, so that the value is INTEGER where it is whole, REAL where a double shows
the very same digits, and exact text else. Dates and times are texts that sort and that SQLite's date functions read.

Columns carry what describe says as Arrow metadata, which Parquet files keep: `sf.type`, `sf.object`, `sf.label`,
`sf.length`, `sf.precision`, `sf.scale`, `sf.reference_to`, `sf.calculated`, `sf.encrypted`, `sf.external_id`.

A type that is not in the table is left out of \"every readable field\", with the reason, and refused when it is named.
";

/// The page `docs/types.md`.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for row in rows() {
        let cells = match row.column.forms() {
            Some(forms) => {
                let sqlite = if forms.sqlite.is_empty() { "no type declared" } else { forms.sqlite };
                format!("`{}` | `{}` | `{}` | {sqlite} | {}", forms.arrow, forms.csv, forms.json, forms.parquet)
            }
            None => "none | | | |".to_owned(),
        };
        page.push_str(&format!("| `{}` | {cells} | {} |\n", row.name, row.note));
    }
    page.push_str(FOOT);
    page
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type};
    use arrow_array::{Array, ArrayRef};

    use super::*;
    use crate::{ColumnText, CsvDecoder, DecodeOptions, FieldSpec, arrow_field};

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/types.md");

    fn spec(kind: T) -> FieldSpec {
        FieldSpec { precision: 18, scale: 2, ..FieldSpec::new("X", kind) }
    }

    /// One row of that text, read as Bulk CSV.
    fn decoded(kind: T, text: &str) -> ArrayRef {
        let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![arrow_field(&spec(kind)).unwrap()]));
        let mut decoder = CsvDecoder::new(schema, DecodeOptions::default()).unwrap();
        let mut batches = Vec::new();
        decoder.feed(format!("\"X\"\n\"{text}\"\n").as_bytes(), &mut batches).unwrap();
        decoder.finish(&mut batches).unwrap();
        batches[0].batch.column(0).clone()
    }

    #[test]
    fn every_type_stands_once() {
        let mut names: Vec<&str> = rows().iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rows().len());
        rows().iter().for_each(|row| assert_eq!(row.kind.row(), *row));
    }

    #[test]
    fn the_arrow_types_and_texts_are_those_of_the_code() {
        for row in rows() {
            let Some(forms) = row.column.forms() else {
                assert!(arrow_field(&spec(row.kind)).is_err(), "{}", row.name);
                continue;
            };
            assert_eq!(arrow_field(&spec(row.kind)).unwrap().data_type().to_string(), forms.arrow, "{}", row.name);
            let sent = if row.column == ColumnKind::Time { "19:00:00.000Z" } else { forms.csv };
            let column = decoded(row.kind, sent);
            let mut text = Vec::new();
            ColumnText::new(column.as_ref()).unwrap().write(0, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), forms.csv, "{}", row.name);
        }
        assert_eq!(decoded(T::Double, "1.25E1").as_primitive::<Decimal128Type>().value(0), 1_250);
        assert_eq!(decoded(T::Int, "-7").as_primitive::<Int32Type>().value(0), -7);
        assert_eq!(decoded(T::Long, "9007199254740993").as_primitive::<Int64Type>().value(0), 9_007_199_254_740_993);
        assert_eq!(decoded(T::Date, "1970-01-02").as_primitive::<Date32Type>().value(0), 1);
        assert!(decoded(T::Boolean, "").is_null(0));
    }

    #[test]
    fn the_page_is_the_table() {
        const REFRESH: &str = "FORCEPUMP_REFRESH";
        if std::env::var_os(REFRESH).is_some() {
            std::fs::write(PAGE, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(PAGE).unwrap();
        assert_eq!(page, markdown(), "docs/types.md; {REFRESH}=1 writes it");
    }
}
