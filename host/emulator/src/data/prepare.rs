//! From a statement to the rows and columns of its result.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::soql::SoqlError;
use crate::soql::ast::{Comparison, Condition, Expression, FieldGroup, Item, Literal, Path, Statement};

use super::aggregate::{self, Aggregation};
use super::children::{self, Children};
use super::filter::{Checker, Test};
use super::ids::{self, Id};
use super::json::Shape;
use super::order;
use super::refuse;
use super::resolve::{self, FieldPath, Resolver};
use super::schema::FieldType;
use super::semi_join;
use super::tables::{Table, Tables};
use super::type_of::Choice;
use super::{QueryMode, Rows};

/// Most groups that one answer holds; there is no cursor for more.
const GROUPS_LIMIT: usize = 2_000;

/// An evaluated statement.
#[derive(Debug)]
pub struct Plan {
    pub tables: Arc<Tables>,
    pub object: usize,
    pub output: Output,
    /// Whether the statement groups rows.
    pub grouped: bool,
}

/// What a statement gives.
#[derive(Debug)]
pub enum Output {
    /// `SELECT COUNT()`.
    Count(u64),
    /// Aggregate functions.
    Groups { columns: Vec<aggregate::Measured>, groups: aggregate::Groups },
    /// Records.
    Records { columns: Vec<FieldPath>, shape: Shape, rows: Rows, children: Vec<Children> },
}

/// What the evaluation of a statement needs beside it.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub tables: &'a Arc<Tables>,
    pub mode: QueryMode,
    pub now: NaiveDateTime,
}

/// Checks and evaluates a statement whose text is `text`.
///
/// # Errors
/// The refusal as it goes on the wire.
pub fn plan(setting: Setting<'_>, statement: &Statement, text: &str) -> Result<Plan, SoqlError> {
    let schema = &setting.tables.schema;
    let object = resolve::object(schema, text, &statement.from)?;
    refuse::unsupported(setting.mode, &schema.objects[object], statement)?;
    semi_join::check(statement)?;
    let resolver =
        Resolver { schema, statement: text, object, alias: statement.alias.as_deref(), joins: &statement.joins };
    let grouped = !statement.group_by.is_empty();
    let output = if is_count(statement) {
        if !statement.order_by.is_empty() {
            return Err(SoqlError::malformed("COUNT() cannot be used with ORDER BY"));
        }
        Output::Count(rows(setting, &resolver, statement)?.len())
    } else if grouped || has_aggregate(statement) {
        groups(setting, &resolver, statement)?
    } else {
        let columns = columns(setting.mode, &resolver, statement)?;
        let rows = rows(setting, &resolver, statement)?;
        let children = children::evaluate(setting, &resolver, statement)?;
        let choices = choices(&resolver, statement)?;
        Output::Records { shape: Shape::with_choices(&columns, &choices), columns, rows, children }
    };
    Ok(Plan { tables: setting.tables.clone(), object, output, grouped })
}

fn is_count(statement: &Statement) -> bool {
    matches!(statement.items.as_slice(), [Item::Expression(Expression::Call { name, argument: None }, None)] if name.dotted().eq_ignore_ascii_case("COUNT"))
}

/// Whether a statement gives groups, not records.
pub fn is_grouped(statement: &Statement) -> bool {
    !statement.group_by.is_empty() || is_count(statement) || has_aggregate(statement)
}

fn has_aggregate(statement: &Statement) -> bool {
    let grouping = |item: &Item| matches!(item, Item::Expression(expression, _) if aggregate::groups(expression));
    statement.having.is_some() || statement.items.iter().any(grouping)
}

fn groups(setting: Setting<'_>, resolver: &Resolver<'_>, statement: &Statement) -> Result<Output, SoqlError> {
    if statement.group_by.is_empty() && statement.limit.is_some() {
        return Err(SoqlError::malformed(
            "Non-grouped query that uses overall aggregate functions cannot also use LIMIT",
        ));
    }
    let none = |_: &Statement| Ok(HashSet::new());
    let checker = Checker { resolver: *resolver, now: setting.now, inner: &none };
    let operand = |name: &Path, path: &FieldPath, operator: Comparison, literal: &Literal| {
        checker.operand(name, path, operator, literal)
    };
    let aggregation = Aggregation::new(resolver, statement, &operand)?;
    let all = Statement { limit: None, offset: None, order_by: Vec::new(), ..statement.clone() };
    let rows = rows(setting, resolver, &all)?;
    let mut groups = aggregation.evaluate(setting.tables, rows.iter());
    groups.drain(..usize::try_from(statement.offset.unwrap_or(0)).unwrap_or(usize::MAX).min(groups.len()));
    groups.truncate(usize::try_from(statement.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX));
    if groups.len() > GROUPS_LIMIT {
        return Err(SoqlError::malformed(
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
        ));
    }
    Ok(Output::Groups { columns: aggregation.shown(), groups })
}

/// The selected fields.
pub fn columns(mode: QueryMode, resolver: &Resolver<'_>, statement: &Statement) -> Result<Vec<FieldPath>, SoqlError> {
    let mut found: Vec<FieldPath> = Vec::new();
    for item in &statement.items {
        match item {
            Item::Expression(expression, alias) => found.push(column(resolver, expression, alias.as_deref())?),
            Item::Fields(group) => found.extend(group_fields(resolver, statement, *group)?),
            // Children are not columns; they are evaluated apart.
            Item::Children(_) => {}
            // What is selected there depends on the record, so it is no column.
            Item::TypeOf(_) => {}
        }
    }
    let mut names = HashSet::new();
    if let Some(twice) = found.iter().find(|column| !names.insert(column.dotted())) {
        return Err(SoqlError::new("INVALID_FIELD", format!("duplicate field selected: {}", twice.dotted())));
    }
    refuse::unsupported_types(mode, &found)?;
    Ok(found)
}

fn column(resolver: &Resolver<'_>, expression: &Expression, alias: Option<&str>) -> Result<FieldPath, SoqlError> {
    let mut found = resolver.expression(expression)?;
    match (expression, alias) {
        (Expression::Field(path), Some(_)) => {
            return Err(resolver.error("MALFORMED_QUERY", path, "only aggregate expressions use field aliasing"));
        }
        (Expression::Call { .. }, Some(alias)) => {
            if let Some(last) = found.names.last_mut() {
                *last = alias.to_owned();
            }
        }
        _ => {}
    }
    Ok(found)
}

/// Each TYPEOF, with the number of columns before it.
pub fn choices(resolver: &Resolver<'_>, statement: &Statement) -> Result<Vec<(usize, Choice)>, SoqlError> {
    let mut found = Vec::new();
    let mut before = 0;
    for item in &statement.items {
        match item {
            Item::Expression(..) => before += 1,
            Item::Fields(group) => before += group_fields(resolver, statement, *group)?.len(),
            Item::TypeOf(asked) => found.push((before, Choice::new(resolver, asked)?)),
            Item::Children(_) => {}
        }
    }
    Ok(found)
}

fn group_fields(
    resolver: &Resolver<'_>,
    statement: &Statement,
    group: FieldGroup,
) -> Result<Vec<FieldPath>, SoqlError> {
    /// Most records that FIELDS(ALL) and FIELDS(CUSTOM) give (SOQL reference, "FIELDS()").
    const FIELDS_LIMIT: u64 = 200;
    let few = statement.limit.is_some_and(|limit| limit <= FIELDS_LIMIT)
        || statement.filter.as_ref().and_then(named_ids).is_some_and(|ids| ids <= FIELDS_LIMIT);
    if group != FieldGroup::Standard && !few {
        return Err(SoqlError::malformed(format!(
            "The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
        )));
    }
    let fields = resolver.schema.objects[resolver.object].visible_fields().filter(|field| match group {
        FieldGroup::All => true,
        FieldGroup::Standard => !field.custom(),
        FieldGroup::Custom => field.custom(),
    });
    let found = fields
        .map(|field| resolver.field(&Path { parts: vec![field.name.clone()], at: 0 }))
        .collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(SoqlError::malformed(
            "'FIELDS(...)' expansion function must result in at least one field being selected.",
        ));
    }
    Ok(found)
}

/// How many ids a condition names, when only records with one of them can pass.
fn named_ids(condition: &Condition) -> Option<u64> {
    let is_id = |left: &Expression| matches!(left, Expression::Field(path) if path.parts.last().is_some_and(|name| name.eq_ignore_ascii_case("Id")) && path.parts.len() < 3);
    match condition {
        Condition::Compare(left, Comparison::Equal, Literal::Text(_)) if is_id(left) => Some(1),
        Condition::In(left, true, values) if is_id(left) => Some(values.len() as u64),
        Condition::And(parts) => parts.iter().filter_map(named_ids).min(),
        Condition::Or(parts) => parts.iter().map(named_ids).sum(),
        _ => None,
    }
}

/// The rows that a statement gives, in its order.
pub fn rows(setting: Setting<'_>, resolver: &Resolver<'_>, statement: &Statement) -> Result<Rows, SoqlError> {
    let inner = |inner: &Statement| semi_join(setting, inner, resolver.statement);
    let checker = Checker { resolver: *resolver, now: setting.now, inner: &inner };
    let test = statement.filter.as_ref().map(|filter| checker.test(filter)).transpose()?;
    let sorts = order::sorts(resolver, &statement.order_by)?;
    let table = &setting.tables.tables[resolver.object];
    let hidden = hidden_field(setting, resolver, statement, table);
    let skip = statement.offset.unwrap_or(0);
    let most = statement.limit.unwrap_or(u64::MAX);
    if test.is_none() && sorts.is_empty() && hidden.is_none() {
        let start = skip.min(table.rows());
        return Ok(Rows::Range(start..start.saturating_add(most).min(table.rows())));
    }
    // Without an order, the first rows found are as good as any others.
    let enough = if sorts.is_empty() { skip.saturating_add(most) } else { u64::MAX };
    let found = scan(setting.tables, resolver.object, test.as_ref(), hidden, enough);
    let mut found = if sorts.is_empty() { found } else { order::sort_rows(setting.tables, &sorts, found) };
    found.drain(..usize::try_from(skip).unwrap_or(usize::MAX).min(found.len()));
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(Rows::List(found))
}

/// The field that says which rows are in the recycle bin, when there are some and the statement does not see them.
fn hidden_field(setting: Setting<'_>, resolver: &Resolver<'_>, statement: &Statement, table: &Table) -> Option<usize> {
    let sees = statement.all_rows || setting.mode.sees_deleted();
    let some = matches!(table, Table::Stored(stored) if stored.deleted > 0);
    if some && !sees { resolver.schema.objects[resolver.object].field("IsDeleted") } else { None }
}

fn scan(tables: &Tables, object: usize, test: Option<&Test>, hidden: Option<usize>, enough: u64) -> Vec<u64> {
    let mut scratch = Vec::new();
    let mut found = Vec::new();
    let named = test.and_then(|test| test.named_rows(tables, object));
    let candidates = match named {
        Some(named) => Rows::List(named),
        None => Rows::Range(0..tables.tables[object].rows()),
    };
    for row in candidates.iter() {
        if found.len() as u64 >= enough {
            break;
        }
        let deleted = hidden.is_some_and(|field| {
            scratch.clear();
            tables.cell(object, row, field, &mut scratch);
            scratch == b"true"
        });
        if !deleted && test.is_none_or(|test| test.holds(tables, row, &mut scratch)) {
            found.push(row);
        }
    }
    found
}

/// The ids that a sub-select after IN gives.
fn semi_join(setting: Setting<'_>, inner: &Statement, text: &str) -> Result<HashSet<Id>, SoqlError> {
    let plan = plan(setting, inner, text)?;
    let Output::Records { columns, rows, .. } = &plan.output else {
        return Err(SoqlError::malformed("semi join sub-selects select one field"));
    };
    let [column] = columns.as_slice() else {
        return Err(SoqlError::malformed("semi join sub-selects select one field"));
    };
    if !matches!(column.kind, FieldType::Id | FieldType::Reference) {
        return Err(SoqlError::malformed("semi join sub-selects select an id or a reference"));
    }
    let mut scratch = Vec::new();
    let ids = rows.iter().filter_map(|row| {
        scratch.clear();
        column.text(setting.tables, row, &mut scratch);
        ids::normalise(&scratch)
    });
    Ok(ids.collect())
}
