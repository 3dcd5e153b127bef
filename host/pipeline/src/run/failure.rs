//! What ended a unit: the error, and whether the same unit may be tried again from its start.

use crate::error::Error;

/// Why a unit was given up.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    /// the same unit, read and written again from its start, may succeed
    pub again: bool,
}

impl Failure {
    /// The source's data contradicts itself.
    pub(crate) fn source_data(text: impl Into<String>) -> Self {
        Error::SourceData(text.into()).into()
    }

    /// Marks the failure as worth another try.
    pub(crate) fn again(mut self) -> Self {
        self.again = true;
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, again: false }
    }
}

impl From<forcepump_salesforce::Error> for Failure {
    fn from(error: forcepump_salesforce::Error) -> Self {
        let again = error.is_retryable();
        Self { error: error.into(), again }
    }
}
