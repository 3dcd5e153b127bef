//! A run that reads rejected rows of a former one again: which rows, and the passes that read them.
//!
//! It is killed like any other run, and goes on like one: under the id that it began with, by the units that the
//! destination knows, over the rows that it was begun for. Only a new one asks anew which rows are open; it does so under
//! the pipeline's turn, when no other can write them.

use std::sync::Arc;

use forcepump_salesforce::Api;

use super::decide::{self, Decided, WhyNot, plan_of};
use super::give_up;
use super::pass::{Pass, RETRIED_DELETES, RETRIES};
use crate::again::{self, Asked, Retry};
use crate::error::Error;
use crate::event::Observer;
use crate::session::{Session, Start};
use crate::state::State;

/// The unfinished retry of the same rows, to go on with; none: a new one begins. The session knows its rows then.
///
/// # Errors
/// [`Error::CannotGoOn`] when an unfinished one cannot go on, and a new one may write rows twice; [`Error::Input`] when the
/// rows may not be written any more.
pub(super) async fn decide(
    session: &Session,
    state: &State,
    asked: &Retry,
    observer: &Arc<dyn Observer>,
) -> Result<Decided, Error> {
    let Some(row) = state.unfinished_retry(&state.first_of(&asked.of)?)? else {
        settle(session, state)?;
        return Ok(Decided::default());
    };
    let why_not = match (session.start(), plan_of(&row).and_then(|plan| plan.retry)) {
        (Start::Fresh, _) => {
            let given_up = give_up::give_up(session, state, &row, "a new one was asked for", observer).await?;
            settle(session, state)?;
            return Ok(Decided { go_on: None, given_up: Some(given_up) });
        }
        (_, None) => Some(WhyNot::new("another version of forcepump began it")),
        (_, Some(retry)) => {
            again::check_not_replaced(state, &session.pipeline().file.name, &retry)?;
            let why_not = decide::why_not(session, state, &row).await?;
            if why_not.is_none() {
                session.settle(retry);
            }
            why_not
        }
    };
    let Some(WhyNot { why, is_gone }) = why_not else {
        return Ok(Decided { go_on: Some(row), given_up: None });
    };
    if !is_gone {
        decide::refuse_doubling(session, state, (&row, None), &why, "undo the change and try again, or ")?;
    }
    let given_up = give_up::give_up(session, state, &row, &why, observer).await?;
    settle(session, state)?;
    Ok(Decided { go_on: None, given_up: Some(given_up) })
}

/// The session of a new retry knows the rows that are open now.
pub(super) fn settle(session: &Session, state: &State) -> Result<(), Error> {
    let Some(asked) = session.retry() else { return Ok(()) };
    let pipeline = session.pipeline();
    session.settle(again::open_now(pipeline.folder(), state, &pipeline.file.name, asked)?);
    Ok(())
}

/// As many passes in the place of the planned ones as it takes to ask for the rows by their ids.
pub(super) fn passes(session: &Session, planned: Vec<Arc<Pass>>) -> Vec<Arc<Pass>> {
    let Some(retry) = session.retry() else { return planned };
    let in_address = session.pipeline().file.source.fixed_api() == Some(Api::Rest);
    let mut passes = Vec::new();
    for pass in planned {
        let asked = Asked { feed: &pass.query.object, others: pass.query.soql.len(), in_address };
        let (name, conditions) = match pass.deletes() {
            true => (RETRIED_DELETES, retry.conditions_on_deleted(asked)),
            false => (RETRIES, retry.conditions(asked)),
        };
        let numbered = conditions.into_iter().enumerate();
        passes.extend(numbered.map(|(number, rest)| Arc::new(one(&pass, name, number, rest))));
    }
    passes
}

fn one(pass: &Pass, name: &str, number: usize, rest: String) -> Pass {
    let mut query = pass.query.clone();
    query.select.rest = rest;
    query.soql = query.select.to_soql();
    let prefix = if number == 0 { name.to_owned() } else { format!("{name}{number}") };
    let (target, prepared) = (pass.target.clone(), pass.prepared.clone());
    let (action, through) = (pass.action, Arc::clone(&pass.through));
    Pass { prefix, query, target, prepared, action, through, cut: None, root: None }
}
