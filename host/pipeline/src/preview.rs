//! A few rows, before and after each transform; the destination is not touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use forcepump_salesforce::{Extract, ResolvedQuery};
use forcepump_sandbox::Processed;

use crate::cancel::Cancel;
use crate::chain::{self, Way};
use crate::choice;
use crate::error::Error;
use crate::event::{Event, Observer, Phase};
use crate::run::{self, Columns, PageQueue, Piece, Reading, start};
use crate::session::Session;

/// How often a transform is asked for the rows that it kept back.
const MAX_FINISH_CALLS: u32 = 8;

/// Rows at each station.
#[derive(Debug)]
pub struct Preview {
    /// the source first, then one after each transform
    pub stages: Vec<PreviewStage>,
}

/// Rows at one station.
#[derive(Debug)]
pub struct PreviewStage {
    /// the object, or the plugin's name
    pub label: String,
    /// the rows that are left
    pub batches: Vec<RecordBatch>,
    /// rows that the transform left out
    pub filtered: u64,
    /// rows refused here
    pub rejected: Vec<PreviewReject>,
}

/// A refused row.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PreviewReject {
    /// row number at the station's entrance, from 0
    pub row: u64,
    /// machine word
    pub code: String,
    /// for people
    pub reason: String,
}

pub(crate) async fn preview(
    session: &Session,
    rows: usize,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<Preview, Error> {
    observer.event(Event::Phase(Phase::Planning));
    let source = fetch(session, rows, observer, cancel).await?;
    let parts = session.parts()?;
    let opening = session.opening("preview", &source.label);
    let schema = source.batches.first().map(RecordBatch::schema).unwrap_or(session.resolve().await?.schema);
    let live = |part: &crate::part::Part| part.live_settings(part.settings.grants.clone(), observer);
    let way = Way {
        parts: &parts.transforms,
        source: &schema,
        opening: &opening,
        lane: 0,
        unfetched: &BTreeSet::new(),
        agreed: None,
        bypass: &[],
    };
    let mut chain = chain::open(&way, live).await?;
    let mut stages = vec![source];
    for (link, part) in chain.links.iter_mut().zip(&parts.transforms) {
        let input = stages.last().map(|stage| stage.batches.clone()).unwrap_or_default();
        let mut stage =
            PreviewStage { label: part.name().to_owned(), batches: Vec::new(), filtered: 0, rejected: Vec::new() };
        let mut first_row = 0;
        for batch in input {
            let count = batch.num_rows() as u64;
            let done = link.process(batch, first_row).await.map_err(|error| part.transform_error(&error))?;
            take(&mut stage, done, first_row);
            first_row += count;
        }
        // A preview shows some rows; what a plugin gives at its end may have no end.
        for _ in 0..MAX_FINISH_CALLS {
            let given = link.finish(start::FINISH_ROWS).await;
            let Some(batch) = given.map_err(|error| part.transform_error(&error))? else { break };
            stage.batches.push(batch);
        }
        stages.push(stage);
    }
    Ok(Preview { stages })
}

fn take(stage: &mut PreviewStage, done: Processed, first_row: u64) {
    let Processed { batches, rejects, filtered, .. } = done;
    stage.batches.extend(batches);
    stage.filtered += filtered;
    stage.rejected.extend(rejects.into_iter().map(|reject| PreviewReject {
        row: first_row + u64::from(reject.row),
        code: reject.code,
        reason: reject.reason,
    }));
}

/// The first rows of the query, through an extract of its own.
async fn fetch(
    session: &Session,
    rows: usize,
    observer: &Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<PreviewStage, Error> {
    let mut query = cancel.race(session.resolve()).await.ok_or(Error::Interrupted)??;
    query.soql = limited(&query.soql, &query.select.rest, rows);
    let source = &session.pipeline().file.source;
    choice::check(source, &query.select)?;
    let choice = choice::for_preview(session);
    observer.event(Event::Phase(Phase::Querying));
    let created = Extract::create(session.client(), &query, &choice).await;
    let extract = created.map_err(|error| choice::with_hint(error, source))?;
    let taken = rows_of(&extract, &query, rows, cancel).await;
    run::leave(&extract, taken.is_err(), observer).await;
    taken.map(|(batches, rejected)| PreviewStage { label: query.object, batches, filtered: 0, rejected })
}

async fn rows_of(
    extract: &Extract,
    query: &ResolvedQuery,
    rows: usize,
    cancel: &Cancel,
) -> Result<(Vec<RecordBatch>, Vec<PreviewReject>), Error> {
    let schema = &query.schema;
    extract.wait(|_| (), cancel.cancelled()).await.map_err(run::interrupted_or_source)?;
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let decode = forcepump_batch::DecodeOptions { batch_rows: rows.max(1), ..Default::default() };
    let reading = Arc::new(Reading {
        extract: extract.clone(),
        pages: PageQueue::new(extract.clone(), 0),
        decode,
        columns: Columns::new(schema, &all, rows),
        announced_before: 0,
    });
    let Some(page) = reading.pages.take().await? else { return Ok(Default::default()) };
    let mut pieces = run::read(&reading, page, run::Room::own());
    let (mut batches, mut rejected) = (Vec::new(), Vec::new());
    while let Some(piece) = cancel.race(pieces.recv()).await.ok_or(Error::Interrupted)? {
        if let Piece::Rows(decoded, _) = piece.map_err(|failure| failure.error)? {
            let left = rows - batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            rejected.extend(decoded.rejects.into_iter().map(|reject| PreviewReject {
                row: reject.row,
                code: reject.code,
                reason: reject.reason,
            }));
            batches.push(decoded.batch.slice(0, left.min(decoded.batch.num_rows())));
            if left <= decoded.batch.num_rows() {
                break;
            }
        }
    }
    Ok((batches, rejected))
}

/// A query that has a LIMIT of its own keeps it; reading stops after enough rows either way.
fn limited(soql: &str, rest: &str, rows: usize) -> String {
    let has_limit = rest.split_whitespace().any(|word| word.eq_ignore_ascii_case("limit"));
    if has_limit { soql.to_owned() } else { format!("{soql} LIMIT {rows}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_added_only_once() {
        assert_eq!(limited("SELECT Id FROM Account", "", 5), "SELECT Id FROM Account LIMIT 5");
        let own = "SELECT Id FROM Account LIMIT 3";
        assert_eq!(limited(own, "LIMIT 3", 5), own);
    }
}
