//! Columns that the guest has read: typed views over whole buffers.

use crate::{Bitmap, Buffers, Column, DataType, PluginError, host};

mod sealed {
    /// Keeps [`super::Primitive`] to types for which any bit pattern is a value.
    pub trait Sealed {}
}

/// A fixed-width value: the integers and floats, with `i128` for decimals.
pub trait Primitive: sealed::Sealed + Copy + Default + 'static {
    /// Bytes of one value.
    const WIDTH: usize;
    /// The type's name for messages.
    const NAME: &'static str;
    /// Whether columns of `data_type` hold such values.
    fn fits(data_type: &DataType) -> bool;
    /// From [`Primitive::WIDTH`] little-endian bytes.
    fn from_le(bytes: &[u8]) -> Self;
    /// Into [`Primitive::WIDTH`] little-endian bytes.
    fn put_le(self, bytes: &mut [u8]);
}

macro_rules! primitive {
    ($($pattern:pat => $type:ident,)+) => {$(
        impl sealed::Sealed for $type {}
        impl Primitive for $type {
            const WIDTH: usize = size_of::<$type>();
            const NAME: &'static str = stringify!($type);
            fn fits(data_type: &DataType) -> bool {
                matches!(data_type, $pattern)
            }
            #[inline]
            fn from_le(bytes: &[u8]) -> Self {
                let mut word = [0; size_of::<$type>()];
                word.copy_from_slice(bytes);
                $type::from_le_bytes(word)
            }
            #[inline]
            fn put_le(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )+};
}

primitive! {
    DataType::Int8 => i8,
    DataType::Int16 => i16,
    DataType::Int32 | DataType::Date32 => i32,
    DataType::Int64 | DataType::Timestamp(_) | DataType::Time64(_) => i64,
    DataType::Uint8 => u8,
    DataType::Uint16 => u16,
    DataType::Uint32 => u32,
    DataType::Uint64 => u64,
    DataType::Float32 => f32,
    DataType::Float64 => f64,
    DataType::Decimal128(_) => i128,
}

/// Buffers of a column, copied from the host.
pub(crate) fn read(of: Column) -> Result<Buffers, PluginError> {
    host::read(of, None).map_err(|reason| PluginError::fatal(format!("column {of} cannot be read: {reason}")))
}

/// Hands buffers to the host.
pub(crate) fn write(data_type: &DataType, rows: usize, parts: &Buffers) -> Result<Column, PluginError> {
    let rows = u32::try_from(rows).map_err(|_| PluginError::fatal("a column has at most 4294967295 rows"))?;
    host::write(data_type, rows, parts)
        .map_err(|reason| PluginError::fatal(format!("the host refused a {} column: {reason}", data_type.describe())))
}

fn check_len(what: &str, found: usize, expected: usize) -> Result<(), PluginError> {
    if found == expected {
        return Ok(());
    }
    Err(PluginError::fatal(format!("the host gave {found} bytes of {what} where {expected} were due")))
}

/// Fixed-width values.
#[derive(Debug)]
pub struct PrimitiveColumn<T> {
    storage: Storage<T>,
    validity: Option<Bitmap>,
}

/// The bytes as they came when they are aligned, values otherwise.
#[derive(Debug)]
enum Storage<T> {
    Bytes(Vec<u8>),
    Values(Vec<T>),
}

impl<T: Primitive> PrimitiveColumn<T> {
    pub(crate) fn from_buffers(buffers: Buffers, rows: usize) -> Result<Self, PluginError> {
        check_len("values", buffers.values.len(), rows * T::WIDTH)?;
        let validity = buffers.validity.map(|bytes| Bitmap::from_bytes(bytes, rows));
        let aligned = cfg!(target_endian = "little") && buffers.values.as_ptr().addr().is_multiple_of(align_of::<T>());
        let storage = if aligned {
            Storage::Bytes(buffers.values)
        } else {
            Storage::Values(buffers.values.chunks_exact(T::WIDTH).map(T::from_le).collect())
        };
        Ok(PrimitiveColumn { storage, validity })
    }

    /// Every value; what lies under a null is unspecified.
    #[inline]
    pub fn values(&self) -> &[T] {
        match &self.storage {
            // SAFETY: `Primitive` is sealed to types without padding for which every bit pattern is a
            // value; alignment and byte order were checked when the bytes were taken, and the vector
            // has not moved since.
            Storage::Bytes(bytes) => unsafe { bytes.align_to::<T>().1 },
            Storage::Values(values) => values,
        }
    }

    /// The value of a row; none for null and behind the end.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        if self.validity.as_ref().is_some_and(|validity| !validity.get(row)) {
            return None;
        }
        self.values().get(row).copied()
    }

    /// Row by row.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + '_ {
        let validity = self.validity.as_ref();
        self.values()
            .iter()
            .enumerate()
            .map(move |(row, value)| validity.is_none_or(|validity| validity.get(row)).then_some(*value))
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which rows hold a value; none when all do.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    /// A new column of the same type, each value mapped, nulls where they were. `map` also sees what
    /// lies under a null and must bear it. Compiles to a loop without branches.
    ///
    /// # Errors
    /// What the host says of the new column.
    pub fn map_to<U: Primitive>(&self, data_type: &DataType, map: impl Fn(T) -> U) -> Result<Column, PluginError> {
        let values = mapped(self.values(), map);
        let validity = self.validity.clone().map(Bitmap::into_bytes);
        write(data_type, self.len(), &Buffers { validity, offsets: Vec::new(), values })
    }
}

/// Values that one turn of a loop maps. The engine asks at each turn whether the call's time is up, and saves its
/// registers for that; a block that is unrolled asks once.
const BLOCK: usize = 8;

/// A function of its own, because the engine shares out registers function by function: inlined into a long one, this
/// loop would work on the stack.
#[inline(never)]
fn mapped<T: Primitive, U: Primitive>(values: &[T], map: impl Fn(T) -> U) -> Vec<u8> {
    let mut mapped = vec![0; values.len() * U::WIDTH];
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    let (head, tail) = mapped.split_at_mut(blocks.len() * BLOCK * U::WIDTH);
    for (bytes, block) in head.chunks_exact_mut(BLOCK * U::WIDTH).zip(blocks) {
        put_all(block, bytes, &map);
    }
    put_all(rest, tail, &map);
    mapped
}

#[inline(always)]
fn put_all<T: Primitive, U: Primitive>(values: &[T], bytes: &mut [u8], map: &impl Fn(T) -> U) {
    for (bytes, value) in bytes.chunks_exact_mut(U::WIDTH).zip(values) {
        map(*value).put_le(bytes);
    }
}

/// Bits.
#[derive(Debug)]
pub struct BooleanColumn {
    values: Bitmap,
    validity: Option<Bitmap>,
}

impl BooleanColumn {
    pub(crate) fn from_buffers(buffers: Buffers, rows: usize) -> Result<Self, PluginError> {
        check_len("values", buffers.values.len(), rows.div_ceil(8))?;
        let validity = buffers.validity.map(|bytes| Bitmap::from_bytes(bytes, rows));
        Ok(BooleanColumn { values: Bitmap::from_bytes(buffers.values, rows), validity })
    }

    /// Every value; what lies under a null is unspecified.
    pub fn values(&self) -> &Bitmap {
        &self.values
    }

    /// The value of a row; none for null and behind the end.
    pub fn get(&self, row: usize) -> Option<bool> {
        let valid = self.validity.as_ref().is_none_or(|validity| validity.get(row));
        (valid && row < self.values.len()).then(|| self.values.get(row))
    }

    /// Row by row.
    pub fn iter(&self) -> impl Iterator<Item = Option<bool>> + '_ {
        (0..self.values.len()).map(|row| self.get(row))
    }

    /// Which rows hold a value; none when all do.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }
}

/// Text.
#[derive(Debug)]
pub struct Utf8Column {
    rows: usize,
    offsets: Vec<u8>,
    text: String,
    validity: Option<Bitmap>,
}

impl Utf8Column {
    pub(crate) fn from_buffers(buffers: Buffers, rows: usize) -> Result<Self, PluginError> {
        check_len("offsets", buffers.offsets.len(), (rows + 1) * OFFSET_WIDTH)?;
        // SAFETY: `data.read` promises UTF-8 for a utf8 column, and the host that makes the promise is
        // the one that made this guest's memory: the same trust by which the generated bindings take
        // every `string` of the contract unchecked.
        let text = unsafe { String::from_utf8_unchecked(buffers.values) };
        let validity = buffers.validity.map(|bytes| Bitmap::from_bytes(bytes, rows));
        Ok(Utf8Column { rows, offsets: buffers.offsets, text, validity })
    }

    /// The text of a row; none for null and behind the end.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        if row >= self.rows || self.validity.as_ref().is_some_and(|validity| !validity.get(row)) {
            return None;
        }
        self.text.get(self.offset(row)..self.offset(row + 1))
    }

    /// Row by row.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> + '_ {
        (0..self.rows).map(|row| self.get(row))
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Which rows hold a value; none when all do.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    /// All texts, one after the other, to be changed in place where the length stays
    /// (`make_ascii_uppercase`): offsets and nulls are kept, so this is as fast as it gets.
    pub fn values_mut(&mut self) -> &mut str {
        &mut self.text
    }

    /// All texts, one after the other.
    pub fn values(&self) -> &str {
        &self.text
    }

    /// Hands the column, as changed, to the host.
    ///
    /// # Errors
    /// What the host says of the new column.
    pub fn write(self) -> Result<Column, PluginError> {
        let validity = self.validity.map(Bitmap::into_bytes);
        let parts = Buffers { validity, offsets: self.offsets, values: self.text.into_bytes() };
        write(&DataType::Utf8, self.rows, &parts)
    }

    #[inline]
    fn offset(&self, index: usize) -> usize {
        let start = index * OFFSET_WIDTH;
        self.offsets
            .get(start..start + OFFSET_WIDTH)
            .map_or(0, |bytes| <i32 as Primitive>::from_le(bytes).max(0) as usize)
    }
}

/// Bytes of one offset.
pub(crate) const OFFSET_WIDTH: usize = 4;
