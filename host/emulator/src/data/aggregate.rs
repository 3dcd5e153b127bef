//! COUNT, MIN, MAX, SUM and AVG over rows, as one group or one a value of GROUP BY, with HAVING and ORDER BY.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::soql::SoqlError;
use crate::soql::ast::{Comparison, Condition, Expression, Grouping, Item, Literal, Order, Path, Statement};

use super::compare::Operand;
use super::function::Function;
use super::json::scalar;
use super::measure::{Measure, Seen, is_aggregate, result_kind, takes};
use super::order::{Key, key};
use super::resolve::{FieldPath, Resolver, place};
use super::schema::FieldType;
use super::tables::Tables;

/// Fields of ROLLUP and CUBE (SOQL reference, "GROUP BY ROLLUP").
const ROLLUP_FIELDS: usize = 3;

/// One column of an aggregate result.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The key in the result: alias, field, or `expr0` and so on.
    pub name: String,
    measure: Measure,
    path: Option<FieldPath>,
    kind: FieldType,
}

/// Rows of an aggregate result, values in the order of the columns.
pub type Groups = Vec<Vec<Value>>;
type Cells = Vec<Vec<u8>>;

/// Makes the right side of a comparison, as WHERE does.
pub type MakeOperand<'a> = dyn Fn(&Path, &FieldPath, Comparison, &Literal) -> Result<Operand, SoqlError> + 'a;

/// A condition of HAVING; cells are named by their column.
#[derive(Debug, Clone)]
enum GroupTest {
    All(Vec<GroupTest>),
    Any(Vec<GroupTest>),
    Not(Box<GroupTest>),
    Cell { column: usize, negated: bool, operands: Vec<Operand> },
}

#[derive(Debug, Clone)]
struct GroupSort {
    column: usize,
    descending: bool,
    nulls_first: bool,
}

/// An aggregate statement ready to run.
#[derive(Debug, Clone)]
pub struct Aggregation {
    keys: Vec<FieldPath>,
    /// Which of the keys stand, once for each way to group; others are rolled up.
    sets: Vec<Vec<bool>>,
    /// The selected columns, then those that only HAVING and ORDER BY name.
    columns: Vec<Measured>,
    shown: usize,
    having: Option<GroupTest>,
    sorts: Vec<GroupSort>,
}

/// Whether an expression gives one value a group, not one a row.
pub fn groups(expression: &Expression) -> bool {
    match expression {
        Expression::Field(_) => false,
        Expression::Call { name, argument } => {
            let name = name.dotted();
            let inner = || argument.as_deref().is_some_and(groups);
            is_aggregate(&name) || name.eq_ignore_ascii_case("GROUPING") || Function::named(&name).is_some() || inner()
        }
    }
}

impl Aggregation {
    /// Checks a statement.
    ///
    /// # Errors
    /// When a field is unknown, not grouped, or of a type that the function does not take.
    pub fn new(
        resolver: &Resolver<'_>,
        statement: &Statement,
        operand: &MakeOperand<'_>,
    ) -> Result<Aggregation, SoqlError> {
        let keys = statement.group_by.iter().map(|by| grouped(resolver, by)).collect::<Result<Vec<_>, _>>()?;
        let sets = sets(statement.grouping, keys.len())?;
        let mut made = Aggregation { keys, sets, columns: Vec::new(), shown: 0, having: None, sorts: Vec::new() };
        let mut unnamed = 0;
        for item in &statement.items {
            let column = made.item(resolver, item, &mut unnamed)?;
            made.columns.push(column);
        }
        made.shown = made.columns.len();
        let mut names = HashSet::new();
        if let Some(twice) = made.columns.iter().find(|column| !names.insert(column.name.to_ascii_lowercase())) {
            return Err(SoqlError::malformed(format!("duplicate alias: {}", twice.name)));
        }
        made.having = statement.having.as_ref().map(|having| made.condition(resolver, having, operand)).transpose()?;
        made.sorts = statement.order_by.iter().map(|by| made.sort(resolver, by)).collect::<Result<_, _>>()?;
        Ok(made)
    }

    /// The selected columns.
    pub fn shown(&self) -> Vec<Measured> {
        self.columns[..self.shown].to_vec()
    }

    fn item(&self, resolver: &Resolver<'_>, item: &Item, unnamed: &mut usize) -> Result<Measured, SoqlError> {
        let Item::Expression(expression, alias) = item else {
            return Err(SoqlError::malformed("FIELDS(), TYPEOF and sub-selects do not go with aggregate functions"));
        };
        let mut column = self.measured(resolver, expression)?;
        let own = matches!(expression, Expression::Field(_)).then(|| column.name.clone());
        column.name = alias.clone().or(own).unwrap_or_else(|| {
            *unnamed += 1;
            format!("expr{}", *unnamed - 1)
        });
        Ok(column)
    }

    /// The column of an expression, named after its field.
    fn measured(&self, resolver: &Resolver<'_>, expression: &Expression) -> Result<Measured, SoqlError> {
        if let Expression::Call { name, argument } = expression {
            let (word, at) = (name.dotted().to_ascii_uppercase(), name);
            if let Some(measure) = Measure::named(&word) {
                return aggregate(resolver, at, measure, argument.as_deref());
            }
            let inner =
                argument.as_deref().ok_or_else(|| resolver.error("MALFORMED_QUERY", at, "unexpected token: )"))?;
            if word == "GROUPING" {
                let key = self.key(resolver, inner)?;
                return Ok(Measured { measure: Measure::Grouping(key.0), kind: FieldType::Int, ..key.1 });
            }
            if ["FORMAT", "TOLABEL", "CONVERTCURRENCY"].contains(&word.as_str()) {
                return self.measured(resolver, inner);
            }
        }
        self.key(resolver, expression).map(|(_, column)| column)
    }

    /// The grouped field that an expression names.
    fn key(&self, resolver: &Resolver<'_>, expression: &Expression) -> Result<(usize, Measured), SoqlError> {
        let found = resolver.expression(expression)?;
        let index = self.keys.iter().position(|key| key.same(&found)).ok_or_else(|| {
            let reason = format!("Field must be grouped or aggregated: {}", found.dotted());
            resolver.error("MALFORMED_QUERY", place(expression), &reason)
        })?;
        let name = found.names.last().cloned().unwrap_or_default();
        Ok((index, Measured { name, measure: Measure::Key(index), kind: found.kind, path: Some(found) }))
    }

    /// The number of the column that holds the expression; a new one at the end when there is none.
    fn column(&mut self, resolver: &Resolver<'_>, expression: &Expression) -> Result<usize, SoqlError> {
        if let Expression::Field(path) = expression
            && let [alias] = path.parts.as_slice()
            && let Some(found) = self.columns.iter().take(self.shown).position(|c| c.name.eq_ignore_ascii_case(alias))
        {
            return Ok(found);
        }
        let column = self.measured(resolver, expression)?;
        self.columns.push(column);
        Ok(self.columns.len() - 1)
    }

    fn condition(
        &mut self,
        resolver: &Resolver<'_>,
        condition: &Condition,
        operand: &MakeOperand<'_>,
    ) -> Result<GroupTest, SoqlError> {
        let mut all = |parts: &[Condition]| {
            parts.iter().map(|part| self.condition(resolver, part, operand)).collect::<Result<Vec<_>, _>>()
        };
        let (left, negated, operator, values) = match condition {
            Condition::And(parts) => return all(parts).map(GroupTest::All),
            Condition::Or(parts) => return all(parts).map(GroupTest::Any),
            Condition::Not(inner) => {
                return Ok(GroupTest::Not(Box::new(self.condition(resolver, inner, operand)?)));
            }
            Condition::Compare(left, Comparison::NotEqual, right) => {
                (left, true, Comparison::Equal, std::slice::from_ref(right))
            }
            Condition::Compare(left, operator, right) => (left, false, *operator, std::slice::from_ref(right)),
            Condition::In(left, positive, values) => (left, !positive, Comparison::Equal, values.as_slice()),
            Condition::InSelect(left, ..) | Condition::Includes(left, ..) => {
                let reason = "semi joins and multi-select picklists cannot be used in HAVING";
                return Err(resolver.error("MALFORMED_QUERY", place(left), reason));
            }
        };
        let column = self.column(resolver, left)?;
        let measured = &self.columns[column];
        let path = FieldPath {
            kind: measured.kind,
            ..measured.path.clone().unwrap_or_else(|| FieldPath::number(resolver.object))
        };
        let operands = values.iter().map(|value| operand(place(left), &path, operator, value));
        Ok(GroupTest::Cell { column, negated, operands: operands.collect::<Result<_, _>>()? })
    }

    fn sort(&mut self, resolver: &Resolver<'_>, order: &Order) -> Result<GroupSort, SoqlError> {
        let column = self.column(resolver, &order.by)?;
        Ok(GroupSort { column, descending: order.descending, nulls_first: order.nulls_first.unwrap_or(true) })
    }

    /// Computes the columns over the rows.
    pub fn evaluate(&self, tables: &Tables, rows: impl Iterator<Item = u64>) -> Groups {
        let mut found: BTreeMap<Vec<Option<Vec<u8>>>, Vec<Seen>> = BTreeMap::new();
        let fresh = || self.columns.iter().map(|_| Seen::default()).collect::<Vec<_>>();
        if self.keys.is_empty() {
            found.insert(Vec::new(), fresh());
        }
        for row in rows {
            let keys: Vec<Vec<u8>> = self.keys.iter().map(|key| text(tables, Some(key), row)).collect();
            let texts: Vec<Vec<u8>> =
                self.columns.iter().map(|column| text(tables, column.path.as_ref(), row)).collect();
            for set in &self.sets {
                let group = keys.iter().zip(set).map(|(key, stands)| stands.then(|| key.clone())).collect();
                let seen = found.entry(group).or_insert_with(fresh);
                for ((column, text), seen) in self.columns.iter().zip(&texts).zip(seen) {
                    seen.see(tables, column.measure, column.path.as_ref(), text);
                }
            }
        }
        let mut cells: Vec<Cells> = found.into_iter().map(|(group, seen)| self.cells(&group, seen)).collect();
        cells.retain(|cells| self.having.as_ref().is_none_or(|having| having.holds(cells)));
        self.order(tables, &mut cells);
        cells.into_iter().map(|cells| self.values(cells)).collect()
    }

    fn cells(&self, group: &[Option<Vec<u8>>], seen: Vec<Seen>) -> Cells {
        let each = self.columns.iter().zip(seen).map(|(column, seen)| match column.measure {
            Measure::Key(key) => group.get(key).cloned().flatten().unwrap_or_default(),
            Measure::Grouping(key) => {
                let rolled_up = group.get(key).is_some_and(Option::is_none);
                u8::from(rolled_up).to_string().into_bytes()
            }
            measure => seen.result(measure),
        });
        each.collect()
    }

    fn order(&self, tables: &Tables, cells: &mut [Cells]) {
        if self.sorts.is_empty() {
            return;
        }
        let key_of = |cells: &Cells, sort: &GroupSort| {
            let column = &self.columns[sort.column];
            let picks = column.path.as_ref().map(|path| path.picks(&tables.schema)).unwrap_or_default();
            key(column.kind, &picks, &cells[sort.column])
        };
        cells.sort_by(|left, right| {
            let each = self.sorts.iter().map(|sort| {
                let nulls = if sort.nulls_first { Ordering::Less } else { Ordering::Greater };
                match (key_of(left, sort), key_of(right, sort)) {
                    (Key::Null, Key::Null) => Ordering::Equal,
                    (Key::Null, _) => nulls,
                    (_, Key::Null) => nulls.reverse(),
                    (left, right) if sort.descending => right.cmp(&left),
                    (left, right) => left.cmp(&right),
                }
            });
            each.fold(Ordering::Equal, Ordering::then)
        });
    }

    fn values(&self, cells: Cells) -> Vec<Value> {
        let shown = self.columns.iter().zip(cells).take(self.shown);
        shown.map(|(column, text)| scalar(column.kind, &text)).collect()
    }
}

impl GroupTest {
    fn holds(&self, cells: &Cells) -> bool {
        match self {
            GroupTest::All(parts) => parts.iter().all(|part| part.holds(cells)),
            GroupTest::Any(parts) => parts.iter().any(|part| part.holds(cells)),
            GroupTest::Not(inner) => !inner.holds(cells),
            GroupTest::Cell { column, negated, operands } => {
                operands.iter().any(|operand| operand.holds(&cells[*column])) != *negated
            }
        }
    }
}

fn text(tables: &Tables, path: Option<&FieldPath>, row: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(path) = path {
        path.text(tables, row, &mut out);
    }
    out
}

fn grouped(resolver: &Resolver<'_>, by: &Expression) -> Result<FieldPath, SoqlError> {
    let found = resolver.expression(by)?;
    let groupable = found.function.is_some() || found.field(resolver.schema).is_none_or(|field| field.groupable);
    if groupable && !found.kind.is_compound() {
        return Ok(found);
    }
    let name = found.names.last().map_or("", String::as_str);
    let reason = format!("field '{name}' can not be grouped in a query call");
    Err(resolver.error("MALFORMED_QUERY", place(by), &reason))
}

/// Every subset of the keys by which rows are grouped.
fn sets(grouping: Grouping, keys: usize) -> Result<Vec<Vec<bool>>, SoqlError> {
    if grouping != Grouping::Plain && keys > ROLLUP_FIELDS {
        return Err(SoqlError::malformed(format!("at most {ROLLUP_FIELDS} fields can be rolled up")));
    }
    Ok(match grouping {
        Grouping::Plain => vec![vec![true; keys]],
        Grouping::Rollup => (0..=keys).map(|stand| (0..keys).map(|key| key < stand).collect()).collect(),
        Grouping::Cube => {
            (0..1_usize << keys).map(|set| (0..keys).map(|key| set & (1 << key) != 0).collect()).collect()
        }
    })
}

fn aggregate(
    resolver: &Resolver<'_>,
    at: &Path,
    measure: Measure,
    argument: Option<&Expression>,
) -> Result<Measured, SoqlError> {
    let argument = argument.ok_or_else(|| resolver.error("MALFORMED_QUERY", at, "unexpected token: )"))?;
    let path = resolver.expression(argument)?;
    let field = path.field(resolver.schema);
    if !takes(measure, path.kind) || field.is_some_and(|field| !field.aggregatable) {
        let name = path.names.last().map_or("", String::as_str);
        let reason = format!("field {name} does not support aggregate operator {}", at.dotted().to_ascii_uppercase());
        return Err(resolver.error("MALFORMED_QUERY", place(argument), &reason));
    }
    let name = path.names.last().cloned().unwrap_or_default();
    Ok(Measured { name, measure, kind: result_kind(measure, path.kind), path: Some(path) })
}
