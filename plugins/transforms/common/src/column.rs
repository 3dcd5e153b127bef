//! Columns of any type as bytes: one way to read a value, and one to write it.

use forcepump_plugin_sdk::data::{self, Refused};
use forcepump_plugin_sdk::{Bitmap, Buffers, Column, DataType};

/// Bytes of one offset.
const OFFSET_BYTES: usize = 4;
/// Bit patterns of the one NaN and the one zero that stand for all of their kind.
const NAN_32: u32 = 0x7fc0_0000;
const NAN_64: u64 = 0x7ff8_0000_0000_0000;

/// How the values of a type lie in their buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No values at all.
    Null,
    /// One bit each.
    Bits,
    /// That many bytes each, compared byte by byte.
    Fixed(usize),
    /// Floats of that many bytes, of which some are equal and differ in their bits.
    Float(usize),
    /// Bytes of any length.
    Block,
}

impl Kind {
    /// The kind of a type; none for a type that does not cross.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Bits,
            DataType::Int8 | DataType::Uint8 => Kind::Fixed(1),
            DataType::Int16 | DataType::Uint16 => Kind::Fixed(2),
            DataType::Int32 | DataType::Uint32 | DataType::Date32 => Kind::Fixed(4),
            DataType::Int64 | DataType::Uint64 | DataType::Timestamp(_) | DataType::Time64(_) => Kind::Fixed(8),
            DataType::Decimal128(_) => Kind::Fixed(16),
            DataType::Float32 => Kind::Float(4),
            DataType::Float64 => Kind::Float(8),
            DataType::Utf8 | DataType::Binary => Kind::Block,
            DataType::Opaque(_) => return None,
        })
    }
}

/// A column that was read.
#[derive(Debug)]
pub struct Loaded {
    kind: Kind,
    parts: Buffers,
}

impl Loaded {
    /// Reads a column of the current call.
    ///
    /// # Errors
    /// What the host says.
    pub fn read(column: Column, kind: Kind) -> Result<Self, Refused> {
        let mut parts = data::read(column)?;
        match kind {
            Kind::Float(4) => unify::<4>(&mut parts.values, |bytes| unified_32(bytes).to_le_bytes()),
            Kind::Float(_) => unify::<8>(&mut parts.values, |bytes| unified_64(bytes).to_le_bytes()),
            _ => {}
        }
        Ok(Loaded { kind, parts })
    }

    /// The bytes of a row's value; none for null. A boolean is one byte, 0 or 1.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let bit = |bits: &[u8]| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
        if self.parts.validity.as_ref().is_some_and(|validity| !bit(validity)) {
            return None;
        }
        match self.kind {
            Kind::Null => None,
            Kind::Bits => Some(if bit(&self.parts.values) { &[1] } else { &[0] }),
            Kind::Fixed(width) | Kind::Float(width) => self.parts.values.get(row * width..(row + 1) * width),
            Kind::Block => self.parts.values.get(self.offset(row)?..self.offset(row + 1)?),
        }
    }

    fn offset(&self, index: usize) -> Option<usize> {
        let bytes = self.parts.offsets.get(index * OFFSET_BYTES..)?.first_chunk()?;
        usize::try_from(i32::from_le_bytes(*bytes)).ok()
    }
}

fn unify<const WIDTH: usize>(values: &mut [u8], unified: impl Fn([u8; WIDTH]) -> [u8; WIDTH]) {
    for value in values.as_chunks_mut::<WIDTH>().0 {
        *value = unified(*value);
    }
}

fn unified_32(bytes: [u8; 4]) -> u32 {
    let value = f32::from_le_bytes(bytes);
    if value.is_nan() {
        return NAN_32;
    }
    if value == 0.0 { 0 } else { value.to_bits() }
}

fn unified_64(bytes: [u8; 8]) -> u64 {
    let value = f64::from_le_bytes(bytes);
    if value.is_nan() {
        return NAN_64;
    }
    if value == 0.0 { 0 } else { value.to_bits() }
}

/// Builds a column of any kind from the bytes that [`Loaded::get`] gives.
#[derive(Debug)]
pub struct ColumnBuilder {
    kind: Kind,
    rows: u32,
    valid: Bitmap,
    bits: Bitmap,
    offsets: Vec<u8>,
    values: Vec<u8>,
}

impl ColumnBuilder {
    /// An empty column.
    pub fn new(kind: Kind) -> Self {
        let offsets = if kind == Kind::Block { vec![0; OFFSET_BYTES] } else { Vec::new() };
        ColumnBuilder { kind, rows: 0, valid: Bitmap::default(), bits: Bitmap::default(), offsets, values: Vec::new() }
    }

    /// One value or null.
    pub fn push(&mut self, value: Option<&[u8]>) {
        self.rows += 1;
        self.valid.push(value.is_some());
        match self.kind {
            Kind::Null => {}
            Kind::Bits => self.bits.push(value == Some(&[1])),
            Kind::Fixed(width) | Kind::Float(width) => {
                let end = self.values.len() + width;
                self.values.extend_from_slice(value.unwrap_or_default());
                self.values.resize(end, 0);
            }
            Kind::Block => {
                self.values.extend_from_slice(value.unwrap_or_default());
                self.offsets.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
            }
        }
    }

    /// Bytes of the values so far.
    pub fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Hands the column to the host.
    ///
    /// # Errors
    /// What the host says of it.
    pub fn finish(self, data_type: &DataType) -> Result<Column, Refused> {
        let all = self.valid.is_full() || self.kind == Kind::Null;
        let values = if self.kind == Kind::Bits { self.bits.into_bytes() } else { self.values };
        let validity = (!all).then(|| self.valid.into_bytes());
        data::write(data_type, self.rows, &Buffers { validity, offsets: self.offsets, values })
    }
}
