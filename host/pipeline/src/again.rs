//! Rejected rows of a former run, to be read again by their ids and written by a run of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dead_letter::{DeadLetter, Refusal};
use crate::error::Error;
use crate::feed_report::FeedReport;
use crate::file::{Mode, Pipeline};
use crate::incremental::{IS_DELETED, Window};
use crate::report::RunReport;
use crate::run::pass;
use crate::run::plan_of;
use crate::state::{BACKFILL, RunPlan, RunRow, State};

/// Characters of an id, with and without the letters that tell upper from lower case.
const ID_CHARS: [usize; 2] = [15, 18];
/// Characters that an id takes in a list: quotes and comma.
const LISTED_ID_CHARS: usize = 21;
/// Characters of a query at most; Salesforce takes 100,000.
const QUERY_CHARS: usize = 95_000;
/// The same where the query stands in an address, as REST has it.
const ADDRESS_CHARS: usize = 4_000;

/// Rows that a run reads again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// the run that refused them
    pub of: String,
    /// their ids, by feed
    pub ids: BTreeMap<String, Vec<String>>,
    /// ids of rows that are deleted in the org and whose deletion was refused, by feed
    #[serde(default)]
    pub deleted: BTreeMap<String, Vec<String>>,
    /// further conditions, by feed: rows that a later run reads by itself are left to it
    pub conditions: BTreeMap<String, String>,
    /// how the pipeline writes
    #[serde(default)]
    pub mode: Mode,
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
    /// the unfinished run that reads them, and that is gone on with
    pub goes_on: Option<String>,
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
        self.retry.rows()
    }
}

/// Looks at the rejects of a run: which can be tried again, and how. A retry that was killed or cut off on the way is gone
/// on with, unless `fresh`: it knows which of its rows are written.
///
/// # Errors
/// [`Error::NoSuchRun`] when the run refused no row; [`Error::Input`] when trying again would write rows twice, with the way out;
/// [`Error::File`] for the pipeline file; [`Error::Host`] when the state or the rejects cannot be read.
pub fn plan_retry(folder: &Path, run: &str, fresh: bool) -> Result<RetryPlan, Error> {
    let state = State::open(folder)?;
    let letter = match asked_for(&state, run)? {
        Some(of) => DeadLetter::find(folder, &of)?,
        None => DeadLetter::find(folder, run)?,
    };
    let first = state.first_of(&letter.run)?;
    let unfinished = state.unfinished_retry(&first)?.filter(|_| !fresh);
    let begun = unfinished.and_then(|row| Some((plan_of(&row)?.retry?, row.id)));
    let Past { row, plan } = past(&state, &letter.run)?;
    let path = folder.join(plan.path.file_name().unwrap_or_default());
    refuse_backfill(&row, &path)?;
    if begun.is_none() && row.retry_of.is_none() && (row.resumable || row.ended_at.is_none()) {
        let text = format!("run {} is not at its end; finish it with `forcepump resume` first", letter.run);
        return Err(Error::input("run", text));
    }
    let mut pipeline = Pipeline::load(&path)?;
    let mode = pipeline.file.destination.mode;
    let open = match begun {
        Some((retry, run)) => {
            check_not_replaced(&state, &pipeline.file.name, &retry)?;
            Open { goes_on: Some(run), ..Open::of(retry) }
        }
        None => open_rows(&state, &letter, &pipeline.file.name, mode)?,
    };
    let mut notes = open.notes;
    if mode == Mode::Overwrite {
        pipeline.file.destination.mode = Mode::Append;
        notes.push(
            "the pipeline overwrites; these rows are written in the mode append, so that the others stay".to_owned(),
        );
    }
    let source = &mut pipeline.file.source;
    (source.max_records, source.pk_chunking) = (None, None);
    // Being refused again is what is to be expected of them.
    pipeline.file.max_rejects = None;
    let Open { retry, goes_on, without_id, mended, .. } = open;
    Ok(RetryPlan { pipeline, given: plan.given, retry, goes_on, without_id, mended, notes })
}

/// The rows that are open now; to be asked under the pipeline's turn, so that no other retry writes them meanwhile.
pub(crate) fn open_now(folder: &Path, state: &State, pipeline: &str, asked: &Retry) -> Result<Retry, Error> {
    let letter = DeadLetter::find(folder, &asked.of)?;
    Ok(open_rows(state, &letter, pipeline, asked.mode)?.retry)
}

/// The run whose rows an unfinished retry reads, when that one was named: it may have refused no row yet.
fn asked_for(state: &State, run: &str) -> Result<Option<String>, Error> {
    let Some(of) = state.run(run)?.and_then(|row| row.retry_of) else { return Ok(None) };
    let unfinished = state.unfinished_retry(&state.first_of(run)?)?;
    Ok(unfinished.filter(|row| row.id == run).map(|_| of))
}

/// The open rows of a run.
struct Open {
    retry: Retry,
    goes_on: Option<String>,
    without_id: u64,
    mended: u64,
    notes: Vec<String>,
}

impl Open {
    fn of(retry: Retry) -> Self {
        Self { retry, goes_on: None, without_id: 0, mended: 0, notes: Vec::new() }
    }
}

/// What is open of a run's rejects, and may be read again.
fn open_rows(state: &State, letter: &DeadLetter, pipeline: &str, mode: Mode) -> Result<Open, Error> {
    let mut open = Open::of(Retry { of: letter.run.clone(), mode, ..Retry::default() });
    take_ids(letter, &mut open)?;
    if mode == Mode::Overwrite {
        check_not_replaced(state, pipeline, &open.retry)?;
    }
    if matches!(mode, Mode::Append | Mode::Overwrite) {
        leave_unfinished_feeds(state, &mut open)?;
        check_one_row_each(state, &letter.run)?;
        leave_changed_rows(state, &mut open)?;
    }
    Ok(open)
}

struct Past {
    row: RunRow,
    plan: RunPlan,
}

fn past(state: &State, run: &str) -> Result<Past, Error> {
    let row = state.run(run)?;
    let unknown = |why: &str| Error::NoSuchRun(format!("run {run} {why}; its rows cannot be read again"));
    let row = row.ok_or_else(|| unknown("is not remembered in the state"))?;
    let plan = row.plan.as_deref().ok_or_else(|| unknown("left no plan"))?;
    let plan =
        serde_json::from_str(plan).map_err(|error| unknown(&format!("has a plan that cannot be read ({error})")))?;
    Ok(Past { row, plan })
}

/// A backfill writes some fields of rows that are there: all fields of them would be another thing.
fn refuse_backfill(row: &RunRow, path: &Path) -> Result<(), Error> {
    if row.kind != BACKFILL {
        return Ok(());
    }
    let report = row.report.as_deref().and_then(|text| serde_json::from_str::<RunReport>(text).ok());
    let fields = report.map_or_else(String::new, |report| report.backfilled.join(","));
    let text = format!(
        "run {} filled fields in, and doing so again brings what it rejected: `forcepump backfill {} --fields {fields}`; rows that have them already stay as they are",
        row.id,
        path.display()
    );
    Err(Error::input("run", text))
}

/// Takes the ids of rows that no retry wrote, and counts those without one and those that were written.
fn take_ids(letter: &DeadLetter, open: &mut Open) -> Result<(), Error> {
    type Ids = BTreeMap<String, BTreeSet<String>>;
    let (mut ids, mut deleted) = (Ids::new(), Ids::new());
    for row in letter.rows()? {
        let Ok(row) = row? else { continue };
        let is_mended = letter.mended_by(&row.refusal).is_some();
        let Refusal { feed, unit, id, .. } = row.refusal;
        let list = if pass::is_unit_of_deletes(&unit) { &mut deleted } else { &mut ids };
        match id.filter(|id| is_id(id)) {
            _ if is_mended => open.mended += 1,
            Some(id) => drop(list.entry(feed).or_default().insert(id)),
            None => open.without_id += 1,
        }
    }
    let lists = |ids: Ids| ids.into_iter().map(|(feed, ids)| (feed, ids.into_iter().collect())).collect();
    (open.retry.ids, open.retry.deleted) = (lists(ids), lists(deleted));
    Ok(())
}

/// An id stands in a query as it is: nothing else may.
fn is_id(text: &str) -> bool {
    ID_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Rows of a run whose table was replaced since have no place any more.
///
/// # Errors
/// [`Error::Input`] with the run that did it.
pub(crate) fn check_not_replaced(state: &State, pipeline: &str, retry: &Retry) -> Result<(), Error> {
    if retry.mode != Mode::Overwrite {
        return Ok(());
    }
    let first = state.first_of(&retry.of)?;
    match state.last_whole(pipeline)? {
        Some(last) if state.began_after(&last, &first)? => Err(Error::input(
            "run",
            format!("run {last} has replaced what run {first} wrote; retry the rejects of that one"),
        )),
        _ => Ok(()),
    }
}

/// Rows of a run that is not whole are read again with the others by the run that takes its place: written now, they would
/// be there twice. Of several feeds those that are complete are whole.
fn leave_unfinished_feeds(state: &State, open: &mut Open) -> Result<(), Error> {
    let first = state.first_of(&open.retry.of)?;
    let Some(row) = state.run(&first)?.filter(|row| !row.is_whole()) else { return Ok(()) };
    let read = |(feed, text): (String, String)| Some((feed, serde_json::from_str::<FeedReport>(&text).ok()?));
    let ends = state.feed_ends(&first)?.into_iter().filter_map(read);
    let whole: BTreeSet<String> = ends.filter(|(_, report)| report.is_complete()).map(|(feed, _)| feed).collect();
    if whole.is_empty() {
        let text = format!(
            "run {first} is {}, and the next run of the pipeline reads its rows again: written now, they would be there twice; run the pipeline, and retry what that run rejects",
            row.state
        );
        return Err(Error::input("run", text));
    }
    for feed in state.feeds(&first)?.into_iter().filter(|feed| !whole.contains(&feed.feed)) {
        for lists in [&mut open.retry.ids, &mut open.retry.deleted] {
            let left =
                [&feed.object, &feed.feed].into_iter().filter_map(|name| lists.remove(name)).map(|ids| ids.len());
            let left: usize = left.sum();
            if left > 0 {
                let text = format!("{left} rows of {} are left to the next run, as it did not end whole", feed.object);
                open.notes.push(text);
            }
        }
    }
    Ok(())
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
fn leave_changed_rows(state: &State, open: &mut Open) -> Result<(), Error> {
    let Open { retry, notes, .. } = open;
    // A retry has no window of its own.
    for feed in state.feeds(&state.first_of(&retry.of)?)? {
        let Some(window) = feed.window.and_then(|text| serde_json::from_str::<Window>(&text).ok()) else { continue };
        if !retry.ids.contains_key(&feed.object) && !retry.ids.contains_key(&feed.feed) {
            continue;
        }
        let condition = window.before_its_end();
        notes.push(format!("rows of {} that changed since are left to the next incremental run", feed.object));
        retry.conditions.insert(feed.object, condition.clone());
        retry.conditions.insert(feed.feed, condition);
    }
    Ok(())
}

/// What is to be asked of a feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// its object
    pub feed: &'a str,
    /// characters of the query beside the condition
    pub others: usize,
    /// the query stands in an address
    pub in_address: bool,
}

impl Retry {
    /// How many rows are read again.
    pub(crate) fn rows(&self) -> u64 {
        self.ids.values().chain(self.deleted.values()).map(|ids| ids.len() as u64).sum()
    }

    /// The conditions that read the rows of a feed, each within the length of a query.
    pub(crate) fn conditions(&self, asked: Asked<'_>) -> Vec<String> {
        let further = self.conditions.get(asked.feed).map(|text| format!(" AND {text}")).unwrap_or_default();
        listed(&self.ids, asked, &further)
    }

    /// The same for rows whose deletion was refused, and that are still deleted.
    pub(crate) fn conditions_on_deleted(&self, asked: Asked<'_>) -> Vec<String> {
        listed(&self.deleted, asked, &format!(" AND {IS_DELETED} = true"))
    }
}

fn listed(ids: &BTreeMap<String, Vec<String>>, asked: Asked<'_>, further: &str) -> Vec<String> {
    let room = if asked.in_address { ADDRESS_CHARS } else { QUERY_CHARS };
    let room = room.saturating_sub(asked.others + further.len());
    let ids = ids.get(asked.feed).map_or(&[][..], Vec::as_slice);
    let chunks = ids.chunks((room / LISTED_ID_CHARS).max(1));
    chunks.map(|ids| format!("WHERE Id IN ('{}'){further}", ids.join("','"))).collect()
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
        let retry = Retry { of: "r".into(), ids, conditions, ..Retry::default() };
        let asked = |feed, in_address| Asked { feed, others: 100, in_address };
        let whole = retry.conditions(asked("Account", false));
        assert_eq!(whole.len(), 2);
        assert!(
            whole
                .iter()
                .all(|text| text.len() < 100_000 && text.ends_with(") AND SystemModstamp < 2024-01-01T00:00:00Z"))
        );
        let short = retry.conditions(asked("Account", true));
        assert!(short.len() > 20 && short.iter().all(|text| text.len() < 4_100));
        assert_eq!(short.iter().map(|text| text.matches("'001").count()).sum::<usize>(), 5_000);
        assert!(retry.conditions(asked("Contact", false)).is_empty());
        assert!(retry.conditions_on_deleted(asked("Account", false)).is_empty());
        let deleted = BTreeMap::from([("Account".to_owned(), vec![id(7)])]);
        let retry = Retry { deleted, ..Retry::default() };
        let whole = retry.conditions_on_deleted(asked("Account", false));
        assert_eq!(whole, [format!("WHERE Id IN ('{}') AND IsDeleted = true", id(7))]);
    }

    #[test]
    fn only_an_id_is_asked_for() {
        assert!(is_id("001000000000001") && is_id(&id(1)));
        assert!(!is_id("") && !is_id("001') OR Name != ('") && !is_id("***************") && !is_id("001"));
    }
}
