//! A job that Salesforce does not have any more, or a cursor: what can take its place.
//!
//! The pages of another job hold other rows, and the destination would take them for those that it has. So the rest is
//! read by a pass of its own, over the ids that no committed unit holds. That a unit holds every row between its first
//! and its last id is proved by ids that rise within all units and from one to the next. Where they do not, nothing is
//! guessed.

use std::sync::Arc;

use super::lane::FINAL_UNIT;
use super::pass::Pass;
use super::slices;
use super::start::Ready;
use crate::error::Error;
use crate::event::Event;
use crate::state::{JobRow, UnitRow};

/// Ids of a unit, both ends included.
type Range = (String, String);

/// What is done about a job that is gone.
pub(super) enum Replaced {
    /// nothing of it was committed: the same pass gets another job
    Anew,
    /// this pass reads what is left
    By(Arc<Pass>),
}

/// Makes room for another job.
///
/// # Errors
/// [`Error::StartAnew`] when rows are committed, or may be, and cannot be told from the rest.
pub(super) fn replace(ready: &Ready, pass: &Pass, error: &Error) -> Result<Replaced, Error> {
    let (journal, observer) = (&ready.shared.journal, &ready.shared.observer);
    let words = error.to_string();
    let words = words.lines().next().unwrap_or_default();
    let units = units_of(ready, pass)?;
    let unsure = journal.unsure_units(&pass.prefix)?;
    if units.is_empty() && unsure == 0 {
        let text = format!("its job is gone ({words}); another one is made, as nothing of it was committed");
        observer.event(Event::Warning(text));
        journal.job_gone(&pass.prefix)?;
        return Ok(Replaced::Anew);
    }
    let rest = ranges(&units).filter(|_| unsure == 0 && !pass.query.select.is_ordered());
    let Some(rest) = rest.and_then(|ranges| rest_of(pass, &ranges)) else {
        return Err(Error::StartAnew(format!("its Salesforce job is gone ({words})")));
    };
    let rows = units.iter().map(|unit| unit.tally.read).sum();
    observer.event(Event::Warning(format!(
        "its job is gone ({words}); another one reads the rows whose ids are in none of the {} committed units",
        units.len()
    )));
    journal.pass_succeeded(&pass.prefix, rows)?;
    Ok(Replaced::By(Arc::new(rest)))
}

/// The pass that an earlier process put in the place of the rest of this one, whether it came to have a job or not; or the
/// slices that it was cut into.
///
/// # Errors
/// [`Error::StartAnew`] when the committed units do not tell any more which rows are left.
pub(super) fn successors(ready: &Ready, pass: &Pass) -> Result<Vec<Arc<Pass>>, Error> {
    let next = next_prefix(&pass.prefix);
    let is_told = |job: &JobRow| job.pass == next || job.pass == pass.prefix && job.succeeded;
    if !ready.shared.journal.jobs()?.iter().any(is_told) {
        return Ok(Vec::new());
    }
    let units = units_of(ready, pass)?;
    let Some(rest) = ranges(&units).and_then(|ranges| rest_of(pass, &ranges)).map(Arc::new) else {
        return Err(Error::StartAnew("its units do not tell any more which rows are left".to_owned()));
    };
    let slices = slices::known(ready, &rest)?;
    Ok(if slices.is_empty() { vec![rest] } else { slices })
}

fn units_of(ready: &Ready, pass: &Pass) -> Result<Vec<UnitRow>, Error> {
    Ok(ready.shared.journal.units()?.into_iter().filter(|unit| unit.pass == pass.prefix).collect())
}

fn rest_of(pass: &Pass, ranges: &[Range]) -> Option<Pass> {
    let query = pass.query.without_ids(ranges).ok()?;
    let (target, prepared) = (pass.target.clone(), pass.prepared.clone());
    let (action, through) = (pass.action, Arc::clone(&pass.through));
    let (prefix, cut) = (next_prefix(&pass.prefix), pass.cut.clone());
    Some(Pass { prefix, query, target, prepared, action, through, cut, root: None })
}

/// `x1` after the main pass, `s0x1` after a slice, `x2` after `x1`, `x1.0x1` after a half of `x1`.
fn next_prefix(prefix: &str) -> String {
    let numbered = prefix.rsplit_once('x').and_then(|(base, number)| Some((base, number.parse().ok()?)));
    let (base, number) = numbered.unwrap_or((prefix, 0_u32));
    format!("{base}x{}", number.saturating_add(1))
}

/// The ids of the units, when they prove that no other row lies between them.
fn ranges(units: &[UnitRow]) -> Option<Vec<Range>> {
    let mut ranges = Vec::with_capacity(units.len());
    for unit in units.iter().filter(|unit| unit.tally.read > 0 || unit.unit.contains(FINAL_UNIT)) {
        let ids = &unit.ids;
        ranges.push((ids.min.clone()?, ids.max.clone().filter(|_| ids.ascending)?));
    }
    ranges.sort();
    ranges.is_sorted_by(|before, after| before.1 < after.0).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::UnitTally;
    use crate::state::IdRange;

    fn unit(unit: &str, min: &str, max: &str, ascending: bool) -> UnitRow {
        let id = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        UnitRow {
            feed: "Account".into(),
            pass: String::new(),
            unit: unit.into(),
            number: 0,
            tally: UnitTally { read: u64::from(!min.is_empty()), ..UnitTally::default() },
            token: String::new(),
            part: None,
            rejects_bytes: 0,
            ids: IdRange { min: id(min), max: id(max), ascending },
            files: Vec::new(),
            read_hash: None,
            written_hash: None,
            committed_at: 0,
        }
    }

    #[test]
    fn only_ids_that_rise_within_and_across_units_prove_anything() {
        let first = unit("p00000", "001A", "001F", true);
        let later = unit("p00002", "001K", "001P", true);
        let proved = ranges(&[later.clone(), first.clone(), unit("p00001", "", "", true)]).unwrap();
        assert_eq!(proved, [("001A".into(), "001F".into()), ("001K".into(), "001P".into())]);
        for other in [
            unit("p00001", "001C", "001H", true),
            unit("p00001", "001F", "001H", true),
            unit("p00001", "001G", "001H", false),
            unit("final-0", "", "", true),
        ] {
            assert_eq!(ranges(&[first.clone(), later.clone(), other]), None);
        }
    }

    #[test]
    fn passes_that_follow_are_numbered() {
        assert_eq!(["", "x1", "s0", "s0.1x9", "d"].map(next_prefix), ["x1", "x2", "s0x1", "s0.1x10", "dx1"]);
        assert_eq!(["x1.0", "x1.0x1", "dx1.1"].map(next_prefix), ["x1.0x1", "x1.0x2", "dx1.1x1"]);
    }
}
