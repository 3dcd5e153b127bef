//! A call that broke a plugin: which calls count as such, and as what their rows are rejected.

use forcepump_batch::RowReject;
use forcepump_sandbox::{CallError, PluginError};

use crate::error::Error;

/// Code of rows that were not looked at one by one, because the budget for that was used up.
const OVER_BUDGET: &str = "bad_batch_budget";
/// Bytes of a reason; the contract cuts those of plugins at the same length.
const MAX_REASON_BYTES: usize = 512;
/// What a call that used up its time costs; any other broken call costs 1.
const TIMEOUT_COST: u64 = 8;

/// A batch broke the plugin.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub code: &'static str,
    pub error: CallError,
}

impl Broken {
    /// Whether the batch is at fault; an error that is not about the batch comes back.
    pub(crate) fn of(error: CallError) -> Result<Self, CallError> {
        let code = match &error {
            CallError::Trap { .. } => "plugin_trap",
            CallError::Timeout { .. } => "plugin_timeout",
            CallError::Memory { .. } | CallError::Table { .. } => "plugin_memory",
            CallError::Fuel { .. } => "plugin_fuel",
            CallError::Output { .. } => "plugin_output",
            CallError::Contract { .. } => "plugin_contract",
            CallError::Plugin { error: PluginError::Data(_), .. } => "plugin_data",
            _ => return Err(error),
        };
        Ok(Self { code, error })
    }

    /// What it takes from the budgets.
    pub(crate) fn cost(&self) -> u64 {
        if matches!(self.error, CallError::Timeout { .. }) { TIMEOUT_COST } else { 1 }
    }

    /// Why rows are rejected for it.
    pub(crate) fn poison(&self) -> Poison {
        Poison { code: self.code, reason: cut(&self.error.to_string()) }
    }

    /// Why rows are rejected that nobody can afford to look at.
    pub(crate) fn over_budget(&self) -> Poison {
        let reason = format!("no budget is left to find the rows at fault in a batch that broke: {}", self.error);
        Poison { code: OVER_BUDGET, reason: cut(&reason) }
    }
}

/// Why rows are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Poison {
    pub code: &'static str,
    pub reason: String,
}

impl Poison {
    /// The rejects of consecutive rows.
    pub(crate) fn rejects(&self, offset: usize, rows: usize) -> Vec<RowReject> {
        let numbers = (offset..offset + rows).map(|row| u32::try_from(row).unwrap_or(u32::MAX));
        let reject = |row| RowReject { row, code: self.code.to_owned(), reason: self.reason.clone(), column: None };
        numbers.map(reject).collect()
    }
}

/// One line without control characters, at most [`MAX_REASON_BYTES`] long.
fn cut(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > MAX_REASON_BYTES {
            break;
        }
        line.push(c);
    }
    line
}

/// The error of a plugin that broke on all that it was given.
pub(crate) fn hopeless(last: Error) -> Error {
    last.explained(
        "it broke on every row of its first batches, so that going on would only reject them all; the last time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_traps_are_of_the_batch_and_a_fatal_error_is_not() {
        let plugin = |error| CallError::Plugin { plugin: "p".into(), call: "process", error };
        let broken = Broken::of(plugin(PluginError::Data("bad\u{7}".into()))).unwrap();
        assert_eq!((broken.code, broken.cost()), ("plugin_data", 1));
        assert!(!broken.poison().reason.contains('\u{7}'), "{broken:?}");
        assert!(Broken::of(plugin(PluginError::Fatal("no".into()))).is_err());
        let late = CallError::Timeout { plugin: "p".into(), call: "process", limit: std::time::Duration::from_secs(1) };
        assert_eq!(Broken::of(late).unwrap().cost(), TIMEOUT_COST);
    }

    #[test]
    fn reasons_are_cut_at_a_character() {
        assert_eq!(cut(&"é".repeat(400)).len(), 512);
    }
}
