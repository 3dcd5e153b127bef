//! The source counted again, by the run's own queries.

use forcepump_salesforce::Select;

use super::{Facts, VerifyCheck};
use crate::error::Error;
use crate::file::Action;
use crate::run::pass::is_of_deletes;
use crate::session::Session;
use crate::state::JobRow;

/// One comparison for each of the feed's queries.
pub(super) async fn checks(session: &Session, facts: &Facts, feed: &str) -> Result<Vec<VerifyCheck>, Error> {
    let mut checks = Vec::new();
    for job in facts.jobs.iter().filter(|job| job.feed == feed) {
        checks.push(check(session, facts, job).await?);
    }
    Ok(checks)
}

async fn check(session: &Session, facts: &Facts, job: &JobRow) -> Result<VerifyCheck, Error> {
    let select = Select::parse(&job.soql)?;
    let what = format!("rows of {} at the source{}", select.object, part(&job.pass));
    let Some(announced) = job.announced else {
        return Ok(VerifyCheck::unknown(&job.feed, what, "Salesforce had not told their number when the run ended"));
    };
    let page = session.client().query(&select.count_all(), sees_all(session, job)).await?;
    let found = select.limit().map_or(page.total_size, |most| most.min(page.total_size));
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

fn part(pass: &str) -> String {
    if pass.is_empty() { String::new() } else { format!(" (pass {pass})") }
}
