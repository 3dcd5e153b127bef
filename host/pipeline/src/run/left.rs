//! What unfinished runs have left: whether it is still where it was written, for a run does not go on beside a hole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::decide::plan_of;
use crate::capability;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::session::Session;
use crate::state::{PlaceKind, PlaceRow, State, UnitRow};
use crate::verify::{Lack, lack};

/// The destination that notes the units in the database itself.
const NOTES_UNITS: &str = "sqlite";

/// How rows go into a table that lasts as long as a batch.
const STAGED: &str = "replace";

/// What is not there any more.
pub(super) struct Loss {
    /// in words: `./out.db, which it had written, is gone`
    pub what: String,
    /// no row of the run is left in a database: a new one writes none twice
    pub is_all: bool,
}

/// A database, a table in it, and the run that the destination knows.
type Table<'a> = (&'a str, &'a str, String);
/// An object and a unit of its feed.
type Noted<'a> = (String, &'a str);

/// The first file, table or database of the run's committed units that is not as it was left. The files of a feed that is
/// concluded are whoever's they are for, who may have taken them away.
///
/// # Errors
/// [`Error::Host`] when the state cannot be read.
pub(super) fn loss(session: &Session, state: &State, run: &str) -> Result<Option<Loss>, Error> {
    let (mut units, mut places, feeds) = (state.units(run)?, state.places(run)?, state.feeds(run)?);
    // What there is of a feed that is being given up may be tidied away already.
    units.retain(|unit| !feeds.iter().any(|feed| feed.feed == unit.feed && feed.anew.is_some()));
    // What is not known to be committed may be missing.
    let known: BTreeSet<(&str, &str)> = units.iter().map(|unit| (unit.feed.as_str(), unit.unit.as_str())).collect();
    places.retain(|row| known.contains(&(row.feed.as_str(), row.unit.as_str())));
    let folder = session.pipeline().folder();
    let is_open = |name: &str| !feeds.iter().any(|feed| feed.feed == name && feed.concluded);
    let cut = || places.iter().filter(|row| is_open(&row.feed)).find_map(|row| cut_short(folder, row));
    if let Some(what) = missing(session, &units, is_open).or_else(cut) {
        return Ok(Some(Loss { what, is_all: true }));
    }
    let feed_of = |row: &PlaceRow| feeds.iter().find(|feed| feed.feed == row.feed);
    let object = |row: &PlaceRow| feed_of(row).map_or_else(|| row.feed.clone(), |feed| feed.object.clone());
    let known_as = |row: &PlaceRow| feed_of(row).map_or_else(|| run.to_owned(), |feed| feed.known_as(run));
    let notes = session.pipeline().file.destination.plugin == NOTES_UNITS;
    let mut tables: BTreeMap<Table<'_>, Vec<Noted<'_>>> = BTreeMap::new();
    for row in places.iter().filter(|row| row.rows > 0) {
        if let PlaceKind::Table { database, table, mode } = &row.place
            && mode != STAGED
        {
            tables.entry((database, table, known_as(row))).or_default().push((object(row), &row.unit));
        }
    }
    let lacks: Vec<Option<Lack>> = tables
        .into_iter()
        .map(|((database, table, run), units)| {
            lack(&folder.join(database), table, &run, if notes { &units } else { &[] })
        })
        .collect();
    let is_all = lacks.iter().all(|found| found.as_ref().is_some_and(|lack| lack.is_all));
    Ok(lacks.into_iter().flatten().next().map(|Lack { what, .. }| Loss { what, is_all }))
}

/// A database that committed units were written to, or a file of an open feed, and that is not there.
fn missing(session: &Session, units: &[UnitRow], is_open: impl Fn(&str) -> bool) -> Option<String> {
    let (grant, folder) = (&session.pipeline().file.destination.grant, session.pipeline().folder());
    let written = units.iter().any(|unit| unit.tally.written > 0);
    let databases = grant.sql.values().filter_map(|dsn| capability::sqlite_path(dsn, folder).ok());
    let open = units.iter().filter(|unit| is_open(&unit.feed));
    let files = open.flat_map(|unit| &unit.files).filter_map(|file| {
        let root = grant.files.get(&file.root)?;
        Some(folder.join(root).join(&file.path))
    });
    let mut missing = databases.filter(|_| written).chain(files).filter(|path| !path.exists());
    missing.next().map(|path| format!("{}, which it had written, is gone", path.display()))
}

/// A file that has another size than it was committed with.
fn cut_short(folder: &Path, row: &PlaceRow) -> Option<String> {
    let PlaceKind::File { folder: root, path, bytes, .. } = &row.place else { return None };
    let path = folder.join(root).join(path);
    let now = std::fs::metadata(&path).ok()?.len();
    (now != *bytes).then(|| format!("{}, which it had written, has {now} bytes now, and had {bytes}", path.display()))
}

/// Tells of an unfinished run of the same file under another name: it is another pipeline's by now.
///
/// # Errors
/// [`Error::Host`] when the state cannot be read.
pub(super) fn about_another_name(session: &Session, state: &State, observer: &Arc<dyn Observer>) -> Result<(), Error> {
    let pipeline = session.pipeline();
    let path = std::path::absolute(&pipeline.path).unwrap_or_else(|_| pipeline.path.clone());
    for row in state.unfinished_but(&pipeline.file.name)? {
        let committed = state.committed(&row.id)?;
        if committed.rows > 0 && plan_of(&row).is_some_and(|plan| plan.path == path) {
            observer.event(Event::Warning(format!(
                "run {} of `{}`, as this file named its pipeline then, is unfinished, and {} rows of it are in the destination\nhint: with name = \"{}\" it goes on; this run begins anew beside it",
                row.id, row.pipeline, committed.rows, row.pipeline
            )));
        }
    }
    Ok(())
}
