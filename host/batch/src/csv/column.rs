//! One column under construction: cells go straight into the buffers that Arrow will own.

use super::scan::undouble;
use crate::number::{NumberError, parse_decimal, parse_int32, parse_int64};
use crate::{calendar, reject};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use std::sync::Arc;

/// Why a cell does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    Number(NumberError),
    Boolean,
    Date,
    DateTime,
    Time,
    Utf8,
    Missing,
}

impl Misfit {
    /// Machine word of the reject.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Number(NumberError::Syntax) => reject::BAD_NUMBER,
            Self::Number(NumberError::Scale) => reject::TOO_MANY_DECIMALS,
            Self::Number(NumberError::Range) => reject::NUMBER_OUT_OF_RANGE,
            Self::Boolean => reject::BAD_BOOLEAN,
            Self::Date => reject::BAD_DATE,
            Self::DateTime => reject::BAD_DATETIME,
            Self::Time => reject::BAD_TIME,
            Self::Utf8 => reject::BAD_UTF8,
            Self::Missing => reject::MISSING_VALUE,
        }
    }

    /// What is wrong with it, in words that follow "the cell …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Number(NumberError::Syntax) => "is not a number",
            Self::Number(NumberError::Scale) => "has more decimal places than the column",
            Self::Number(NumberError::Range) => "has more digits than the column",
            Self::Boolean => "is neither true nor false",
            Self::Date => "is not a date YYYY-MM-DD of the years 0001 to 9999",
            Self::DateTime => "is not an instant such as 2024-04-16T19:00:00.000Z",
            Self::Time => "is not a time of day such as 19:00:00.000Z",
            Self::Utf8 => "is not UTF-8",
            Self::Missing => "is empty, and the column takes no null",
        }
    }
}

impl From<NumberError> for Misfit {
    fn from(error: NumberError) -> Self {
        Self::Number(error)
    }
}

enum Values {
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Decimal { values: Vec<i128>, precision: u8, scale: u8 },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Time(Vec<i64>),
}

/// A growing column of one type.
pub(crate) struct Column {
    values: Values,
    /// Rows that are null, ascending; the bitmap is made at the end and only if there are any.
    nulls: Vec<u32>,
    rows: usize,
    nullable: bool,
}

impl Column {
    /// A column for `data_type`, or `None` when no Salesforce type becomes it.
    pub(crate) fn new(data_type: &DataType, nullable: bool) -> Option<Self> {
        let values = match data_type {
            DataType::Utf8 => Values::Text { ends: vec![0], bytes: Vec::new() },
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                let scale = u8::try_from(*scale).ok()?;
                Values::Decimal { values: Vec::new(), precision: *precision, scale }
            }
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => Values::Timestamp(Vec::new()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(Vec::new()),
            _ => return None,
        };
        Some(Self { values, nulls: Vec::new(), rows: 0, nullable })
    }

    /// Appends the cell from `start` to `end` of `buffer`, or leaves the column as it was.
    #[inline(always)]
    pub(crate) fn push(&mut self, buffer: &[u8], start: usize, end: usize) -> Result<(), Misfit> {
        let cell = &buffer[start..end];
        if cell.is_empty() {
            return self.push_null();
        }
        match &mut self.values {
            Values::Text { ends, bytes } => {
                append(bytes, buffer, start, cell);
                ends.push(bytes.len() as i32);
            }
            Values::Boolean(values) => values.push(parse_boolean(cell).ok_or(Misfit::Boolean)?),
            Values::Int32(values) => values.push(parse_int32(cell)?),
            Values::Int64(values) => values.push(parse_int64(cell)?),
            Values::Decimal { values, precision, scale } => {
                values.push(parse_decimal(cell, *precision, *scale)?);
            }
            Values::Date(values) => values.push(calendar::parse_date(cell).ok_or(Misfit::Date)?),
            Values::Timestamp(values) => {
                values.push(calendar::parse_datetime(cell).ok_or(Misfit::DateTime)?);
            }
            Values::Time(values) => values.push(calendar::parse_time(cell).ok_or(Misfit::Time)?),
        }
        self.rows += 1;
        Ok(())
    }

    /// Appends a cell whose quotes are doubled.
    #[cold]
    pub(crate) fn push_doubled(&mut self, cell: &[u8]) -> Result<(), Misfit> {
        if let Values::Text { ends, bytes } = &mut self.values {
            undouble(cell, bytes);
            ends.push(bytes.len() as i32);
            self.rows += 1;
            return Ok(());
        }
        let mut single = Vec::with_capacity(cell.len());
        undouble(cell, &mut single);
        self.push(&single, 0, single.len())
    }

    /// Appends a number as JSON has it: the epoch's milliseconds in a column of dates or times (Bulk API 1.0 JSON),
    /// any other as its text.
    pub(crate) fn push_number(&mut self, text: &str) -> Result<(), Misfit> {
        match &mut self.values {
            Values::Timestamp(values) => values.push(calendar::datetime_of_millis(text).ok_or(Misfit::DateTime)?),
            Values::Date(values) => values.push(calendar::date_of_millis(text).ok_or(Misfit::Date)?),
            Values::Time(values) => values.push(calendar::time_of_millis(text).ok_or(Misfit::Time)?),
            _ => return self.push(text.as_bytes(), 0, text.len()),
        }
        self.rows += 1;
        Ok(())
    }

    /// Appends a null.
    pub(crate) fn push_null(&mut self) -> Result<(), Misfit> {
        if !self.nullable {
            return Err(Misfit::Missing);
        }
        match &mut self.values {
            Values::Text { ends, bytes } => ends.push(bytes.len() as i32),
            Values::Boolean(values) => values.push(false),
            Values::Int32(values) | Values::Date(values) => values.push(0),
            Values::Int64(values) | Values::Timestamp(values) | Values::Time(values) => {
                values.push(0);
            }
            Values::Decimal { values, .. } => values.push(0),
        }
        self.nulls.push(self.rows as u32);
        self.rows += 1;
        Ok(())
    }

    /// Takes back what was appended behind row `rows`.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        match &mut self.values {
            Values::Text { ends, bytes } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends.last().map_or(0, |end| *end as usize));
            }
            Values::Boolean(values) => values.truncate(rows),
            Values::Int32(values) | Values::Date(values) => values.truncate(rows),
            Values::Int64(values) | Values::Timestamp(values) | Values::Time(values) => {
                values.truncate(rows);
            }
            Values::Decimal { values, .. } => values.truncate(rows),
        }
        while self.nulls.last().is_some_and(|row| *row as usize >= rows) {
            self.nulls.pop();
        }
        self.rows = rows;
    }

    /// The rows so far as an Arrow array; the column is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.take_nulls();
        self.rows = 0;
        Ok(match &mut self.values {
            Values::Text { ends, bytes } => {
                let mut fresh = Vec::with_capacity(ends.len());
                fresh.push(0);
                let offsets = OffsetBuffer::new(std::mem::replace(ends, fresh).into());
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(renew(bytes)), nulls)?)
            }
            Values::Boolean(values) => {
                let bits = BooleanBuffer::from(values.as_slice());
                values.clear();
                Arc::new(BooleanArray::new(bits, nulls))
            }
            Values::Int32(values) => Arc::new(Int32Array::try_new(scalars(values), nulls)?),
            Values::Int64(values) => Arc::new(Int64Array::try_new(scalars(values), nulls)?),
            Values::Decimal { values, precision, scale } => Arc::new(
                Decimal128Array::try_new(scalars(values), nulls)?.with_precision_and_scale(*precision, *scale as i8)?,
            ),
            Values::Date(values) => Arc::new(Date32Array::try_new(scalars(values), nulls)?),
            Values::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::try_new(scalars(values), nulls)?.with_timezone("UTC"))
            }
            Values::Time(values) => Arc::new(Time64MicrosecondArray::try_new(scalars(values), nulls)?),
        })
    }

    fn take_nulls(&mut self) -> Option<NullBuffer> {
        if self.nulls.is_empty() {
            return None;
        }
        let mut bits = vec![u8::MAX; self.rows.div_ceil(8)];
        for row in self.nulls.drain(..) {
            bits[row as usize / 8] &= !(1 << (row % 8));
        }
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, self.rows)))
    }
}

/// Bytes that are copied at once, whatever the length of a short cell.
const BLOCK_BYTES: usize = 32;

/// Appends `cell`, which begins at `start` of `buffer`. A short one is copied as a whole block and cut: a copy of a
/// fixed length is a few instructions, one of any length is a call.
#[inline(always)]
fn append(bytes: &mut Vec<u8>, buffer: &[u8], start: usize, cell: &[u8]) {
    match buffer.get(start..).and_then(|rest| rest.first_chunk::<BLOCK_BYTES>()) {
        Some(block) if cell.len() <= BLOCK_BYTES => {
            let length = bytes.len() + cell.len();
            bytes.extend_from_slice(block);
            bytes.truncate(length);
        }
        _ => bytes.extend_from_slice(cell),
    }
}

/// The values, with as much room made for the next batch as this one took.
fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let fresh = Vec::with_capacity(values.len());
    std::mem::replace(values, fresh)
}

fn scalars<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(renew(values))
}

/// `true` and `false` in any case, `1` and `0` (XML Schema's boolean, which Salesforce's types follow).
#[inline]
fn parse_boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}
