//! The ids that a unit holds: what proves later which rows are committed, when their job is gone.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

use super::bare::is_bare;
use crate::state::IdRange;

/// Ids as they come.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    range: IdRange,
    last: String,
}

impl Default for Ids {
    fn default() -> Self {
        Self { range: IdRange { min: None, max: None, ascending: true }, last: String::new() }
    }
}

impl Ids {
    /// The ids of a batch of the source, in order.
    pub(crate) fn take(&mut self, batch: &RecordBatch) {
        if is_bare() {
            return self.unknown();
        }
        let schema = batch.schema_ref();
        let ids = schema.index_of("Id").ok().and_then(|at| batch.column(at).as_string_opt::<i32>());
        let Some(ids) = ids else {
            self.unknown();
            return;
        };
        let mut last = self.last.as_str();
        let (mut min, mut max) = (None::<&str>, None::<&str>);
        for id in ids {
            let Some(id) = id else {
                self.range.ascending = false;
                continue;
            };
            self.range.ascending &= id > last;
            last = id;
            min = Some(min.map_or(id, |min| min.min(id)));
            max = Some(max.map_or(id, |max| max.max(id)));
        }
        self.last = last.to_owned();
        self.widen(min, max);
    }

    /// A row whose id is not known.
    pub(crate) fn unknown(&mut self) {
        self.range.ascending = false;
    }

    /// What they came to.
    pub(crate) fn range(&self) -> IdRange {
        self.range.clone()
    }

    fn widen(&mut self, min: Option<&str>, max: Option<&str>) {
        let IdRange { min: least, max: most, .. } = &mut self.range;
        if let Some(min) = min.filter(|min| least.as_deref().is_none_or(|least| *min < least)) {
            *least = Some(min.to_owned());
        }
        if let Some(max) = max.filter(|max| most.as_deref().is_none_or(|most| *max > most)) {
            *most = Some(max.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn range(batches: &[&[Option<&str>]]) -> IdRange {
        let schema = Arc::new(Schema::new(vec![Field::new("Id", DataType::Utf8, true)]));
        let mut ids = Ids::default();
        for rows in batches {
            let column = Arc::new(StringArray::from(rows.to_vec()));
            ids.take(&RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap());
        }
        ids.range()
    }

    #[test]
    fn only_ids_that_rise_over_all_batches_are_ascending() {
        let risen = range(&[&[Some("001A"), Some("001a")], &[Some("001b")]]);
        assert_eq!((risen.min.as_deref(), risen.max.as_deref(), risen.ascending), (Some("001A"), Some("001b"), true));
        let fallen = range(&[&[Some("2")], &[Some("1"), Some("3")]]);
        assert_eq!((fallen.min.as_deref(), fallen.max.as_deref(), fallen.ascending), (Some("1"), Some("3"), false));
        assert!(!range(&[&[Some("1"), None]]).ascending && !range(&[&[Some("1"), Some("1")]]).ascending);
        assert!(range(&[]).ascending);
    }
}
