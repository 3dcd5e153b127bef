//! The list of pages: `resultPages` where the server offers it, the chain of locators where not.

use std::collections::{HashSet, VecDeque};

use reqwest::Url;
use serde::Deserialize;

use super::QueryJob;
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
            next_index: 0,
        }
    }

    pub(super) fn chain_from(job: QueryJob, first: PageRef) -> Self {
        let mut pages = Self::new(job);
        pages.next_index = first.index + 1;
        pages.seen.insert(first.locator.clone());
        pages.ready.push_back(first);
        pages.source = Source::Chain {
            after_last: AfterLast::Unknown,
        };
        pages
    }

    /// The server lists the pages, so that they can be fetched in parallel.
    pub fn is_listed(&self) -> bool {
        matches!(self.source, Source::Listed(_) | Source::ListedAll)
    }

    /// The next page to fetch, as far as known. At most one API call.
    pub async fn next(&mut self) -> Result<NextPage> {
        if let Some(page) = self.ready.pop_front() {
            return Ok(NextPage::Page(page));
        }
        match &self.source {
            Source::NotAsked => self.ask_first().await?,
            Source::Listed(query) => {
                let query = query.clone();
                let list = self.ask(query).await?;
                self.take_list(list)?;
            }
            Source::ListedAll => return Ok(NextPage::End),
            Source::Chain {
                after_last: AfterLast::Nothing,
            } => return Ok(NextPage::End),
            Source::Chain {
                after_last: AfterLast::Unknown,
            } => return Ok(NextPage::Waiting),
        }
        // an empty list with a next address would be asked for ever; the first answer is never empty here
        match self.ready.pop_front() {
            Some(page) => Ok(NextPage::Page(page)),
            None if matches!(self.source, Source::ListedAll) => Ok(NextPage::End),
            None => Err(Error::protocol(
                self.words(),
                "an empty list of pages that is not the last",
            )),
        }
    }

    /// Tells what the head of a fetched page said. The same page may be told again after a second fetch.
    pub fn learned(&mut self, page: &PageRef, next_locator: Option<&str>) -> Result<()> {
        let is_last_handed_out = page.index + 1 == self.next_index;
        if !is_last_handed_out
            || !matches!(
                self.source,
                Source::Chain {
                    after_last: AfterLast::Unknown
                }
            )
        {
            return Ok(());
        }
        match next_locator {
            None => {
                self.source = Source::Chain {
                    after_last: AfterLast::Nothing,
                }
            }
            Some(locator) => self.push(Some(locator.to_owned()), page.max_records)?,
        }
        Ok(())
    }

    async fn ask_first(&mut self) -> Result<()> {
        let max_records = self.job.max_records;
        let mut query = Vec::new();
        if let Some(rows) = max_records {
            query.push(("maxRecords", rows.to_string()));
        }
        let offered = self.is_offered();
        let list = match offered {
            true => match self.ask(query).await {
                Ok(list) => Some(list).filter(|l| !l.pages.is_empty()),
                // absent resource, org without the preference, other shape: the chain always works
                Err(
                    Error::Api {
                        status: 400..=499, ..
                    }
                    | Error::Protocol { .. },
                ) => None,
                Err(error) => return Err(error),
            },
            false => None,
        };
        match list {
            Some(list) => self.take_list(list),
            None => {
                self.source = Source::Chain {
                    after_last: AfterLast::Unknown,
                };
                self.push(None, max_records)
            }
        }
    }

    fn is_offered(&self) -> bool {
        let major = self
            .job
            .api_version
            .split('.')
            .next()
            .and_then(|text| text.parse::<u32>().ok());
        major.is_some_and(|version| version >= RESULT_PAGES_SINCE)
    }

    async fn ask(&self, query: Vec<(&'static str, String)>) -> Result<PageList> {
        let mut call = Call::get(self.words(), self.job.path("/resultPages"));
        call.query = query;
        let reply = self.job.client.whole(&call).await?;
        let answer: Answer = parse_json(&call.what, &reply)?;
        answer
            .read(&self.job.id)
            .map_err(|detail| Error::protocol(&call.what, detail))
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

    fn push(&mut self, locator: Option<String>, max_records: Option<u64>) -> Result<()> {
        if !self.seen.insert(locator.clone()) {
            let locator = locator.as_deref().unwrap_or("(first page)");
            return Err(Error::protocol(
                self.words(),
                format!("locator {locator} comes a second time: an endless loop"),
            ));
        }
        self.ready.push_back(PageRef {
            index: self.next_index,
            locator,
            max_records,
        });
        self.next_index += 1;
        Ok(())
    }

    fn words(&self) -> String {
        format!("pages of {}", self.job.words())
    }
}

/// The answer in any of the three published shapes: guide (`resultPages`/`resultUrl`), Salesforce's own Postman
/// collection (`resultPages`/`resultLink`), observed orgs (`resultChunks`/`resultLink`).
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "resultPages", alias = "resultChunks")]
    pages: Vec<Link>,
    #[serde(default, rename = "nextRecordsUrl", alias = "nextRecordUrl")]
    next: Option<String>,
    #[serde(default)]
    done: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Link {
    #[serde(rename = "resultUrl", alias = "resultLink")]
    link: String,
}

#[derive(Debug, PartialEq, Eq)]
struct PageList {
    pages: Vec<ListedPage>,
    next: Option<Vec<(&'static str, String)>>,
}

#[derive(Debug, PartialEq, Eq)]
struct ListedPage {
    locator: Option<String>,
    max_records: Option<u64>,
}

impl Answer {
    fn read(self, job_id: &str) -> Result<PageList, String> {
        let pages = self
            .pages
            .iter()
            .map(|page| listed_page(&page.link, job_id))
            .collect::<Result<_, _>>()?;
        let next = self
            .next
            .as_deref()
            .filter(|text| !text.is_empty() && *text != "null");
        let next = next
            .map(|link| link_query(link, job_id, "resultpages"))
            .transpose()?;
        if self.done == Some(false) && next.is_none() {
            return Err("more pages are promised (done is false) without a way to them".into());
        }
        Ok(PageList { pages, next })
    }
}

fn listed_page(link: &str, job_id: &str) -> Result<ListedPage, String> {
    let query = link_query(link, job_id, "results")?;
    let value = |name: &str| {
        query
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.clone())
    };
    Ok(ListedPage {
        locator: value("locator"),
        max_records: value("maxRecords").and_then(|text| text.parse().ok()),
    })
}

/// Takes the parameters out of a link in any form: absolute, from the root, from the version, with doubled slashes.
/// The path is built anew, so that only the job's own resources are ever asked.
fn link_query(
    link: &str,
    job_id: &str,
    resource: &str,
) -> Result<Vec<(&'static str, String)>, String> {
    let bad = || format!("the link {link:?} is not one to the {resource} of job {job_id}");
    let base = Url::parse("https://instance.invalid/").map_err(|_| bad())?;
    let relative = link.trim_start_matches('/');
    let url = base.join(relative).map_err(|_| bad())?;
    let mut segments = url
        .path_segments()
        .ok_or_else(bad)?
        .filter(|segment| !segment.is_empty())
        .rev();
    let last = segments.next().unwrap_or_default();
    let id = segments.next().unwrap_or_default();
    // ids compare by their 15 characters: the other 3 are a checksum
    let same_id =
        id.len() >= 15 && job_id.len() >= 15 && id.as_bytes()[..15] == job_id.as_bytes()[..15];
    if !last.eq_ignore_ascii_case(resource) || !same_id {
        return Err(bad());
    }
    let known = |name: &str| {
        ["locator", "maxRecords"]
            .into_iter()
            .find(|key| key.eq_ignore_ascii_case(name))
    };
    Ok(url
        .query_pairs()
        .filter_map(|(name, value)| Some((known(&name)?, value.into_owned())))
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "750R0000000zxr8IAA";

    fn read(text: &str) -> Result<PageList, String> {
        serde_json::from_str::<Answer>(text)
            .map_err(|e| e.to_string())?
            .read(ID)
    }

    #[test]
    fn all_published_shapes() {
        let long = format!("/services/data/v62.0/jobs/query/{ID}");
        let short = format!("/jobs/query/{ID}");
        let table = [
            format!(
                r#"{{"resultPages":[{{"resultUrl":"{long}/results?locator=abc"}}],"nextRecordsUrl":"{long}/resultpages?locator=xyz","done":false}}"#
            ),
            format!(
                r#"{{"resultPages":[{{"resultUrl":"{long}/results?locator=abc"}}],"nextRecordUrl":"{long}/resultPages?locator=xyz","done":false}}"#
            ),
            format!(
                r#"{{"resultPages":[{{"resultLink":"{short}/results?locator=abc"}}],"nextRecordsUrl":"{short}/resultPages?locator=xyz"}}"#
            ),
            format!(
                r#"{{"resultChunks":[{{"resultLink":"{short}/results?locator=abc"}}],"nextRecordsUrl":"{short}/resultpages?locator=xyz"}}"#
            ),
            format!(
                r#"{{"resultChunks":[{{"resultLink":"https://a.my.salesforce.com{long}/results?locator=abc"}}],"nextRecordsUrl":"/{long}/resultpages?locator=xyz"}}"#
            ),
        ];
        for text in table {
            let list = read(&text).unwrap();
            assert_eq!(
                list.pages,
                [ListedPage {
                    locator: Some("abc".into()),
                    max_records: None
                }],
                "{text}"
            );
            assert_eq!(
                list.next,
                Some(vec![("locator", "xyz".to_owned())]),
                "{text}"
            );
        }
    }

    #[test]
    fn last_lists_and_foreign_links() {
        let list = read(r#"{"resultChunks":[],"nextRecordsUrl":null,"done":true}"#).unwrap();
        assert_eq!(
            list,
            PageList {
                pages: vec![],
                next: None
            }
        );
        assert!(read(r#"{"resultPages":[{"resultUrl":"/jobs/query/750R0000000OTHERIAA/results?locator=a"}]}"#).is_err());
        assert!(read(r#"{"resultPages":[],"done":false}"#).is_err());
        assert!(read(r#"{"records":[]}"#).is_err());
    }

    #[test]
    fn locator_is_decoded_once() {
        let page = listed_page(
            &format!("/jobs/query/{ID}/results?locator=a%3D%2Bb&maxRecords=50"),
            ID,
        )
        .unwrap();
        assert_eq!(
            page,
            ListedPage {
                locator: Some("a=+b".into()),
                max_records: Some(50)
            }
        );
    }

    proptest! {
        #[test]
        fn never_panics(link in ".{0,80}") {
            let _ = link_query(&link, ID, "results");
            let _ = link_query(&format!("/jobs/query/{ID}/{link}"), ID, "results");
        }
    }
}
