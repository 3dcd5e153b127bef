//! What is computed of a group: exact, with nulls left out as SQL has it.

use forcepump_plugin_sdk::{Column, DataType, Field, data::Refused};
use forcepump_transform_common::{ColumnBuilder, Kind, Loaded, NoRoom, Reader, push, put_block};

/// Digits of the widest decimal, and the first number that has more.
const MAX_DIGITS: u8 = 38;
const BEYOND_DIGITS: i128 = 10i128.pow(38);

/// What the configuration calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    Count,
    Sum,
    Min,
    Max,
}

impl Function {
    pub fn word(self) -> &'static str {
        match self {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Min => "min",
            Function::Max => "max",
        }
    }
}

/// How a value is taken from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Signed,
    Unsigned,
    Float,
}

fn number_of(data_type: &DataType) -> Option<Number> {
    Some(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Number::Signed,
        DataType::Decimal128(_) | DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(_) => Number::Signed,
        DataType::Uint8 | DataType::Uint16 | DataType::Uint32 | DataType::Uint64 | DataType::Boolean => {
            Number::Unsigned
        }
        DataType::Float32 | DataType::Float64 => Number::Float,
        _ => return None,
    })
}

/// What is kept for every group.
#[derive(Debug)]
enum State {
    /// of rows, or of values
    Counts(Vec<u64>),
    Sums(Vec<Option<i128>>),
    FloatSums(Vec<Option<f64>>),
    /// the least or greatest value's bytes
    Bounds(Vec<Option<Vec<u8>>>),
}

/// One output column in the making.
#[derive(Debug)]
pub struct Measure {
    pub name: String,
    function: Function,
    column: Option<(u32, Kind)>,
    number: Option<Number>,
    output: DataType,
    state: State,
}

/// Why a value could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The sum has more digits than its type.
    Overflow,
    /// The plugin's memory is used up.
    NoRoom,
}

impl From<NoRoom> for Fault {
    fn from(_: NoRoom) -> Self {
        Fault::NoRoom
    }
}

impl Measure {
    /// The number of rows.
    pub fn rows(name: &str) -> Self {
        let (function, state) = (Function::Count, State::Counts(Vec::new()));
        Measure { name: name.to_owned(), function, column: None, number: None, output: DataType::Int64, state }
    }

    /// A measure of a column; none when the function does not take its type.
    pub fn of(name: &str, function: Function, column: u32, field: &Field, kind: Kind) -> Option<Self> {
        let number = number_of(&field.data_type);
        let (output, state) = match function {
            Function::Count => (DataType::Int64, State::Counts(Vec::new())),
            Function::Min | Function::Max => (field.data_type.clone(), State::Bounds(Vec::new())),
            Function::Sum => {
                let output = sum_type(&field.data_type)?;
                let floats = output == DataType::Float64;
                (output, if floats { State::FloatSums(Vec::new()) } else { State::Sums(Vec::new()) })
            }
        };
        Some(Measure { name: name.to_owned(), function, column: Some((column, kind)), number, output, state })
    }

    /// The output column.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.output.clone(), self.function != Function::Count)
    }

    /// Number of the input column.
    pub fn column(&self) -> Option<u32> {
        self.column.map(|(number, _)| number)
    }

    /// What the state depends on, in words.
    pub fn shape(&self) -> String {
        format!("{:?}={}({:?}):{}", self.name, self.function.word(), self.column, self.output.describe())
    }

    /// Reads the input column of the current batch.
    pub fn read(&self) -> Result<Option<Loaded>, Refused> {
        self.column.map(|(column, kind)| Loaded::read(column, kind)).transpose()
    }

    /// A new group.
    pub fn open_group(&mut self) -> Result<(), NoRoom> {
        match &mut self.state {
            State::Counts(counts) => push(counts, 0),
            State::Sums(sums) => push(sums, None),
            State::FloatSums(sums) => push(sums, None),
            State::Bounds(bounds) => push(bounds, None),
        }
    }

    /// Takes a row into its group.
    #[inline]
    pub fn take(&mut self, group: usize, column: Option<&Loaded>, row: usize) -> Result<(), Fault> {
        let value = column.map(|column| column.get(row));
        if let Some(None) = value {
            return Ok(());
        }
        let bytes = value.flatten().unwrap_or_default();
        match &mut self.state {
            State::Counts(counts) => counts[group] += 1,
            State::Sums(sums) => {
                let sum = sums[group].unwrap_or(0).checked_add(whole(bytes, self.number)).ok_or(Fault::Overflow)?;
                sums[group] = Some(sum);
            }
            State::FloatSums(sums) => sums[group] = Some(sums[group].unwrap_or(0.0) + float(bytes)),
            State::Bounds(bounds) => {
                let wins = bounds[group].as_ref().is_none_or(|bound| {
                    let order = compare(bytes, bound, self.number);
                    if self.function == Function::Min { order.is_lt() } else { order.is_gt() }
                });
                if wins {
                    replace(&mut bounds[group], bytes)?;
                }
            }
        }
        Ok(())
    }

    /// An empty builder of the output column.
    pub fn builder(&self) -> ColumnBuilder {
        // Every output type has a kind: it is made of an input column's or of ours.
        ColumnBuilder::new(Kind::of(&self.output).unwrap_or(Kind::Null))
    }

    /// Appends a group's value.
    pub fn give(&self, group: usize, out: &mut ColumnBuilder) -> Result<(), Fault> {
        match &self.state {
            State::Counts(counts) => out.push(Some(&counts[group].to_le_bytes())),
            State::FloatSums(sums) => out.push(sums[group].map(f64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice)),
            State::Bounds(bounds) => out.push(bounds[group].as_deref()),
            State::Sums(sums) => match (sums[group], &self.output) {
                (None, _) => out.push(None),
                (Some(sum), DataType::Int64) => {
                    out.push(Some(&i64::try_from(sum).map_err(|_| Fault::Overflow)?.to_le_bytes()));
                }
                (Some(sum), _) if sum.abs() < BEYOND_DIGITS => out.push(Some(&sum.to_le_bytes())),
                _ => return Err(Fault::Overflow),
            },
        }
        Ok(())
    }

    /// Hands the output column to the host.
    pub fn finish(&self, built: ColumnBuilder) -> Result<Column, Refused> {
        built.finish(&self.output)
    }

    /// Type of the output, for messages.
    pub fn output(&self) -> &DataType {
        &self.output
    }

    /// Appends the state of one group.
    pub fn save(&self, group: usize, out: &mut Vec<u8>) {
        match &self.state {
            State::Counts(counts) => put_block(&counts[group].to_le_bytes(), out),
            State::Sums(sums) => {
                put_optional(sums[group].map(i128::to_le_bytes).as_ref().map(<[u8; 16]>::as_slice), out)
            }
            State::FloatSums(sums) => {
                put_optional(sums[group].map(f64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice), out);
            }
            State::Bounds(bounds) => put_optional(bounds[group].as_deref(), out),
        }
    }

    /// Takes the state of one more group from what [`Measure::save`] wrote; none when that is not it.
    pub fn restore(&mut self, saved: &mut Reader<'_>) -> Option<Result<(), NoRoom>> {
        let block = saved.block()?;
        let value = match &self.state {
            State::Counts(_) => Some(block),
            _ => optional(block)?,
        };
        Some(match &mut self.state {
            State::Counts(counts) => push(counts, u64::from_le_bytes(value?.try_into().ok()?)),
            State::Sums(sums) => {
                push(sums, value.map(|bytes| bytes.try_into().map(i128::from_le_bytes)).transpose().ok()?)
            }
            State::FloatSums(sums) => {
                push(sums, value.map(|bytes| bytes.try_into().map(f64::from_le_bytes)).transpose().ok()?)
            }
            State::Bounds(bounds) => push(bounds, value.map(<[u8]>::to_vec)),
        })
    }
}

/// A null is an empty block, a value a 1 and its bytes.
fn put_optional(value: Option<&[u8]>, out: &mut Vec<u8>) {
    match value {
        None => put_block(&[], out),
        Some(bytes) => put_block(&[&[1], bytes].concat(), out),
    }
}

#[expect(clippy::option_option, reason = "the outer one is a damaged block, the inner one a null")]
fn optional(block: &[u8]) -> Option<Option<&[u8]>> {
    match block.split_first() {
        None => Some(None),
        Some((1, bytes)) => Some(Some(bytes)),
        Some(_) => None,
    }
}

fn sum_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::Uint8 | DataType::Uint16 | DataType::Uint32 => DataType::Int64,
        DataType::Uint64 => DataType::decimal(MAX_DIGITS, 0),
        DataType::Decimal128(shape) => DataType::decimal(MAX_DIGITS, shape.scale),
        DataType::Float32 | DataType::Float64 => DataType::Float64,
        _ => return None,
    })
}

fn replace(bound: &mut Option<Vec<u8>>, bytes: &[u8]) -> Result<(), NoRoom> {
    let held = bound.get_or_insert_default();
    held.clear();
    held.try_reserve_exact(bytes.len())?;
    held.extend_from_slice(bytes);
    Ok(())
}

/// A whole number of 1 to 16 little-endian bytes.
fn whole(bytes: &[u8], number: Option<Number>) -> i128 {
    let negative = number == Some(Number::Signed) && bytes.last().is_some_and(|last| *last >= 0x80);
    let mut word = [if negative { 0xff } else { 0 }; 16];
    let len = bytes.len().min(16);
    word[..len].copy_from_slice(&bytes[..len]);
    i128::from_le_bytes(word)
}

fn float(bytes: &[u8]) -> f64 {
    if let Ok(word) = bytes.try_into() {
        return f32::from_le_bytes(word).into();
    }
    bytes.try_into().map_or(0.0, f64::from_le_bytes)
}

/// Numbers by value, with NaN above all; text and bytes byte by byte, which for UTF-8 is by code point.
fn compare(left: &[u8], right: &[u8], number: Option<Number>) -> std::cmp::Ordering {
    match number {
        None => left.cmp(right),
        Some(Number::Float) => float(left).total_cmp(&float(right)),
        whole_number => whole(left, whole_number).cmp(&whole(right, whole_number)),
    }
}
