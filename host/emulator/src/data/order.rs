//! ORDER BY: what rows are sorted by.

use std::cmp::Ordering;

use crate::soql::SoqlError;
use crate::soql::ast::Order;

use super::compare::fold;
use super::number::Decimal;
use super::resolve::{FieldPath, Resolver, place};
use super::schema::FieldType;
use super::tables::Tables;

/// One entry of ORDER BY.
#[derive(Debug, Clone)]
pub struct Sort {
    path: FieldPath,
    descending: bool,
    nulls_first: bool,
    picks: Vec<String>,
}

/// A value by which rows are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// No value.
    Null,
    /// A number.
    Number(Decimal),
    /// A picklist value's place in the list.
    Place(usize),
    /// Text in lower case, dates and ids as they are.
    Text(String),
}

/// The key of a value's text; picklists sort in setup order.
pub fn key(kind: FieldType, picks: &[String], text: &[u8]) -> Key {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if text.is_empty() {
        return Key::Null;
    }
    if kind.is_number() {
        return Decimal::parse(text).map_or(Key::Null, Key::Number);
    }
    if kind == FieldType::Picklist
        && let Some(place) = picks.iter().position(|pick| pick == text)
    {
        return Key::Place(place);
    }
    Key::Text(if kind.is_id() { text.to_owned() } else { fold(text) })
}

/// Checks ORDER BY against field types.
///
/// # Errors
/// When a field is unknown or cannot be sorted by.
pub fn sorts(resolver: &Resolver<'_>, orders: &[Order]) -> Result<Vec<Sort>, SoqlError> {
    orders.iter().map(|order| sort(resolver, order)).collect()
}

fn sort(resolver: &Resolver<'_>, order: &Order) -> Result<Sort, SoqlError> {
    let name = place(&order.by);
    let path = resolver.expression(&order.by)?;
    let field = path.field(resolver.schema);
    if field.is_some_and(|field| !field.sortable) {
        let reason =
            format!("field '{}' can not be sorted in a query call", path.names.last().map_or("", String::as_str));
        return Err(resolver.error("MALFORMED_QUERY", name, &reason));
    }
    let picks = path.picks(resolver.schema);
    // Nulls come first in both directions unless the statement says otherwise (SOQL reference, "ORDER BY").
    Ok(Sort { path, descending: order.descending, nulls_first: order.nulls_first.unwrap_or(true), picks })
}

/// Sorts row numbers; rows that compare equal keep their order.
pub fn sort_rows(tables: &Tables, sorts: &[Sort], rows: Vec<u64>) -> Vec<u64> {
    let mut scratch = Vec::new();
    let mut keyed: Vec<(Vec<Key>, u64)> = rows
        .into_iter()
        .map(|row| {
            let keys = sorts.iter().map(|sort| {
                scratch.clear();
                sort.path.text(tables, row, &mut scratch);
                key(sort.path.kind, &sort.picks, &scratch)
            });
            (keys.collect(), row)
        })
        .collect();
    keyed.sort_by(|left, right| {
        let each =
            sorts.iter().zip(left.0.iter().zip(&right.0)).map(|(sort, (left, right))| compare(sort, left, right));
        each.fold(Ordering::Equal, Ordering::then)
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn compare(sort: &Sort, left: &Key, right: &Key) -> Ordering {
    let nulls = if sort.nulls_first { Ordering::Less } else { Ordering::Greater };
    match (left, right) {
        (Key::Null, Key::Null) => Ordering::Equal,
        (Key::Null, _) => nulls,
        (_, Key::Null) => nulls.reverse(),
        _ if sort.descending => right.cmp(left),
        _ => left.cmp(right),
    }
}
