//! From a selection to a query, by the policy for fields that are gone or new.

use forcepump_salesforce::{Error as SourceError, ResolvedQuery, Select, VisibleField};

use super::{Becomes, Change, FieldChange, becomes, compare, day, key, policies, refuse, seen};
use crate::error::Error;
use crate::file::DriftPolicy;
use crate::session::Session;
use crate::state::{LastSeen, SeenKey, State};

/// Gives each selected field its type. Under `ignore`, fields that are gone or new since the last whole run are left out.
///
/// # Errors
/// An unknown field, with the nearest one, or with the day it was last seen.
pub(crate) async fn resolve(session: &Session, mut select: Select) -> Result<ResolvedQuery, Error> {
    let mut query = loop {
        let error = match forcepump_salesforce::resolve(session.client(), &select).await {
            Ok(query) => break query,
            Err(error) => error,
        };
        if !leave_out_gone(session, &mut select, &error).await? {
            return Err(explain(session, &select, error).await);
        }
    };
    leave_out_new(session, &select, &mut query).await?;
    Ok(query)
}

/// Takes the field that is gone out of the selection, when the policy says so and the last whole run saw it.
async fn leave_out_gone(session: &Session, select: &mut Select, error: &SourceError) -> Result<bool, Error> {
    let SourceError::NoField { objects, field, path, .. } = error else { return Ok(false) };
    if policies(session).gone != DriftPolicy::Ignore || !was_seen(session, select, objects, field).await? {
        return Ok(false);
    }
    let object = format!("{}.", select.object);
    let names_it = |item: &str| {
        let own = item.get(object.len()..).filter(|_| item.to_lowercase().starts_with(&object.to_lowercase()));
        item.eq_ignore_ascii_case(path) || own.is_some_and(|own| own.eq_ignore_ascii_case(path))
    };
    let before = select.fields.len();
    select.fields.retain(|item| !names_it(&item.to_string()));
    // With nothing selected, everything would be.
    Ok(select.fields.len() < before && !select.fields.is_empty())
}

async fn was_seen(session: &Session, select: &Select, objects: &[String], field: &str) -> Result<bool, Error> {
    let Some(last) = last_seen(session, select).await? else { return Ok(false) };
    Ok(last.fields.iter().any(|seen| objects.contains(&seen.object) && seen.field.eq_ignore_ascii_case(field)))
}

/// Under `ignore`, fields that the last whole run did not see are not read unless they are named.
async fn leave_out_new(session: &Session, select: &Select, query: &mut ResolvedQuery) -> Result<(), Error> {
    let policies = policies(session);
    if policies.new != DriftPolicy::Ignore {
        return Ok(());
    }
    let Some(last) = last_of(session, &key(session, &query.object).await?)? else { return Ok(()) };
    let now: Vec<_> = query.visible.iter().map(seen).collect();
    let changes = compare(&last, &now, &query.object);
    let left_out = |name: &str| {
        let found = changes.iter().find(|c| c.change == Change::New && c.object == query.object && c.field == name);
        found.is_some_and(|change| becomes(change, policies, select, Some(query)) == Becomes::LeftOut)
    };
    let columns = query.schema.fields().iter().enumerate();
    let kept: Vec<usize> = columns.filter(|(_, field)| !left_out(field.name())).map(|(number, _)| number).collect();
    if kept.len() < query.schema.fields().len() {
        query.keep_columns(&kept);
    }
    Ok(())
}

/// A field that the query names and describe does not show: an error that says so when the last whole run saw it.
async fn explain(session: &Session, select: &Select, error: SourceError) -> Error {
    let SourceError::NoField { objects, field, message, .. } = &error else {
        return error.into();
    };
    let Ok(Some(last)) = last_seen(session, select).await else { return error.into() };
    let is_it =
        |seen: &&crate::state::SeenField| objects.contains(&seen.object) && seen.field.eq_ignore_ascii_case(field);
    let Some(gone) = last.fields.iter().find(is_it) else { return error.into() };
    if policies(session).gone == DriftPolicy::Fail
        && let Ok(changes) = all_changes(session, select, &last).await
        && let Err(refused) = refuse(&changes)
    {
        return refused;
    }
    Error::FieldGone {
        field: format!("{}.{}", gone.object, gone.field),
        kind: gone.kind.clone(),
        since: day(last.at_micros),
        message: message.clone(),
    }
}

/// Every change of the object's own fields, for a query that cannot be resolved.
async fn all_changes(session: &Session, select: &Select, last: &LastSeen) -> Result<Vec<FieldChange>, Error> {
    let describe = session.client().describe(&select.object).await?;
    let visible = describe.fields.iter().map(|field| VisibleField {
        object: describe.name.clone(),
        field: field.name.clone(),
        kind: field.kind.clone(),
    });
    let now: Vec<_> = visible.map(|field| seen(&field)).collect();
    let mut changes = compare(last, &now, &describe.name);
    for change in &mut changes {
        change.becomes = becomes(change, policies(session), select, None);
    }
    Ok(changes)
}

async fn last_seen(session: &Session, select: &Select) -> Result<Option<LastSeen>, Error> {
    let object = session.client().describe(&select.object).await?.name.clone();
    last_of(session, &key(session, &object).await?)
}

fn last_of(session: &Session, key: &SeenKey) -> Result<Option<LastSeen>, Error> {
    match State::open_existing(session.pipeline().folder())? {
        Some(state) => state.fields_seen(key),
        None => Ok(None),
    }
}
