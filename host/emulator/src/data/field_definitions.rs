//! `FieldDefinition` of the Tooling API: one record a field, as far as data classification and types need it.

use serde_json::{Map, Value, json};

use super::schema::{FieldDef, ObjectDef, Schema};
use crate::soql::ast::{Comparison, Condition, Expression, Item, Literal, Path};
use crate::soql::{SoqlError, parse};

/// The object's name.
const NAME: &str = "FieldDefinition";
/// Fields that a statement may select.
const FIELDS: [&str; 12] = [
    "BusinessStatus",
    "ComplianceGroup",
    "DeveloperName",
    "DurableId",
    "EntityDefinitionId",
    "Id",
    "IsCalculated",
    "IsNillable",
    "Label",
    "Length",
    "QualifiedApiName",
    "SecurityClassification",
];

/// The answer to one statement over `FieldDefinition`, in the Tooling API's shape.
///
/// # Errors
/// The refusal as it goes on the wire. The object is not stored, so a statement must say whose fields it wants.
pub fn query(schema: &Schema, soql: &str, api_version: &str) -> Result<Value, SoqlError> {
    let statement = parse(soql)?;
    if !statement.from.dotted().eq_ignore_ascii_case(NAME) {
        let message = format!("sObject type '{}' is not supported.", statement.from.dotted());
        return Err(SoqlError::new("INVALID_TYPE", message));
    }
    let columns = statement.items.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let objects = statement.filter.as_ref().map(|filter| entities(filter, schema)).transpose()?;
    let objects = objects.filter(|objects| !objects.is_empty()).ok_or_else(unfiltered)?;
    let fields = objects.iter().flatten().flat_map(|object| object.visible_fields().map(move |field| (*object, field)));
    let most = statement.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let shown = fields.take(most);
    let records: Vec<Value> = shown.map(|(object, field)| record(object, field, &columns, api_version)).collect();
    Ok(json!({
        "size": records.len(),
        "totalSize": records.len(),
        "done": true,
        "queryLocator": null,
        "entityTypeName": NAME,
        "records": records,
    }))
}

fn unfiltered() -> SoqlError {
    SoqlError::malformed(
        "a filter on a reified column is required [EntityDefinitionId,DurableId,EntityDefinition.QualifiedApiName]",
    )
}

fn column(item: &Item) -> Result<&'static str, SoqlError> {
    let wrong = |name: &str| SoqlError::new("INVALID_FIELD", format!("No such column '{name}' on entity '{NAME}'."));
    match item {
        Item::Expression(Expression::Field(path), None) => {
            let name = path.dotted();
            FIELDS.into_iter().find(|known| known.eq_ignore_ascii_case(&name)).ok_or_else(|| wrong(&name))
        }
        _ => Err(SoqlError::malformed("only fields can be selected")),
    }
}

/// The objects that a filter names; `None` stands for a name that the org does not have.
fn entities<'a>(filter: &Condition, schema: &'a Schema) -> Result<Vec<Option<&'a ObjectDef>>, SoqlError> {
    let names: Vec<&String> = match filter {
        Condition::Compare(Expression::Field(path), Comparison::Equal, Literal::Text(name)) if is_entity(path) => {
            vec![name]
        }
        Condition::In(Expression::Field(path), true, values) if is_entity(path) => {
            values.iter().filter_map(|value| if let Literal::Text(name) = value { Some(name) } else { None }).collect()
        }
        _ => return Err(unfiltered()),
    };
    Ok(names.into_iter().map(|name| schema.find(name).map(|found| schema.objects[found].as_ref())).collect())
}

fn is_entity(path: &Path) -> bool {
    let name = path.dotted();
    ["EntityDefinition.QualifiedApiName", "EntityDefinitionId"].iter().any(|known| known.eq_ignore_ascii_case(&name))
}

fn record(object: &ObjectDef, field: &FieldDef, columns: &[&'static str], api_version: &str) -> Value {
    let durable = format!("{}.{}", object.name, field.name);
    let url = format!("/services/data/v{api_version}/tooling/sobjects/{NAME}/{durable}");
    let mut out = Map::new();
    out.insert("attributes".to_owned(), json!({"type": NAME, "url": url}));
    for column in columns {
        let value = match *column {
            "ComplianceGroup" => json!(field.compliance),
            "SecurityClassification" => json!(field.sensitivity),
            "DeveloperName" => json!(field.name.trim_end_matches("__c")),
            "DurableId" => json!(durable),
            "EntityDefinitionId" => json!(object.name),
            // It is no record: its id is the empty key.
            "Id" => json!("000000000000000AAA"),
            "IsCalculated" => json!(field.calculated),
            "IsNillable" => json!(field.nillable),
            "Label" => json!(field.label),
            "Length" => json!(field.length),
            "QualifiedApiName" => json!(field.name),
            _ => Value::Null,
        };
        out.insert((*column).to_owned(), value);
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(soql: &str) -> Result<Value, SoqlError> {
        query(&Schema::built_in().unwrap_or_else(|error| panic!("{error}")), soql, "62.0")
    }

    #[test]
    fn classification_of_one_object() {
        let soql = "SELECT QualifiedApiName, ComplianceGroup, SecurityClassification FROM FieldDefinition \
                    WHERE EntityDefinition.QualifiedApiName = 'Contact'";
        let answer = ask(soql).unwrap_or_else(|error| panic!("{error}"));
        let records = answer["records"].as_array().cloned().unwrap_or_default();
        let email = records.iter().find(|record| record["QualifiedApiName"] == "Email").cloned().unwrap_or_default();
        assert_eq!(email["ComplianceGroup"], "PII;GDPR");
        assert_eq!(email["SecurityClassification"], "Confidential");
        assert_eq!(email["attributes"]["url"], "/services/data/v62.0/tooling/sobjects/FieldDefinition/Contact.Email");
        assert_eq!(answer["totalSize"], records.len());
        assert!(records.iter().any(|record| record["ComplianceGroup"].is_null()));
    }

    #[test]
    fn a_limit_holds() {
        let answer = ask("SELECT Id, DurableId FROM FieldDefinition WHERE EntityDefinitionId = 'Contact' LIMIT 2");
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&answer["size"], &answer["records"][1]["Id"]), (&json!(2), &json!("000000000000000AAA")));
    }

    #[test]
    fn what_is_not_served_is_refused() {
        for (soql, code) in [
            ("SELECT QualifiedApiName FROM FieldDefinition", "MALFORMED_QUERY"),
            ("SELECT Nothing FROM FieldDefinition WHERE EntityDefinitionId = 'Contact'", "INVALID_FIELD"),
            ("SELECT Id FROM ApexClass", "INVALID_TYPE"),
        ] {
            assert_eq!(ask(soql).map_err(|error| error.code), Err(code), "{soql}");
        }
    }
}
