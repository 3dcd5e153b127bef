//! Canonical Salesforce types and the Arrow type that each one becomes.
//!
//! The table of them is [`crate::type_table`]; text is kept as it comes, decimals keep every digit: the column has
//! `max(precision, 18) + 1` digits, one more than describe says, because 18 nines come as `1.0E18`.
//!
//! Every field is nullable except a primary `id`: describe's `nillable` says what may be written, while
//! a query can return an empty cell for any field (outer parents, fields added after the row).
//! Field metadata: `sf.type`, and where they say something `sf.length`, `sf.precision`, `sf.scale`.

use arrow_schema::{DataType, Field, TimeUnit};
use std::collections::HashMap;
use std::str::FromStr;

use crate::type_table::{ColumnKind, rows};

/// Digits that every Salesforce number can have (REST describe: precision is at most 18).
const MIN_DECIMAL_PRECISION: u8 = 18;
/// Digits that a 128-bit decimal can hold (Arrow specification).
const MAX_DECIMAL_PRECISION: u8 = 38;

/// A field type as describe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the describe type of the same name")]
pub enum SalesforceType {
    Id,
    Reference,
    String,
    Picklist,
    MultiPicklist,
    Combobox,
    TextArea,
    Email,
    Phone,
    Url,
    EncryptedString,
    AnyType,
    DataCategoryGroupReference,
    Json,
    Boolean,
    Int,
    Long,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Base64,
    Address,
    Location,
    ComplexValue,
}

use SalesforceType as T;

impl SalesforceType {
    /// All types, in the order of the table above.
    pub fn all() -> impl Iterator<Item = Self> {
        rows().iter().map(|row| row.kind)
    }

    /// Describe's spelling, e.g. `multipicklist`.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// Whether describe's precision and scale mean something for this type.
    pub fn is_decimal(self) -> bool {
        matches!(self, T::Double | T::Currency | T::Percent)
    }

    /// Why no bulk query returns this type, and what to select instead; `None` when it does.
    pub fn unsupported_hint(self) -> Option<&'static str> {
        match self {
            T::Base64 => Some("leave it out: bulk queries carry no files; fetch the body by REST"),
            T::Address => Some("select its components, such as BillingStreet and BillingCity"),
            T::Location => Some("select its components, X__Latitude__s and X__Longitude__s"),
            _ => None,
        }
    }
}

impl std::fmt::Display for SalesforceType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SalesforceType {
    type Err = TypeError;

    /// Reads describe's `type` text in any ASCII case.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        let found = rows().iter().find(|row| row.name.eq_ignore_ascii_case(text));
        found.map(|row| row.kind).ok_or_else(|| TypeError::UnknownType { name: text.to_owned() })
    }
}

/// One column of a feed as describe tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Name as the CSV header spells it; a parent field has its dotted path.
    pub name: String,
    /// Describe's `type`.
    pub kind: SalesforceType,
    /// Describe's `length` in characters; 0 when it means nothing.
    pub length: u32,
    /// Describe's `precision`, digits in all; only used by decimals.
    pub precision: u8,
    /// Describe's `scale`, digits after the point; only used by decimals.
    pub scale: i8,
    /// Describe's `nillable`; only a primary id heeds it.
    pub nullable: bool,
    /// More key and value pairs for the Arrow field.
    pub metadata: Vec<(String, String)>,
}

impl FieldSpec {
    /// A nullable field of `kind` without sizes.
    pub fn new(name: impl Into<String>, kind: SalesforceType) -> Self {
        let name = name.into();
        Self { name, kind, length: 0, precision: 0, scale: 0, nullable: true, metadata: Vec::new() }
    }
}

/// A field that has no place in a typed batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Describe named a type that is not in the table.
    #[error("unknown salesforce field type `{name}`; known are the types of the describe call")]
    UnknownType {
        /// What describe said.
        name: String,
    },
    /// The type cannot be had by a bulk query.
    #[error("field `{field}` has the type {kind}, which bulk queries do not return; {hint}")]
    Unsupported {
        /// The field.
        field: String,
        /// Its type.
        kind: SalesforceType,
        /// What to select instead.
        hint: &'static str,
    },
    /// Precision and scale fit no 128-bit decimal.
    #[error("field `{field}` has {scale} decimal places; a column holds 0 to {MAX_DECIMAL_PRECISION}")]
    Scale {
        /// The field.
        field: String,
        /// Its scale.
        scale: i8,
    },
}

/// The Arrow field of `spec`: type and nullability by the type table, `sf.*` metadata.
///
/// # Errors
/// When a bulk query cannot return the type, or its scale fits no decimal.
pub fn arrow_field(spec: &FieldSpec) -> Result<Field, TypeError> {
    let data_type = arrow_type(spec)?;
    let nullable = spec.nullable || spec.kind != SalesforceType::Id;
    Ok(Field::new(&spec.name, data_type, nullable).with_metadata(metadata(spec)))
}

fn arrow_type(spec: &FieldSpec) -> Result<DataType, TypeError> {
    if let Some(hint) = spec.kind.unsupported_hint() {
        return Err(TypeError::Unsupported { field: spec.name.clone(), kind: spec.kind, hint });
    }
    Ok(match spec.kind.row().column {
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Int32 => DataType::Int32,
        ColumnKind::Int64 => DataType::Int64,
        ColumnKind::Decimal => decimal_type(spec)?,
        ColumnKind::Date => DataType::Date32,
        ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnKind::Time => DataType::Time64(TimeUnit::Microsecond),
        ColumnKind::Text | ColumnKind::None => DataType::Utf8,
    })
}

fn decimal_type(spec: &FieldSpec) -> Result<DataType, TypeError> {
    let scale = u8::try_from(spec.scale).ok().filter(|scale| *scale <= MAX_DECIMAL_PRECISION);
    let Some(scale) = scale else {
        return Err(TypeError::Scale { field: spec.name.clone(), scale: spec.scale });
    };
    // A double of 18 nines is written as 1.0E18 (Java's Double.toString), which has 19 digits.
    let precision = spec.precision.max(MIN_DECIMAL_PRECISION).max(scale) + 1;
    Ok(DataType::Decimal128(precision.min(MAX_DECIMAL_PRECISION), spec.scale))
}

fn metadata(spec: &FieldSpec) -> HashMap<String, String> {
    let mut pairs = HashMap::from([("sf.type".to_owned(), spec.kind.to_string())]);
    if spec.length > 0 {
        pairs.insert("sf.length".to_owned(), spec.length.to_string());
    }
    if spec.kind.is_decimal() {
        pairs.insert("sf.precision".to_owned(), spec.precision.to_string());
        pairs.insert("sf.scale".to_owned(), spec.scale.to_string());
    }
    pairs.extend(spec.metadata.iter().cloned());
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in SalesforceType::all() {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("MultiPicklist".parse(), Ok(T::MultiPicklist));
        let error = "hologram".parse::<SalesforceType>().unwrap_err();
        assert!(error.to_string().contains("`hologram`"), "{error}");
    }

    #[test]
    fn decimals_take_their_scale_from_describe() {
        let mut spec = FieldSpec::new("Amount", T::Currency);
        (spec.precision, spec.scale) = (16, 2);
        let field = arrow_field(&spec).unwrap();
        assert_eq!(field.data_type(), &DataType::Decimal128(19, 2));
        assert_eq!(field.metadata()["sf.precision"], "16");
        (spec.precision, spec.scale) = (60, 20);
        assert_eq!(arrow_field(&spec).unwrap().data_type(), &DataType::Decimal128(38, 20));
        spec.scale = 39;
        assert!(matches!(arrow_field(&spec), Err(TypeError::Scale { .. })));
        spec.scale = -1;
        assert!(matches!(arrow_field(&spec), Err(TypeError::Scale { .. })));
    }

    #[test]
    fn only_a_primary_id_refuses_null() {
        let spec = |kind| FieldSpec { nullable: false, ..FieldSpec::new("X", kind) };
        assert!(!arrow_field(&spec(T::Id)).unwrap().is_nullable());
        assert!(arrow_field(&spec(T::String)).unwrap().is_nullable());
    }

    #[test]
    fn compound_fields_are_refused_with_a_way_out() {
        for kind in [T::Base64, T::Address, T::Location] {
            let error = arrow_field(&FieldSpec::new("BillingAddress", kind)).unwrap_err();
            assert!(error.to_string().starts_with("field `BillingAddress`"), "{error}");
        }
    }
}
