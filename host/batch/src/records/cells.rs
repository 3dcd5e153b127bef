//! One record, taken apart: a value for each column.

use std::borrow::Cow;

use super::names::Node;
use crate::csv::column::{Column, Misfit};

/// Stands for bytes that are no text.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The value of one column in one record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// Not named so far.
    Absent,
    Null,
    /// As CSV would have it.
    Text(Cow<'a, str>),
    /// A number without quotes.
    Number(&'a str),
    /// An escape that stands for no character; what was written.
    NoText(&'a str),
}

/// Why a record cannot be taken apart; fields by their whole names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unknown(String),
    Missing(String),
    Repeated(String),
    Syntax(String),
}

impl Cell<'_> {
    /// Appends the value to its column. `lossy`: bytes that are no text were replaced.
    pub(super) fn push(&self, column: &mut Column, lossy: bool) -> Result<(), Misfit> {
        match self {
            Cell::Absent | Cell::Null => column.push_null(),
            Cell::Number(text) => column.push_number(text),
            Cell::NoText(_) => Err(Misfit::Utf8),
            Cell::Text(text) if lossy && text.contains(REPLACEMENT) => Err(Misfit::Utf8),
            Cell::Text(text) => column.push(text.as_bytes(), 0, text.len()),
        }
    }

    /// The value for people; null and empty are the same.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Cell::Absent | Cell::Null => None,
            Cell::Text(text) => Some(text.as_ref().to_owned()).filter(|text| !text.is_empty()),
            Cell::Number(text) | Cell::NoText(text) => Some((*text).to_owned()),
        }
    }
}

/// Sets the value of a column, once.
pub(super) fn set<'a>(
    cells: &mut [Cell<'a>],
    column: usize,
    value: Cell<'a>,
    name: impl Fn() -> String,
) -> Result<(), Fault> {
    match cells.get_mut(column) {
        Some(cell @ Cell::Absent) => {
            *cell = value;
            Ok(())
        }
        _ => Err(Fault::Repeated(name())),
    }
}

/// A parent that is not there: all that is asked of it is null.
pub(super) fn set_null(cells: &mut [Cell<'_>], parent: &Node) {
    parent.each_column(&mut |column| {
        if let Some(cell) = cells.get_mut(column) {
            *cell = Cell::Null;
        }
    });
}

/// The record's own fields must all be named. Of a parent of several types, fields that its type does not have may be.
pub(super) fn check_whole(cells: &[Cell<'_>], root: &Node, names: impl Fn(usize) -> String) -> Result<(), Fault> {
    for child in root.own() {
        let mut columns: Vec<usize> = child.column.into_iter().collect();
        if let (true, Some(parent)) = (columns.is_empty(), &child.parent) {
            parent.each_column(&mut |column| columns.push(column));
        }
        let absent = |column: &usize| cells.get(*column).is_none_or(|cell| *cell == Cell::Absent);
        if columns.iter().all(absent) {
            return Err(Fault::Missing(columns.first().map_or_else(String::new, |column| names(*column))));
        }
    }
    Ok(())
}
