//! A pass: one extract within a feed, and the names of its units.
//!
//! The main pass reads the feed's rows; its units are `p00000`, `p00001`, …. Any other pass has a prefix that stands
//! before the names of its units: a slice `s0`, the deleted rows `d`, rejected rows that are tried again `r`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use forcepump_salesforce::{PartRef, ResolvedQuery};
use forcepump_sandbox::{Prepared, Target};

use super::cut::Cut;
use crate::file::Action;
use crate::firewall::Gate;

/// Prefix of the pass that reads deleted rows.
pub(crate) const DELETES: &str = "d";

/// One extract within a feed.
pub(crate) struct Pass {
    /// what its units' names begin with; empty: the main pass
    pub prefix: String,
    pub query: ResolvedQuery,
    /// where its rows go, and what writing means for them
    pub target: Target,
    /// what the destination settled for that target
    pub prepared: Prepared,
    /// which rows its query sees
    pub action: Action,
    /// the columns it fetches, and what its rows go through
    pub through: Arc<Through>,
    /// what it holds of the rows, where that is not all
    pub cut: Option<Cut>,
    /// of a slice: the pass that was cut
    pub root: Option<Arc<Pass>>,
}

/// The columns that a pass fetches, and what its rows go through.
pub(crate) struct Through {
    /// numbers of the full schema's columns that are fetched, ascending
    pub kept: Vec<usize>,
    /// the others
    pub unfetched: BTreeSet<u32>,
    /// for each transform: rows go past it, because it makes nothing that is wanted
    pub bypass: Vec<bool>,
    /// what stands between the transforms and the destination
    pub gate: Gate,
}

impl Through {
    /// `kept`: numbers of the full schema's columns, ascending.
    pub(crate) fn new(kept: Vec<usize>, full: &SchemaRef, bypass: Vec<bool>, gate: Gate) -> Self {
        let numbers = (0u32..).take(full.fields().len());
        let unfetched = numbers.filter(|number| !kept.contains(&(*number as usize))).collect();
        Self { kept, unfetched, bypass, gate }
    }
}

impl Pass {
    /// Whether its rows are those that were deleted.
    pub(crate) fn deletes(&self) -> bool {
        is_of_deletes(&self.prefix)
    }

    /// Id of a part's unit: the same part has the same id, however often and in which process it is tried.
    pub(crate) fn unit_of(&self, part: &PartRef) -> String {
        self.named(&part.unit())
    }

    /// Id of a unit that is no part: what stateful transforms hold at the end, columns without rows.
    pub(crate) fn named(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}-{name}", self.prefix) }
    }
}

/// Prefix of the passes that read rejected rows again; a number follows from the second on.
pub(crate) const RETRIES: &str = "r";
/// The same of rows whose deletion was refused.
pub(crate) const RETRIED_DELETES: &str = "rd";

/// Whether a pass of that prefix reads deleted rows, a slice of them, or what was left of them when their job was lost.
pub(crate) fn is_of_deletes(prefix: &str) -> bool {
    let base = prefix.split(['.', 'x']).next().unwrap_or_default();
    let number = base.strip_prefix(RETRIED_DELETES);
    base == DELETES || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a unit is of such a pass.
pub(crate) fn is_unit_of_deletes(unit: &str) -> bool {
    unit.split_once('-').is_some_and(|(prefix, _)| is_of_deletes(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_unit_says_whether_its_rows_are_deleted_ones() {
        for unit in ["d-p00000", "d.1-p00000", "dx1-p00003", "d-751000-00001", "rd-p00000", "rd12x1-p00000"] {
            assert!(is_unit_of_deletes(unit), "{unit}");
        }
        for unit in ["p00001", "final-0", "empty", "751d-00000", "r-p00000", "r2x1-final-0", "s0.1-p00000", "rdx"] {
            assert!(!is_unit_of_deletes(unit), "{unit}");
        }
    }
}
