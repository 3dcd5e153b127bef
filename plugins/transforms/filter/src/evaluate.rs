//! Three-valued evaluation over whole columns.
//!
//! A condition gives two bitmaps: the rows for which it holds and the rows for which it does not. A
//! row in neither is unknown, as in SQL. `not` exchanges the two, `and` and `or` join them byte by
//! byte.

use crate::exact::{Bound, compare_scaled};
use crate::pattern::Pattern;
use crate::syntax::Op;
use forcepump_plugin_sdk::{Batch, Bitmap, DataType, PluginError, Primitive, PrimitiveColumn, Utf8Column};
use std::collections::{BTreeMap, BTreeSet};

/// A condition with its columns and types settled.
#[derive(Debug, PartialEq)]
pub(crate) enum Predicate {
    Any(Vec<Predicate>),
    All(Vec<Predicate>),
    Not(Box<Predicate>),
    Null(u32),
    Test { column: u32, test: Test },
    Columns { left: u32, op: Op, right: u32 },
}

/// One test of a value that is not null.
#[derive(Debug, PartialEq)]
pub(crate) enum Test {
    True,
    Text(Op, String),
    TextIn(BTreeSet<String>),
    Like(Pattern),
    Exact(Op, Bound),
    ExactIn(BTreeSet<i128>),
    Float(Op, f64),
    FloatIn(Vec<f64>),
}

/// For which rows a condition holds, and for which it does not.
#[derive(Debug)]
struct Truth {
    yes: Bitmap,
    no: Bitmap,
}

/// The values of a column that was read.
enum Values {
    Text(Utf8Column),
    Boolean(Bitmap, Option<Bitmap>),
    Exact { values: Integers, scale: i32 },
    Float(Floats),
}

enum Integers {
    I8(PrimitiveColumn<i8>),
    I16(PrimitiveColumn<i16>),
    I32(PrimitiveColumn<i32>),
    I64(PrimitiveColumn<i64>),
    U8(PrimitiveColumn<u8>),
    U16(PrimitiveColumn<u16>),
    U32(PrimitiveColumn<u32>),
    U64(PrimitiveColumn<u64>),
    I128(PrimitiveColumn<i128>),
}

enum Floats {
    F32(PrimitiveColumn<f32>),
    F64(PrimitiveColumn<f64>),
}

/// The same expression for each width of integer.
macro_rules! each_width {
    ($integers:expr, $column:ident => $body:expr) => {
        match $integers {
            Integers::I8($column) => $body,
            Integers::I16($column) => $body,
            Integers::I32($column) => $body,
            Integers::I64($column) => $body,
            Integers::U8($column) => $body,
            Integers::U16($column) => $body,
            Integers::U32($column) => $body,
            Integers::U64($column) => $body,
            Integers::I128($column) => $body,
        }
    };
}

impl Predicate {
    /// Numbers of the columns that are read.
    pub(crate) fn columns(&self) -> BTreeSet<u32> {
        let mut columns = BTreeSet::new();
        self.collect_columns(&mut columns);
        columns
    }

    fn collect_columns(&self, into: &mut BTreeSet<u32>) {
        match self {
            Predicate::Any(parts) | Predicate::All(parts) => parts.iter().for_each(|part| part.collect_columns(into)),
            Predicate::Not(part) => part.collect_columns(into),
            Predicate::Null(column) | Predicate::Test { column, .. } => {
                into.insert(*column);
            }
            Predicate::Columns { left, right, .. } => into.extend([*left, *right]),
        }
    }

    /// The rows for which the condition holds.
    pub(crate) fn holds(&self, batch: &Batch<'_>) -> Result<Bitmap, PluginError> {
        let mut columns = BTreeMap::new();
        for column in self.columns() {
            columns.insert(column, Values::read(batch, column)?);
        }
        Ok(self.truth(&columns, batch.rows())?.yes)
    }

    fn truth(&self, columns: &BTreeMap<u32, Values>, rows: usize) -> Result<Truth, PluginError> {
        match self {
            Predicate::Any(parts) => join(parts, columns, rows, |left, right| Truth {
                yes: left.yes.or(&right.yes),
                no: left.no.and(&right.no),
            }),
            Predicate::All(parts) => join(parts, columns, rows, |left, right| Truth {
                yes: left.yes.and(&right.yes),
                no: left.no.or(&right.no),
            }),
            Predicate::Not(part) => part.truth(columns, rows).map(|Truth { yes, no }| Truth { yes: no, no: yes }),
            Predicate::Null(column) => {
                let valid = known(column_of(columns, *column)?.validity(), rows);
                Ok(Truth { yes: Bitmap::filled(rows, true).and_not(&valid), no: valid })
            }
            Predicate::Test { column, test } => test.truth(column_of(columns, *column)?, rows),
            Predicate::Columns { left, op, right } => {
                let (left, right) = (column_of(columns, *left)?, column_of(columns, *right)?);
                let both = known(left.validity(), rows).and(&known(right.validity(), rows));
                let yes = Bitmap::from_fn(rows, |row| left.compare(right, row).is_some_and(|order| op.holds(order)));
                Ok(Truth::of(yes, &both))
            }
        }
    }
}

fn join(
    parts: &[Predicate],
    columns: &BTreeMap<u32, Values>,
    rows: usize,
    combine: impl Fn(Truth, &Truth) -> Truth,
) -> Result<Truth, PluginError> {
    let mut all = parts.iter().map(|part| part.truth(columns, rows));
    let first = all.next().unwrap_or_else(|| Err(PluginError::fatal("a condition without parts")))?;
    all.try_fold(first, |left, right| Ok(combine(left, &right?)))
}

fn column_of(columns: &BTreeMap<u32, Values>, column: u32) -> Result<&Values, PluginError> {
    columns.get(&column).ok_or_else(|| PluginError::fatal(format!("column {column} was not read")))
}

fn known(validity: Option<&Bitmap>, rows: usize) -> Bitmap {
    validity.cloned().unwrap_or_else(|| Bitmap::filled(rows, true))
}

impl Truth {
    /// What a test says, and the rows for which it could say something.
    fn of(yes: Bitmap, known: &Bitmap) -> Self {
        let yes = yes.and(known);
        let no = known.clone().and_not(&yes);
        Truth { yes, no }
    }
}

impl Test {
    fn truth(&self, values: &Values, rows: usize) -> Result<Truth, PluginError> {
        let yes = match (self, values) {
            (Test::True, Values::Boolean(bits, _)) => bits.clone(),
            (Test::Text(op, wanted), Values::Text(text)) => {
                Bitmap::from_fn(rows, |row| text.get(row).is_some_and(|found| op.holds(found.cmp(wanted))))
            }
            (Test::TextIn(wanted), Values::Text(text)) => {
                Bitmap::from_fn(rows, |row| text.get(row).is_some_and(|found| wanted.contains(found)))
            }
            (Test::Like(pattern), Values::Text(text)) => {
                Bitmap::from_fn(rows, |row| text.get(row).is_some_and(|found| pattern.matches(found)))
            }
            (Test::Exact(op, bound), Values::Exact { values, .. }) => {
                each_width!(values, column => test_all(column, |value| bound.holds(*op, wide(value))))
            }
            (Test::ExactIn(wanted), Values::Exact { values, .. }) => {
                each_width!(values, column => test_all(column, |value| wanted.contains(&wide(value))))
            }
            (Test::Float(op, wanted), Values::Float(floats)) => {
                floats.test(|found| found.partial_cmp(wanted).is_some_and(|order| op.holds(order)))
            }
            (Test::FloatIn(wanted), Values::Float(floats)) => floats.test(|found| wanted.contains(&found)),
            _ => return Err(PluginError::fatal("a column changed its type after open")),
        };
        Ok(Truth::of(yes, &known(values.validity(), rows)))
    }
}

fn test_all<T: Primitive>(column: &PrimitiveColumn<T>, test: impl Fn(T) -> bool) -> Bitmap {
    let values = column.values();
    Bitmap::from_fn(values.len(), |row| test(values[row]))
}

/// Every integer as the widest one.
fn wide(value: impl Into<i128>) -> i128 {
    value.into()
}

impl Floats {
    fn test(&self, test: impl Fn(f64) -> bool) -> Bitmap {
        match self {
            Floats::F32(column) => test_all(column, |value| test(f64::from(value))),
            Floats::F64(column) => test_all(column, test),
        }
    }
}

impl Values {
    fn read(batch: &Batch<'_>, column: u32) -> Result<Self, PluginError> {
        let data_type = &batch.field(column)?.data_type;
        let scale = i32::from(crate::check::scale(data_type));
        let exact = |values| Ok(Values::Exact { values, scale });
        match data_type {
            DataType::Utf8 => batch.utf8(column).map(Values::Text),
            DataType::Boolean => {
                let read = batch.boolean(column)?;
                Ok(Values::Boolean(read.values().clone(), read.validity().cloned()))
            }
            DataType::Float32 => Ok(Values::Float(Floats::F32(batch.primitive(column)?))),
            DataType::Float64 => Ok(Values::Float(Floats::F64(batch.primitive(column)?))),
            DataType::Int8 => exact(Integers::I8(batch.primitive(column)?)),
            DataType::Int16 => exact(Integers::I16(batch.primitive(column)?)),
            DataType::Int32 | DataType::Date32 => exact(Integers::I32(batch.primitive(column)?)),
            DataType::Uint8 => exact(Integers::U8(batch.primitive(column)?)),
            DataType::Uint16 => exact(Integers::U16(batch.primitive(column)?)),
            DataType::Uint32 => exact(Integers::U32(batch.primitive(column)?)),
            DataType::Uint64 => exact(Integers::U64(batch.primitive(column)?)),
            DataType::Decimal128(_) => exact(Integers::I128(batch.primitive(column)?)),
            DataType::Int64 | DataType::Timestamp(_) | DataType::Time64(_) => {
                exact(Integers::I64(batch.primitive(column)?))
            }
            // Only `is null` gets here, and casting to text tells where the nulls are.
            _ => batch.as_text(column).map(Values::Text),
        }
    }

    fn validity(&self) -> Option<&Bitmap> {
        match self {
            Values::Text(column) => column.validity(),
            Values::Boolean(_, validity) => validity.as_ref(),
            Values::Exact { values, .. } => each_width!(values, column => column.validity()),
            Values::Float(Floats::F32(column)) => column.validity(),
            Values::Float(Floats::F64(column)) => column.validity(),
        }
    }

    /// How the values of two columns compare in a row where neither is null.
    fn compare(&self, other: &Values, row: usize) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Values::Text(left), Values::Text(right)) => Some(left.get(row)?.cmp(right.get(row)?)),
            (Values::Boolean(left, _), Values::Boolean(right, _)) => Some(left.get(row).cmp(&right.get(row))),
            (Values::Exact { values: left, scale }, Values::Exact { values: right, scale: other }) => {
                Some(compare_scaled((left.get(row)?, *scale), (right.get(row)?, *other)))
            }
            _ => self.float(row)?.partial_cmp(&other.float(row)?),
        }
    }

    fn float(&self, row: usize) -> Option<f64> {
        match self {
            Values::Float(Floats::F32(column)) => column.get(row).map(f64::from),
            Values::Float(Floats::F64(column)) => column.get(row),
            Values::Exact { values, scale } => Some(values.get(row)? as f64 / 10f64.powi(*scale)),
            _ => None,
        }
    }
}

impl Integers {
    fn get(&self, row: usize) -> Option<i128> {
        each_width!(self, column => column.get(row).map(wide))
    }
}
