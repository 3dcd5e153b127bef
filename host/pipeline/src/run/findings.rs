//! What is known of the rows of one unit, from one try of it to the next: which ones break which plugin.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use super::broken::Poison;

/// Kept by the worker until the unit is committed.
#[derive(Debug)]
pub(crate) struct Findings(Vec<Stage>);

/// At the entrance of one transform, or of the destination.
#[derive(Debug, Default)]
struct Stage {
    /// first row → how many, and why
    bad: BTreeMap<u64, (u64, Poison)>,
    cost: u64,
}

/// Consecutive rows of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub offset: usize,
    pub rows: usize,
    /// known to break the plugin, and how
    pub bad: Option<Poison>,
}

impl Stretch {
    /// These rows of the batch.
    pub(crate) fn of(&self, batch: &RecordBatch) -> RecordBatch {
        // Almost every batch is one stretch, and a wide one is not cut for nothing.
        if self.rows == batch.num_rows() { batch.clone() } else { batch.slice(self.offset, self.rows) }
    }
}

impl Findings {
    /// Nothing is known yet; `stages` transforms and the destination.
    pub(crate) fn new(stages: usize) -> Self {
        Self((0..=stages).map(|_| Stage::default()).collect())
    }

    /// Rows are at fault; numbers count from the start of the unit, at the entrance of that stage.
    pub(crate) fn found(&mut self, stage: usize, row: u64, rows: usize, poison: Poison) {
        if let Some(stage) = self.0.get_mut(stage) {
            stage.bad.insert(row, (rows as u64, poison));
        }
    }

    /// A broken call; gives what the unit has paid for that stage so far.
    pub(crate) fn spent(&mut self, stage: usize, cost: u64) -> u64 {
        let Some(stage) = self.0.get_mut(stage) else { return u64::MAX };
        stage.cost += cost;
        stage.cost
    }

    /// A batch, cut where rows are known to be bad.
    pub(crate) fn stretches(&self, stage: usize, first_row: u64, rows: usize) -> Vec<Stretch> {
        let end = first_row + rows as u64;
        let mut at = first_row;
        let mut stretches = Vec::new();
        let mut push = |from: u64, to: u64, bad: Option<Poison>| {
            if from < to {
                stretches.push(Stretch { offset: (from - first_row) as usize, rows: (to - from) as usize, bad });
            }
        };
        for (start, (count, poison)) in self.0.get(stage).iter().flat_map(|stage| stage.bad.range(..end)) {
            let (from, to) = ((*start).max(at), (start + count).min(end));
            if from < to {
                push(at, from, None);
                push(from, to, Some(poison.clone()));
                at = to;
            }
        }
        push(at, end, None);
        stretches
    }
}

/// The parts of a broken batch that are still to be tried, in their order.
#[derive(Debug)]
pub(crate) struct Search(Vec<(usize, usize)>);

impl Search {
    /// Over the whole of a batch.
    pub(crate) fn whole(rows: usize) -> Self {
        Self(vec![(0, rows)])
    }

    /// The next part: offset and rows.
    pub(crate) fn next(&mut self) -> Option<(usize, usize)> {
        self.0.pop()
    }

    /// Both halves of a part come next.
    pub(crate) fn split(&mut self, offset: usize, rows: usize) {
        let left = rows / 2;
        self.0.push((offset + left, rows - left));
        self.0.push((offset, left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poison() -> Poison {
        Poison { code: "plugin_trap", reason: "x".into() }
    }

    fn cuts(findings: &Findings, first_row: u64, rows: usize) -> Vec<(usize, usize, bool)> {
        let stretches = findings.stretches(0, first_row, rows);
        stretches.into_iter().map(|stretch| (stretch.offset, stretch.rows, stretch.bad.is_some())).collect()
    }

    #[test]
    fn a_batch_is_cut_around_bad_rows() {
        let mut findings = Findings::new(1);
        assert_eq!(cuts(&findings, 10, 5), [(0, 5, false)]);
        findings.found(0, 12, 1, poison());
        findings.found(0, 14, 4, poison());
        assert_eq!(cuts(&findings, 10, 5), [(0, 2, false), (2, 1, true), (3, 1, false), (4, 1, true)]);
        assert_eq!(cuts(&findings, 15, 10), [(0, 3, true), (3, 7, false)]);
        assert_eq!(cuts(&findings, 15, 2), [(0, 2, true)]);
        assert_eq!(findings.stretches(1, 10, 5).len(), 1, "another stage");
        assert!(findings.stretches(0, 10, 0).is_empty());
    }

    #[test]
    fn a_search_finds_every_bad_row_and_keeps_the_order() {
        let bad = [0, 5, 6, 99];
        let (mut search, mut good, mut found) = (Search::whole(100), Vec::new(), Vec::new());
        while let Some((offset, rows)) = search.next() {
            let range = offset..offset + rows;
            match (bad.iter().any(|row| range.contains(row)), rows) {
                (false, _) => good.extend(range),
                (true, 1) => found.push(offset),
                (true, _) => search.split(offset, rows),
            }
        }
        assert_eq!(found, bad);
        assert_eq!(good, (0..100).filter(|row| !bad.contains(row)).collect::<Vec<_>>());
    }
}
