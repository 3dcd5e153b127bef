//! Short ways to say what went wrong.

use crate::{ConfigProblem, PluginError, Reject, RetryAdvice};

impl PluginError {
    /// One wrong place in the configuration: its JSON pointer ("" for the whole) and what is wrong.
    pub fn config(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        PluginError::Config(vec![ConfigProblem { pointer: pointer.into(), message: message.into() }])
    }

    /// The input schema cannot be served.
    pub fn schema(message: impl Into<String>) -> Self {
        PluginError::Schema(message.into())
    }

    /// This batch cannot be processed.
    pub fn data(message: impl Into<String>) -> Self {
        PluginError::Data(message.into())
    }

    /// The run has to stop.
    pub fn fatal(message: impl Into<String>) -> Self {
        PluginError::Fatal(message.into())
    }

    /// The same call may work later; the host decides when.
    pub fn retryable(reason: impl Into<String>) -> Self {
        PluginError::Retryable(RetryAdvice { after_ms: None, reason: reason.into() })
    }
}

impl Reject {
    /// A row that is refused: its number in the batch, a stable word for machines, a sentence for people.
    pub fn new(row: u32, code: impl Into<String>, reason: impl Into<String>) -> Self {
        Reject { row, code: code.into(), reason: reason.into(), column: None }
    }

    /// Names the column at fault.
    #[must_use]
    pub fn at(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }
}
