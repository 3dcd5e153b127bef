//! What the resources refuse although it is SOQL.

use crate::soql::SoqlError;
use crate::soql::ast::{FieldGroup, Item, Statement};

use super::QueryMode;
use super::aggregate::groups;
use super::resolve::FieldPath;
use super::schema::{FieldType, ObjectDef};

/// Largest OFFSET (SOQL reference, "OFFSET").
const OFFSET_LIMIT: u64 = 2_000;
/// Objects that only the query resource of REST shows.
const NOT_IN_BULK: [&str; 1] = ["EntityDefinition"];

fn bulk(mode: QueryMode) -> bool {
    !matches!(mode, QueryMode::Rest | QueryMode::RestAll)
}

/// Bulk 1.0 says it in the state of the batch, with another code.
fn code(mode: QueryMode) -> &'static str {
    if matches!(mode, QueryMode::Bulk1 { .. }) { "FUNCTIONALITY_NOT_ENABLED" } else { "API_ERROR" }
}

/// Clauses that the resource does not take.
///
/// The texts for GROUP BY, OFFSET, TYPEOF and aggregate functions in Bulk 2.0 are not published; these are ours.
///
/// # Errors
/// The refusal as it goes on the wire.
pub fn unsupported(mode: QueryMode, object: &ObjectDef, statement: &Statement) -> Result<(), SoqlError> {
    if !bulk(mode) {
        return match statement.offset {
            Some(offset) if offset > OFFSET_LIMIT => Err(SoqlError::new(
                "NUMBER_OUTSIDE_VALID_RANGE",
                format!("Maximum SOQL offset allowed is {OFFSET_LIMIT}"),
            )),
            _ => Ok(()),
        };
    }
    let refused = |reason: &str| Err(SoqlError::new(code(mode), reason));
    if NOT_IN_BULK.contains(&object.name.as_str()) {
        return Err(SoqlError::new(
            "INVALIDENTITY",
            format!("Entity '{}' is not supported by the Bulk API.", object.name),
        ));
    }
    if statement.items.iter().any(|item| matches!(item, Item::Children(_))) {
        match mode {
            QueryMode::Bulk1 { csv: false, .. } => {}
            QueryMode::Bulk1 { .. } => {
                let reason = "Aggregate Relationships not supported in Bulk Query with CSV content type";
                return Err(SoqlError::new("FeatureNotEnabled", reason));
            }
            _ => return refused("Aggregate Relationships not supported in Bulk V2 Query with CSV content type."),
        }
    }
    if statement.items.iter().any(|item| matches!(item, Item::TypeOf(_))) {
        return refused("TYPEOF not supported in Bulk Query");
    }
    if !statement.group_by.is_empty() {
        return refused("GROUP BY not supported in Bulk Query");
    }
    if statement.items.iter().any(aggregates) {
        return refused("Aggregate functions not supported in Bulk Query");
    }
    if statement.items.iter().any(|item| matches!(item, Item::Fields(FieldGroup::All | FieldGroup::Custom))) {
        return refused("FIELDS(ALL) and FIELDS(CUSTOM) not supported in Bulk Query");
    }
    if statement.offset.is_some() {
        return refused("OFFSET not supported in Bulk Query");
    }
    Ok(())
}

fn aggregates(item: &Item) -> bool {
    matches!(item, Item::Expression(expression, _) if groups(expression))
}

/// Selected fields that the resource does not take.
///
/// # Errors
/// The refusal as it goes on the wire.
pub fn unsupported_types(mode: QueryMode, columns: &[FieldPath]) -> Result<(), SoqlError> {
    if !bulk(mode) {
        return Ok(());
    }
    if columns.iter().any(|column| column.kind.is_compound()) {
        return Err(SoqlError::new(code(mode), "Selecting compound data not supported in Bulk Query"));
    }
    if columns.iter().any(|column| column.kind == FieldType::Base64) {
        let code = if matches!(mode, QueryMode::Bulk1 { .. }) { "FeatureNotEnabled" } else { code(mode) };
        return Err(SoqlError::new(code, "Binary field not supported"));
    }
    Ok(())
}
