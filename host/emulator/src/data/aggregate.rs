//! COUNT, MIN, MAX, SUM and AVG over rows, as one group or one a value of GROUP BY.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::soql::SoqlError;
use crate::soql::ast::{Expression, Item, Path, Statement};

use super::json::scalar;
use super::number::Decimal;
use super::order::{Key, key};
use super::resolve::{FieldPath, Resolver};
use super::schema::FieldType;
use super::tables::Tables;

/// What is computed of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Group,
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Average,
}

/// One column of an aggregate result.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The key in the result: alias, field, or `expr0` and so on.
    pub name: String,
    measure: Measure,
    path: Option<FieldPath>,
}

/// Rows of an aggregate result, values in the order of the columns.
pub type Groups = Vec<Vec<Value>>;

/// Whether the name is that of an aggregate function.
pub fn is_aggregate(name: &str) -> bool {
    measure(name).is_some()
}

fn measure(name: &str) -> Option<Measure> {
    Some(match name.to_ascii_uppercase().as_str() {
        "COUNT" => Measure::Count,
        "COUNT_DISTINCT" => Measure::CountDistinct,
        "MIN" => Measure::Min,
        "MAX" => Measure::Max,
        "SUM" => Measure::Sum,
        "AVG" => Measure::Average,
        _ => return None,
    })
}

/// The columns of an aggregate statement.
///
/// # Errors
/// When a field is unknown, not grouped, or of a type that the function does not take.
pub fn columns(resolver: &Resolver<'_>, statement: &Statement) -> Result<Vec<Measured>, SoqlError> {
    if statement.having.is_some() {
        return Err(SoqlError::malformed("the emulator does not evaluate HAVING"));
    }
    let grouped = statement.group_by.iter().map(|by| match by {
        Expression::Field(path) => resolver.field(path).map(|found| found.dotted()),
        Expression::Call { name, .. } => {
            Err(SoqlError::malformed(format!("the emulator does not group by {}()", name.dotted())))
        }
    });
    let grouped = grouped.collect::<Result<Vec<_>, _>>()?;
    let mut unnamed = 0;
    statement.items.iter().map(|item| column(resolver, item, &grouped, &mut unnamed)).collect()
}

fn column(
    resolver: &Resolver<'_>,
    item: &Item,
    grouped: &[String],
    unnamed: &mut usize,
) -> Result<Measured, SoqlError> {
    match item {
        Item::Expression(Expression::Field(path), alias) => {
            let found = resolver.field(path)?;
            if !grouped.contains(&found.dotted()) {
                let reason = format!("Field must be grouped or aggregated: {}", found.dotted());
                return Err(resolver.error("MALFORMED_QUERY", path, &reason));
            }
            let name = alias.clone().or_else(|| found.names.last().cloned()).unwrap_or_default();
            Ok(Measured { name, measure: Measure::Group, path: Some(found) })
        }
        Item::Expression(Expression::Call { name, argument }, alias) => {
            let Some(measure) = measure(&name.dotted()) else { return Err(not_evaluated(name)) };
            let path = match argument.as_deref() {
                Some(Expression::Field(path)) => Some(checked(resolver, path, measure)?),
                Some(Expression::Call { name, .. }) => return Err(not_evaluated(name)),
                None => return Err(resolver.error("MALFORMED_QUERY", name, "unexpected token: )")),
            };
            let name = alias.clone().unwrap_or_else(|| format!("expr{unnamed}"));
            *unnamed += usize::from(alias.is_none());
            Ok(Measured { name, measure, path })
        }
        _ => Err(SoqlError::malformed("FIELDS(), TYPEOF and sub-selects do not go with aggregate functions")),
    }
}

fn not_evaluated(name: &Path) -> SoqlError {
    SoqlError::malformed(format!("the emulator does not evaluate {}() in an aggregate query", name.dotted()))
}

fn checked(resolver: &Resolver<'_>, name: &Path, measure: Measure) -> Result<FieldPath, SoqlError> {
    let path = resolver.field(name)?;
    let field = path.field(resolver.schema);
    let number = path.kind.is_number() || !matches!(measure, Measure::Sum | Measure::Average);
    if !number || field.is_some_and(|field| !field.aggregatable) {
        let reason = format!(
            "field {} does not support aggregate operator {}",
            path.names.last().map_or("", String::as_str),
            operator(measure)
        );
        return Err(resolver.error("MALFORMED_QUERY", name, &reason));
    }
    Ok(path)
}

fn operator(measure: Measure) -> &'static str {
    match measure {
        Measure::Group => "GROUP",
        Measure::Count => "COUNT",
        Measure::CountDistinct => "COUNT_DISTINCT",
        Measure::Min => "MIN",
        Measure::Max => "MAX",
        Measure::Sum => "SUM",
        Measure::Average => "AVG",
    }
}

/// What has been seen of one column in one group.
#[derive(Default)]
struct Seen {
    count: u64,
    sum: Option<Decimal>,
    least: Option<(Key, Vec<u8>)>,
    greatest: Option<(Key, Vec<u8>)>,
    distinct: HashSet<Vec<u8>>,
}

/// Computes the columns over the rows.
pub fn evaluate(tables: &Tables, columns: &[Measured], rows: impl Iterator<Item = u64>) -> Groups {
    let mut groups: BTreeMap<Vec<Vec<u8>>, Vec<Seen>> = BTreeMap::new();
    let fresh = || columns.iter().map(|_| Seen::default()).collect::<Vec<_>>();
    if columns.iter().all(|column| column.measure != Measure::Group) {
        groups.insert(Vec::new(), fresh());
    }
    for row in rows {
        let texts: Vec<Vec<u8>> = columns.iter().map(|column| text(tables, column, row)).collect();
        let group = columns
            .iter()
            .zip(&texts)
            .filter(|(column, _)| column.measure == Measure::Group)
            .map(|(_, text)| text.clone());
        for ((column, text), seen) in
            columns.iter().zip(texts.iter()).zip(groups.entry(group.collect()).or_insert_with(fresh))
        {
            see(tables, column, text, seen);
        }
    }
    groups.into_iter().map(|(group, seen)| result(columns, group, seen)).collect()
}

fn text(tables: &Tables, column: &Measured, row: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(path) = &column.path {
        path.text(tables, row, &mut out);
    }
    out
}

fn see(tables: &Tables, column: &Measured, text: &[u8], seen: &mut Seen) {
    let Some(path) = column.path.as_ref().filter(|_| !text.is_empty()) else { return };
    seen.count += 1;
    match column.measure {
        Measure::CountDistinct => _ = seen.distinct.insert(text.to_vec()),
        Measure::Sum | Measure::Average => {
            let value = std::str::from_utf8(text).ok().and_then(Decimal::parse).unwrap_or(Decimal::whole(0));
            seen.sum = Some(seen.sum.map_or(value, |sum| sum.add(value).unwrap_or(sum)));
        }
        Measure::Min | Measure::Max => {
            let picks: Vec<String> = path
                .field(&tables.schema)
                .map(|field| field.picklist.iter().map(|pick| pick.value.clone()).collect())
                .unwrap_or_default();
            let key = key(path.kind, &picks, text);
            if seen.least.as_ref().is_none_or(|(least, _)| key < *least) {
                seen.least = Some((key.clone(), text.to_vec()));
            }
            if seen.greatest.as_ref().is_none_or(|(greatest, _)| key > *greatest) {
                seen.greatest = Some((key, text.to_vec()));
            }
        }
        Measure::Group | Measure::Count => {}
    }
}

fn result(columns: &[Measured], group: Vec<Vec<u8>>, seen: Vec<Seen>) -> Vec<Value> {
    let mut group = group.into_iter();
    let value = |column: &Measured, text: Option<Vec<u8>>| {
        let kind = column.path.as_ref().map_or(FieldType::String, |path| path.kind);
        scalar(kind, &text.unwrap_or_default())
    };
    let each = columns.iter().zip(seen).map(|(column, seen)| match column.measure {
        Measure::Group => value(column, group.next()),
        Measure::Count => Value::from(seen.count),
        Measure::CountDistinct => Value::from(seen.distinct.len()),
        Measure::Min => value(column, seen.least.map(|(_, text)| text)),
        Measure::Max => value(column, seen.greatest.map(|(_, text)| text)),
        Measure::Sum => seen.sum.map_or(Value::Null, |sum| Value::from(sum.to_f64())),
        Measure::Average => seen.sum.map_or(Value::Null, |sum| Value::from(sum.to_f64() / seen.count as f64)),
    });
    each.collect()
}
