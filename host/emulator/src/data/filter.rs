//! Conditions, checked against field types once and then tested row by row.

use chrono::NaiveDateTime;
use std::cmp::Ordering;
use std::collections::HashSet;

use crate::soql::SoqlError;
use crate::soql::ast::{Comparison, Condition, Expression, Literal, Path, Statement};

use super::compare::{Operand, fold, like};
use super::ids::{self, Id};
use super::moments;
use super::number::Decimal;
use super::resolve::{FieldPath, Resolver, place};
use super::schema::{FieldDef, FieldType};
use super::tables::Tables;
use super::value;

/// A condition ready to be tested.
#[derive(Debug, Clone)]
pub enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// One field against operands; true when any of them holds, or with `negated` when none does.
    Field {
        path: Box<FieldPath>,
        negated: bool,
        operands: Vec<Operand>,
    },
    /// A field that holds an id against the ids of a sub-select.
    Ids {
        path: Box<FieldPath>,
        negated: bool,
        ids: HashSet<Id>,
    },
}

impl Test {
    /// The only rows that can pass, in order, when the condition names them by id; `None` when any row can.
    pub fn named_rows(&self, tables: &Tables, object: usize) -> Option<Vec<u64>> {
        let rows_of = |ids: &mut dyn Iterator<Item = Id>| {
            let mut rows: Vec<u64> =
                ids.filter_map(|id| tables.find(&id)).filter(|at| at.0 == object).map(|at| at.1).collect();
            rows.sort_unstable();
            rows.dedup();
            rows
        };
        let is_id = |path: &FieldPath| path.local().is_some() && path.kind == FieldType::Id;
        match self {
            Test::All(parts) => parts.iter().find_map(|part| part.named_rows(tables, object)),
            Test::Field { path, negated: false, operands } if is_id(path) => {
                let ids: Option<Vec<Id>> = operands.iter().map(Operand::exact_id).collect();
                Some(rows_of(&mut ids?.into_iter()))
            }
            Test::Ids { path, negated: false, ids } if is_id(path) => Some(rows_of(&mut ids.iter().copied())),
            _ => None,
        }
    }

    /// Whether the row passes. `scratch` is only there to be used again.
    pub fn holds(&self, tables: &Tables, row: u64, scratch: &mut Vec<u8>) -> bool {
        match self {
            Test::All(parts) => parts.iter().all(|part| part.holds(tables, row, scratch)),
            Test::Any(parts) => parts.iter().any(|part| part.holds(tables, row, scratch)),
            Test::Not(inner) => !inner.holds(tables, row, scratch),
            Test::Field { path, negated, operands } => {
                scratch.clear();
                path.text(tables, row, scratch);
                operands.iter().any(|operand| operand.holds(scratch)) != *negated
            }
            Test::Ids { path, negated, ids } => {
                scratch.clear();
                path.text(tables, row, scratch);
                ids::normalise(scratch).is_some_and(|id| ids.contains(&id)) != *negated
            }
        }
    }
}

/// Makes tests of conditions.
pub struct Checker<'a> {
    /// Names to fields.
    pub resolver: Resolver<'a>,
    /// What "now" is for date literals.
    pub now: NaiveDateTime,
    /// Evaluates a semi-join's sub-select to the ids it gives.
    pub inner: &'a dyn Fn(&Statement) -> Result<HashSet<Id>, SoqlError>,
}

impl Checker<'_> {
    /// A test of the condition.
    ///
    /// # Errors
    /// When a field is unknown, cannot be filtered, or a value does not go with it.
    pub fn test(&self, condition: &Condition) -> Result<Test, SoqlError> {
        let all = |parts: &[Condition]| parts.iter().map(|part| self.test(part)).collect::<Result<Vec<_>, _>>();
        match condition {
            Condition::And(parts) => Ok(Test::All(all(parts)?)),
            Condition::Or(parts) => Ok(Test::Any(all(parts)?)),
            Condition::Not(inner) => Ok(Test::Not(Box::new(self.test(inner)?))),
            Condition::Compare(left, operator, right) => self.compare(left, *operator, right),
            Condition::In(left, positive, values) => {
                let (name, path) = self.filterable(left)?;
                let operands = values
                    .iter()
                    .map(|value| self.operand(name, &path, Comparison::Equal, value))
                    .collect::<Result<_, _>>()?;
                Ok(Test::Field { path: Box::new(path), negated: !positive, operands })
            }
            Condition::InSelect(left, positive, inner) => {
                let (name, path) = self.filterable(left)?;
                if !path.kind.is_id() {
                    return Err(self.error(
                        name,
                        "INVALID_QUERY_FILTER_OPERATOR",
                        "semi join sub-selects can only be used with ID fields",
                    ));
                }
                Ok(Test::Ids { path: Box::new(path), negated: !positive, ids: (self.inner)(inner)? })
            }
            Condition::Includes(left, positive, values) => self.includes(left, *positive, values),
        }
    }

    fn error(&self, name: &Path, code: &'static str, reason: &str) -> SoqlError {
        self.resolver.error(code, name, reason)
    }

    fn filterable<'e>(&self, expression: &'e Expression) -> Result<(&'e Path, FieldPath), SoqlError> {
        let name = place(expression);
        let path = self.resolver.expression(expression)?;
        if path.field(self.resolver.schema).is_some_and(|field| !field.filterable) || path.kind.is_compound() {
            let field = path.names.last().map_or("", String::as_str);
            return Err(self.error(
                name,
                "INVALID_FIELD",
                &format!("field '{field}' can not be filtered in a query call"),
            ));
        }
        Ok((name, path))
    }

    fn compare(&self, left: &Expression, operator: Comparison, right: &Literal) -> Result<Test, SoqlError> {
        let (name, path) = self.filterable(left)?;
        let (negated, operator) = match operator {
            Comparison::NotEqual => (true, Comparison::Equal),
            other => (false, other),
        };
        let operands = vec![self.operand(name, &path, operator, right)?];
        Ok(Test::Field { path: Box::new(path), negated, operands })
    }

    fn includes(&self, left: &Expression, positive: bool, values: &[Literal]) -> Result<Test, SoqlError> {
        let (name, path) = self.filterable(left)?;
        if path.kind != FieldType::MultiPicklist {
            let operator = if positive { "includes" } else { "excludes" };
            let reason = format!("'{operator}' operator is not valid on field '{}'", path.dotted());
            return Err(self.error(name, "INVALID_QUERY_FILTER_OPERATOR", &reason));
        }
        let sets = values.iter().map(|value| match value {
            Literal::Text(text) => Ok(Operand::Includes(text.split(';').map(fold).collect())),
            Literal::Null => Ok(Operand::Null),
            _ => Err(self.wrong_type(name, &path, "string", true)),
        });
        let operands = sets.collect::<Result<_, _>>()?;
        Ok(Test::Field { path: Box::new(path), negated: !positive, operands })
    }

    fn wrong_type(&self, name: &Path, path: &FieldPath, kind: &str, quotes: bool) -> SoqlError {
        let quotes = if quotes { "should be enclosed in quotes" } else { "should not be enclosed in quotes" };
        let field = path.names.last().map_or("", String::as_str);
        self.error(
            name,
            "INVALID_FIELD",
            &format!("value of filter criterion for field '{field}' must be of type {kind} and {quotes}"),
        )
    }

    /// The right side of a comparison with a field.
    ///
    /// # Errors
    /// When the value does not go with the field's type.
    pub fn operand(
        &self,
        name: &Path,
        path: &FieldPath,
        operator: Comparison,
        literal: &Literal,
    ) -> Result<Operand, SoqlError> {
        let ordering = ordering_of(operator);
        if *literal == Literal::Null
            || matches!(literal, Literal::Text(text) | Literal::Pattern(text) if text.is_empty())
        {
            // A boolean is never null, and comparing with null finds what is false (SOQL reference, "null").
            return Ok(if path.kind == FieldType::Boolean {
                Operand::Exactly(b"false".to_vec())
            } else {
                Operand::Null
            });
        }
        match path.kind {
            FieldType::Boolean => match literal {
                Literal::Boolean(value) => Ok(Operand::Exactly(value.to_string().into_bytes())),
                _ => Err(self.wrong_type(name, path, "boolean", false)),
            },
            kind if kind.is_number() => self.number(name, path, ordering, literal),
            FieldType::Date | FieldType::DateTime => self.moment(name, path, ordering, literal),
            FieldType::Id | FieldType::Reference => self.id(name, path, operator, literal),
            FieldType::Time => {
                let held = if let Literal::Time(text) = literal { value::time(text) } else { None };
                match held {
                    Some(text) => Ok(Operand::Text { ordering, folded: fold(&text), exact: None }),
                    None => Err(self.wrong_type(name, path, "time", false)),
                }
            }
            _ => self.text(name, path, ordering, literal),
        }
    }

    fn number(
        &self,
        name: &Path,
        path: &FieldPath,
        ordering: &'static [Ordering],
        literal: &Literal,
    ) -> Result<Operand, SoqlError> {
        let text = match literal {
            Literal::Number(text) | Literal::Money(_, text) => Some(text),
            _ => None,
        };
        match text.and_then(|text| Decimal::parse(text)) {
            Some(value) => Ok(Operand::Number { ordering, value }),
            None => Err(self.wrong_type(name, path, if path.kind.is_decimal() { "double" } else { "int" }, false)),
        }
    }

    fn moment(
        &self,
        name: &Path,
        path: &FieldPath,
        ordering: &'static [Ordering],
        literal: &Literal,
    ) -> Result<Operand, SoqlError> {
        let day = path.kind == FieldType::Date;
        let fits = match literal {
            Literal::Relative(..) => true,
            Literal::Date(_) => day,
            Literal::DateTime(_) => !day,
            _ => false,
        };
        if !fits {
            return Err(self.wrong_type(name, path, if day { "date" } else { "dateTime" }, false));
        }
        let Some((from, until)) = moments::span(literal, self.now) else {
            return Err(self.error(name, "INVALID_FIELD", &format!("invalid date: {literal}")));
        };
        let show = |at: &NaiveDateTime| if day { at.date().to_string() } else { value::show_moment(at) };
        Ok(Operand::Span { ordering, from: show(&from).into_bytes(), until: show(&until).into_bytes() })
    }

    fn id(&self, name: &Path, path: &FieldPath, operator: Comparison, literal: &Literal) -> Result<Operand, SoqlError> {
        let Literal::Text(text) = literal else {
            if operator == Comparison::Like {
                return Err(self.error(name, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field"));
            }
            return Err(self.wrong_type(name, path, "string", true));
        };
        match ids::normalise(text.as_bytes()) {
            Some(id) => Ok(Operand::Id { ordering: ordering_of(operator), id }),
            None => Err(self.error(name, "INVALID_QUERY_FILTER_OPERATOR", &format!("invalid ID field: {text}"))),
        }
    }

    fn text(
        &self,
        name: &Path,
        path: &FieldPath,
        ordering: &'static [Ordering],
        literal: &Literal,
    ) -> Result<Operand, SoqlError> {
        let exact = |field: &FieldDef| field.case_sensitive;
        let sensitive = path.function.is_none() && path.field(self.resolver.schema).is_some_and(exact);
        match literal {
            Literal::Text(text) => {
                Ok(Operand::Text { ordering, folded: fold(text), exact: sensitive.then(|| text.clone()) })
            }
            Literal::Pattern(pattern) => Ok(Operand::Like(like(pattern))),
            _ => Err(self.wrong_type(name, path, "string", true)),
        }
    }
}

/// The outcomes of a comparison that make the operator true.
fn ordering_of(operator: Comparison) -> &'static [Ordering] {
    match operator {
        Comparison::Less => &[Ordering::Less],
        Comparison::LessOrEqual => &[Ordering::Less, Ordering::Equal],
        Comparison::Greater => &[Ordering::Greater],
        Comparison::GreaterOrEqual => &[Ordering::Greater, Ordering::Equal],
        Comparison::Equal | Comparison::NotEqual | Comparison::Like => &[Ordering::Equal],
    }
}
