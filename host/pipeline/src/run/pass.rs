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

/// Whether a pass of that prefix reads deleted rows, a slice of them, or what was left of them when their job was lost.
pub(crate) fn is_of_deletes(prefix: &str) -> bool {
    prefix.split(['.', 'x']).next() == Some(DELETES)
}
