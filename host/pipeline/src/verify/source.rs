//! The source counted again, by the run's own queries.

use forcepump_salesforce::Select;

use super::{Facts, VerifyCheck, keys};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::file::Action;
use crate::run::pass::is_of_deletes;
use crate::session::Session;
use crate::state::JobRow;

/// Characters of a statement that stands in an address; Salesforce takes 16,384 of the whole.
const ADDRESS_CHARS: usize = 12_000;

/// One comparison for each of the feed's queries.
pub(super) async fn checks(
    session: &Session,
    facts: &Facts,
    feed: &str,
    cancel: &Cancel,
) -> Result<Vec<VerifyCheck>, Error> {
    let mut checks = Vec::new();
    let counted = |job: &&JobRow| job.feed == feed && !(job.succeeded && is_rest(&job.pass));
    for job in facts.jobs.iter().filter(counted) {
        checks.push(check(session, facts, job, cancel).await?);
    }
    Ok(checks)
}

/// The jobs of a feed, but for those that read what was left of another when that was lost: its query has their rows too.
pub(super) fn of_feed<'a>(facts: &'a Facts, feed: &'a str) -> impl Iterator<Item = &'a JobRow> {
    let of_feed = facts.jobs.iter().filter(move |job| job.feed == feed);
    of_feed.filter(move |job| !facts.jobs.iter().any(|other| other.feed == feed && is_rest_of(&job.pass, &other.pass)))
}

async fn check(session: &Session, facts: &Facts, job: &JobRow, cancel: &Cancel) -> Result<VerifyCheck, Error> {
    let select = Select::parse(&job.soql)?;
    let what = format!("rows of {} at the source{}", select.object, part(&job.pass));
    // The rest of a job that was lost came by others.
    let others =
        facts.jobs.iter().filter(|other| job.succeeded && other.feed == job.feed && is_rest_of(&other.pass, &job.pass));
    let rest: Option<u64> = others.map(|other| other.announced).sum();
    let Some(announced) = job.announced.zip(rest).map(|(rows, rest)| rows + rest) else {
        return Ok(VerifyCheck::unknown(&job.feed, what, "Salesforce had not told their number when the run ended"));
    };
    let counted = match select.count_all() {
        long if long.len() > ADDRESS_CHARS => keys::count(session, job, cancel).await?,
        short => session.client().query(&short, sees_all(session, job)).await?.total_size,
    };
    let found = select.limit().map_or(counted, |most| most.min(counted));
    let is_incremental = facts.feeds.iter().any(|row| row.feed == job.feed && row.window.is_some());
    let note = match is_incremental {
        true => "rows that changed since have left the window of this run; a later run has read them",
        false => "rows were made, deleted or changed at the source since, or the query means other rows today",
    };
    Ok(VerifyCheck::counts(&job.feed, what, announced, found).noting_difference(note))
}

/// Whether the pass sees deleted rows.
pub(super) fn sees_all(session: &Session, job: &JobRow) -> bool {
    session.pipeline().file.source.sees() == Action::QueryAll || is_of_deletes(&job.pass)
}

/// Whether the pass reads what was left of a lost job.
fn is_rest(pass: &str) -> bool {
    pass.rsplit_once('x').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// Whether the one pass, or the pass that it is a slice of, reads what was left of the other.
fn is_rest_of(pass: &str, lost: &str) -> bool {
    pass.strip_prefix(lost).is_some_and(|rest| rest.starts_with('x'))
}

fn part(pass: &str) -> String {
    if pass.is_empty() { String::new() } else { format!(" (pass {pass})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_that_read_a_rest_are_known_by_their_names() {
        assert_eq!(["x1", "s0.1x12", "", "s0", "x1.0", "d"].map(is_rest), [true, true, false, false, false, false]);
        let of =
            |lost: &str| ["x1", "x2", "x1.0x1", "s0x1", "s1", "s0.1x1", "dx1.0"].map(|pass| is_rest_of(pass, lost));
        assert_eq!(of(""), [true, true, true, false, false, false, false]);
        assert_eq!(of("s0"), [false, false, false, true, false, false, false]);
        assert_eq!(of("x1.0"), [false, false, true, false, false, false, false]);
        assert_eq!(of("d"), [false, false, false, false, false, false, true]);
    }
}
