//! The columns of a query as they are gathered: compound fields become their parts, `FIELDS()` the fields it stands for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::Field;
use forcepump_batch::arrow_field;

use super::locate::Located;
use super::readable::{field_spec, why_not_readable};
use super::{ExpandedField, SkippedField, VisibleField};
use crate::describe::SObjectDescribe;
use crate::error::{Error, Result};
use crate::soql::{FieldGroup, FieldPath};

/// Parents of one query in all (SOQL and SOSL reference, relationship query limits).
const MAX_RELATIONSHIPS: usize = 55;

/// A column of the query.
pub(super) struct Column {
    pub path: FieldPath,
    pub field: Field,
    /// it was named itself, not as a part of something
    named: bool,
}

/// The columns so far.
pub(super) struct Expansion {
    root: Arc<SObjectDescribe>,
    pub columns: Vec<Column>,
    pub skipped: Vec<SkippedField>,
    pub expanded: Vec<ExpandedField>,
    pub visible: Vec<VisibleField>,
}

impl Expansion {
    /// No column yet; all fields of `root` are visible.
    pub(super) fn new(root: Arc<SObjectDescribe>) -> Self {
        let visible = |field: &crate::FieldDescribe| VisibleField {
            object: root.name.clone(),
            field: field.name.clone(),
            kind: field.kind.clone(),
        };
        let visible = root.fields.iter().map(visible).collect();
        Self { root, columns: Vec::new(), skipped: Vec::new(), expanded: Vec::new(), visible }
    }

    /// Adds a field that the query names.
    ///
    /// # Errors
    /// A field that no query returns, or that is named twice.
    pub(super) fn named(&mut self, found: Located) -> Result<()> {
        let Some(unreadable) = why_not_readable(&found.owner, &found.field) else {
            return self.add(&found, true).map(|_| ());
        };
        if unreadable.parts.is_empty() {
            let (object, path) = (&self.root.name, found.path());
            return Err(Error::query(format!("{object}.{path} cannot be read: {}", unreadable.reason)));
        }
        let name = found.path().to_string();
        let into = self.parts(&found, &unreadable.parts)?;
        self.expanded.push(ExpandedField { name, into });
        Ok(())
    }

    /// Adds the fields that `FIELDS()` stands for.
    ///
    /// # Errors
    /// When it stands for none.
    pub(super) fn group(&mut self, group: FieldGroup) -> Result<()> {
        let into = self.everything(group)?;
        if into.is_empty() {
            return Err(Error::query(format!("{group} stands for no field that can be read of {}", self.root.name)));
        }
        self.expanded.push(ExpandedField { name: group.to_string(), into });
        Ok(())
    }

    /// Adds every readable field of the group, and says why the others are left out.
    pub(super) fn everything(&mut self, group: FieldGroup) -> Result<Vec<String>> {
        let mut into = Vec::new();
        let root = Arc::clone(&self.root);
        for field in root.fields.iter().filter(|field| group.holds(field)) {
            let found = Located { owner: Arc::clone(&root), parents: Vec::new(), field: field.clone() };
            let Some(unreadable) = why_not_readable(&root, field) else {
                into.push(self.add(&found, false)?);
                continue;
            };
            into.extend(self.parts(&found, &unreadable.parts)?);
            self.skipped.push(SkippedField { name: field.name.clone(), reason: unreadable.reason });
        }
        let mut seen = BTreeSet::new();
        into.retain(|name| seen.insert(name.clone()));
        Ok(into)
    }

    fn parts(&mut self, compound: &Located, names: &[String]) -> Result<Vec<String>> {
        let part = |name: &String| {
            let field = compound.owner.field(name)?.clone();
            Some(Located { field, ..compound.clone() })
        };
        names.iter().filter_map(part).map(|part| self.add(&part, false)).collect()
    }

    /// Adds one column; gives its name. What is there already stays where it is.
    fn add(&mut self, found: &Located, named: bool) -> Result<String> {
        let path = found.path();
        let name = path.to_string();
        let other = self.columns.iter_mut().find(|column| column.path.same_as(&path));
        if let Some(column) = other {
            if named && column.named {
                let text = format!("{path} is selected twice; Salesforce refuses that, remove one");
                return Err(Error::query(text));
            }
            column.named |= named;
            return Ok(name);
        }
        let spec = field_spec(&found.owner, &found.field, name.clone(), !found.parents.is_empty())?;
        let field = arrow_field(&spec).map_err(|error| Error::query(format!("{}.{name}: {error}", self.root.name)))?;
        self.columns.push(Column { path, field, named });
        self.see(found);
        Ok(name)
    }

    fn see(&mut self, found: &Located) {
        let seen = VisibleField {
            object: found.owner.name.clone(),
            field: found.field.name.clone(),
            kind: found.field.kind.clone(),
        };
        if found.owner.name != self.root.name && !self.visible.contains(&seen) {
            self.visible.push(seen);
        }
    }

    /// The whole, if SOQL can take it.
    ///
    /// # Errors
    /// More parents than one query may have; no column at all.
    pub(super) fn checked(self) -> Result<Self> {
        let parents: BTreeSet<String> = self
            .columns
            .iter()
            .flat_map(|column| (1..=column.path.parents().len()).map(|end| column.path.parents()[..end].join(".")))
            .collect();
        if parents.len() > MAX_RELATIONSHIPS {
            return Err(Error::query(format!(
                "the query goes through {} parents, and SOQL takes {MAX_RELATIONSHIPS} in one query; read some of the \
                 parent objects with pipelines of their own and join by Id",
                parents.len()
            )));
        }
        if self.columns.is_empty() {
            return Err(Error::query(format!("{} has no field that can be read by the user", self.root.name)));
        }
        Ok(self)
    }
}
