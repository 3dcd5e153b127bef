//! What ended a unit: the error, and whether the same unit may be tried again from its start.

use crate::error::Error;

/// Why a unit was given up.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    pub again: Again,
}

/// Whether the same unit, read and written again from its start, may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// the source's fault may be over
    Source,
    /// rows that break the destination are known now, and will be left out
    Rows,
}

impl Failure {
    /// The source's data contradicts itself.
    pub(crate) fn source_data(text: impl Into<String>) -> Self {
        Error::SourceData(text.into()).into()
    }

    /// Marks a fault of the source as worth another try.
    pub(crate) fn again(mut self) -> Self {
        self.again = Again::Source;
        self
    }

    /// Rows broke the destination, and it is known which.
    pub(crate) fn without_bad_rows(error: Error) -> Self {
        Self { error, again: Again::Rows }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, again: Again::Never }
    }
}

impl From<forcepump_salesforce::Error> for Failure {
    fn from(error: forcepump_salesforce::Error) -> Self {
        let again = if error.is_retryable() { Again::Source } else { Again::Never };
        Self { error: error.into(), again }
    }
}
