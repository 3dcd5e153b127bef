//! What a destination says it took, held against what the host carried for it.
//!
//! The contract says that a row which `write` accepted is durable once `commit` has answered. Where the host does the
//! writing it knows better: a batch that was accepted must have gone into a file or a table, once. What can be judged:
//!
//! * In the modes append and overwrite: the rows in one place (a table, or the files of one format below one root) are no more than the rows
//!   accepted, and those of all places together are the rows accepted, or a multiple where a plugin writes copies. Anything else fails the unit.
//! * In merge, update and delete a plugin may need a row several times, or not at all: nothing is judged.
//! * A plugin that makes batches of its own (`data.assemble`) may sum rows up or leave some out: that is told, and judged by nobody.
//! * Bytes of a plugin's own making, statements and requests hold rows that only the plugin can count. Only where nothing
//!   at all went out, though rows were accepted and a place is granted, the unit fails.
//! * A unit of a run that goes on may be in the destination already; then nothing is carried, and nothing is judged.

use forcepump_sandbox::{Carried, WriteMode};

/// What is known of a unit beside what was carried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    /// rows that the destination took, as it says
    pub accepted: u64,
    pub mode: WriteMode,
    /// the plugin has a grant that rows can go to
    pub has_places: bool,
    /// an earlier process may have committed the unit
    pub may_be_there: bool,
}

/// What became of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The host wrote the rows that were accepted, each once in each place.
    Equal,
    /// The host cannot know.
    Unknown,
    /// It cannot be judged, but the numbers differ: a sentence with both.
    Told(String),
}

/// Before the commit: a place that has taken too many rows, or a batch that can go nowhere any more, keeps the unit out of
/// the destination.
///
/// # Errors
/// A sentence with both numbers.
pub(crate) fn before_commit(claim: &Claim, carried: &Carried) -> Result<(), String> {
    if !judges(claim, carried) {
        return Ok(());
    }
    let counts: Vec<u64> = carried.rows.values().map(|rows| rows.taken).collect();
    // Rows that a plugin holds back may still go in, and so may all that it gathered by itself.
    let may_grow = carried.holds || counts.iter().all(|rows| *rows == 0);
    match compare(claim.accepted, &counts) {
        Some(difference) if difference.is_too_many() || !may_grow => Err(words(claim, carried, &counts, "went into")),
        _ => Ok(()),
    }
}

/// After the commit: what is durable.
///
/// # Errors
/// A sentence with both numbers.
pub(crate) fn after_commit(claim: &Claim, carried: &Carried) -> Result<Verdict, String> {
    let counts: Vec<u64> = carried.rows.values().map(|rows| rows.durable).collect();
    let carried_any = counts.iter().any(|rows| *rows > 0);
    if claim.accepted == 0 && !carried_any {
        return Ok(Verdict::Equal);
    }
    if !carried_any && claim.may_be_there {
        return Ok(Verdict::Unknown);
    }
    let differs = || words(claim, carried, &counts, "are durable in");
    if carried.rows.is_empty() {
        let nothing_went_out = carried.unknown == 0 && claim.has_places && is_adding(claim.mode);
        return if nothing_went_out { Err(differs()) } else { Ok(Verdict::Unknown) };
    }
    let difference = compare(claim.accepted, &counts);
    match difference {
        None => Ok(Verdict::Equal),
        Some(_) if judges(claim, carried) => Err(differs()),
        Some(_) if is_adding(claim.mode) => Ok(Verdict::Told(differs())),
        Some(_) => Ok(Verdict::Unknown),
    }
}

/// Whether the numbers must be equal: rows are added, in batches as the host gave them.
fn judges(claim: &Claim, carried: &Carried) -> bool {
    is_adding(claim.mode) && !carried.rows.is_empty() && carried.rows.values().all(|rows| rows.own == 0)
}

fn is_adding(mode: WriteMode) -> bool {
    matches!(mode, WriteMode::Append | WriteMode::Overwrite)
}

enum Difference {
    TooMany,
    TooFew,
}

impl Difference {
    fn is_too_many(&self) -> bool {
        matches!(self, Self::TooMany)
    }
}

fn compare(accepted: u64, counts: &[u64]) -> Option<Difference> {
    let sum: u64 = counts.iter().sum();
    if counts.iter().any(|rows| *rows > accepted) {
        return Some(Difference::TooMany);
    }
    let is_copies = sum > 0 && sum.is_multiple_of(accepted.max(1));
    (sum != accepted && !is_copies).then_some(Difference::TooFew)
}

fn words(claim: &Claim, carried: &Carried, counts: &[u64], verb: &str) -> String {
    let accepted = claim.accepted;
    let places: Vec<String> = carried.rows.keys().zip(counts).map(|(to, rows)| format!("{rows} {verb} {to}")).collect();
    let places =
        if places.is_empty() { "none went into a file, a table or a request".to_owned() } else { places.join(", ") };
    format!("it accepted {accepted} rows, but {places}")
}

#[cfg(test)]
mod tests {
    use forcepump_sandbox::{CarriedRows, CarriedTo};

    use super::*;

    const CLAIM: Claim = Claim { accepted: 10, mode: WriteMode::Append, has_places: true, may_be_there: false };

    fn carried(tables: &[(&str, u64, u64)]) -> Carried {
        let to = |table: &str| CarriedTo::Table { connection: "db".into(), table: table.into(), mode: "append" };
        let rows = tables
            .iter()
            .map(|(table, taken, durable)| (to(table), CarriedRows { taken: *taken, durable: *durable, own: 0 }));
        Carried { rows: rows.collect(), ..Carried::default() }
    }

    #[test]
    fn what_was_accepted_must_be_carried_once() {
        for (tables, equal) in [
            (&[("t", 10, 10)][..], true),
            (&[("t", 9, 9)], false),
            (&[("t", 20, 20)], false),
            (&[("a", 4, 4), ("b", 6, 6)], true),
            (&[("a", 10, 10), ("b", 10, 10)], true),
            (&[("a", 10, 10), ("b", 9, 9)], false),
        ] {
            let carried = carried(tables);
            assert_eq!(before_commit(&CLAIM, &carried).is_ok(), equal, "{tables:?}");
            assert_eq!(after_commit(&CLAIM, &carried) == Ok(Verdict::Equal), equal, "{tables:?}");
            let merge = Claim { mode: WriteMode::Merge, ..CLAIM };
            assert!(before_commit(&merge, &carried).is_ok() && after_commit(&merge, &carried).is_ok());
        }
        let text = after_commit(&CLAIM, &carried(&[("t", 9, 9)])).unwrap_err();
        assert!(text.contains("10 rows") && text.contains("9 are durable in table t"), "{text}");
    }

    #[test]
    fn what_was_carried_must_be_durable_after_the_commit() {
        let open = carried(&[("t", 10, 0)]);
        assert!(before_commit(&CLAIM, &open).is_ok());
        assert!(after_commit(&CLAIM, &open).is_err());
    }

    #[test]
    fn held_rows_may_still_come_and_nothing_at_all_may_not() {
        let held = Carried { holds: true, ..carried(&[("t", 4, 0)]) };
        assert!(before_commit(&CLAIM, &held).is_ok());
        assert!(after_commit(&CLAIM, &held).is_err());
        let nothing = Carried::default();
        assert!(before_commit(&CLAIM, &nothing).is_ok());
        assert!(after_commit(&CLAIM, &nothing).unwrap_err().contains("none went into"));
        assert_eq!(after_commit(&Claim { has_places: false, ..CLAIM }, &nothing), Ok(Verdict::Unknown));
        assert_eq!(after_commit(&Claim { may_be_there: true, ..CLAIM }, &nothing), Ok(Verdict::Unknown));
        assert_eq!(after_commit(&CLAIM, &Carried { unknown: 1, ..nothing }), Ok(Verdict::Unknown));
    }

    #[test]
    fn batches_of_the_plugins_own_are_told_and_not_judged() {
        let mut own = carried(&[("t", 3, 3)]);
        own.rows.values_mut().for_each(|rows| rows.own = 3);
        assert!(before_commit(&CLAIM, &own).is_ok());
        assert!(matches!(after_commit(&CLAIM, &own), Ok(Verdict::Told(text)) if text.contains("3 are durable")));
    }
}
