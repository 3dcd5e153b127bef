//! `backfill`: fields that came later are filled in for the rows that former runs have read.
//!
//! A run of its own: it reads the keys and the fields of all rows up to the cursor, and updates them by the keys. Rows that
//! changed after the cursor are left to the next run, which reads all fields of them. The transforms that make the wanted
//! columns are gone through, so that what a mask hides stays hidden; see [`crate::run::narrow`].

use std::collections::BTreeMap;

use crate::drift;
use crate::error::Error;
use crate::file::{ADDING_ONLY, Mode, Pipeline};
use crate::session::Session;
use crate::state::State;

/// What identifies a row when the pipeline names no keys.
const ID: &str = "Id";

/// The pipeline as a backfill runs it: it updates by the keys.
///
/// # Errors
/// [`Error::Input`] when the pipeline is not incremental, or its destination cannot change rows.
pub(crate) fn pipeline(pipeline: &Pipeline) -> Result<Pipeline, Error> {
    let mut pipeline = pipeline.clone();
    let file = &mut pipeline.file;
    if file.source.incremental.is_none() {
        let text = "is missing, and backfill fills in what incremental runs have read without a field: run the pipeline, which reads every row; where its `where` leaves out what was read before, give that variable an early value with --set";
        return Err(Error::input("source.incremental", text));
    }
    let plugin = &file.destination.plugin;
    if ADDING_ONLY.contains(&plugin.as_str()) {
        let text = format!(
            "{plugin} only adds, and backfill has to change rows that are there; write into a database such as sqlite, or run a pipeline without [source.incremental], which writes every row with every field anew"
        );
        return Err(Error::input("destination.plugin", text));
    }
    match file.destination.mode {
        Mode::Append | Mode::Merge | Mode::Update => {}
        Mode::Overwrite | Mode::Delete => {
            let text =
                "backfill changes rows that former runs have left; with this mode they leave none that it could change";
            return Err(Error::input("destination.mode", text));
        }
    }
    file.destination.mode = Mode::Update;
    if file.destination.keys.is_empty() {
        file.destination.keys.push(ID.to_owned());
    }
    Ok(pipeline)
}

/// No cursor, no rows.
pub(crate) fn nothing_read_yet(name: &str) -> Error {
    let text = format!(
        "no run of `{name}` is complete yet: the first one reads every field of every row, and nothing is to be filled in"
    );
    Error::input("source.incremental", text)
}

/// The columns that rows of former runs have nothing in, by feed; feeds without such are left out where none is named.
pub(crate) async fn columns(session: &Session, only: Option<&str>) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut found = BTreeMap::new();
    for name in session.chosen_feeds(only)? {
        let Some(feed) = session.of_feed(&name) else { continue };
        let columns = match session.has_feeds() && only.is_none() {
            true => of_any(feed).await?,
            false => of_one(feed).await?,
        };
        if !columns.is_empty() {
            found.insert(name, columns);
        }
    }
    Ok(found)
}

/// Of a feed that is asked for: it has to be one that can be filled in.
async fn of_one(feed: Session) -> Result<Vec<String>, Error> {
    let feed = feed.filling_in_one(Vec::new())?;
    let object = feed.selection().await?.object;
    waiting(&feed, &object).await
}

/// Of any feed: one that reads every row each time, or has not read any yet, waits for nothing.
async fn of_any(feed: Session) -> Result<Vec<String>, Error> {
    let source = &feed.pipeline().file.source;
    let Some(object) = source.object.as_deref().filter(|_| source.incremental.is_some()) else { return Ok(Vec::new()) };
    let columns = waiting(&feed, object).await?;
    if !columns.is_empty() {
        pipeline(feed.pipeline())?;
    }
    Ok(columns)
}

async fn waiting(feed: &Session, object: &str) -> Result<Vec<String>, Error> {
    let Some(state) = State::open_existing(feed.pipeline().folder())? else { return Ok(Vec::new()) };
    let object = feed.client().describe(object).await?.name.clone();
    state.columns_to_fill(&drift::key(feed, &object).await?)
}
