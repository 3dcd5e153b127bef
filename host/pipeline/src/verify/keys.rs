//! Ids compared: those that the run's queries give now, and those in the files and tables that it wrote.
//!
//! Both sides are held in memory, 18 bytes a row.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use forcepump_salesforce::{Api, Extract, ExtractOptions, QueryAction, Select, resolve};

use super::source::{self, sees_all};
use super::{Facts, VerifyCheck, VerifyState, files, tables};
use crate::cancel::Cancel;
use crate::dead_letter::DeadLetter;
use crate::error::Error;
use crate::event::{Observer, Silent};
use crate::file::Mode;
use crate::run::pass::is_of_deletes;
use crate::run::{self, Columns, PageQueue, Piece, Reading};
use crate::session::Session;
use crate::state::{JobRow, PlaceKind};

/// The column that holds ids.
const ID: &str = "Id";
/// Ids that are named.
const NAMED: usize = 5;
/// Characters of an id.
const ID_CHARS: usize = 18;
/// Rows of a decoded batch of ids.
const BATCH_ROWS: usize = 65_536;

type Id = [u8; ID_CHARS];

/// Ids, in order once they are [`Ids::sorted`].
#[derive(Default)]
struct Ids {
    ids: Vec<Id>,
    /// the first value that is no id
    strange: Option<String>,
    /// how many are no ids
    strange_ones: u64,
}

impl Ids {
    fn add(&mut self, text: &str) {
        match <Id>::try_from(text.as_bytes()) {
            Ok(id) => self.ids.push(id),
            Err(_) => {
                self.strange_ones += 1;
                self.strange.get_or_insert_with(|| text.to_owned());
            }
        }
    }

    /// In order, each once; gives how many came more than once.
    fn sorted(&mut self) -> u64 {
        let before = self.ids.len();
        self.ids.sort_unstable();
        self.ids.dedup();
        (before - self.ids.len()) as u64
    }

    /// Those that the other does not have. Both are sorted.
    fn without(&self, other: &Self) -> Vec<Id> {
        self.ids.iter().filter(|id| other.ids.binary_search(id).is_err()).copied().collect()
    }
}

/// The comparisons of a feed.
pub(super) async fn checks(
    session: &Session,
    facts: &Facts,
    feed: &str,
    cancel: &Cancel,
) -> Result<Vec<VerifyCheck>, Error> {
    let what = "ids of the source and of the destination";
    let mode = session.mode_of(feed);
    if mode == Mode::Delete {
        return Ok(vec![VerifyCheck::unknown(feed, what, "the run deletes rows: its ids are not to be there")]);
    }
    let mut there = match destination_ids(facts, feed) {
        Ok(Some(ids)) => ids,
        Ok(None) => {
            return Ok(vec![VerifyCheck::unknown(
                feed,
                what,
                "the host did not carry the rows: it cannot read them back",
            )]);
        }
        Err(note) => return Ok(vec![VerifyCheck::unknown(feed, what, note)]),
    };
    if let Some(value) = &there.strange {
        let note = format!("the destination's column {ID} holds what is no Salesforce id: {}", value.escape_debug());
        return Ok(vec![VerifyCheck::unknown(feed, what, note)]);
    }
    let mut source = Ids::default();
    let mut deleted = Ids::default();
    for job in source::of_feed(facts, feed) {
        let ids = if is_of_deletes(&job.pass) { &mut deleted } else { &mut source };
        source_ids(session, job, cancel, ids).await?;
    }
    let twice = there.sorted();
    source.sorted();
    deleted.sorted();
    let rejected = rejected_ids(session, facts, feed)?;
    let mut checks =
        vec![missing(facts, feed, &source, (&there, &rejected)), extra(facts, (feed, mode), &source, (&there, twice))];
    if facts.jobs.iter().any(|job| job.feed == feed && is_of_deletes(&job.pass)) {
        checks.push(still_there(feed, &deleted, (&there, &rejected)));
    }
    Ok(checks)
}

/// How many rows a pass's query gives now, where they cannot be counted.
pub(super) async fn count(session: &Session, job: &JobRow, cancel: &Cancel) -> Result<u64, Error> {
    let mut ids = Ids::default();
    source_ids(session, job, cancel, &mut ids).await?;
    Ok(ids.ids.len() as u64 + ids.strange_ones)
}

fn still_there(feed: &str, deleted: &Ids, (there, rejected): (&Ids, &Ids)) -> VerifyCheck {
    let mut ids: Vec<Id> = deleted.ids.iter().filter(|id| there.ids.binary_search(id).is_ok()).copied().collect();
    ids.retain(|id| rejected.ids.binary_search(id).is_err());
    let what = "ids deleted at the source that the destination has";
    let mut check = VerifyCheck::counts(feed, what, 0, ids.len() as u64);
    check.examples = names(&ids);
    check.noting_difference("they were written again since")
}

fn missing(facts: &Facts, feed: &str, source: &Ids, (there, rejected): (&Ids, &Ids)) -> VerifyCheck {
    let mut missing = source.without(there);
    missing.retain(|id| rejected.ids.binary_search(id).is_err());
    let filtered: u64 = facts.units_of(feed).map(|unit| unit.tally.filtered).sum();
    let count = missing.len() as u64;
    let mut check = VerifyCheck::counts(feed, "ids of the source that the destination lacks", 0, count);
    check.examples = names(&missing);
    match count {
        0 => check,
        _ if count <= filtered => VerifyCheck { state: VerifyState::Unknown, ..check }
            .noting(format!("the run left {filtered} rows out, in its transforms or as known already")),
        _ => check.noting("they were made at the source since, or are gone from the destination"),
    }
}

fn extra(facts: &Facts, (feed, mode): (&str, Mode), source: &Ids, (there, twice): (&Ids, u64)) -> VerifyCheck {
    let extra = there.without(source);
    let mut check = VerifyCheck::counts(feed, "ids of the destination that the source lacks", 0, extra.len() as u64);
    check.examples = names(&extra);
    let only_this_run = mode == Mode::Overwrite || facts.places_of(feed).any(|row| files::filed(facts, row).is_some());
    if twice > 0 && only_this_run {
        let added: u64 = facts.units_of(feed).map(|unit| unit.tally.added).sum();
        let state = if added > 0 { VerifyState::Unknown } else { VerifyState::Differs };
        return VerifyCheck { state: check.state.max(state), ..check }
            .noting(format!("{twice} rows of the destination have an id that another row has"));
    }
    match extra.is_empty() {
        true => check,
        false if only_this_run => {
            check.noting("they were deleted at the source since, have left the query, or were added to the destination")
        }
        false => VerifyCheck { state: VerifyState::Unknown, ..check }
            .noting("they may be of other runs into the same table, or were deleted at the source since"),
    }
}

fn names(ids: &[Id]) -> Vec<String> {
    ids.iter().take(NAMED).map(|id| String::from_utf8_lossy(id).into_owned()).collect()
}

/// Ids in the places of a feed; none when the host carried nothing that it can read.
fn destination_ids(facts: &Facts, feed: &str) -> Result<Option<Ids>, String> {
    let (mut ids, mut any) = (Ids::default(), false);
    let mut tables_read = Vec::new();
    for row in facts.places_of(feed) {
        match &row.place {
            PlaceKind::File { path: name, .. } => {
                let Some(file) = files::filed(facts, row) else { continue };
                let mut take = |id: &str| ids.add(id);
                let column = Some((ID, &mut take as forcepump_transfer::files::OnValue<'_>));
                let read = forcepump_transfer::files::rows_of(&file.path, file.format, file.compression, column);
                any |= read.map_err(|error| format!("{name}: {error}"))?.is_some();
            }
            PlaceKind::Table { database, table, .. } => {
                if tables_read.contains(&(database, table)) {
                    continue;
                }
                tables_read.push((database, table));
                table_ids(&facts.folder.join(database), &facts.known_as(feed), table, &mut ids)?;
                any = true;
            }
        }
    }
    Ok(any.then_some(ids))
}

fn table_ids(path: &Path, run: &str, carried: &str, ids: &mut Ids) -> Result<(), String> {
    let db = tables::open(path)?;
    let said = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let table = tables::table_now(&db, run, carried).map_err(said)?;
    let table = table.ok_or_else(|| format!("table {carried} is gone"))?;
    let has = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 COLLATE NOCASE";
    if !db.prepare(has).and_then(|mut statement| statement.exists((&table, ID))).map_err(said)? {
        return Err(format!("table {table} has no column {ID}"));
    }
    let sql = format!("SELECT \"{ID}\" FROM \"{}\" WHERE \"{ID}\" IS NOT NULL", table.replace('"', "\"\""));
    let mut statement = db.prepare(&sql).map_err(said)?;
    let mut rows = statement.query([]).map_err(said)?;
    while let Some(row) = rows.next().map_err(said)? {
        match row.get_ref(0).map_err(said)? {
            rusqlite::types::ValueRef::Text(text) => ids.add(&String::from_utf8_lossy(text)),
            other => ids.add(&format!("{other:?}")),
        }
    }
    Ok(())
}

/// Ids that a pass's query gives now.
async fn source_ids(session: &Session, job: &JobRow, cancel: &Cancel, ids: &mut Ids) -> Result<(), Error> {
    let select = Select::parse(&Select::parse(&job.soql)?.ids())?;
    let query = resolve(session.client(), &select).await?;
    let api = match job.api.as_str() {
        "bulk1" => Api::Bulk1,
        "rest" => Api::Rest,
        _ => Api::Bulk2,
    };
    let source = &session.pipeline().file.source;
    let options = ExtractOptions {
        action: if sees_all(session, job) { QueryAction::QueryAll } else { QueryAction::Query },
        max_records: source.max_records.map(u64::from),
        api_version: source.api_version.clone(),
        ..ExtractOptions::of(api)
    };
    let extract = Extract::create(session.client(), &query, &options).await?;
    let read = read_ids(&extract, &query.schema, cancel, ids).await;
    let silent: Arc<dyn Observer> = Arc::new(Silent);
    run::leave(&extract, read.is_err(), &silent).await;
    read
}

async fn read_ids(
    extract: &Extract,
    schema: &arrow_schema::SchemaRef,
    cancel: &Cancel,
    ids: &mut Ids,
) -> Result<(), Error> {
    extract.wait(|_| (), cancel.cancelled()).await.map_err(run::interrupted_or_source)?;
    let reading = Arc::new(Reading {
        extract: extract.clone(),
        pages: PageQueue::new(extract.clone(), 0),
        decode: forcepump_batch::DecodeOptions { batch_rows: BATCH_ROWS, ..Default::default() },
        columns: Columns::new(schema, &[0], 0),
        announced_before: 0,
    });
    while let Some(page) = cancel.race(reading.pages.take()).await.ok_or(Error::Interrupted)?? {
        let mut pieces = run::read(&reading, page, run::Room::own());
        pieces.wanted();
        let mut ended = false;
        while let Some(piece) = cancel.race(pieces.recv()).await.ok_or(Error::Interrupted)? {
            match piece.map_err(|failure| failure.error)? {
                Piece::Rows(decoded, _) => {
                    let column = decoded.batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
                    column.into_iter().flatten().flatten().for_each(|id| ids.add(id));
                }
                Piece::End { .. } => ended = true,
                Piece::Head { .. } => {}
            }
        }
        if !ended {
            return Err(Error::SourceData("a page of ids ended without its end\nhint: run again".to_owned()));
        }
    }
    Ok(())
}

/// Ids of rows that the run refused, and that are not in its places since.
fn rejected_ids(session: &Session, facts: &Facts, feed: &str) -> Result<Ids, Error> {
    let mut ids = Ids::default();
    if facts.units_of(feed).all(|unit| unit.tally.rejected == 0) {
        return Ok(ids);
    }
    let letter = match DeadLetter::find(session.pipeline().folder(), &facts.run.id) {
        Ok(letter) => letter,
        // The file was tidied away: then its rows count as missing.
        Err(Error::NoSuchRun(_)) => return Ok(ids),
        Err(error) => return Err(error),
    };
    // What a retry wrote is in the same table; files are its own.
    let has_table = facts.places_of(feed).any(|row| matches!(row.place, PlaceKind::Table { .. }));
    for row in letter.rows()? {
        let Ok(row) = row? else { continue };
        let is_there = has_table && letter.mended_by(&row.refusal).is_some();
        if let Some(id) = row.refusal.id.filter(|_| !is_there) {
            ids.add(&id);
        }
    }
    ids.sorted();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Ids {
        let mut ids = Ids::default();
        texts.iter().for_each(|text| ids.add(text));
        ids
    }

    #[test]
    fn what_one_side_lacks_is_named() {
        let mut source = ids(&["001000000000001AAA", "001000000000002AAA"]);
        let mut there = ids(&["001000000000002AAA", "001000000000003AAA", "001000000000003AAA"]);
        assert_eq!((source.sorted(), there.sorted()), (0, 1));
        assert_eq!(names(&source.without(&there)), ["001000000000001AAA"]);
        assert_eq!(names(&there.without(&source)), ["001000000000003AAA"]);
        assert_eq!(ids(&["***4"]).strange.as_deref(), Some("***4"));
    }
}
