//! Parent-to-child sub-selects: the children of each record, as the REST API nests them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::soql::SoqlError;
use crate::soql::ast::{Item, Statement};

use super::Rows;
use super::describe;
use super::json::{Shape, Style};
use super::prepare::{self, Output, Setting};
use super::resolve::{FieldPath, Resolver};
use super::tables::Tables;

/// Sub-selects of one statement, and how deep they may nest (SOQL reference, "Relationship query limitations").
const MOST_CHILDREN: usize = 20;
const MOST_LEVELS: usize = 4;

/// One sub-select, evaluated for all parents.
#[derive(Debug, Clone)]
pub struct Children {
    name: String,
    object: usize,
    columns: Vec<FieldPath>,
    shape: Shape,
    by_parent: Arc<HashMap<u64, Vec<u64>>>,
    inner: Vec<Children>,
}

impl Children {
    /// The key in the record, and the children of that parent; null when there are none.
    ///
    /// Where the style holds them to so many, the first ones come with `done` false.
    pub fn of(&self, tables: &Tables, parent: u64, style: Style<'_>) -> (String, Value) {
        let Some(rows) = self.by_parent.get(&parent).filter(|rows| !rows.is_empty()) else {
            return (self.name.clone(), Value::Null);
        };
        let most = style.most_children.map_or(rows.len(), |most| usize::try_from(most).unwrap_or(usize::MAX));
        let records: Vec<Value> = rows.iter().take(most).map(|row| self.record(tables, *row, style)).collect();
        let value = json!({"totalSize": rows.len(), "done": records.len() == rows.len(), "records": records});
        (self.name.clone(), value)
    }

    fn record(&self, tables: &Tables, row: u64, style: Style<'_>) -> Value {
        let mut record = self.shape.record(tables, &self.columns, row, (self.object, row), style);
        if let Value::Object(record) = &mut record {
            let style = Style { most_children: None, ..style };
            record.extend(self.inner.iter().map(|inner| inner.of(tables, row, style)));
        }
        record
    }

    /// How many children that parent has.
    pub fn count(&self, parent: u64) -> u64 {
        self.by_parent.get(&parent).map_or(0, |rows| rows.len() as u64)
    }

    /// The children of that parent as a result of their own, when this is the sub-select of that name.
    pub fn as_result(&self, name: &str, parent: u64) -> Option<(usize, Output)> {
        let rows = self.by_parent.get(&parent).filter(|_| self.name == name)?;
        let output = Output::Records {
            columns: self.columns.clone(),
            shape: self.shape.clone(),
            rows: Rows::List(rows.clone()),
            children: self.inner.clone(),
        };
        Some((self.object, output))
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
    let count = count(statement);
    if count > MOST_CHILDREN {
        let message =
            format!("a statement holds at most {MOST_CHILDREN} sub-selects over child relationships, not {count}");
        return Err(SoqlError::malformed(message));
    }
    level(setting, resolver, statement, MOST_LEVELS)
}

/// Sub-selects on all levels.
fn count(statement: &Statement) -> usize {
    let inner =
        statement.items.iter().filter_map(|item| if let Item::Children(inner) = item { Some(inner) } else { None });
    inner.map(|inner| 1 + count(inner)).sum()
}

fn level(
    setting: Setting<'_>,
    resolver: &Resolver<'_>,
    statement: &Statement,
    levels: usize,
) -> Result<Vec<Children>, SoqlError> {
    let inner = statement.items.iter().filter_map(|item| match item {
        Item::Children(inner) => Some(children(setting, resolver, statement, inner, levels)),
        _ => None,
    });
    inner.collect()
}

fn children(
    setting: Setting<'_>,
    outer: &Resolver<'_>,
    around: &Statement,
    statement: &Statement,
    levels: usize,
) -> Result<Children, SoqlError> {
    let (object, field, name) = relationship(outer, statement)?;
    if levels == 0 {
        let message = format!("sub-selects over child relationships nest at most {} levels deep", MOST_LEVELS + 1);
        return Err(SoqlError::malformed(message));
    }
    if statement.offset.is_some() && around.limit != Some(1) {
        return Err(SoqlError::malformed("OFFSET in a sub-select needs LIMIT 1 in the statement around it"));
    }
    if prepare::is_grouped(statement) {
        return Err(SoqlError::malformed("aggregate functions cannot be used in sub-selects over child relationships"));
    }
    let resolver = Resolver { object, alias: statement.alias.as_deref(), joins: &statement.joins, ..*outer };
    let columns = prepare::columns(setting.mode, &resolver, statement)?;
    let choices = prepare::choices(&resolver, statement)?;
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
    let inner = level(setting, &resolver, statement, levels - 1)?;
    let shape = Shape::with_choices(&columns, &choices);
    Ok(Children { name, object, shape, columns, by_parent: Arc::new(by_parent), inner })
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
