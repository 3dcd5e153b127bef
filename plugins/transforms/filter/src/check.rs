//! Finds the columns and settles the types, so that nothing can go wrong once rows come.

use crate::evaluate::{Predicate, Test};
use crate::exact::Bound;
use crate::pattern::Pattern;
use crate::syntax::{Expression, Fault, Literal, Located, Name, Op, Operand};
use forcepump_plugin_sdk::calendar::parse_datetime;
use forcepump_plugin_sdk::{DataType, Field, Schema, TimeUnit};
use std::collections::BTreeSet;

/// Microseconds in a day.
const DAY_MICROS: i128 = 86_400_000_000;
/// Digits behind the point of seconds when they are counted in microseconds.
const MICRO_SCALE: i32 = 6;

/// The expression over the columns of `input`.
pub(crate) fn settle(expression: &Expression, input: &Schema) -> Result<Predicate, Fault> {
    Checker { input }.predicate(expression)
}

/// Digits behind the point of the integers that a column of that type holds.
pub(crate) fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(shape) => shape.scale,
        DataType::Timestamp(shape) => unit_scale(shape.unit),
        DataType::Time64(unit) => unit_scale(*unit),
        _ => 0,
    }
}

fn unit_scale(unit: TimeUnit) -> i8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// What can be compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Text,
    Boolean,
    Number,
    Float,
    Date,
    Timestamp,
    Time,
    Other,
}

fn class(data_type: &DataType) -> Class {
    match data_type {
        DataType::Utf8 => Class::Text,
        DataType::Boolean => Class::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Class::Number,
        DataType::Uint8 | DataType::Uint16 | DataType::Uint32 | DataType::Uint64 => Class::Number,
        DataType::Decimal128(_) => Class::Number,
        DataType::Float32 | DataType::Float64 => Class::Float,
        DataType::Date32 => Class::Date,
        DataType::Timestamp(_) => Class::Timestamp,
        DataType::Time64(_) => Class::Time,
        DataType::Null | DataType::Binary | DataType::Opaque(_) => Class::Other,
    }
}

struct Checker<'a> {
    input: &'a Schema,
}

impl<'a> Checker<'a> {
    fn predicate(&self, expression: &Expression) -> Result<Predicate, Fault> {
        match expression {
            Expression::Any(parts) => Ok(Predicate::Any(self.all(parts)?)),
            Expression::All(parts) => Ok(Predicate::All(self.all(parts)?)),
            Expression::Not(part) => Ok(Predicate::Not(Box::new(self.predicate(part)?))),
            Expression::Truth(name) => self.truth(name),
            Expression::Compare { left, op, right } => self.compare(left, *op, right),
            Expression::In { left, list } => self.list(left, list),
            Expression::Between { left, low, high } => Ok(Predicate::All(vec![
                self.literal(left, Op::GreaterOrEqual, low)?,
                self.literal(left, Op::LessOrEqual, high)?,
            ])),
            Expression::Like { left, pattern, ignore_case } => {
                let (column, field) = self.column(left)?;
                if class(&field.data_type) != Class::Text {
                    return Err(mismatch(left.at, field, "matched with a pattern"));
                }
                Ok(Predicate::Test { column, test: Test::Like(Pattern::new(pattern, *ignore_case)) })
            }
            Expression::IsNull(name) => {
                let (column, field) = self.column(name)?;
                match &field.data_type {
                    DataType::Opaque(_) => Err(mismatch(name.at, field, "read")),
                    _ => Ok(Predicate::Null(column)),
                }
            }
        }
    }

    fn all(&self, parts: &[Expression]) -> Result<Vec<Predicate>, Fault> {
        parts.iter().map(|part| self.predicate(part)).collect()
    }

    fn column(&self, name: &Name) -> Result<(u32, &'a Field), Fault> {
        let unknown = || Fault::new(name.at, self.input.unknown(&name.of));
        let column = self.input.find(&name.of).ok_or_else(unknown)?;
        let field = self.input.fields.get(column as usize).ok_or_else(unknown)?;
        Ok((column, field))
    }

    fn truth(&self, name: &Name) -> Result<Predicate, Fault> {
        let (column, field) = self.column(name)?;
        if class(&field.data_type) == Class::Boolean {
            return Ok(Predicate::Test { column, test: Test::True });
        }
        Err(Fault::new(
            name.at,
            format!(
                "column \"{}\" is {}, not true or false; compare it with something, such as {} = …",
                field.name,
                field.data_type.describe(),
                field.name
            ),
        ))
    }

    fn compare(&self, left: &Operand, op: Op, right: &Operand) -> Result<Predicate, Fault> {
        match (left, right) {
            (Operand::Column(left), Operand::Column(right)) => self.columns(left, op, right),
            (Operand::Column(name), Operand::Literal(literal)) => self.literal(name, op, literal),
            (Operand::Literal(literal), Operand::Column(name)) => self.literal(name, op.flipped(), literal),
            (Operand::Literal(literal), Operand::Literal(_)) => {
                Err(Fault::new(literal.at, "this compares two fixed values; one side has to be a column"))
            }
        }
    }

    fn columns(&self, left: &Name, op: Op, right: &Name) -> Result<Predicate, Fault> {
        let ((left_column, left_field), (right_column, right_field)) = (self.column(left)?, self.column(right)?);
        let classes = (class(&left_field.data_type), class(&right_field.data_type));
        let fit = match classes {
            (Class::Other, _) => false,
            (Class::Number | Class::Float, Class::Number | Class::Float) => true,
            (left, right) => left == right,
        };
        if !fit {
            let other =
                format!("compared with \"{}\", which is {}", right_field.name, right_field.data_type.describe());
            return Err(mismatch(left.at, left_field, &other));
        }
        Ok(Predicate::Columns { left: left_column, op, right: right_column })
    }

    fn literal(&self, name: &Name, op: Op, literal: &Located<Literal>) -> Result<Predicate, Fault> {
        let (column, field) = self.column(name)?;
        let test = match (class(&field.data_type), &literal.of) {
            (_, Literal::Null) => return Err(null_compared(literal.at, &field.name, op)),
            (Class::Text, Literal::Text(text)) => Test::Text(op, text.clone()),
            (Class::Boolean, Literal::Boolean(wanted)) => return boolean(column, op, *wanted, literal.at),
            (Class::Float, Literal::Number { digits, scale }) => Test::Float(op, float(*digits, *scale)),
            (class, value) => match bound(class, value, &field.data_type) {
                Some(bound) => Test::Exact(op, bound),
                None => return Err(wrong_literal(literal, field)),
            },
        };
        Ok(Predicate::Test { column, test })
    }

    fn list(&self, name: &Name, list: &[Located<Literal>]) -> Result<Predicate, Fault> {
        let (column, field) = self.column(name)?;
        let (mut texts, mut exacts, mut floats) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let kind = class(&field.data_type);
        for literal in list {
            match (kind, &literal.of) {
                (_, Literal::Null) => {
                    let message = format!("null in a list matches nothing; write: or {} is null", field.name);
                    return Err(Fault::new(literal.at, message));
                }
                (Class::Text, Literal::Text(text)) => {
                    texts.insert(text.clone());
                }
                (Class::Float, Literal::Number { digits, scale }) => floats.push(float(*digits, *scale)),
                (kind, value) => match bound(kind, value, &field.data_type) {
                    // A number that the column cannot hold matches nothing.
                    Some(bound) => exacts.extend(bound.value()),
                    None => return Err(wrong_literal(literal, field)),
                },
            }
        }
        let test = match kind {
            Class::Text => Test::TextIn(texts),
            Class::Float => Test::FloatIn(floats),
            _ => Test::ExactIn(exacts),
        };
        Ok(Predicate::Test { column, test })
    }
}

fn boolean(column: u32, op: Op, wanted: bool, at: usize) -> Result<Predicate, Fault> {
    let test = Predicate::Test { column, test: Test::True };
    match (op, wanted) {
        (Op::Equal, true) | (Op::Unequal, false) => Ok(test),
        (Op::Equal, false) | (Op::Unequal, true) => Ok(Predicate::Not(Box::new(test))),
        _ => Err(Fault::new(at, "true and false have no order; use = or !=")),
    }
}

/// The fixed value on the scale of the column; none when the two do not go together.
fn bound(class: Class, literal: &Literal, data_type: &DataType) -> Option<Bound> {
    let scale = i32::from(scale(data_type));
    Some(match (class, literal) {
        (Class::Number, Literal::Number { digits, scale: from }) => Bound::new(*digits, *from, scale),
        (Class::Date, Literal::Date(day)) => Bound::new(i128::from(*day), 0, 0),
        (Class::Timestamp, Literal::Instant(micros)) => Bound::new(i128::from(*micros), MICRO_SCALE, scale),
        // A day begins at midnight UTC.
        (Class::Timestamp, Literal::Date(day)) => Bound::new(i128::from(*day) * DAY_MICROS, MICRO_SCALE, scale),
        (Class::Time, Literal::Text(text)) => {
            Bound::new(i128::from(parse_datetime(&format!("1970-01-01T{text}Z"))?), MICRO_SCALE, scale)
        }
        _ => return None,
    })
}

fn float(digits: i128, scale: i32) -> f64 {
    // By way of the text, which rounds once, to the nearest.
    format!("{digits}e{}", -scale).parse().unwrap_or(f64::NAN)
}

fn mismatch(at: usize, field: &Field, what: &str) -> Fault {
    let kind = field.data_type.describe();
    Fault::new(at, format!("column \"{}\" is {kind} and cannot be {what}", field.name))
}

fn wrong_literal(literal: &Located<Literal>, field: &Field) -> Fault {
    let expected = match class(&field.data_type) {
        Class::Text => "write a text in quotes",
        Class::Boolean => "write true or false",
        Class::Number | Class::Float => "write a number",
        Class::Date => "write a date such as 2016-01-31",
        Class::Timestamp => "write a date-time such as 2016-01-31T12:00:00Z",
        Class::Time => "write a time such as \"12:00:00\"",
        Class::Other => "only \"is null\" can be asked of it",
    };
    let (kind, found) = (field.data_type.describe(), literal.of.kind());
    let message = format!("column \"{}\" is {kind} and cannot be compared with {found}; {expected}", field.name);
    Fault::new(literal.at, message)
}

fn null_compared(at: usize, name: &str, op: Op) -> Fault {
    let not = if op == Op::Unequal { "not " } else { "" };
    Fault::new(at, format!("a comparison with null holds for no row; write: {name} is {not}null"))
}
