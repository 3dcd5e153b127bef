//! A pass: one extract within a feed, and the names of its units.
//!
//! The main pass reads the feed's rows; its units are `p00000`, `p00001`, …. Any other pass has a prefix that stands
//! before the names of its units: a slice `s0`, the deleted rows `d`, rejected rows that are tried again `r`.

use forcepump_salesforce::{PartRef, ResolvedQuery};
use forcepump_sandbox::{Prepared, Target};

/// One extract within a feed.
pub(crate) struct Pass {
    /// what its units' names begin with; empty: the main pass
    pub prefix: String,
    pub query: ResolvedQuery,
    /// where its rows go, and what writing means for them
    pub target: Target,
    /// what the destination settled for that target
    pub prepared: Prepared,
}

impl Pass {
    /// Id of a part's unit: the same part has the same id, however often and in which process it is tried.
    pub(crate) fn unit_of(&self, part: &PartRef) -> String {
        self.named(&part.unit())
    }

    /// Id of a unit that is no part: what stateful transforms hold at the end, columns without rows.
    pub(crate) fn named(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}-{name}", self.prefix) }
    }
}
