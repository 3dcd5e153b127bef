//! `backfill`: fields that came later are filled in for the rows that former runs have read.
//!
//! A run of its own: it reads the keys and the fields of all rows up to the cursor, and updates them by the keys. Rows that
//! changed after the cursor are left to the next run, which reads all fields of them. The transforms that make the wanted
//! columns are gone through, so that what a mask hides stays hidden; see [`crate::run::narrow`].

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
    if file.source.has_feeds() {
        let text = "backfill goes with one object: name it in a pipeline file of its own, with the same `name` and destination";
        return Err(Error::input("source.objects", text));
    }
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

/// The columns that rows of former runs have nothing in.
pub(crate) async fn columns(session: &Session) -> Result<Vec<String>, Error> {
    let Some(state) = State::open_existing(session.pipeline().folder())? else { return Ok(Vec::new()) };
    let select = session.selection().await?;
    let object = session.client().describe(&select.object).await?.name.clone();
    state.columns_to_fill(&drift::key(session, &object).await?)
}
