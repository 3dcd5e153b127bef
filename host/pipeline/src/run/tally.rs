//! What one unit counted, and the equalities that make a count trustworthy.

use forcepump_salesforce::{Api, Extract};

use crate::error::Error;
use crate::report::RowCounts;

/// Rows of one unit at each station; added to the run's counts only when the unit is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitTally {
    /// rows parsed from the page, rejected ones included
    pub read: u64,
    /// rows that transforms left out
    pub filtered: u64,
    /// rows that transforms made beyond their input
    pub added: u64,
    /// rows refused by the decoder, a transform or the destination
    pub rejected: u64,
    /// of the rejected rows: those that the destination refused
    pub refused: u64,
    /// rows the destination took
    pub written: u64,
    /// bytes of CSV decoded
    pub bytes: u64,
}

impl UnitTally {
    /// Compares what the page announced with what was parsed, and what came in with what went out.
    ///
    /// # Errors
    /// A sentence with both numbers.
    pub fn check(&self, unit: &str, announced: Option<u64>) -> Result<(), String> {
        if let Some(rows) = announced.filter(|rows| *rows != self.read) {
            return Err(format!(
                "page {unit} announced {rows} rows (Sforce-NumberOfRecords), but {} were parsed; nothing of it was written",
                self.read
            ));
        }
        let came = self.read + self.added;
        let went = self.filtered + self.rejected + self.written;
        if came != went {
            return Err(format!(
                "unit {unit} does not add up: {came} rows came in, but {went} are filtered, rejected or written"
            ));
        }
        Ok(())
    }

    /// Adds a committed unit to the run's counts.
    pub fn add_to(&self, rows: &mut RowCounts) {
        rows.read += self.read;
        rows.filtered += self.filtered;
        rows.added += self.added;
        rows.rejected += self.rejected;
        rows.written += self.written;
    }
}

/// The source's own count against the rows parsed from all parts: a missing page cannot pass.
pub(super) fn check_total(extract: &Extract, announced: u64, read: u64) -> Result<(), Error> {
    if announced == read {
        return Ok(());
    }
    let counter = if extract.api() == Api::Rest { "totalSize" } else { "numberRecordsProcessed" };
    let words = extract.words();
    let report = extract.job_id().map_or("", |_| ", report the job id to Salesforce");
    Err(Error::NotWhole(format!(
        "{words} announced {announced} rows ({counter}), but its pages held {read}; the units committed so far stay, the run is not complete\nhint: run again; if it happens again{report}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lying_page_header_is_found() {
        let tally = UnitTally { read: 9, written: 9, ..UnitTally::default() };
        let text = tally.check("p1", Some(10)).unwrap_err();
        assert!(text.contains("10") && text.contains('9'), "{text}");
        assert!(tally.check("p1", Some(9)).is_ok());
        assert!(tally.check("p1", None).is_ok());
    }

    #[test]
    fn a_lost_row_is_found() {
        let tally = UnitTally { read: 9, filtered: 3, rejected: 1, written: 4, ..UnitTally::default() };
        assert!(tally.check("p1", Some(9)).is_err());
        let whole = UnitTally { written: 5, ..tally };
        assert!(whole.check("p1", Some(9)).is_ok());
    }
}
