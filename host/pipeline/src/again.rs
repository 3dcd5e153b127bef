//! Rejected rows of a former run, to be read again by their ids and written by a run of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dead_letter::DeadLetter;
use crate::error::Error;
use crate::file::{Mode, Pipeline};
use crate::incremental::Window;
use crate::state::{RunPlan, State};

/// Characters of an id, with and without the letters that tell upper from lower case.
const ID_CHARS: [usize; 2] = [15, 18];
/// Characters that an id takes in a list: quotes and comma.
const LISTED_ID_CHARS: usize = 21;
/// Characters of a query at most; Salesforce takes 100,000.
const QUERY_CHARS: usize = 95_000;
/// The same where the query stands in an address, as REST has it.
const ADDRESS_CHARS: usize = 4_000;

/// Rows that a run reads again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// the run that refused them
    pub of: String,
    /// their ids, by feed
    pub ids: BTreeMap<String, Vec<String>>,
    /// further conditions, by feed: rows that a later run reads by itself are left to it
    pub conditions: BTreeMap<String, String>,
}

/// What is to be done about the rejects of a run.
#[derive(Debug)]
pub struct RetryPlan {
    /// the pipeline as it is to be run
    pub pipeline: Pipeline,
    /// values that were given for its variables
    pub given: BTreeMap<String, String>,
    /// the rows; none is left when every list of ids is empty
    pub retry: Retry,
    /// rows without an id that can be asked for
    pub without_id: u64,
    /// rows that an earlier retry wrote
    pub mended: u64,
    /// what the operator should know
    pub notes: Vec<String>,
}

impl RetryPlan {
    /// How many rows are read again.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.retry.ids.values().map(|ids| ids.len() as u64).sum()
    }
}

/// Looks at the rejects of a run: which can be tried again, and how.
///
/// # Errors
/// [`Error::NoSuchRun`] when the run refused no row; [`Error::Input`] when trying again would write rows twice, with the way out;
/// [`Error::File`] for the pipeline file; [`Error::Host`] when the state or the rejects cannot be read.
pub fn plan_retry(folder: &Path, run: &str) -> Result<RetryPlan, Error> {
    let letter = DeadLetter::find(folder, run)?;
    let state = State::open(folder)?;
    let Past { plan, resumable, is_running } = past(&state, &letter.run)?;
    if resumable || is_running {
        let text = format!("run {} is not at its end; finish it with `forcepump resume` first", letter.run);
        return Err(Error::input("run", text));
    }
    let path = folder.join(plan.path.file_name().unwrap_or_default());
    let mut pipeline = Pipeline::load(&path)?;
    let mut retry = Retry { of: letter.run.clone(), ids: BTreeMap::new(), conditions: BTreeMap::new() };
    let (without_id, mended) = open_rows(&letter, &mut retry)?;
    let mut notes = Vec::new();
    let mode = pipeline.file.destination.mode;
    if mode == Mode::Overwrite {
        check_not_replaced(&state, &letter.run, &pipeline)?;
        pipeline.file.destination.mode = Mode::Append;
        notes.push(
            "the pipeline overwrites; these rows are written in the mode append, so that the others stay".to_owned(),
        );
    }
    if matches!(mode, Mode::Append | Mode::Overwrite) {
        check_one_row_each(&state, &letter.run)?;
        leave_changed_rows(&state, &mut retry, &mut notes)?;
    }
    let source = &mut pipeline.file.source;
    (source.incremental, source.max_records, source.pk_chunking) = (None, None, None);
    // Being refused again is what is to be expected of them.
    pipeline.file.max_rejects = None;
    Ok(RetryPlan { pipeline, given: plan.given, retry, without_id, mended, notes })
}

struct Past {
    plan: RunPlan,
    resumable: bool,
    is_running: bool,
}

fn past(state: &State, run: &str) -> Result<Past, Error> {
    let row = state.run(run)?;
    let unknown = |why: &str| Error::NoSuchRun(format!("run {run} {why}; its rows cannot be read again"));
    let row = row.ok_or_else(|| unknown("is not remembered in the state"))?;
    let plan = row.plan.ok_or_else(|| unknown("left no plan"))?;
    let plan =
        serde_json::from_str(&plan).map_err(|error| unknown(&format!("has a plan that cannot be read ({error})")))?;
    Ok(Past { plan, resumable: row.resumable, is_running: row.ended_at.is_none() })
}

/// Takes the ids of rows that no retry wrote; gives the numbers of those without one, and of those written.
fn open_rows(letter: &DeadLetter, retry: &mut Retry) -> Result<(u64, u64), Error> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut without_id, mut mended) = (0, 0);
    for row in letter.rows()? {
        let Ok(row) = row? else { continue };
        let is_mended = letter.mended_by(&row.refusal).is_some();
        match row.refusal.id.filter(|id| is_id(id)) {
            _ if is_mended => mended += 1,
            Some(id) => drop(ids.entry(row.refusal.feed).or_default().insert(id)),
            None => without_id += 1,
        }
    }
    retry.ids = ids.into_iter().map(|(feed, ids)| (feed, ids.into_iter().collect())).collect();
    Ok((without_id, mended))
}

/// An id stands in a query as it is: nothing else may.
fn is_id(text: &str) -> bool {
    ID_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Rows of a run whose table was replaced since have no place any more.
fn check_not_replaced(state: &State, run: &str, pipeline: &Pipeline) -> Result<(), Error> {
    match state.last_whole(&pipeline.file.name)? {
        Some(last) if last.as_str() > run => Err(Error::input(
            "run",
            format!("run {last} has replaced what run {run} wrote; retry the rejects of that one"),
        )),
        _ => Ok(()),
    }
}

/// Where one row of the source becomes several, some of them may be written already.
fn check_one_row_each(state: &State, run: &str) -> Result<(), Error> {
    let added: u64 = state.units(run)?.iter().map(|unit| unit.tally.added).sum();
    if added == 0 {
        return Ok(());
    }
    let text = format!(
        "the transforms of run {run} made {added} rows more than they took: reading a row again would write those of them twice that were not refused; use the mode merge with destination.keys, or run the pipeline again"
    );
    Err(Error::input("destination.mode", text))
}

/// Rows of an incremental run that changed since are read by a later one; appending them here too would double them.
fn leave_changed_rows(state: &State, retry: &mut Retry, notes: &mut Vec<String>) -> Result<(), Error> {
    for feed in state.feeds(&retry.of)? {
        let Some(window) = feed.window.and_then(|text| serde_json::from_str::<Window>(&text).ok()) else { continue };
        let condition = window.before_its_end();
        notes.push(format!("rows of {} that changed since are left to the next incremental run", feed.object));
        retry.conditions.insert(feed.object, condition.clone());
        retry.conditions.insert(feed.feed, condition);
    }
    Ok(())
}

impl Retry {
    /// The conditions that read the rows of a feed, each within the length of a query; `others` are its other characters.
    pub(crate) fn conditions(&self, feed: &str, others: usize, in_address: bool) -> Vec<String> {
        let further = self.conditions.get(feed).map(|text| format!(" AND {text}")).unwrap_or_default();
        let room = if in_address { ADDRESS_CHARS } else { QUERY_CHARS };
        let room = room.saturating_sub(others + further.len());
        let ids = self.ids.get(feed).map_or(&[][..], Vec::as_slice);
        let chunks = ids.chunks((room / LISTED_ID_CHARS).max(1));
        chunks.map(|ids| format!("WHERE Id IN ('{}'){further}", ids.join("','"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> String {
        format!("001{number:015}")
    }

    #[test]
    fn ids_come_in_lists_within_the_length_of_a_query() {
        let ids = BTreeMap::from([("Account".to_owned(), (0..5_000).map(id).collect())]);
        let conditions = BTreeMap::from([("Account".to_owned(), "SystemModstamp < 2024-01-01T00:00:00Z".to_owned())]);
        let retry = Retry { of: "r".into(), ids, conditions };
        let whole = retry.conditions("Account", 100, false);
        assert_eq!(whole.len(), 2);
        assert!(
            whole
                .iter()
                .all(|text| text.len() < 100_000 && text.ends_with(") AND SystemModstamp < 2024-01-01T00:00:00Z"))
        );
        let short = retry.conditions("Account", 100, true);
        assert!(short.len() > 20 && short.iter().all(|text| text.len() < 4_100));
        assert_eq!(short.iter().map(|text| text.matches("'001").count()).sum::<usize>(), 5_000);
        assert!(retry.conditions("Contact", 0, false).is_empty());
    }

    #[test]
    fn only_an_id_is_asked_for() {
        assert!(is_id("001000000000001") && is_id(&id(1)));
        assert!(!is_id("") && !is_id("001') OR Name != ('") && !is_id("***************") && !is_id("001"));
    }
}
