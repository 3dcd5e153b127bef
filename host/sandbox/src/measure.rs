//! What the checks of handed over columns cost, for the benchmarks: the door itself, and the bare copy beside it.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_schema::DataType;

use crate::border::accept::{Parts, accept};

/// Takes the buffers of a text column and of a float64 column without nulls through every check, as `data.write` does
/// for a guest that changed letters and not lengths.
///
/// # Errors
/// The broken rule; the column is not one of those two.
pub fn checked(column: &ArrayRef) -> Result<ArrayRef, String> {
    let rows = u32::try_from(column.len()).map_err(|_| "too many rows")?;
    let (offsets, values) = buffers(column)?;
    let validity = column.nulls().map(|nulls| nulls.buffer().as_slice());
    let validity = validity.map(|bits| &bits[..column.len().div_ceil(8)]);
    let known = column.as_string_opt::<i32>().map(|text| text.offsets().clone());
    let parts = Parts { validity, offsets, values };
    accept(column.data_type(), rows, parts, &|bytes| {
        known.clone().filter(|offsets| *offsets.inner().inner().as_slice() == *bytes)
    })
}

/// Copies the same buffers, and looks at nothing.
///
/// # Errors
/// The column is neither text nor float64.
pub fn copied(column: &ArrayRef) -> Result<(Buffer, Buffer), String> {
    let (offsets, values) = buffers(column)?;
    Ok((Buffer::from_slice_ref(offsets), Buffer::from_slice_ref(values)))
}

fn buffers(column: &ArrayRef) -> Result<(&[u8], &[u8]), String> {
    match column.data_type() {
        DataType::Utf8 => {
            let text = column.as_string::<i32>();
            Ok((text.offsets().inner().inner().as_slice(), text.value_data()))
        }
        DataType::Float64 => Ok((&[], column.as_primitive::<Float64Type>().values().inner().as_slice())),
        other => Err(format!("{other} is not measured")),
    }
}
