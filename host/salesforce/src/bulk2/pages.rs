//! The list of pages: `resultPages` where the server offers it, the chain of locators where not.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::QueryJob;
use super::links::{Answer, PageList};
use crate::client::{Call, parse_json};
use crate::error::{Error, Result};

/// `resultPages` exists from this version on (Bulk API 2.0 guide).
const RESULT_PAGES_SINCE: u32 = 58;

/// One page of a job's results. Stays valid for the life of the job and may be fetched any number of times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageRef {
    /// Number in the result, from 0.
    pub index: u64,
    /// Where it starts; `None`: at the first row.
    pub locator: Option<String>,
    /// Rows at most; constant over a chain.
    pub max_records: Option<u64>,
}

/// What is kept of a page that is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownPage {
    /// Where it starts.
    pub(crate) locator: Option<String>,
    /// What its head named as the next page; none: it was the last.
    pub(crate) next: Option<String>,
    /// It came from `resultPages`.
    pub(crate) listed: bool,
    /// Digest of its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) begins: Option<String>,
}

/// What is known of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPage {
    /// Fetch this one.
    Page(PageRef),
    /// Not known before an earlier page's head is there: fetch it and tell [`Pages::learned`].
    Waiting,
    /// There are no more.
    End,
}

/// Pages of one job, one after the other; several may be under way at once.
///
/// ```text
/// loop { match pages.next().await? {
///     Page(page) => { let body = job.fetch(&page).await?; pages.learned(&page, body.next_locator.as_deref())?; … }
///     Waiting => …another fetch under way will call `learned`…
///     End => break,
/// } }
/// ```
#[derive(Debug)]
pub struct Pages {
    job: QueryJob,
    source: Source,
    ready: VecDeque<PageRef>,
    seen: HashSet<Option<String>>,
    /// what the head of each page of a chain said of the next one
    told: HashMap<u64, Option<String>>,
    /// pages that an earlier process has committed, as far as they were not passed yet
    known: BTreeMap<u64, KnownPage>,
    /// the pages so far were found by the chain, and so are the others
    chained: bool,
    next_index: u64,
}

#[derive(Debug)]
enum Source {
    /// `resultPages` was not asked yet.
    NotAsked,
    /// `resultPages` has more; where.
    Listed(Vec<(&'static str, String)>),
    /// `resultPages` has told everything.
    ListedAll,
    /// Each page's head names the next one.
    Chain { after_last: AfterLast },
}

/// What the chain knows beyond the last page handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterLast {
    Unknown,
    Nothing,
}

impl Pages {
    pub(super) fn new(job: QueryJob) -> Self {
        Self {
            job,
            source: Source::NotAsked,
            ready: VecDeque::new(),
            seen: HashSet::new(),
            told: HashMap::new(),
            known: BTreeMap::new(),
            chained: false,
            next_index: 0,
        }
    }

    /// The pages that are not among those `known`.
    pub(super) fn without(job: QueryJob, known: BTreeMap<u64, KnownPage>) -> Self {
        let chained = known.values().any(|page| !page.listed);
        Self { known, chained, ..Self::new(job) }
    }

    pub(super) fn chain_from(job: QueryJob, first: PageRef) -> Self {
        let mut pages = Self::new(job);
        pages.next_index = first.index + 1;
        pages.seen.insert(first.locator.clone());
        pages.ready.push_back(first);
        pages.source = Source::Chain { after_last: AfterLast::Unknown };
        pages
    }

    /// The server lists the pages, so that they can be fetched in parallel.
    pub fn is_listed(&self) -> bool {
        matches!(self.source, Source::Listed(_) | Source::ListedAll)
    }

    /// The next page to fetch, as far as known. At most one API call, or one for each list of pages that are all known.
    pub async fn next(&mut self) -> Result<NextPage> {
        loop {
            if let Some(page) = self.ready.pop_front() {
                return Ok(NextPage::Page(page));
            }
            let before = self.next_index;
            match &self.source {
                Source::NotAsked => self.ask_first().await?,
                Source::Listed(query) => {
                    let query = query.clone();
                    let list = self.ask(query).await?;
                    self.take_list(list)?;
                }
                Source::ListedAll | Source::Chain { after_last: AfterLast::Nothing } => return self.end(),
                Source::Chain { after_last: AfterLast::Unknown } => return Ok(NextPage::Waiting),
            }
            // an empty list with a next address would be asked for ever; the first answer is never empty here
            if self.next_index == before && matches!(self.source, Source::Listed(_)) {
                return Err(Error::protocol(self.words(), "an empty list of pages that is not the last"));
            }
        }
    }

    fn end(&self) -> Result<NextPage> {
        match self.known.first_key_value() {
            None => Ok(NextPage::End),
            Some((index, _)) => Err(self.cut_otherwise(*index)),
        }
    }

    /// Tells what the head of a fetched page said. The same page may be told again after a second fetch, and must then
    /// say the same: rows that the first answer put into the next page could come with the second one again.
    pub fn learned(&mut self, page: &PageRef, next_locator: Option<&str>) -> Result<()> {
        if matches!(self.source, Source::Chain { .. }) {
            let told = self.told.entry(page.index).or_insert_with(|| next_locator.map(str::to_owned));
            if told.as_deref() != next_locator {
                let detail =
                    format!("page {} names another next page than before; its rows could come twice", page.index);
                return Err(Error::protocol(self.words(), detail));
            }
        }
        let is_last_handed_out = page.index + 1 == self.next_index;
        if !is_last_handed_out || !matches!(self.source, Source::Chain { after_last: AfterLast::Unknown }) {
            return Ok(());
        }
        match next_locator {
            None => self.source = Source::Chain { after_last: AfterLast::Nothing },
            Some(locator) => self.push(Some(locator.to_owned()), page.max_records)?,
        }
        Ok(())
    }

    async fn ask_first(&mut self) -> Result<()> {
        let list = match self.is_offered() {
            true => match self.ask(Vec::new()).await {
                Ok(list) => Some(list).filter(|l| !l.pages.is_empty()),
                // absent resource, org without the preference, other shape: the chain always works
                Err(Error::Api { status: 400..=499, .. } | Error::Protocol { .. }) => None,
                Err(error) => return Err(error),
            },
            false => None,
        };
        match list {
            Some(list) => self.take_list(list),
            None => {
                self.source = Source::Chain { after_last: AfterLast::Unknown };
                self.push(None, self.job.max_records)
            }
        }
    }

    /// The list's pages have the server's size, so a bound on it can only be kept by the chain.
    fn is_offered(&self) -> bool {
        if self.job.max_records.is_some() || self.chained {
            return false;
        }
        let major = self.job.api_version.split('.').next().and_then(|text| text.parse::<u32>().ok());
        major.is_some_and(|version| version >= RESULT_PAGES_SINCE)
    }

    async fn ask(&self, query: Vec<(&'static str, String)>) -> Result<PageList> {
        let mut call = Call::get(self.words(), self.job.path("/resultPages"));
        call.query = query;
        let reply = self.job.client.whole(&call).await?;
        let answer: Answer = parse_json(&call.what, &reply)?;
        answer.read(&self.job.id).map_err(|detail| Error::protocol(&call.what, detail))
    }

    fn take_list(&mut self, list: PageList) -> Result<()> {
        for page in list.pages {
            self.push(page.locator, page.max_records)?;
        }
        self.source = match list.next {
            None => Source::ListedAll,
            Some(next) => {
                // the lists have locators of their own
                if !self.seen.insert(Some(format!("list {next:?}"))) {
                    return Err(Error::protocol(
                        self.words(),
                        "the list of pages leads back to itself: an endless loop",
                    ));
                }
                Source::Listed(next)
            }
        };
        Ok(())
    }

    /// Adds a page, or what follows it when it is known.
    fn push(&mut self, mut locator: Option<String>, max_records: Option<u64>) -> Result<()> {
        loop {
            if !self.seen.insert(locator.clone()) {
                let locator = locator.as_deref().unwrap_or("(first page)");
                return Err(Error::protocol(
                    self.words(),
                    format!("locator {locator} comes a second time: an endless loop"),
                ));
            }
            let index = self.next_index;
            self.next_index += 1;
            let Some(known) = self.known.remove(&index) else {
                self.ready.push_back(PageRef { index, locator, max_records });
                return Ok(());
            };
            // the first page has a locator in lists, and none in the chain
            if index > 0 && known.locator != locator {
                return Err(self.cut_otherwise(index));
            }
            if !matches!(self.source, Source::Chain { .. }) {
                return Ok(());
            }
            if known.next.is_none() {
                self.source = Source::Chain { after_last: AfterLast::Nothing };
                return Ok(());
            }
            locator = known.next;
        }
    }

    /// What is committed cannot be told from what is not.
    fn cut_otherwise(&self, index: u64) -> Error {
        Error::Lost {
            what: self.words(),
            detail: format!("they begin elsewhere than when page {index} was committed; what remains cannot be told"),
        }
    }

    fn words(&self) -> String {
        format!("pages of {}", self.job.words())
    }
}
