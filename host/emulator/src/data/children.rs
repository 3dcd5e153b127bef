//! Parent-to-child sub-selects: the children of each record, as the REST API nests them.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::soql::SoqlError;
use crate::soql::ast::{Item, Statement};

use super::describe;
use super::json::{Shape, Style};
use super::prepare::{self, Setting};
use super::resolve::{FieldPath, Resolver};
use super::tables::Tables;

/// One sub-select, evaluated for all parents.
#[derive(Debug)]
pub struct Children {
    name: String,
    object: usize,
    columns: Vec<FieldPath>,
    shape: Shape,
    by_parent: HashMap<u64, Vec<u64>>,
}

impl Children {
    /// The key in the record, and the children of that parent; null when there are none.
    pub fn of(&self, tables: &Tables, parent: u64, style: Style<'_>) -> (String, Value) {
        let found = self.by_parent.get(&parent).filter(|rows| !rows.is_empty());
        let records = |rows: &Vec<u64>| -> Vec<Value> {
            rows.iter().map(|row| self.shape.record(tables, &self.columns, *row, (self.object, *row), style)).collect()
        };
        let value =
            found.map_or(Value::Null, |rows| json!({"totalSize": rows.len(), "done": true, "records": records(rows)}));
        (self.name.clone(), value)
    }
}

/// The sub-selects of a statement.
///
/// # Errors
/// When a relationship or something in a sub-select is unknown, or sub-selects nest.
pub fn evaluate(
    setting: Setting<'_>,
    resolver: &Resolver<'_>,
    statement: &Statement,
) -> Result<Vec<Children>, SoqlError> {
    let inner = statement.items.iter().filter_map(|item| match item {
        Item::Children(inner) => Some(children(setting, resolver, inner)),
        _ => None,
    });
    inner.collect()
}

fn children(setting: Setting<'_>, outer: &Resolver<'_>, statement: &Statement) -> Result<Children, SoqlError> {
    let (object, field, name) = relationship(outer, statement)?;
    if statement.items.iter().any(|item| matches!(item, Item::Children(_))) {
        return Err(SoqlError::malformed("the emulator does not evaluate sub-selects within sub-selects"));
    }
    let resolver = Resolver { object, alias: statement.alias.as_deref(), joins: &statement.joins, ..*outer };
    let columns = prepare::columns(setting.mode, &resolver, statement)?;
    // LIMIT and OFFSET count for each parent apart.
    let all = Statement { limit: None, offset: None, ..statement.clone() };
    let mut by_parent: HashMap<u64, Vec<u64>> = HashMap::new();
    for row in prepare::rows(setting, &resolver, &all)?.iter() {
        match setting.tables.parent(object, row, field) {
            Some((parent, parent_row)) if parent == outer.object => by_parent.entry(parent_row).or_default().push(row),
            _ => {}
        }
    }
    let places = |count: Option<u64>, all: usize| usize::try_from(count.unwrap_or(u64::MAX)).unwrap_or(all).min(all);
    for rows in by_parent.values_mut() {
        rows.drain(..places(Some(statement.offset.unwrap_or(0)), rows.len()));
        rows.truncate(places(statement.limit, rows.len()));
    }
    Ok(Children { name, object, shape: Shape::of(&columns), columns, by_parent })
}

/// Child object, its reference field and the relationship's name in its canonical spelling.
fn relationship(outer: &Resolver<'_>, statement: &Statement) -> Result<(usize, usize, String), SoqlError> {
    let parent = &outer.schema.objects[outer.object];
    let wanted = statement.from.parts.last().map_or("", String::as_str);
    let objects = outer.schema.objects.iter().enumerate();
    for (object, child) in objects.filter(|(object, child)| outer.schema.find(&child.name) == Some(*object)) {
        let fields = child.fields.iter().enumerate().filter(|(index, _)| child.sees(*index));
        for (index, field) in fields.filter(|(_, field)| field.references.contains(&parent.name)) {
            if let Some(name) = describe::relationship(child, field).filter(|name| name.eq_ignore_ascii_case(wanted)) {
                return Ok((object, index, name));
            }
        }
    }
    let reason = format!(
        "Didn't understand relationship '{wanted}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to \
         append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
    );
    Err(outer.error("INVALID_TYPE", &statement.from, &reason))
}
