//! API calls that a run needs, by kind, against what the org has left.

use std::time::Duration;

use forcepump_salesforce::{Api, Client, ClientOptions, DailyShare, ExtractOptions};
use serde::Serialize;

/// Rows of a Bulk 2.0 page when Salesforce chooses: 220 to 250 thousand were seen.
const BULK2_PAGE_ROWS: u64 = 200_000;
/// Pages that one call of `resultPages` lists.
const PAGES_LISTED: u64 = 5;
/// Ids of a Bulk 1.0 chunk when nothing is said (Bulk API guide, "PK Chunking").
const CHUNK_ROWS: u64 = 100_000;
/// Records of a REST page at most.
const REST_PAGE_ROWS: u64 = 2_000;
/// A guess at how fast Salesforce works on a job, to count the looks at it.
const JOB_ROWS_PER_SECOND: u64 = 20_000;
/// A job waits for its turn first.
const JOB_QUEUE_SECONDS: u64 = 5;
/// Counting is cheap; an org that takes longer is not waited for.
const MOST_COUNTING: Duration = Duration::from_secs(10);

/// API calls of one run. Logins are free.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CallEstimate {
    /// rows that the estimate is for; all of the object, where conditions may leave fewer
    pub rows: Option<u64>,
    /// describes, classification and the like, as the plan needed them
    pub planning: u64,
    /// to make and tidy up the job
    pub job: u64,
    /// looks at the job
    pub polls: u64,
    /// lists of pages or batches, and the pages themselves
    pub pages: u64,
    /// all of them
    pub total: u64,
    /// the org's calls of 24 hours, where it tells them
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<CallQuota>,
}

/// The org's API calls of 24 hours, and the share that runs may use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CallQuota {
    /// used by everybody
    pub used: u64,
    /// allowed in 24 hours
    pub allowed: u64,
    /// the part of them up to which runs go on
    pub daily_share: f64,
    /// calls at which runs stop
    pub share: u64,
    /// calls that runs may still use
    pub left: u64,
}

impl From<DailyShare> for CallQuota {
    fn from(share: DailyShare) -> Self {
        let DailyShare { used, allowed, fraction: daily_share } = share;
        Self { used, allowed, daily_share, share: share.calls(), left: share.left() }
    }
}

impl CallEstimate {
    /// For so many rows, after `planning` calls.
    pub(crate) fn new(options: &ExtractOptions, client: &ClientOptions, rows: Option<u64>, planning: u64) -> Self {
        let known = rows.unwrap_or(0);
        let (job, polls, pages) = match options.api {
            Api::Rest => (0, 0, pieces(known, REST_PAGE_ROWS)),
            Api::Bulk2 => {
                let pages = pieces(known, options.max_records.unwrap_or(BULK2_PAGE_ROWS));
                let lists = if options.max_records.is_some() { 0 } else { pages.div_ceil(PAGES_LISTED) };
                (2, polls(known, client), pages + lists)
            }
            Api::Bulk1 => {
                let batches = if options.pk_chunking.is_some() { pieces(known, CHUNK_ROWS) } else { 1 };
                (3, polls(known, client), 2 * batches)
            }
        };
        Self { rows, planning, job, polls, pages, total: planning + job + polls + pages, quota: None }
    }

    /// Of several feeds together; the rows are known when those of each are.
    #[must_use]
    pub fn sum(feeds: &[Self]) -> Self {
        let of = |part: fn(&Self) -> u64| feeds.iter().map(part).sum();
        Self {
            rows: feeds.iter().map(|feed| feed.rows).sum(),
            planning: of(|feed| feed.planning),
            job: of(|feed| feed.job),
            polls: of(|feed| feed.polls),
            pages: of(|feed| feed.pages),
            total: of(|feed| feed.total),
            // The last one was told the most.
            quota: feeds.iter().rev().find_map(|feed| feed.quota),
        }
    }

    /// The same with the org's calls.
    pub(crate) fn against(self, client: &Client) -> Self {
        Self { quota: client.daily_share().map(CallQuota::from), ..self }
    }

    /// What the operator should hear before the run.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let quota = self.quota.filter(|quota| quota.left < self.total)?;
        Some(format!(
            "the run needs about {} API calls, and only {} are left of the share that runs may use; it would stop on the way\n\
             hint: raise limits.daily_share of the connection, or run when the last 24 hours had fewer calls",
            self.total, quota.left
        ))
    }
}

/// At least one call, also for an empty result.
fn pieces(rows: u64, each: u64) -> u64 {
    rows.div_ceil(each.max(1)).max(1)
}

/// Looks at a job that takes as long as so many rows may take.
fn polls(rows: u64, client: &ClientOptions) -> u64 {
    let mut left = Duration::from_secs(JOB_QUEUE_SECONDS.saturating_add(rows / JOB_ROWS_PER_SECOND));
    let (mut pause, mut looks) = (client.poll_min_delay, 1);
    while !pause.is_zero() && left > pause && pause < client.poll_max_delay {
        left -= pause;
        looks += 1;
        pause = (pause * 2).min(client.poll_max_delay);
    }
    match pause.as_millis() {
        0 => looks,
        pause => looks + u64::try_from(left.as_millis() / pause).unwrap_or(u64::MAX),
    }
}

/// Rows of an object, roughly; none where Salesforce does not tell.
pub(crate) async fn rows(client: &Client, object: &str) -> Option<u64> {
    tokio::time::timeout(MOST_COUNTING, client.record_count(object)).await.ok()?.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(api: Api, rows: u64) -> CallEstimate {
        CallEstimate::new(&ExtractOptions::of(api), &ClientOptions::default(), Some(rows), 3)
    }

    #[test]
    fn calls_by_kind() {
        let bulk = estimate(Api::Bulk2, 1_000_000);
        // 0.2 0.4 0.8 1.6 3.2 are 6.2 s of 55 s, the rest is 5 s each
        assert_eq!((bulk.job, bulk.polls, bulk.pages, bulk.total), (2, 15, 6, 26));
        let rest = estimate(Api::Rest, 4_001);
        assert_eq!((rest.job, rest.polls, rest.pages, rest.total), (0, 0, 3, 6));
        assert_eq!(estimate(Api::Bulk2, 0).pages, 2);
        let bounded = ExtractOptions { max_records: Some(100), ..ExtractOptions::of(Api::Bulk2) };
        assert_eq!(CallEstimate::new(&bounded, &ClientOptions::default(), Some(250), 0).pages, 3);
    }

    #[test]
    fn feeds_are_added_up() {
        let (one, other) = (estimate(Api::Bulk2, 1_000_000), estimate(Api::Rest, 4_001));
        let sum = CallEstimate::sum(&[one.clone(), other.clone()]);
        assert_eq!((sum.rows, sum.planning, sum.pages, sum.total), (Some(1_004_001), 6, 9, one.total + other.total));
        assert_eq!(CallEstimate::sum(&[one, CallEstimate::default()]).rows, None);
    }

    #[test]
    fn a_run_that_does_not_fit_is_told_of() {
        let share = DailyShare { used: 45, allowed: 100, fraction: 0.5 };
        let with = |total| CallEstimate { total, quota: Some(share.into()), ..CallEstimate::default() };
        assert_eq!(with(5).warning(), None);
        let text = with(6).warning().unwrap_or_default();
        assert!(text.contains("about 6") && text.contains("only 5"), "{text}");
        assert_eq!(CallEstimate { total: 9, ..CallEstimate::default() }.warning(), None);
    }
}
