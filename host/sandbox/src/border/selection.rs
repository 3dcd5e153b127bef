//! Which rows go on: a checked `selection`, applied to as many columns as need be.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_schema::DataType;
use arrow_select::filter::{FilterBuilder, FilterPredicate};
use arrow_select::take::take;

use crate::bindings::forcepump::plugin::types::Selection;
use crate::border::accept::check_bitmap;

/// How many rows may come out of a batch, and by which limits of the pipeline file.
#[derive(Debug, Clone, Copy)]
pub struct RowCap {
    input: usize,
    fan_out: u32,
    rows: u32,
}

impl RowCap {
    /// The cap for what is made of `input` rows.
    pub fn new(input: usize, fan_out: u32, rows: u32) -> Self {
        RowCap { input, fan_out, rows }
    }

    /// Refuses too many rows by the limit that they break.
    pub fn check(&self, count: u64) -> Result<(), String> {
        let RowCap { input, fan_out, rows } = *self;
        if count > (input as u64).saturating_mul(u64::from(fan_out)) {
            return Err(format!(
                "{count} rows come out of {input}, more than {fan_out} for one (limits.fan_out = {fan_out})"
            ));
        }
        if count > u64::from(rows) {
            return Err(format!("{count} rows come out of one call, more than {rows} (limits.rows = {rows})"));
        }
        Ok(())
    }

    /// Output rows for each input row.
    pub fn fan_out(&self) -> u32 {
        self.fan_out
    }
}

/// A selection that was checked against a number of rows.
pub enum Chosen {
    /// Every row, in order.
    All,
    /// No row.
    None,
    /// The rows whose bit is set.
    Mask {
        /// One bit per row.
        bits: BooleanBuffer,
        /// The same, prepared for many columns.
        predicate: Box<FilterPredicate>,
    },
    /// These rows, in this order.
    Take(UInt32Array),
}

impl Chosen {
    /// Checks a selection over `rows` rows.
    pub fn check(selection: &Selection, rows: usize, cap: RowCap) -> Result<Self, String> {
        match selection {
            Selection::All => Ok(Chosen::All),
            Selection::None => Ok(Chosen::None),
            Selection::Mask(bits) => Self::mask(bits, rows),
            Selection::Take(indices) => Self::take(indices, rows, cap),
        }
    }

    fn mask(bits: &[u8], rows: usize) -> Result<Self, String> {
        check_bitmap("the mask", rows, bits)?;
        let bits = BooleanBuffer::new(Buffer::from_slice_ref(bits), 0, rows);
        let mask = BooleanArray::new(bits.clone(), None);
        let predicate = FilterBuilder::new(&mask).optimize().build();
        Ok(match predicate.count() {
            0 => Chosen::None,
            count if count == rows => Chosen::All,
            _ => Chosen::Mask { bits, predicate: Box::new(predicate) },
        })
    }

    fn take(indices: &[u32], rows: usize, cap: RowCap) -> Result<Self, String> {
        cap.check(indices.len() as u64)?;
        if let Some(index) = indices.iter().find(|index| **index as usize >= rows) {
            return Err(format!("row {index} is taken, the batch has {rows} rows"));
        }
        Ok(Chosen::Take(UInt32Array::from(indices.to_vec())))
    }

    /// How many rows come out of `rows`.
    pub fn count(&self, rows: usize) -> usize {
        match self {
            Chosen::All => rows,
            Chosen::None => 0,
            Chosen::Mask { predicate, .. } => predicate.count(),
            Chosen::Take(indices) => indices.len(),
        }
    }

    /// Which of the input rows come out at least once, one bit per row.
    pub fn bits(&self, rows: usize) -> BooleanBuffer {
        match self {
            Chosen::All => BooleanBuffer::new_set(rows),
            Chosen::None => BooleanBuffer::new_unset(rows),
            Chosen::Mask { bits, .. } => bits.clone(),
            Chosen::Take(indices) => {
                let mut taken = vec![false; rows];
                for index in indices.values() {
                    taken[*index as usize] = true;
                }
                BooleanBuffer::from(taken)
            }
        }
    }

    /// How often the row is chosen that is chosen most.
    pub fn most_of_one(&self, rows: usize) -> u32 {
        let Chosen::Take(indices) = self else { return 1 };
        let mut counts = vec![0u32; rows];
        for index in indices.values() {
            counts[*index as usize] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    }

    /// The chosen rows of one column.
    pub fn apply(&self, column: &ArrayRef) -> Result<ArrayRef, String> {
        let refused = |error| format!("the rows cannot be selected: {error}");
        match self {
            Chosen::All => Ok(Arc::clone(column)),
            Chosen::None => Ok(column.slice(0, 0)),
            Chosen::Mask { predicate, .. } => predicate.filter(column).map_err(refused),
            Chosen::Take(indices) => {
                // Arrow counts offsets in 32 bits and does not look whether they still fit.
                let bytes = self.block_bytes(column);
                if bytes > i32::MAX as usize {
                    return Err(format!("the taken rows have {bytes} bytes in one column"));
                }
                take(column, indices, None).map_err(refused)
            }
        }
    }

    /// Bytes that [`Chosen::apply`] would make, near enough for a cap.
    pub fn bytes(&self, column: &ArrayRef) -> usize {
        let rows = column.len();
        match (self, column.data_type().primitive_width()) {
            (Chosen::All | Chosen::None, _) => 0,
            (_, Some(width)) => self.count(rows).saturating_mul(width),
            (Chosen::Take(_), None) => self.block_bytes(column),
            (Chosen::Mask { .. }, None) => column.get_array_memory_size(),
        }
    }

    /// Bytes of the chosen values of a text or byte column, or a bound from the mean of another.
    fn block_bytes(&self, column: &ArrayRef) -> usize {
        let Chosen::Take(indices) = self else { return 0 };
        let offsets = match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().offsets(),
            DataType::Binary => column.as_binary::<i32>().offsets(),
            _ => {
                let each = column.get_array_memory_size().div_ceil(column.len().max(1));
                return each.saturating_mul(indices.len());
            }
        };
        let length = |row: u32| (offsets[row as usize + 1] - offsets[row as usize]) as usize;
        indices.values().iter().map(|row| length(*row) + size_of::<i32>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    fn letters() -> ArrayRef {
        Arc::new(StringArray::from(vec!["a", "b", "c"]))
    }

    fn text(array: &ArrayRef) -> String {
        array.as_string::<i32>().iter().flatten().collect()
    }

    #[test]
    fn every_kind_of_selection() {
        let selected = |selection| {
            let chosen = Chosen::check(&selection, 3, RowCap::new(3, 2, 100)).expect("fits");
            let column = chosen.apply(&letters()).expect("applies");
            assert_eq!(column.len(), chosen.count(3));
            (text(&column), chosen.bits(3).count_set_bits())
        };
        assert_eq!(selected(Selection::All), ("abc".into(), 3));
        assert_eq!(selected(Selection::None), (String::new(), 0));
        assert_eq!(selected(Selection::Mask(vec![0b101])), ("ac".into(), 2));
        assert_eq!(selected(Selection::Mask(vec![0b111])), ("abc".into(), 3));
        assert_eq!(selected(Selection::Take(vec![2, 2, 0])), ("cca".into(), 2));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |selection| Chosen::check(&selection, 3, RowCap::new(3, 2, 5)).err().expect("refused");
        assert_eq!(refused(Selection::Mask(vec![])), "the mask has 0 bytes, 3 rows need 1");
        assert_eq!(refused(Selection::Mask(vec![1, 0])), "the mask has 2 bytes, 3 rows need 1");
        assert_eq!(refused(Selection::Mask(vec![8])), "the mask has unused bits that are not zero");
        assert_eq!(refused(Selection::Take(vec![3])), "row 3 is taken, the batch has 3 rows");
        let bomb = refused(Selection::Take(vec![0; 7]));
        assert_eq!(bomb, "7 rows come out of 3, more than 2 for one (limits.fan_out = 2)");
        let many = refused(Selection::Take(vec![0; 6]));
        assert_eq!(many, "6 rows come out of one call, more than 5 (limits.rows = 5)");
    }
}
