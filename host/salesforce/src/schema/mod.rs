//! From a query to typed columns: every field is looked up in describe, parents included, before any row is read.

mod expand;
mod locate;
mod readable;

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::soql::{FieldGroup, Select, Selected};
use expand::Expansion;
pub use readable::{Unreadable, why_not_readable};

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
    /// Fields of the object that "every readable field" and `FIELDS()` leave out, and why.
    pub skipped: Vec<SkippedField>,
    /// What was named and stands for several columns: compound fields and `FIELDS()`.
    pub expanded: Vec<ExpandedField>,
    /// All fields of the object that the user can see, and the selected ones of its parents.
    pub visible: Vec<VisibleField>,
}

/// Something named in a query that became several columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandedField {
    /// As named, in describe's spelling: `BillingAddress`, `Owner.Address`, `FIELDS(CUSTOM)`.
    pub name: String,
    /// The columns that it became; those that were selected already are among them.
    pub into: Vec<String>,
}

/// A field that describe shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisibleField {
    /// API name of the object that has it.
    pub object: String,
    /// API name.
    pub field: String,
    /// Describe's type.
    pub kind: String,
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

/// Looks up every selected field and expands what stands for several. Costs one describe an object, cached.
pub async fn resolve(client: &Client, select: &Select) -> Result<ResolvedQuery> {
    let describe = client.describe(&select.object).await?;
    if !describe.queryable {
        return Err(Error::query(format!("object {} cannot be queried (describe: queryable = false)", describe.name)));
    }
    let mut select = select.clone();
    select.object = describe.name.clone();
    let mut expansion = Expansion::new(describe.clone());
    let mut missing = Vec::new();
    for item in &select.fields {
        match item {
            Selected::Field(path) => match locate::locate(client, &describe, path).await {
                Ok(found) => expansion.named(found)?,
                Err(error @ Error::NoField { .. }) => missing.push(error),
                Err(error) => return Err(error),
            },
            Selected::Group(group) => expansion.group(*group)?,
        }
    }
    locate::none_missing(missing)?;
    if select.fields.is_empty() {
        expansion.everything(FieldGroup::All)?;
    }
    let Expansion { columns, skipped, expanded, visible, .. } = expansion.checked()?;
    let (paths, fields): (Vec<_>, Vec<_>) = columns.into_iter().map(|column| (column.path, column.field)).unzip();
    select.fields = paths.into_iter().map(Selected::Field).collect();
    select.check_length()?;
    let (object, schema) = (describe.name.clone(), Arc::new(Schema::new(fields)));
    Ok(ResolvedQuery { soql: select.to_soql(), select, object, schema, skipped, expanded, visible })
}
