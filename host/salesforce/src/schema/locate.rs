//! Finds the field behind a path: from describe to describe along the parents, by the names that SOQL knows them by.

use std::sync::Arc;

use crate::client::Client;
use crate::describe::{FieldDescribe, SObjectDescribe, similar};
use crate::error::{Error, Result};
use crate::soql::FieldPath;

/// Object whose fields all targets of a name-pointing reference share (SOQL and SOSL reference, "polymorphic").
const NAME_OBJECT: &str = "Name";
/// Targets of a polymorphic reference that are asked for a field; Event.What has 80.
const MAX_TARGETS_ASKED: usize = 5;

/// A field that exists.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// the object that has it
    pub owner: Arc<SObjectDescribe>,
    /// relationship names on the way, in describe's spelling
    pub parents: Vec<String>,
    /// the field
    pub field: FieldDescribe,
}

impl Located {
    /// The path in describe's spelling.
    pub(super) fn path(&self) -> FieldPath {
        FieldPath::from_segments(self.parents.iter().cloned().chain([self.field.name.clone()]).collect())
    }
}

/// Follows `path` from the object `root`.
pub(super) async fn locate(client: &Client, root: &Arc<SObjectDescribe>, path: &FieldPath) -> Result<Located> {
    // `Account.Name` on Account means `Name`, unless a parent is called Account
    let is_parent = path.parents().first().is_some_and(|first| root.relationship(first).is_some());
    let own = path.without_prefix(&root.name).filter(|_| !is_parent);
    let path = own.as_ref().unwrap_or(path);
    let mut parents = Vec::new();
    let mut owners = vec![root.clone()];
    for (depth, relationship) in path.parents().iter().enumerate() {
        let next = path.parents().get(depth + 1).map_or(path.field(), String::as_str);
        let reference = parent_reference(&owners, relationship, path)?;
        parents.push(reference.relationship_name.clone().unwrap_or_else(|| relationship.clone()));
        owners = targets(client, &reference, next).await?;
    }
    let (owner, field) = final_field(&owners, path)?;
    Ok(Located { owner: owner.clone(), parents, field: field.clone() })
}

/// The reference field behind a parent's name, from whichever possible owner has it.
fn parent_reference(owners: &[Arc<SObjectDescribe>], relationship: &str, path: &FieldPath) -> Result<FieldDescribe> {
    if let Some(found) = owners.iter().find_map(|owner| owner.relationship(relationship)) {
        return Ok(found.clone());
    }
    let known = owners.iter().flat_map(|o| &o.fields).filter_map(|f| f.relationship_name.as_deref());
    let hint = reference_hint(owners, relationship)
        .or_else(|| similar(relationship, known).map(|n| format!("; did you mean {n}?")))
        .unwrap_or_default();
    Err(Error::NoField {
        objects: owners.iter().map(|owner| owner.name.clone()).collect(),
        field: reference_of(relationship),
        path: path.to_string(),
        message: format!("{path}: {} has no parent called {relationship}{hint}", owner_names(owners)),
    })
}

/// The reference field that a parent's name usually has: `AccountId` of `Account`, `X__c` of `X__r`.
fn reference_of(relationship: &str) -> String {
    match relationship.strip_suffix("__r") {
        Some(custom) => format!("{custom}__c"),
        None => format!("{relationship}Id"),
    }
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
) -> Result<(&'a Arc<SObjectDescribe>, &'a FieldDescribe)> {
    let found = owners.iter().find_map(|owner| Some((owner, owner.field(path.field())?)));
    found.ok_or_else(|| no_field(owners, path))
}

fn no_field(owners: &[Arc<SObjectDescribe>], path: &FieldPath) -> Error {
    let known = owners.iter().flat_map(|owner| owner.fields.iter().map(|f| f.name.as_str()));
    let parent = owners.iter().find_map(|owner| owner.relationship(path.field()));
    let hint = match parent {
        Some(_) => format!("; {} is a parent, name one of its fields as in {path}.Name", path.field()),
        None => similar(path.field(), known).map(|n| format!("; did you mean {n}?")).unwrap_or_default(),
    };
    Error::NoField {
        objects: owners.iter().map(|owner| owner.name.clone()).collect(),
        field: path.field().to_owned(),
        path: path.to_string(),
        message: format!(
            "{path}: {} has no field {}, or field-level security hides it from the user{hint}",
            owner_names(owners),
            path.field()
        ),
    }
}

/// The first field that is missing, told with the others: so that one look mends all.
pub(super) fn none_missing(missing: Vec<Error>) -> Result<()> {
    let told: Vec<String> = missing.iter().map(Error::to_string).collect();
    match missing.into_iter().next() {
        Some(Error::NoField { objects, field, path, .. }) => {
            let object = objects.first().map_or("OBJECT", String::as_str);
            let hint = format!(
                "`forcepump org describe {object}` lists what the user sees, `forcepump doctor --object {object}` what is hidden"
            );
            let message = format!("{}\n  hint: {hint}", told.join("\n  "));
            Err(Error::NoField { objects, field, path, message })
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn owner_names(owners: &[Arc<SObjectDescribe>]) -> String {
    let names: Vec<&str> = owners.iter().map(|owner| owner.name.as_str()).collect();
    names.join(" or ")
}
