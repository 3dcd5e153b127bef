//! What counts of a unit that an earlier process has run already: what was noted of it then, or what it gives now.
//!
//! A destination that has the unit takes all of its rows without a look, also those that it refused before. So numbers
//! alone do not say what became of the rows:
//!
//! * The same numbers and hashes: it does not matter.
//! * The host saw rows go out: the destination has written the unit anew, and what it says now counts.
//! * It was committed: what was noted stands.
//! * It may have been committed: where the destination refuses nothing and takes exactly the rows that it refused before,
//!   it has the unit, and what was noted stands. Other numbers are those of a unit that was not there.
//!
//! A REST query is asked anew, and rows that changed in between make another unit of it under the same name. Where the
//! destination writes it anew all is well. Where it has the one of before, the new rows are nowhere: the run is over, and
//! another one reads its window again.

use super::lane::Lane;
use super::limit::When;
use super::receipt;
use super::tally::UnitTally;
use super::unit::Unit;
use crate::error::Error;
use crate::state::{Noted, UnitRow};

/// What counts of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counts {
    /// what was noted before, and the lines that the rejects file has of it
    Noted(UnitRow),
    /// what it gives now
    Now(UnitRow),
}

/// A unit that may be committed.
pub(super) struct Checked {
    pub counts: Counts,
    /// an earlier process asked for its commit: the destination may have it already
    pub may_be_there: bool,
}

/// What was seen of a unit as it was run, beside its counts.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// rows that the destination refused by its word
    refusals: u64,
    /// the host saw rows of it go into a file or a table
    went_out: bool,
}

impl Counts {
    /// The unit as it is noted.
    pub(super) fn row(&self) -> &UnitRow {
        match self {
            Self::Noted(row) | Self::Now(row) => row,
        }
    }
}

/// What counts of a unit whose rows are all written, and whether it may be committed.
pub(super) fn before_commit(lane: &Lane, unit: &Unit<'_>) -> Result<Checked, Error> {
    let now = row_of(&lane.pass.prefix, unit);
    let noted = unit.shared.journal.noted(&now)?;
    let may_be_there = noted.is_some();
    let seen = Seen { refusals: unit.refusals, went_out: receipt::went_out(lane) };
    let counts = counts(noted, now, seen)?;
    unit.shared.check_rejects(&counts.row().tally, &unit.rejects, When::Unit)?;
    receipt::before_commit(lane, unit)?;
    Ok(Checked { counts, may_be_there })
}

/// A unit as the state keeps it, before its commit.
fn row_of(pass: &str, unit: &Unit<'_>) -> UnitRow {
    UnitRow {
        feed: unit.shared.journal.feed().to_owned(),
        pass: pass.to_owned(),
        unit: unit.id.to_owned(),
        number: 0,
        tally: unit.tally,
        token: String::new(),
        part: unit.part.clone(),
        rejects_bytes: 0,
        ids: unit.ids.range(),
        files: Vec::new(),
        read_hash: Some(unit.content.read.digest().to_vec()),
        written_hash: Some(unit.content.written_digest().to_vec()),
        committed_at: chrono::Utc::now().timestamp_micros(),
    }
}

/// Decides; `noted` is of an earlier process.
///
/// # Errors
/// [`Error::StartAnew`] when the destination may have other rows under the unit's name.
fn counts(noted: Option<Noted>, now: UnitRow, seen: Seen) -> Result<Counts, Error> {
    let Some(Noted { row: before, is_unsure }) = noted else { return Ok(Counts::Now(now)) };
    if !seen.went_out && !are_the_same_rows(&before, &now) {
        return Err(Error::StartAnew(others(&before, &now)));
    }
    let hashes = |row: &UnitRow| (row.read_hash.clone(), row.written_hash.clone());
    let is_the_same = is_equal(before.tally, now.tally);
    let stands = match (is_the_same && hashes(&before) == hashes(&now), seen.went_out) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => !is_unsure || is_the_same || took_all(before.tally, now.tally, seen.refusals),
    };
    Ok(if stands { Counts::Noted(before) } else { Counts::Now(now) })
}

/// Whether both hold the rows that they were read with.
fn are_the_same_rows(before: &UnitRow, now: &UnitRow) -> bool {
    let same_values = match (&before.read_hash, &now.read_hash) {
        (Some(before), Some(now)) => before == now,
        _ => true,
    };
    before.tally.read == now.tally.read && before.ids == now.ids && same_values
}

/// Why a unit that the destination may have cannot be written.
fn others(before: &UnitRow, now: &UnitRow) -> String {
    let (unit, read, rows) = (&now.unit, before.tally.read, now.tally.read);
    let held = if read == rows { "with other values".to_owned() } else { format!("and {rows} now") };
    format!("rows of its unit {unit} have changed since it was written: it held {read} of them then, {held}")
}

/// Whether the only difference is that the destination took rows which it refused before.
fn took_all(before: UnitTally, now: UnitTally, refusals: u64) -> bool {
    let Some(taken) = before.refused.checked_sub(now.refused) else { return false };
    let expected = UnitTally {
        refused: now.refused,
        rejected: before.rejected.saturating_sub(taken),
        written: before.written + taken,
        ..before
    };
    refusals == 0 && is_equal(expected, now)
}

/// The bytes say nothing of the rows.
fn is_equal(one: UnitTally, other: UnitTally) -> bool {
    one == UnitTally { bytes: one.bytes, ..other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::IdRange;

    const REFUSED: UnitTally =
        UnitTally { read: 20, filtered: 4, added: 0, rejected: 6, refused: 5, written: 10, bytes: 99 };
    const TAKEN: UnitTally =
        UnitTally { read: 20, filtered: 4, added: 0, rejected: 1, refused: 0, written: 15, bytes: 98 };

    fn row(tally: UnitTally) -> UnitRow {
        UnitRow {
            feed: "Account".into(),
            pass: String::new(),
            unit: "p00000".into(),
            number: 0,
            tally,
            token: String::new(),
            part: None,
            rejects_bytes: 0,
            ids: IdRange::default(),
            files: Vec::new(),
            read_hash: Some(vec![1]),
            written_hash: Some(vec![u8::try_from(tally.written).unwrap()]),
            committed_at: 0,
        }
    }

    fn stands(is_unsure: bool, now: UnitTally, seen: Seen) -> bool {
        let noted = Noted { row: row(REFUSED), is_unsure };
        let counts = counts(Some(noted), row(now), seen).unwrap();
        assert_eq!(counts.row().tally, if matches!(counts, Counts::Noted(_)) { REFUSED } else { now });
        matches!(counts, Counts::Noted(_))
    }

    const TOOK: Seen = Seen { refusals: 0, went_out: false };

    #[test]
    fn a_unit_that_was_never_run_counts_as_it_is() {
        assert_eq!(counts(None, row(TAKEN), TOOK).unwrap(), Counts::Now(row(TAKEN)));
    }

    #[test]
    fn rows_that_changed_count_where_they_went_out_and_are_nowhere_where_they_did_not() {
        let other = |change: fn(&mut UnitRow)| {
            let mut now = row(REFUSED);
            change(&mut now);
            now
        };
        for now in [
            other(|row| row.tally.read = 21),
            other(|row| (row.ids.max, row.read_hash) = (Some("001B".into()), Some(vec![2]))),
            other(|row| row.read_hash = Some(vec![2])),
        ] {
            for is_unsure in [false, true] {
                let noted = || Some(Noted { row: row(REFUSED), is_unsure });
                let refused = counts(noted(), now.clone(), TOOK).unwrap_err();
                assert!(matches!(&refused, Error::StartAnew(why) if why.contains("p00000")), "{refused}");
                let anew = counts(noted(), now.clone(), Seen { refusals: 0, went_out: true }).unwrap();
                assert_eq!(anew, Counts::Now(now.clone()));
            }
        }
    }

    #[test]
    fn what_a_destination_took_without_a_look_stays_refused() {
        for is_unsure in [false, true] {
            assert!(stands(is_unsure, TAKEN, TOOK));
            assert!(stands(is_unsure, REFUSED, Seen { refusals: 5, went_out: true }), "not there before, and the same");
            assert!(!stands(is_unsure, TAKEN, Seen { refusals: 0, went_out: true }), "written anew");
        }
        // One of those that were refused had broken the plugin, and does so again.
        let broken = UnitTally { rejected: 2, refused: 1, written: 14, ..TAKEN };
        assert!(stands(true, broken, TOOK));
    }

    #[test]
    fn other_numbers_are_those_of_a_unit_that_was_not_there_unless_it_is_known_to_be() {
        let fewer = UnitTally { rejected: 3, refused: 2, written: 13, ..TAKEN };
        let more = UnitTally { rejected: 7, refused: 6, written: 9, ..TAKEN };
        let by_others = UnitTally { rejected: 2, refused: 0, written: 14, ..TAKEN };
        for (other, refusals) in [(fewer, 2), (more, 6), (by_others, 0)] {
            let seen = Seen { refusals, went_out: false };
            assert!(!stands(true, other, seen), "{other:?}");
            assert!(stands(false, other, seen), "{other:?}");
        }
    }
}
