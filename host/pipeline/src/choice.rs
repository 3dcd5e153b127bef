//! Which API reads a pipeline's rows, and why.

use std::time::Duration;

use forcepump_salesforce::{
    Api, Client, ErrorKind, ExtractOptions, PkChunking, QueryAction, Refused, ResolvedQuery, Select, check_chunking,
};

use crate::error::Error;
use crate::file::{Action, ApiChoice, Source};
use crate::session::Session;
use crate::state::{Refusal, State};

/// Rows that REST gives in one call: a Bulk job would cost more calls, and more time.
const FEW_ROWS: u64 = 2_000;
/// REST is given up for Bulk API when it announces more than this: Salesforce's counts may be old.
const MANY_ROWS: u64 = 10 * FEW_ROWS;
/// Counting is to save time: a count that takes longer is given up.
const MOST_COUNTING: Duration = Duration::from_secs(10);
/// Characters of a query that REST takes in an address whatever it holds; a longer one is Bulk's.
const SHORT_QUERY_CHARS: usize = 4_000;
/// An API with its settings.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub options: ExtractOptions,
    /// for people; empty when the file says it itself
    pub why: String,
    /// what the operator should know
    pub notes: Vec<String>,
    /// whether another API may be tried when this one refuses
    pub may_change: bool,
    /// REST, because the rows are few: were they many, Bulk API would be the choice
    pub for_few: bool,
}

/// Refuses what the source asks for and no API can do, before anything is made anywhere.
///
/// # Errors
/// [`Error::Input`] with the reason and the way out.
pub(crate) fn check(source: &Source, select: &Select) -> Result<Option<(PkChunking, Vec<String>)>, Error> {
    let Some(chunking) = source.chunking() else { return Ok(None) };
    let checked = check_chunking(select, &chunking);
    checked.map(Some).map_err(|fault| Error::input("source.pk_chunking", fault.message))
}

/// Chooses; costs a call or two when the file leaves it to us. `action`: which rows the query sees.
///
/// # Errors
/// What [`check`] says; what the state says when it cannot be read.
pub(crate) async fn choose(session: &Session, query: &ResolvedQuery, action: Action) -> Result<Choice, Error> {
    let mut choice = chosen(session, query, action).await?;
    choice.options.action = query_action(action);
    Ok(choice)
}

async fn chosen(session: &Session, query: &ResolvedQuery, action: Action) -> Result<Choice, Error> {
    let source = &session.pipeline().file.source;
    let chunking = check(source, &query.select)?;
    if let Some(api) = source.fixed_api() {
        return Ok(choice(session, api, String::new(), chunking, false));
    }
    if chunking.is_some() {
        return Ok(choice(session, Api::Bulk1, "pk_chunking is asked for".to_owned(), chunking, true));
    }
    let (api, why, for_few) = suits(session, query, action).await?;
    Ok(Choice { for_few, ..choice(session, api, why, None, true) })
}

async fn suits(session: &Session, query: &ResolvedQuery, action: Action) -> Result<(Api, String, bool), Error> {
    let source = &session.pipeline().file.source;
    if let Some(refusal) = remembered(session, &query.object).await? {
        let day = chrono::DateTime::from_timestamp_micros(refusal.seen_at).unwrap_or_default().format("%Y-%m-%d");
        return Ok((Api::Rest, format!("Bulk API refused {} on {day}: {}", query.object, refusal.reason), false));
    }
    if source.max_records.is_some() {
        return Ok((Api::Bulk2, "max_records bounds the rows of its pages".to_owned(), false));
    }
    if query.soql.len() > SHORT_QUERY_CHARS {
        return Ok((Api::Bulk2, "the query is long".to_owned(), false));
    }
    let all = action == Action::QueryAll;
    let counted = tokio::time::timeout(MOST_COUNTING, count(session.client(), &query.select, all)).await;
    Ok(match counted.ok().flatten() {
        Some(rows) if rows <= FEW_ROWS => {
            (Api::Rest, format!("{rows} rows, and up to {FEW_ROWS} come in one call"), true)
        }
        Some(_) => (Api::Bulk2, format!("more than {FEW_ROWS} rows"), false),
        None => (Api::Bulk2, "the number of rows is not known".to_owned(), false),
    })
}

/// About how many rows the query has: exact when they are few. None when that cannot be told.
async fn count(client: &Client, select: &Select, all: bool) -> Option<u64> {
    if let Some(limit) = limit_of(&select.rest).filter(|limit| *limit <= FEW_ROWS) {
        return Some(limit);
    }
    let whole = client.record_count(&select.object).await.ok().flatten();
    match whole {
        Some(rows) if rows <= FEW_ROWS || select.rest.is_empty() => return Some(rows),
        _ => {}
    }
    let words = || select.rest.split_whitespace();
    if words().any(|word| ["LIMIT", "ORDER"].iter().any(|clause| word.eq_ignore_ascii_case(clause))) {
        return None;
    }
    let counted = client.query(&select.count_up_to(FEW_ROWS + 1), all).await;
    counted.ok().map(|page| page.total_size)
}

/// The number behind a LIMIT at the query's end.
fn limit_of(rest: &str) -> Option<u64> {
    let mut words = rest.split_whitespace().rev();
    let rows = words.next()?.parse().ok()?;
    words.next()?.eq_ignore_ascii_case("limit").then_some(rows)
}

fn choice(
    session: &Session,
    api: Api,
    why: String,
    chunking: Option<(PkChunking, Vec<String>)>,
    may_change: bool,
) -> Choice {
    let source = &session.pipeline().file.source;
    let (pk_chunking, notes) = chunking.unzip();
    let options = ExtractOptions {
        action: query_action(source.sees()),
        max_records: source.max_records.map(u64::from),
        api_version: source.api_version.clone(),
        pk_chunking,
        format: source.result_format(),
        in_order: session.is_repeatable(),
        ..ExtractOptions::of(api)
    };
    Choice { options, why, notes: notes.unwrap_or_default(), may_change, for_few: false }
}

/// How the job of an earlier process was made, by that API.
pub(crate) fn of_job(session: &Session, api: Api, action: Action) -> Choice {
    let chunking = session.pipeline().file.source.chunking().filter(|_| api == Api::Bulk1);
    let mut choice = choice(session, api, String::new(), chunking.map(|chunking| (chunking, Vec::new())), false);
    choice.options.action = query_action(action);
    choice
}

fn query_action(action: Action) -> QueryAction {
    match action {
        Action::Query => QueryAction::Query,
        Action::QueryAll => QueryAction::QueryAll,
    }
}

/// How a few rows are read, when nothing has to be split: by one call, where the file leaves the choice to us.
pub(crate) fn for_preview(session: &Session) -> ExtractOptions {
    let fixed = session.pipeline().file.source.fixed_api();
    choice(session, fixed.unwrap_or(Api::Rest), String::new(), None, false).options
}

impl Choice {
    /// Whether REST was chosen for few rows and there are many.
    pub(crate) fn is_too_slow_for(&self, rows: u64) -> bool {
        self.for_few && self.options.api == Api::Rest && rows > MANY_ROWS
    }

    /// What to try when the API refused with that error; none when that is the end.
    pub(crate) fn after(&self, error: &forcepump_salesforce::Error, tried: &[Api]) -> Option<(Api, Refused)> {
        let refused = error.refused().filter(|_| self.may_change)?;
        let next = match (self.options.api, refused) {
            (Api::Bulk2, Refused::Always) | (Api::Bulk1, Refused::Always) => Api::Rest,
            (Api::Bulk2, Refused::Now) => Api::Bulk1,
            (Api::Rest, _) => Api::Bulk2,
            (Api::Bulk1, Refused::Now) => return None,
        };
        (!tried.contains(&next)).then_some((next, refused))
    }
}

/// What the org refused by Bulk API 2.0, as a former run saw it.
async fn remembered(session: &Session, object: &str) -> Result<Option<Refusal>, Error> {
    let Some(state) = State::open_existing(session.pipeline().folder())? else { return Ok(None) };
    let org = session.client().organization().await?;
    state.refusal(&org, object, Api::Bulk2.as_str(), session.submitted_at())
}

/// Remembers that the org refused the object by that API.
pub(crate) async fn remember(session: &Session, object: &str, api: Api, reason: &str) -> Result<(), Error> {
    let state = State::open(session.pipeline().folder())?;
    let org = session.client().organization().await?;
    let refusal = Refusal { reason: reason.to_owned(), seen_at: session.submitted_at() };
    state.refused(&org, object, api.as_str(), &refusal)
}

/// An error of an API that the file fixes, with the way out that another API may be.
pub(crate) fn with_hint(error: forcepump_salesforce::Error, source: &Source) -> Error {
    if error.refused() == Some(Refused::Always) && source.api != ApiChoice::Auto && error.kind() != ErrorKind::Auth {
        const HINT: &str = "leave source.api out, so that another API is tried, or set api = \"rest\"";
        let told = error.to_string();
        // the words for this refusal may say so already
        let text = if told.contains("api = \"rest\"") { told } else { format!("{told}\nhint: {HINT}") };
        return Error::Refused { error: Box::new(error), text };
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_found_at_the_end_only() {
        assert_eq!(limit_of("WHERE Name != null LIMIT 5"), Some(5));
        assert_eq!(limit_of("limit 5000"), Some(5_000));
        assert_eq!(limit_of("WHERE x = 5"), None);
        assert_eq!(limit_of(""), None);
    }

    fn refusal(code: &str, message: &str) -> forcepump_salesforce::Error {
        forcepump_salesforce::Error::Api {
            what: "x".into(),
            status: 400,
            code: code.into(),
            message: message.into(),
            hint: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn each_refusal_leads_to_another_api_once() {
        let of = |api| Choice {
            options: ExtractOptions::of(api),
            why: String::new(),
            notes: Vec::new(),
            may_change: true,
            for_few: false,
        };
        let never = refusal("INVALIDENTITY", "Entity 'X' is not supported by the Bulk API.");
        let limit = refusal("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached");
        let slow = refusal("QUERY_TIMEOUT", "Your query request was running for too long.");
        assert_eq!(of(Api::Bulk2).after(&never, &[Api::Bulk2]), Some((Api::Rest, Refused::Always)));
        assert_eq!(of(Api::Bulk2).after(&limit, &[Api::Bulk2]), Some((Api::Bulk1, Refused::Now)));
        assert_eq!(of(Api::Rest).after(&slow, &[Api::Rest]), Some((Api::Bulk2, Refused::Now)));
        assert_eq!(of(Api::Bulk2).after(&never, &[Api::Rest, Api::Bulk2]), None);
        assert_eq!(of(Api::Bulk2).after(&refusal("INVALID_FIELD", "no"), &[]), None);
        let fixed = Choice { may_change: false, ..of(Api::Bulk2) };
        assert_eq!(fixed.after(&never, &[]), None);
    }
}
