//! From a query to typed columns: every field is looked up in describe, parents included, before any row is read.

use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use forcepump_batch::{FieldSpec, SalesforceType, arrow_field};

use crate::client::Client;
use crate::describe::{FieldDescribe, SObjectDescribe, nearest};
use crate::error::{Error, Result};
use crate::soql::{FieldPath, Select};

/// Object whose fields all targets of a name-pointing reference share (SOQL and SOSL reference, "polymorphic").
const NAME_OBJECT: &str = "Name";
/// Targets of a polymorphic reference that are asked for a field; Event.What has 80.
const MAX_TARGETS_ASKED: usize = 5;

/// A query with its types.
#[derive(Debug, Clone)]
pub struct ResolvedQuery {
    /// The query as it is sent, in describe's spelling.
    pub soql: String,
    /// The same query, to prune columns from.
    pub select: Select,
    /// Object in describe's spelling.
    pub object: String,
    /// One Arrow field a selected column, in order; valid also when no row comes.
    pub schema: SchemaRef,
    /// Fields of the object that "every readable field" leaves out, and why.
    pub skipped: Vec<SkippedField>,
}

/// A field that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedField {
    /// API name.
    pub name: String,
    /// Why, and where its data is found instead.
    pub reason: String,
}

impl ResolvedQuery {
    /// Keeps the columns of these numbers in query and schema; see [`Select::keep_columns`].
    pub fn keep_columns(&mut self, columns: &[usize]) {
        let before = self.select.fields.clone();
        self.select.keep_columns(columns);
        let kept = |index: &usize| before.get(*index).is_some_and(|f| self.select.fields.contains(f));
        let fields: Vec<_> = (0..before.len()).filter(kept).map(|i| self.schema.fields()[i].clone()).collect();
        self.schema = Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()));
        self.soql = self.select.to_soql();
    }
}

/// Looks up every selected field. Costs one describe an object, cached.
pub async fn resolve(client: &Client, select: &Select) -> Result<ResolvedQuery> {
    let describe = client.describe(&select.object).await?;
    if !describe.queryable {
        return Err(Error::query(format!("object {} cannot be queried (describe: queryable = false)", describe.name)));
    }
    let mut select = select.clone();
    select.object = describe.name.clone();
    let mut skipped = Vec::new();
    if select.fields.is_empty() {
        (select.fields, skipped) = readable_fields(&describe);
    }
    let mut columns = Vec::with_capacity(select.fields.len());
    for path in &mut select.fields {
        let (canonical, spec) = column(client, &describe, path).await?;
        columns.push(arrow_field(&spec).map_err(|e| Error::query(format!("{}.{canonical}: {e}", describe.name)))?);
        *path = canonical;
    }
    select.check_length()?;
    refuse_duplicates(&select.fields)?;
    let object = describe.name.clone();
    Ok(ResolvedQuery { soql: select.to_soql(), select, object, schema: Arc::new(Schema::new(columns)), skipped })
}

/// Spellings that differ in the query (`Account.Name` and `Name` on Account) can be one field.
fn refuse_duplicates(fields: &[FieldPath]) -> Result<()> {
    let twice = fields.iter().enumerate().find(|(i, field)| fields[..*i].iter().any(|other| other.same_as(field)));
    match twice {
        Some((_, field)) => {
            Err(Error::query(format!("{field} is selected twice; Salesforce refuses that, remove one")))
        }
        None => Ok(()),
    }
}

fn readable_fields(describe: &SObjectDescribe) -> (Vec<FieldPath>, Vec<SkippedField>) {
    let (mut fields, mut skipped) = (Vec::new(), Vec::new());
    for field in &describe.fields {
        match why_not_readable(describe, field) {
            None => fields.push(FieldPath::from_segments(vec![field.name.clone()])),
            Some(reason) => skipped.push(SkippedField { name: field.name.clone(), reason }),
        }
    }
    (fields, skipped)
}

/// Why Bulk API cannot read a field; `None` when it can.
fn why_not_readable(describe: &SObjectDescribe, field: &FieldDescribe) -> Option<String> {
    match SalesforceType::from_str(&field.kind) {
        Ok(SalesforceType::Address | SalesforceType::Location) => {
            let parts = describe.parts_of(&field.name);
            let parts = if parts.is_empty() { "its parts".to_owned() } else { parts.join(", ") };
            Some(format!("compound {} field, which Bulk API refuses; name {parts} instead", field.kind))
        }
        Ok(SalesforceType::Base64) => Some("binary field, which Bulk API refuses; fetch the body by REST".into()),
        Ok(_) => None,
        Err(_) => Some(format!("its type {:?} is not known", field.kind)),
    }
}

async fn column(client: &Client, root: &Arc<SObjectDescribe>, path: &FieldPath) -> Result<(FieldPath, FieldSpec)> {
    // `Account.Name` on Account means `Name`, unless a parent is called Account
    let own = path.without_prefix(&root.name).filter(|_| root.relationship(&path.parents()[0]).is_none());
    let path = own.as_ref().unwrap_or(path);
    let mut segments = Vec::new();
    let mut owners = vec![root.clone()];
    for (depth, relationship) in path.parents().iter().enumerate() {
        let next = path.parents().get(depth + 1).map_or(path.field(), String::as_str);
        let reference = parent_reference(&owners, relationship, path)?;
        segments.push(reference.relationship_name.clone().unwrap_or_else(|| relationship.clone()));
        owners = targets(client, &reference, next).await?;
    }
    let (owner, field) = final_field(&owners, path)?;
    if let Some(reason) = why_not_readable(owner, field) {
        return Err(Error::query(format!("{}.{path} cannot be read: {reason}", root.name)));
    }
    let nested = !segments.is_empty();
    segments.push(field.name.clone());
    let canonical = FieldPath::from_segments(segments);
    let spec = field_spec(owner, field, canonical.to_string(), nested)?;
    Ok((canonical, spec))
}

/// The reference field behind a parent's name, from whichever possible owner has it.
fn parent_reference(owners: &[Arc<SObjectDescribe>], relationship: &str, path: &FieldPath) -> Result<FieldDescribe> {
    if let Some(found) = owners.iter().find_map(|owner| owner.relationship(relationship)) {
        return Ok(found.clone());
    }
    let known = owners.iter().flat_map(|o| &o.fields).filter_map(|f| f.relationship_name.as_deref());
    let hint = reference_hint(owners, relationship)
        .or_else(|| nearest(relationship, known).map(|n| format!("; did you mean {n}?")))
        .unwrap_or_default();
    Err(Error::query(format!("{path}: {} has no parent called {relationship}{hint}", owner_names(owners))))
}

/// `AccountId.Name` is a frequent slip for `Account.Name`, and `X__c.Name` for `X__r.Name`.
fn reference_hint(owners: &[Arc<SObjectDescribe>], relationship: &str) -> Option<String> {
    let field = owners.iter().find_map(|owner| owner.field(relationship))?;
    let parent = field.relationship_name.as_ref()?;
    Some(format!("; {} is the reference itself, the parent is called {parent}", field.name))
}

/// Describes of what a reference may point to; of several, those that have `next`.
async fn targets(client: &Client, reference: &FieldDescribe, next: &str) -> Result<Vec<Arc<SObjectDescribe>>> {
    if let [only] = reference.reference_to.as_slice() {
        return Ok(vec![client.describe(only).await?]);
    }
    if reference.name_pointing || reference.reference_to.is_empty() {
        match client.describe_plain(NAME_OBJECT).await {
            Ok(name) if has(&name, next) => return Ok(vec![name]),
            Ok(_) | Err(Error::Api { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut found = Vec::new();
    // users own most records: asked first, so that `Owner.X` has the user's type
    let (users, others): (Vec<_>, Vec<_>) = reference.reference_to.iter().partition(|name| *name == "User");
    for target in users.into_iter().chain(others).take(MAX_TARGETS_ASKED) {
        match client.describe_plain(target).await {
            Ok(describe) => found.push(describe),
            Err(Error::Api { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|describe| !has(describe, next));
    match found.is_empty() {
        true => Err(Error::query(format!("{} points to nothing that the user may see", reference.name))),
        false => Ok(found),
    }
}

fn has(describe: &SObjectDescribe, name: &str) -> bool {
    describe.field(name).is_some() || describe.relationship(name).is_some()
}

fn final_field<'a>(
    owners: &'a [Arc<SObjectDescribe>],
    path: &FieldPath,
) -> Result<(&'a SObjectDescribe, &'a FieldDescribe)> {
    let found = owners.iter().find_map(|owner| Some((owner.as_ref(), owner.field(path.field())?)));
    found.ok_or_else(|| {
        let known = owners.iter().flat_map(|owner| owner.fields.iter().map(|f| f.name.as_str()));
        let parent = owners.iter().find_map(|owner| owner.relationship(path.field()));
        let hint = match parent {
            Some(_) => format!("; {} is a parent, name one of its fields as in {path}.Name", path.field()),
            None => nearest(path.field(), known).map(|n| format!("; did you mean {n}?")).unwrap_or_default(),
        };
        Error::query(format!(
            "{path}: {} has no field {}, or field-level security hides it from the user{hint}",
            owner_names(owners),
            path.field()
        ))
    })
}

fn owner_names(owners: &[Arc<SObjectDescribe>]) -> String {
    let names: Vec<&str> = owners.iter().map(|owner| owner.name.as_str()).collect();
    names.join(" or ")
}

fn field_spec(owner: &SObjectDescribe, field: &FieldDescribe, name: String, nested: bool) -> Result<FieldSpec> {
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
            let (fields, skipped) = readable_fields(&describe);
            assert_eq!(fields.len() + skipped.len(), describe.fields.len());
            for path in fields {
                let field = describe.field(path.field()).unwrap();
                let spec = field_spec(&describe, field, field.name.clone(), false).unwrap();
                arrow_field(&spec).unwrap();
            }
        }
    }

    #[test]
    fn skipped_fields_name_their_parts() {
        let Some(account) = recorded("Account") else {
            return;
        };
        let (_, skipped) = readable_fields(&account);
        let billing = skipped.iter().find(|s| s.name == "BillingAddress").unwrap();
        assert!(billing.reason.contains("BillingStreet, BillingCity"), "{}", billing.reason);
    }
}
