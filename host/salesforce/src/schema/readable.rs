//! Which fields a query can return, the reason where it cannot, and what describe says of a column.

use std::str::FromStr;

use forcepump_batch::{FieldSpec, SalesforceType};

use crate::describe::{FieldDescribe, SObjectDescribe};
use crate::error::{Error, Result};

/// Why no query of a pipeline returns a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The reason, with the way to its data.
    pub reason: String,
    /// The fields that hold its data; empty where no field does.
    pub parts: Vec<String>,
}

/// Why no query of a pipeline returns the field; `None` when one does.
pub fn why_not_readable(describe: &SObjectDescribe, field: &FieldDescribe) -> Option<Unreadable> {
    match SalesforceType::from_str(&field.kind) {
        Ok(SalesforceType::Address | SalesforceType::Location) => Some(compound(describe, field)),
        Ok(SalesforceType::Base64) => Some(Unreadable {
            reason: format!(
                "binary field, which no query returns as a value; leave it out, and fetch each body by REST: \
                 GET …/sobjects/{}/ID/{}",
                describe.name, field.name
            ),
            parts: Vec::new(),
        }),
        Ok(_) => None,
        Err(_) => Some(Unreadable { reason: format!("its type {:?} is not known", field.kind), parts: Vec::new() }),
    }
}

fn compound(describe: &SObjectDescribe, field: &FieldDescribe) -> Unreadable {
    // A part is looked at no further: describe could name fields as parts of each other.
    let is_value = |kind: &str| SalesforceType::from_str(kind).is_ok_and(|kind| kind.unsupported_hint().is_none());
    let is_read = |name: &&str| describe.field(name).is_some_and(|part| is_value(&part.kind));
    let parts: Vec<String> = describe.parts_of(&field.name).into_iter().filter(is_read).map(str::to_owned).collect();
    let reason = if parts.is_empty() {
        format!("compound {} field, which is no single value, and field-level security hides its parts", field.kind)
    } else {
        format!("compound {} field, which is no single value; it is read as its parts {}", field.kind, parts.join(", "))
    };
    Unreadable { reason, parts }
}

/// What the decoder needs to know of a field; `nested`: it is a parent's.
pub(super) fn field_spec(
    owner: &SObjectDescribe,
    field: &FieldDescribe,
    name: String,
    nested: bool,
) -> Result<FieldSpec> {
    let kind = SalesforceType::from_str(&field.kind)
        .map_err(|e| Error::query(format!("{}.{}: {e}", owner.name, field.name)))?;
    let precision = if field.precision > 0 { field.precision } else { field.digits };
    Ok(FieldSpec {
        name,
        kind,
        length: field.length,
        precision: u8::try_from(precision).unwrap_or(u8::MAX),
        scale: i8::try_from(field.scale).unwrap_or(0),
        // `nillable` says what may be written today: rows older than a "required" setting hold nulls all the same
        nullable: nested || kind != SalesforceType::Id,
        metadata: field_metadata(owner, field),
    })
}

fn field_metadata(owner: &SObjectDescribe, field: &FieldDescribe) -> Vec<(String, String)> {
    let mut metadata = vec![("sf.object".to_owned(), owner.name.clone())];
    let mut add = |key: &str, value: String| metadata.push((key.to_owned(), value));
    if !field.label.is_empty() {
        add("sf.label", field.label.clone());
    }
    if !field.reference_to.is_empty() {
        add("sf.reference_to", field.reference_to.join(","));
    }
    if field.calculated {
        add("sf.calculated", "true".to_owned());
    }
    if field.encrypted {
        add("sf.encrypted", "true".to_owned());
    }
    if field.external_id {
        add("sf.external_id", "true".to_owned());
    }
    metadata
}

#[cfg(test)]
mod tests {
    use forcepump_batch::arrow_field;

    use super::*;

    fn recorded(name: &str) -> Option<SObjectDescribe> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings/derived");
        let text = std::fs::read_to_string(format!("{folder}/{name}.describe.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Every field of every recorded object gets an Arrow type or a reason.
    #[test]
    fn recorded_objects_have_types() {
        for name in ["Account", "Account_PersonAccount", "Contact", "Lead", "Opportunity", "Case", "Event", "Custom__c"]
        {
            let Some(describe) = recorded(name) else {
                return;
            };
            for field in &describe.fields {
                if why_not_readable(&describe, field).is_none() {
                    arrow_field(&field_spec(&describe, field, field.name.clone(), false).unwrap()).unwrap();
                }
            }
        }
    }

    #[test]
    fn compound_fields_name_their_parts() {
        let Some(account) = recorded("Account") else {
            return;
        };
        let billing = why_not_readable(&account, account.field("BillingAddress").unwrap()).unwrap();
        assert_eq!(billing.parts.len(), 8, "{billing:?}");
        assert!(billing.reason.contains("BillingStreet, BillingCity"), "{}", billing.reason);
    }

    #[test]
    fn fields_that_are_parts_of_each_other_do_no_harm() {
        let text = r#"{"name":"X","fields":[{"name":"A","type":"address","compoundFieldName":"B"},
            {"name":"B","type":"address","compoundFieldName":"A"}]}"#;
        let describe: SObjectDescribe = serde_json::from_str(text).unwrap();
        let found = why_not_readable(&describe, &describe.fields[0]).unwrap();
        assert!(found.parts.is_empty() && found.reason.contains("hides its parts"), "{found:?}");
    }
}
