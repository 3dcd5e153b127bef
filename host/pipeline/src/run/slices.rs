//! A pass in slices: as the pipeline file wants it, or because Salesforce gave its query up for running too long.

use std::sync::Arc;

use forcepump_salesforce::{Error as SourceError, Select};

use super::cut::{Cut, name_of, place_of};
use super::pass::Pass;
use super::shared::Parts;
use super::start::Ready;
use crate::error::Error;
use crate::event::Event;
use crate::incremental::{Window, moment};
use crate::part::Part;
use crate::session::Session;
use crate::state::SliceRow;

/// Slices of one pass at most; each is a job of its own, and an org makes 10,000 a day (Bulk API 2.0 limits).
const MAX_SLICES: usize = 1_000;

/// The passes in which a feed is moved: those of its plan, cut as an earlier process cut them, or as the file wants it.
///
/// # Errors
/// [`Error::Input`] for slices that cannot be; what Salesforce says when it is asked for the oldest row.
pub(super) async fn passes(session: &Session, ready: &Ready) -> Result<Vec<Arc<Pass>>, Error> {
    let mut passes = Vec::with_capacity(ready.passes.len());
    for root in &ready.passes {
        let known = known(ready, root)?;
        match (known.is_empty(), root.prefix.is_empty()) {
            (false, _) => passes.extend(known),
            (true, true) => passes.extend(wanted(session, ready, root).await?),
            (true, false) => passes.push(Arc::clone(root)),
        }
    }
    Ok(passes)
}

/// The slices that an earlier process cut a pass into, in their order; none when it did not.
///
/// # Errors
/// Those of the state.
pub(super) fn known(ready: &Ready, root: &Arc<Pass>) -> Result<Vec<Arc<Pass>>, Error> {
    let mut rows = ready.shared.journal.slices()?;
    rows.retain(|row| row.root == root.prefix);
    rows.sort_by_key(|row| place_of(&row.name));
    rows.iter().map(|row| slice(root, &row.name, &read(row)?)).collect()
}

/// The main pass as the file wants it.
async fn wanted(session: &Session, ready: &Ready, root: &Arc<Pass>) -> Result<Vec<Arc<Pass>>, Error> {
    let incremental = session.pipeline().file.source.incremental.as_ref();
    let length = incremental.and_then(crate::file::Incremental::slice_micros);
    // what was begun without slices goes on without them
    let is_begun = ready.shared.journal.jobs()?.iter().any(|job| job.pass == root.prefix);
    let (Some(length), Some(window), false) = (length, session.window(), is_begun) else {
        return Ok(vec![Arc::clone(root)]);
    };
    let oldest = match window.from {
        Some(from) => Some(from),
        None => oldest(session, root, window).await?,
    };
    let Some(oldest) = oldest else { return Ok(vec![Arc::clone(root)]) };
    let slices = window.to.saturating_sub(oldest) / length;
    if usize::try_from(slices).is_ok_and(|slices| slices >= MAX_SLICES) {
        return Err(Error::input(
            "source.incremental.slice",
            format!(
                "cuts the rows since {} into {slices} slices, more than {MAX_SLICES}; make it longer",
                moment(oldest)
            ),
        ));
    }
    let cuts = Cut::slices(&window.field, (window.from, window.to), oldest, length);
    made(ready, root, None, &cuts)
}

/// The halves of a pass that Salesforce gave up for running too long; the error itself when that cannot be helped.
///
/// # Errors
/// The pass's own, with what could be done; those of the state.
pub(super) async fn halves(
    session: &Session,
    ready: &Ready,
    pass: &Arc<Pass>,
    error: Error,
) -> Result<Vec<Arc<Pass>>, Error> {
    match &error {
        Error::Source(source) if source.is_query_timeout() => {}
        _ => return Err(error),
    }
    if ready.shared.journal.units()?.iter().any(|unit| unit.pass == pass.prefix) {
        return Err(error);
    }
    if let Some(name) = stateful(&ready.shared.parts) {
        return Err(with(
            error,
            &format!("it is not read in halves, because `{name}` keeps a state over all rows of a run"),
        ));
    }
    let root = pass.root.as_ref().unwrap_or(pass);
    let cut = match (&pass.cut, session.window()) {
        (Some(cut), _) => cut.clone(),
        (None, Some(window)) => Cut::Time { field: window.field.clone(), from: window.from, to: window.to },
        (None, None) => Cut::Ids { from: None, to: None },
    };
    let halves = match halved(session, root, &cut).await {
        Ok(halves) => halves,
        Err(why) => return Err(with(error, &why)),
    };
    let halves = made(ready, root, Some(pass), &halves)?;
    let text = format!(
        "{} ({}): Salesforce gave the query up for running too long; it is read in two halves",
        root.query.object,
        cut.words(),
    );
    ready.shared.observer.event(Event::Warning(text));
    Ok(halves)
}

async fn halved(session: &Session, root: &Pass, cut: &Cut) -> Result<[Cut; 2], String> {
    let select = &root.query.select;
    if select.limit().is_some() || select.is_ordered() {
        return Err("a query with LIMIT or ORDER BY is not read in halves; without them it would be".to_owned());
    }
    match cut {
        Cut::Time { field, from, to } => {
            let none = "no row was found to halve it at".to_owned();
            let oldest =
                oldest_since(session, root, field, (*from, *to)).await.map_err(|error| asked(&error))?.ok_or(none)?;
            let shortest = || {
                format!(
                    "it was halved down to {}, and a second is the shortest slice; name fewer fields, or narrow `where` on an indexed field",
                    cut.words()
                )
            };
            Cut::halved_by_time(field, (*from, *to), oldest).ok_or_else(shortest)
        }
        Cut::Ids { from, to } => {
            if session.pipeline().file.source.chunking().is_some() {
                return Err(
                    "a query that is split by pk_chunking is not read in halves; take a smaller chunk_size".to_owned()
                );
            }
            let condition = cut.condition(&Select { alias: None, ..select.clone() });
            let first = edge(session, root, condition.as_deref(), "").await.map_err(|error| asked(&error))?;
            let last = edge(session, root, condition.as_deref(), " DESC").await.map_err(|error| asked(&error))?;
            let (Some(first), Some(last)) = (first, last) else {
                return Err("no row was found to halve it at".to_owned());
            };
            let one = || format!("it was halved down to one row, {first}; name fewer fields");
            Cut::halved_by_ids((from.as_deref(), to.as_deref()), (&first, &last)).ok_or_else(one)
        }
    }
}

fn asked(error: &SourceError) -> String {
    let text = error.to_string();
    format!("where to halve it could not be asked: {}", text.lines().next().unwrap_or_default())
}

/// Keeps the slices in the state, and makes passes of them.
fn made(ready: &Ready, root: &Arc<Pass>, of: Option<&Pass>, cuts: &[Cut]) -> Result<Vec<Arc<Pass>>, Error> {
    let base = of.map_or(root.prefix.as_str(), |pass| pass.prefix.as_str());
    let mut rows = Vec::with_capacity(cuts.len());
    let mut passes = Vec::with_capacity(cuts.len());
    for (number, cut) in cuts.iter().enumerate() {
        let name = name_of(base, number);
        let text = serde_json::to_string(cut)
            .map_err(|error| Error::Host { what: "keeping a slice".to_owned(), error: error.into() })?;
        passes.push(slice(root, &name, cut)?);
        rows.push(SliceRow { root: root.prefix.clone(), name, cut: text });
    }
    ready.shared.journal.slices_made(of.map(|pass| pass.prefix.as_str()), &rows)?;
    Ok(passes)
}

fn slice(root: &Arc<Pass>, name: &str, cut: &Cut) -> Result<Arc<Pass>, Error> {
    let query = match cut.condition(&root.query.select) {
        Some(condition) => root.query.and_where(&condition)?,
        None => root.query.clone(),
    };
    let (target, prepared) = (root.target.clone(), root.prepared.clone());
    let (action, through) = (root.action, Arc::clone(&root.through));
    let (prefix, cut, root) = (name.to_owned(), Some(cut.clone()), Some(Arc::clone(root)));
    Ok(Arc::new(Pass { prefix, query, target, prepared, action, through, cut, root }))
}

fn read(row: &SliceRow) -> Result<Cut, Error> {
    serde_json::from_str(&row.cut)
        .map_err(|error| Error::Host { what: format!("reading slice {} in the state", row.name), error: error.into() })
}

/// The transform that must see all rows in one go.
fn stateful(parts: &Parts) -> Option<&str> {
    parts.transforms.iter().find(|part| part.plugin.description().stateful).map(Part::name)
}

/// Refuses slices around a transform that must see all rows in one go.
///
/// # Errors
/// [`Error::Input`] with the transform.
pub(super) fn check(session: &Session, parts: &Parts) -> Result<(), Error> {
    let incremental = session.pipeline().file.source.incremental.as_ref();
    match (incremental.and_then(|incremental| incremental.slice.as_ref()), stateful(parts)) {
        (Some(_), Some(name)) => Err(Error::input(
            "source.incremental.slice",
            format!(
                "goes with transforms that see each row alone; `{name}` keeps a state over all rows of a run, which slices would cut"
            ),
        )),
        _ => Ok(()),
    }
}

/// The error, with why it is not helped by halving.
fn with(error: Error, why: &str) -> Error {
    match error {
        Error::Source(error) => Error::Refused { text: format!("{error}\n  {why}"), error },
        other => other,
    }
}

/// The moment of the object's oldest row within the window. The operator's own condition is left out, so that the index
/// on the field alone answers; deleted rows are looked at too, because the pass may want them.
async fn oldest(session: &Session, root: &Pass, window: &Window) -> Result<Option<i64>, SourceError> {
    oldest_since(session, root, &window.field, (window.from, window.to)).await
}

async fn oldest_since(
    session: &Session,
    root: &Pass,
    field: &str,
    (from, to): (Option<i64>, i64),
) -> Result<Option<i64>, SourceError> {
    let object = &root.query.object;
    let from = from.map(|from| format!("{field} >= {} AND ", moment(from))).unwrap_or_default();
    let soql = format!("SELECT {field} FROM {object} WHERE {from}{field} < {} ORDER BY {field} LIMIT 1", moment(to));
    let page = session.client().query(&soql, true).await?;
    let value = page.records.first().and_then(|record| record.get(field)?.as_str());
    let parsed = value.and_then(|text| chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok());
    Ok(parsed.map(|moment| moment.timestamp_micros()))
}

/// The id of the first row, or of the last.
async fn edge(
    session: &Session,
    root: &Pass,
    condition: Option<&str>,
    order: &str,
) -> Result<Option<String>, SourceError> {
    let condition = condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
    let soql = format!("SELECT Id FROM {}{condition} ORDER BY Id{order} LIMIT 1", root.query.object);
    let page = session.client().query(&soql, true).await?;
    let id = page.records.first().and_then(|record| record.get("Id")?.as_str());
    Ok(id.map(str::to_owned))
}
