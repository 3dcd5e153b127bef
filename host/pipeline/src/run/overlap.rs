//! Rows in the overlap of two windows: those that the last run read are left out, by a hash of id and cursor.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::incremental::Window;

/// Hash of an id and its cursor value: 16 bytes of SHA-256.
pub(crate) type RowHash = [u8; 16];

/// What one run knows of its overlap.
pub(crate) struct Overlap {
    field: String,
    /// where the last run ended: rows before it may be known
    cursor: Option<i64>,
    remember_from: i64,
    known: HashSet<RowHash>,
}

impl Overlap {
    /// `known`: what the last complete run remembered.
    pub(crate) fn new(window: &Window, known: HashSet<RowHash>) -> Self {
        Self { field: window.field.clone(), cursor: window.cursor, remember_from: window.remember_from, known }
    }

    /// The rows that the last run did not read, and how many it did; `remembered` takes those of the next overlap.
    /// `deleted`: the rows are those that were deleted.
    pub(crate) fn sift(
        &self,
        batch: RecordBatch,
        deleted: bool,
        remembered: &mut Vec<RowHash>,
    ) -> Result<(RecordBatch, u64), Failure> {
        let schema = batch.schema();
        let (Ok(id), Ok(at)) = (schema.index_of("Id"), schema.index_of(&self.field)) else {
            return Ok((batch, 0));
        };
        let (Some(ids), Some(moments)) =
            (batch.column(id).as_string_opt::<i32>(), batch.column(at).as_primitive_opt::<TimestampMicrosecondType>())
        else {
            return Ok((batch, 0));
        };
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let (id, moment) = (ids.value(row), if moments.is_valid(row) { moments.value(row) } else { i64::MIN });
            let near = moment >= self.remember_from || self.cursor.is_some_and(|cursor| moment < cursor);
            if !near {
                keep.push(true);
                continue;
            }
            let hash = hash(id, moment, deleted);
            if moment >= self.remember_from {
                remembered.push(hash);
            }
            keep.push(!(self.cursor.is_some_and(|cursor| moment < cursor) && self.known.contains(&hash)));
        }
        let left_out = keep.iter().filter(|keep| !**keep).count() as u64;
        if left_out == 0 {
            return Ok((batch, 0));
        }
        let kept = filter_record_batch(&batch, &BooleanArray::from(keep))
            .map_err(|error| Failure::source_data(format!("rows of the overlap cannot be left out: {error}")))?;
        Ok((kept, left_out))
    }
}

/// A row that is deleted is another one than when it lived, also where its cursor stayed the same.
fn hash(id: &str, moment: i64, deleted: bool) -> RowHash {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update(if deleted { "deleted" } else { "" });
    hash.update([0]);
    hash.update(moment.to_le_bytes());
    let digest = hash.finalize();
    let mut short = RowHash::default();
    short.copy_from_slice(&digest[..16]);
    short
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{StringArray, TimestampMicrosecondArray};
    use arrow_schema::{DataType, Field, Schema, TimeUnit};

    use super::*;

    fn batch(rows: &[(&str, i64)]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("Id", DataType::Utf8, false),
            Field::new("At", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        ]);
        let ids = StringArray::from(rows.iter().map(|row| row.0).collect::<Vec<_>>());
        let moments = TimestampMicrosecondArray::from(rows.iter().map(|row| row.1).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(moments.with_timezone("UTC"))]).unwrap()
    }

    fn window(cursor: Option<i64>, to: i64) -> Window {
        let from = cursor.map(|at| at - 10);
        Window { field: "At".into(), from, cursor, to, remember_from: to - 10, behind_cursor: None }
    }

    #[test]
    fn late_and_changed_rows_pass_and_known_ones_do_not() {
        let mut remembered = Vec::new();
        let first = Overlap::new(&window(None, 100), HashSet::new());
        let (rows, left_out) = first.sift(batch(&[("a", 50), ("b", 91), ("c", 99)]), false, &mut remembered).unwrap();
        assert_eq!((rows.num_rows(), left_out, remembered.len()), (3, 0, 2));
        let second = Overlap::new(&window(Some(100), 200), remembered.into_iter().collect());
        let mut again = Vec::new();
        // c changed within the overlap, d came late, b is known, a is as it was read by nobody
        let rows = [("b", 91), ("c", 98), ("d", 95), ("e", 100), ("f", 195)];
        let (rows, left_out) = second.sift(batch(&rows), false, &mut again).unwrap();
        assert_eq!(left_out, 1);
        assert_eq!(rows.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["c", "d", "e", "f"]);
        assert_eq!(again.len(), 1);
        let (rows, left_out) = second.sift(batch(&[("b", 91)]), true, &mut again).unwrap();
        assert_eq!((rows.num_rows(), left_out), (1, 0), "a row that is known alive and comes deleted is news");
    }
}
