//! Records in the shape of the REST API.

use serde_json::{Map, Value, json};

use super::resolve::FieldPath;
use super::schema::{FieldDef, FieldType};
use super::tables::Tables;
use super::type_of::Choice;

/// What differs between the resources that show records.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// Version in the records' URLs, for example `62.0`.
    pub version: &'a str,
    /// How datetimes are written.
    pub moments: Moments,
    /// Most children of one parent in one answer; none: all of them.
    pub most_children: Option<u64>,
}

impl<'a> Style<'a> {
    /// The REST API's.
    pub fn rest(version: &'a str) -> Style<'a> {
        Style { version, moments: Moments::Offset, most_children: None }
    }
}

/// How datetimes are written in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// `2024-01-31T10:00:00.000+0000`: REST.
    Offset,
    /// `2024-01-31T10:00:00.000Z`: XML results of Bulk 1.0.
    Zulu,
    /// Milliseconds since 1970: JSON results of Bulk 1.0.
    Epoch,
    /// As `Epoch`, and dates as their midnight too.
    EpochDates,
}

impl Moments {
    fn value(self, kind: FieldType, text: &[u8]) -> Value {
        let held = || std::str::from_utf8(text).ok();
        let millis = match (self, kind) {
            (Moments::Zulu, FieldType::DateTime) if !text.is_empty() => {
                return held().map_or(Value::Null, Value::from);
            }
            (Moments::Epoch | Moments::EpochDates, FieldType::DateTime) => held().and_then(super::value::moment),
            (Moments::EpochDates, FieldType::Date) => {
                held().and_then(super::value::date).and_then(|day| day.and_hms_opt(0, 0, 0))
            }
            _ => return scalar(kind, text),
        };
        millis.map_or(Value::Null, |at| Value::from(at.and_utc().timestamp_millis()))
    }
}

/// How the columns of a statement nest: parents hold the fields selected of them.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Value { key: String, column: usize },
    Parent { key: String, way: FieldPath, shape: Shape },
    Choice(Choice),
}

impl Shape {
    /// The shape of these columns.
    pub fn of(columns: &[FieldPath]) -> Shape {
        Shape::with_choices(columns, &[])
    }

    /// The shape of these columns with each TYPEOF after as many columns as its number says.
    pub fn with_choices(columns: &[FieldPath], choices: &[(usize, Choice)]) -> Shape {
        let mut shape = Shape::default();
        for index in 0..=columns.len() {
            let here = choices.iter().filter(|(after, _)| *after == index);
            shape.entries.extend(here.map(|(_, choice)| Entry::Choice(choice.clone())));
            if let Some(column) = columns.get(index) {
                shape.add(column, index, 0);
            }
        }
        shape
    }

    fn add(&mut self, column: &FieldPath, index: usize, level: usize) {
        let Some(name) = column.names.get(level) else { return };
        if level == column.hops.len() {
            return self.entries.push(Entry::Value { key: name.clone(), column: index });
        }
        let place = self.entries.iter().position(|entry| matches!(entry, Entry::Parent { key, .. } if key == name));
        let place = place.unwrap_or_else(|| {
            let way = FieldPath {
                hops: column.hops.get(..=level).unwrap_or_default().to_vec(),
                ends: Vec::new(),
                ..column.clone()
            };
            self.entries.push(Entry::Parent { key: name.clone(), way, shape: Shape::default() });
            self.entries.len() - 1
        });
        if let Some(Entry::Parent { shape, .. }) = self.entries.get_mut(place) {
            shape.add(column, index, level + 1);
        }
    }

    /// The record of that row, seen from `at`, which is the row itself or one of its parents.
    pub fn record(
        &self,
        tables: &Tables,
        columns: &[FieldPath],
        row: u64,
        at: (usize, u64),
        style: Style<'_>,
    ) -> Value {
        let mut out = Map::new();
        out.insert("attributes".to_owned(), attributes(tables, at, style));
        for entry in &self.entries {
            match entry {
                Entry::Value { key, column } => {
                    let value = columns.get(*column).map_or(Value::Null, |path| value(tables, path, row, style));
                    out.insert(key.clone(), value);
                }
                Entry::Choice(choice) => _ = out.insert(choice.key.clone(), choice.value(tables, row, style)),
                Entry::Parent { key, way, shape } => {
                    let parent = way
                        .record(tables, row)
                        .map_or(Value::Null, |parent| shape.record(tables, columns, row, parent, style));
                    out.insert(key.clone(), parent);
                }
            }
        }
        Value::Object(out)
    }
}

fn id_of(tables: &Tables, (object, row): (usize, u64)) -> String {
    let mut id = Vec::new();
    tables.cell(object, row, 0, &mut id);
    String::from_utf8_lossy(&id).into_owned()
}

fn attributes(tables: &Tables, at: (usize, u64), style: Style<'_>) -> Value {
    let version = style.version;
    let name = &tables.object(at.0).name;
    json!({"type": name, "url": format!("/services/data/v{version}/sobjects/{name}/{}", id_of(tables, at))})
}

fn value(tables: &Tables, path: &FieldPath, row: u64, style: Style<'_>) -> Value {
    let field = path.field(&tables.schema);
    match (path.kind, field, path.record(tables, row)) {
        (FieldType::Address | FieldType::Location, Some(field), Some(at)) => compound(tables, field, at),
        (FieldType::Base64, Some(field), Some(at)) => body(tables, field, at, style.version),
        _ => {
            let mut text = Vec::new();
            path.text(tables, row, &mut text);
            style.moments.value(path.kind, &text)
        }
    }
}

/// A value that is not made of others; an empty text is null.
pub fn scalar(kind: FieldType, text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    if text.is_empty() {
        return Value::Null;
    }
    match kind {
        FieldType::Boolean => Value::Bool(text == "true"),
        FieldType::Int | FieldType::Long => text.parse::<i64>().map_or(Value::Null, Value::from),
        kind if kind.is_decimal() => text.parse::<f64>().map_or(Value::Null, Value::from),
        // REST has the offset where Bulk has Z.
        FieldType::DateTime => Value::String(
            text.strip_suffix('Z').map_or_else(|| text.clone().into_owned(), |start| format!("{start}+0000")),
        ),
        _ => Value::String(text.into_owned()),
    }
}

/// The body of a base64 field is fetched by itself; a record only says where.
fn body(tables: &Tables, field: &FieldDef, at: (usize, u64), version: &str) -> Value {
    let name = &tables.object(at.0).name;
    let mut text = Vec::new();
    if let Some(index) = tables.object(at.0).field(&field.name) {
        tables.cell(at.0, at.1, index, &mut text);
    }
    if text.is_empty() {
        Value::Null
    } else {
        json!(format!("/services/data/v{version}/sobjects/{name}/{}/{}", id_of(tables, at), field.name))
    }
}

/// An address or a place, of the fields that belong to it; null when all of them are.
fn compound(tables: &Tables, field: &FieldDef, at: (usize, u64)) -> Value {
    let mut out = Map::new();
    let object = tables.object(at.0);
    let parts = object.fields.iter().enumerate().filter(|(index, _)| object.sees(*index));
    for (index, part) in parts.filter(|(_, part)| part.compound.as_deref() == Some(&field.name)) {
        let mut text = Vec::new();
        tables.cell(at.0, at.1, index, &mut text);
        out.insert(part_name(field, &part.name), scalar(part.kind, &text));
    }
    out.sort_keys();
    if out.values().all(Value::is_null) { Value::Null } else { Value::Object(out) }
}

/// `BillingCity` of `BillingAddress` is `city`, `Place__Latitude__s` of `Place__c` is `latitude`.
fn part_name(field: &FieldDef, part: &str) -> String {
    let head = field.name.strip_suffix("Address").or_else(|| field.name.strip_suffix('c')).unwrap_or_default();
    let part = part.strip_prefix(head).unwrap_or(part);
    let part = part.strip_suffix("__s").unwrap_or(part);
    let mut rest = part.chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}
