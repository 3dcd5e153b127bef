//! TYPEOF: what is selected of a record depends on the object that it belongs to.

use serde_json::Value;

use crate::soql::SoqlError;
use crate::soql::ast::{Path, TypeOf};

use super::json::{Shape, Style};
use super::resolve::{FieldPath, Resolver};
use super::tables::Tables;

/// Fields of one object.
#[derive(Debug, Clone)]
struct Branch {
    object: usize,
    columns: Vec<FieldPath>,
    shape: Shape,
}

/// One TYPEOF of a select list.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The relationship in its canonical spelling.
    pub key: String,
    way: FieldPath,
    branches: Vec<Branch>,
}

impl Choice {
    /// Checks one TYPEOF.
    ///
    /// # Errors
    /// When the relationship leads to one object only, an object is not among its targets, or a field is unknown.
    pub fn new(resolver: &Resolver<'_>, asked: &TypeOf) -> Result<Choice, SoqlError> {
        let parts = [asked.path.parts.clone(), vec!["Type".to_owned()]].concat();
        let mut way = resolver.field(&Path { parts, at: asked.path.at })?;
        if way.ends.len() < 2 {
            let reason = format!("TYPEOF needs a polymorphic relationship, {} is none", asked.path);
            return Err(resolver.error("INVALID_FIELD", &asked.path, &reason));
        }
        way.names.pop();
        let key = way.names.last().cloned().unwrap_or_default();
        let targets: Vec<usize> = way.ends.iter().map(|(object, _)| *object).collect();
        let mut branches = Vec::new();
        for (name, paths) in &asked.branches {
            let object = resolver.schema.find(name).filter(|object| targets.contains(object)).ok_or_else(|| {
                let reason = format!("'{name}' is not a target of the relationship {}", asked.path);
                resolver.error("INVALID_TYPE", &asked.path, &reason)
            })?;
            branches.push(Branch::new(resolver, object, paths)?);
        }
        for object in targets.iter().filter(|_| !asked.otherwise.is_empty()) {
            if branches.iter().all(|branch: &Branch| branch.object != *object) {
                branches.push(Branch::new(resolver, *object, &asked.otherwise)?);
            }
        }
        Ok(Choice { key, way, branches })
    }

    /// What is selected of the record behind that row; null when there is none, or nothing was asked of its object.
    pub fn value(&self, tables: &Tables, row: u64, style: Style<'_>) -> Value {
        let Some(at) = self.way.record(tables, row) else { return Value::Null };
        let branch = self.branches.iter().find(|branch| branch.object == at.0);
        branch.map_or(Value::Null, |branch| branch.shape.record(tables, &branch.columns, at.1, at, style))
    }
}

impl Branch {
    fn new(resolver: &Resolver<'_>, object: usize, paths: &[Path]) -> Result<Branch, SoqlError> {
        let of_object = Resolver { object, alias: None, joins: &[], ..*resolver };
        let columns = paths.iter().map(|path| of_object.field(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Branch { object, shape: Shape::of(&columns), columns })
    }
}
