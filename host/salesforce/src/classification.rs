//! Data classification: which fields an administrator marked with a compliance group or a sensitivity level.
//!
//! Describe says only whether a field is encrypted; the rest stands in the Tooling API's `FieldDefinition`
//! (Salesforce Help, "Data Classification Metadata Fields": `ComplianceGroup`, `SecurityClassification`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use serde::Deserialize;

use crate::client::{Call, Client};
use crate::describe::check_name;
use crate::error::{Error, Result};
use crate::schema::ResolvedQuery;

/// Metadata key of the object that a column's field belongs to.
const OBJECT: &str = "sf.object";
/// Metadata key: the compliance groups of a field, as Salesforce joins them, for example `PII;GDPR`.
const COMPLIANCE_GROUP: &str = "sf.complianceGroup";
/// Metadata key: the sensitivity level of a field, for example `Confidential`.
const SECURITY_CLASSIFICATION: &str = "sf.securityClassification";

#[derive(Deserialize)]
struct Answer {
    done: bool,
    #[serde(default)]
    records: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    qualified_api_name: String,
    #[serde(default)]
    compliance_group: Option<String>,
    #[serde(default)]
    security_classification: Option<String>,
}

/// Notes in the metadata of each column what its field is classified as: `sf.complianceGroup` and
/// `sf.securityClassification`, where there is something to note. One request for each object of the query.
///
/// # Errors
/// When the classification cannot be read: a column that might have to be withheld must not pass as unmarked.
pub async fn classify(client: &Client, query: &mut ResolvedQuery) -> Result<()> {
    let objects: BTreeSet<&str> = query.schema.fields().iter().filter_map(|field| object_of(field)).collect();
    let mut known = BTreeMap::new();
    for object in objects {
        known.insert(object.to_owned(), definitions(client, object).await?);
    }
    let fields: Vec<Field> = query.schema.fields().iter().map(|field| marked(field, &known)).collect();
    query.schema = Arc::new(Schema::new_with_metadata(fields, query.schema.metadata().clone()));
    Ok(())
}

fn object_of(field: &Field) -> Option<&str> {
    field.metadata().get(OBJECT).map(String::as_str)
}

type Definitions = HashMap<String, Definition>;

async fn definitions(client: &Client, object: &str) -> Result<Definitions> {
    check_name(object)?;
    let what = format!("data classification of {object}");
    let mut call = Call::get(what.clone(), client.path("/tooling/query"));
    let soql = format!(
        "SELECT QualifiedApiName, ComplianceGroup, SecurityClassification FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = '{object}'"
    );
    call.query.push(("q", soql));
    let answer: Answer = client.json(&call).await.map_err(|error| unreadable(object, &error))?;
    if !answer.done {
        return Err(Error::protocol(&what, "the answer is not whole (done = false), which FieldDefinition never is"));
    }
    Ok(answer.records.into_iter().map(|record| (record.qualified_api_name.to_ascii_lowercase(), record)).collect())
}

fn unreadable(object: &str, error: &Error) -> Error {
    Error::query(format!(
        "the data classification of {object} (FieldDefinition of the Tooling API) cannot be read: {error}\n  \
         hint: give the user \"View Setup and Configuration\", or name the columns in `withhold` instead of \
         `withhold_classified`"
    ))
}

fn marked(field: &Arc<Field>, known: &BTreeMap<String, Definitions>) -> Field {
    let name = field.name().rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let found = object_of(field).and_then(|object| known.get(object)).and_then(|fields| fields.get(&name));
    let mut metadata = field.metadata().clone();
    let marks = found.map(|found| {
        [(COMPLIANCE_GROUP, &found.compliance_group), (SECURITY_CLASSIFICATION, &found.security_classification)]
    });
    for (key, value) in marks.into_iter().flatten() {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    field.as_ref().clone().with_metadata(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, object: &str) -> Arc<Field> {
        let metadata = HashMap::from([(OBJECT.to_owned(), object.to_owned())]);
        Arc::new(Field::new(name, arrow_schema::DataType::Utf8, true).with_metadata(metadata))
    }

    #[test]
    fn a_parents_field_has_the_marks_of_the_parent() {
        let answer = r#"{"size": 2, "totalSize": 2, "done": true, "queryLocator": null, "records": [
            {"attributes": {"type": "FieldDefinition"}, "QualifiedApiName": "Email", "ComplianceGroup": "PII;GDPR",
             "SecurityClassification": null},
            {"QualifiedApiName": "Name", "ComplianceGroup": null, "SecurityClassification": "Internal"}]}"#;
        let answer: Answer = serde_json::from_str(answer).unwrap();
        let records = answer.records.into_iter().map(|record| (record.qualified_api_name.to_ascii_lowercase(), record));
        let known = BTreeMap::from([("User".to_owned(), records.collect::<Definitions>())]);
        let mark = |field: &Arc<Field>, key: &str| marked(field, &known).metadata().get(key).cloned();
        assert_eq!(mark(&field("Owner.Email", "User"), COMPLIANCE_GROUP).as_deref(), Some("PII;GDPR"));
        assert_eq!(mark(&field("Owner.Email", "User"), SECURITY_CLASSIFICATION), None);
        assert_eq!(mark(&field("Owner.Name", "User"), SECURITY_CLASSIFICATION).as_deref(), Some("Internal"));
        assert_eq!(mark(&field("Email", "Contact"), COMPLIANCE_GROUP), None);
    }
}
