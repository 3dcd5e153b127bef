//! Passes that write some columns only: the deleted rows of an incremental feed, and fields that are filled in.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use forcepump_salesforce::{ResolvedQuery, Select};
use forcepump_sandbox::{Target, WriteMode};

use super::narrow;
use super::pass::{DELETES, Through};
use super::shared::Parts;
use super::start::Settled;
use crate::error::Error;
use crate::file::{Action, Deletes, nearest};
use crate::incremental::IS_DELETED;
use crate::session::Session;

/// A pass as it is planned, before the destination was asked.
pub(crate) struct Planned {
    /// what its units' names begin with
    pub prefix: &'static str,
    /// its columns are not pruned yet
    pub query: ResolvedQuery,
    pub action: Action,
    pub target: Target,
    /// none: all columns that the destination takes
    pub through: Option<Through>,
}

/// Every pass of a feed, in the order in which they are moved.
///
/// Deleted rows come first: a key that another row took over is first freed, and then written with that row.
///
/// # Errors
/// [`Error::Input`] when the destination's keys cannot be made of deleted rows, or a field to be filled in does not reach it.
pub(crate) fn passes(
    session: &Session,
    settled: &Settled,
    parts: &Parts,
    query: &ResolvedQuery,
) -> Result<Vec<Planned>, Error> {
    if let Some(fields) = session.filling() {
        return Ok(vec![backfill(session, settled, parts, query, fields)?]);
    }
    let main = Planned {
        prefix: "",
        query: query.clone(),
        action: session.pipeline().file.source.sees(),
        target: settled.target.clone(),
        through: None,
    };
    Ok(deletes(session, settled, parts, query)?.into_iter().chain([main]).collect())
}

/// The deleted rows of the window, by the keys alone.
fn deletes(
    session: &Session,
    settled: &Settled,
    parts: &Parts,
    query: &ResolvedQuery,
) -> Result<Option<Planned>, Error> {
    let incremental = session.pipeline().file.source.incremental.as_ref();
    if incremental.is_none_or(|incremental| incremental.deletes != Deletes::Delete) {
        return Ok(None);
    }
    let (mut beside, mut condition) = (vec!["Id"], format!("{IS_DELETED} = true"));
    match (session.retry(), session.window()) {
        // Its ids come later.
        (Some(retry), _) if retry.deleted.contains_key(&query.object) => {}
        (None, Some(window)) => {
            beside.push(&window.field);
            condition = format!("{} AND {condition}", window.condition(None));
        }
        _ => return Ok(None),
    }
    let keys: BTreeSet<u32> = settled.target.keys.iter().copied().collect();
    let why = ("source.incremental.deletes", "deleted rows");
    let through = through(settled, parts, &query.schema, &keys, &beside, why)?;
    let target = narrowed(settled, &through, &keys, WriteMode::Delete);
    let query = with_rest(query, format!("WHERE {condition}"));
    Ok(Some(Planned { prefix: DELETES, query, action: Action::QueryAll, target, through: Some(through) }))
}

/// The keys and some fields, of all rows up to the cursor.
fn backfill(
    session: &Session,
    settled: &Settled,
    parts: &Parts,
    query: &ResolvedQuery,
    fields: &[String],
) -> Result<Planned, Error> {
    let keys: BTreeSet<u32> = settled.target.keys.iter().copied().collect();
    let mut wanted = keys.clone();
    for field in fields {
        let number = column_of(query, field)?;
        let found = narrow::descendants(&settled.chain, &settled.gate, &BTreeSet::from([number]));
        if found.is_subset(&keys) {
            let text = format!(
                "{field} does not reach the destination: a transform drops it, it is withheld, or it is a key; `forcepump plan` shows the columns that do"
            );
            return Err(Error::input("--fields", text));
        }
        wanted.extend(found);
    }
    let why = ("--fields", "rows to be filled in");
    let through = through(settled, parts, &query.schema, &wanted, &["Id"], why)?;
    let target = narrowed(settled, &through, &wanted, WriteMode::Update);
    let action = session.pipeline().file.source.sees();
    Ok(Planned { prefix: "", query: query.clone(), action, target, through: Some(through) })
}

fn through(
    settled: &Settled,
    parts: &Parts,
    full: &SchemaRef,
    wanted: &BTreeSet<u32>,
    beside: &[&str],
    why: (&str, &str),
) -> Result<Through, Error> {
    narrow::through((&settled.chain, &settled.gate, parts), full, wanted, beside, why)
}

/// The target for only these of the columns behind the gate; its keys are among them.
fn narrowed(settled: &Settled, through: &Through, wanted: &BTreeSet<u32>, mode: WriteMode) -> Target {
    let place = |key: &u32| wanted.iter().position(|column| column == key).and_then(|place| u32::try_from(place).ok());
    Target {
        input: Arc::clone(&through.gate.input),
        keys: settled.target.keys.iter().filter_map(place).collect(),
        mode,
        ..settled.target.clone()
    }
}

fn column_of(query: &ResolvedQuery, field: &str) -> Result<u32, Error> {
    let names = || query.schema.fields().iter().map(|field| field.name().as_str());
    let found = names().position(|name| name.eq_ignore_ascii_case(field));
    found.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
        let meant = nearest(field, names()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Error::input("--fields", format!("the pipeline does not read `{field}`{meant}"))
    })
}

fn with_rest(query: &ResolvedQuery, rest: String) -> ResolvedQuery {
    let select = Select { rest, ..query.select.clone() };
    ResolvedQuery { soql: select.to_soql(), select, ..query.clone() }
}
