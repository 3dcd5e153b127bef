//! From Arrow memory into the guest: the buffers of a column, first row at position 0.
//!
//! Nothing is copied here but bitmaps and offsets that do not begin at position 0; the engine copies
//! the lent bytes once, straight into the guest.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, Buffer, OffsetBuffer};
use arrow_schema::DataType;
use bytes::Bytes;
use wasmtime::component::{ComponentType, Lower};

/// The contract's `buffers` record, made of borrowed Arrow memory.
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Lent {
    validity: Option<Bytes>,
    offsets: Bytes,
    values: Bytes,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Lent {
    /// Copies of validity, offsets and values.
    pub fn parts(&self) -> (Option<Vec<u8>>, Vec<u8>, Vec<u8>) {
        (self.validity.as_ref().map(|bits| bits.to_vec()), self.offsets.to_vec(), self.values.to_vec())
    }
}

/// Lends all rows of a column of one of the contract's types.
pub fn lend(array: &ArrayRef) -> Result<Lent, String> {
    let validity = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let validity = validity.map(|nulls| bytes(bitmap(nulls.inner())));
    let (offsets, values) = match array.data_type() {
        DataType::Null => (Bytes::new(), Bytes::new()),
        DataType::Boolean => (Bytes::new(), bytes(bitmap(array.as_boolean().values()))),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            block(array.offsets(), array.values())
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            block(array.offsets(), array.values())
        }
        other => (Bytes::new(), bytes(fixed_width(array, other)?)),
    };
    // A null column has no validity buffer in Arrow; all its rows are null.
    let validity = match array.data_type() {
        DataType::Null if !array.is_empty() => Some(Bytes::from(vec![0; array.len().div_ceil(8)])),
        _ => validity,
    };
    Ok(Lent { validity, offsets, values })
}

fn fixed_width(array: &ArrayRef, data_type: &DataType) -> Result<Buffer, String> {
    let width = data_type.primitive_width().ok_or("an opaque column cannot be read")?;
    let data = array.to_data();
    let buffer = data.buffers().first().ok_or("a column without values")?;
    Ok(buffer.slice_with_length(data.offset() * width, data.len() * width))
}

fn block(offsets: &OffsetBuffer<i32>, values: &Buffer) -> (Bytes, Bytes) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let rebased = if first == 0 {
        offsets.inner().inner().slice_with_length(0, offsets.len() * size_of::<i32>())
    } else {
        Buffer::from_vec(offsets.iter().map(|offset| offset - first).collect::<Vec<i32>>())
    };
    // Offsets of a valid array are never negative and never shrink.
    let (first, last) = (first as usize, last as usize);
    (bytes(rebased), bytes(values.slice_with_length(first, last - first)))
}

/// The bits from position 0, exactly as many bytes as they need, unused bits zero.
fn bitmap(bits: &BooleanBuffer) -> Buffer {
    let length = bits.len().div_ceil(8);
    let sliced = bits.sliced().slice_with_length(0, length);
    let unused = length * 8 - bits.len();
    match sliced.last() {
        Some(last) if unused > 0 && last >> (8 - unused) != 0 => {
            let mut copy = sliced.to_vec();
            copy[length - 1] &= 0xff >> unused;
            Buffer::from_vec(copy)
        }
        _ => sliced,
    }
}

fn bytes(buffer: Buffer) -> Bytes {
    if buffer.is_empty() { Bytes::new() } else { Bytes::from_owner(buffer) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Decimal128Array, Int32Array, NullArray, StringArray};

    use super::*;

    fn lent(array: ArrayRef) -> (Option<Vec<u8>>, Vec<i32>, Vec<u8>) {
        let lent = lend(&array).expect("lends");
        let offsets = lent.offsets.chunks(4).map(|four| i32::from_le_bytes(four.try_into().expect("4")));
        (lent.validity.map(Vec::from), offsets.collect(), lent.values.to_vec())
    }

    #[test]
    fn text_of_a_slice_is_rebased() {
        let array = StringArray::from(vec![Some("ab"), None, Some("cde"), Some("")]);
        let (validity, offsets, values) = lent(Arc::new(array.slice(1, 3)));
        assert_eq!(validity, Some(vec![0b110]));
        assert_eq!(offsets, [0, 0, 3, 3]);
        assert_eq!(values, b"cde");
    }

    #[test]
    fn bits_of_a_slice_are_shifted_and_the_rest_is_zero() {
        let array = BooleanArray::from(vec![true; 20]);
        let (validity, _, values) = lent(Arc::new(array.slice(3, 9)));
        assert_eq!(validity, None);
        assert_eq!(values, [0xff, 0b1]);
    }

    #[test]
    fn fixed_width_values_of_a_slice() {
        let array = Int32Array::from(vec![Some(1), Some(2), None]).slice(1, 2);
        let (validity, _, values) = lent(Arc::new(array));
        assert_eq!(validity, Some(vec![0b01]));
        assert_eq!(values[..4], 2i32.to_le_bytes());
        let wide = Decimal128Array::from(vec![1, -1]).slice(1, 1);
        assert_eq!(lent(Arc::new(wide)).2, (-1i128).to_le_bytes());
    }

    #[test]
    fn columns_without_rows_or_values() {
        let empty = StringArray::from(Vec::<&str>::new());
        assert_eq!(lent(Arc::new(empty)), (None, vec![0], vec![]));
        assert_eq!(lent(Arc::new(NullArray::new(9))), (Some(vec![0, 0]), vec![], vec![]));
    }
}
