//! The path to a field: its name, after the names of the parents on the way.

use std::fmt;

use crate::describe::check_name;
use crate::error::{Error, Result};

/// Parents in one path: `a.b.c.d.e.Field` (SOQL and SOSL reference, relationship query limits).
const MAX_PARENTS: usize = 5;

/// A field, or a field of a parent: `Name`, `Owner.Name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    segments: Vec<String>,
}

impl FieldPath {
    /// Reads a dotted path of API names.
    pub fn parse(text: &str) -> Result<Self> {
        let segments: Vec<String> = text.trim().split('.').map(str::to_owned).collect();
        segments.iter().try_for_each(|s| check_name(s)).map_err(|_| {
            Error::query(format!(
                "{:?} is not a field: expected a name like Name, Owner.Name or Amount__c",
                text.trim()
            ))
        })?;
        Ok(Self { segments })
    }

    /// Refuses more parents than SOQL follows; a first segment that is the object itself is none.
    pub(crate) fn check_depth(&self, object: &str) -> Result<()> {
        let own = self.without_prefix(object);
        let parents = own.as_ref().unwrap_or(self).parents().len();
        if parents <= MAX_PARENTS {
            return Ok(());
        }
        Err(Error::query(format!(
            "{self} goes through {parents} parents, at most {MAX_PARENTS} are possible in SOQL: bring the value nearer by a \
             formula field, or read the parent object with a pipeline of its own and join by its Id"
        )))
    }

    pub(crate) fn from_segments(segments: Vec<String>) -> Self {
        Self { segments }
    }

    /// Relationship names on the way to the field.
    pub fn parents(&self) -> &[String] {
        &self.segments[..self.segments.len().saturating_sub(1)]
    }

    /// The field itself.
    pub fn field(&self) -> &str {
        self.segments.last().map(String::as_str).unwrap_or_default()
    }

    /// The same path without its first segment, if that is `prefix`.
    pub(crate) fn without_prefix(&self, prefix: &str) -> Option<Self> {
        let (first, rest) = self.segments.split_first()?;
        (!rest.is_empty() && first.eq_ignore_ascii_case(prefix)).then(|| Self { segments: rest.to_vec() })
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.to_string().eq_ignore_ascii_case(&other.to_string())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("."))
    }
}
