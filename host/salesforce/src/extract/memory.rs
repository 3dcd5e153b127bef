//! What is kept of an extract so that another process can go on with it: of the job, and of each part that is
//! committed.
//!
//! Results of both Bulk APIs live seven days, and the locators of Bulk API 2.0 stay the same as long (Bulk API 2.0
//! guide, "Get Results for a Query Job"); a cursor of REST lives two days (REST API guide, "Query").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Api;
use crate::bulk1::KnownFile;
use crate::bulk2::KnownPage;
use crate::error::{Error, Result};

/// What another process needs to go on with a job. Holds no secret; written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMemory {
    /// By which API it is read.
    pub api: Api,
    /// Id of the job; REST has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Results are given to no other version than the one that made the job.
    pub api_version: String,
    /// REST: rows of the whole result; none before the first page came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Bulk 1.0: the batch that was posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<String>,
    /// Bulk 1.0: the batch is split by ids.
    #[serde(default)]
    pub(super) chunked: bool,
}

/// What is kept of one committed part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum PartMemory {
    Page {
        number: u64,
        #[serde(flatten)]
        page: KnownPage,
    },
    File(KnownFile),
    Run {
        number: u64,
        #[serde(flatten)]
        run: KnownRun,
    },
}

/// A run of REST pages that is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownRun {
    /// Path of its first page; none for the first of all.
    pub(super) start: Option<String>,
    /// Path of the page after it; none: it was the last.
    pub(super) end: Option<String>,
}

/// The committed parts, by kind.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) pages: BTreeMap<u64, KnownPage>,
    pub(super) files: Vec<KnownFile>,
    pub(super) runs: BTreeMap<u64, KnownRun>,
}

impl PartMemory {
    pub(super) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

impl Known {
    /// Reads what was kept of the committed parts of a job.
    pub(super) fn read(api: Api, done: &[String]) -> Result<Self> {
        let mut known = Self::default();
        for text in done {
            let memory = serde_json::from_str(text).map_err(|error| unreadable(text, &error.to_string()))?;
            match (api, memory) {
                (Api::Bulk2, PartMemory::Page { number, page }) => drop(known.pages.insert(number, page)),
                (Api::Bulk1, PartMemory::File(file)) => known.files.push(file),
                (Api::Rest, PartMemory::Run { number, run }) => drop(known.runs.insert(number, run)),
                _ => return Err(unreadable(text, &format!("it is not a part of a {}", api.words()))),
            }
        }
        Ok(known)
    }
}

fn unreadable(text: &str, why: &str) -> Error {
    let start: String = text.chars().take(60).collect();
    Error::config(format!(
        "what the state keeps of a committed part cannot be read ({why}): {start:?}\n  \
         hint: another version of Forcepump may have written it; `forcepump run --fresh` begins anew"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_read_as_they_were_written() {
        let page = KnownPage { locator: Some("B".into()), next: None, listed: true, begins: None };
        let page = PartMemory::Page { number: 1, page };
        let file = PartMemory::File(KnownFile { batch: "751".into(), result: "752".into(), number: 0, of: 2 });
        let run = PartMemory::Run { number: 3, run: KnownRun { start: Some("/a".into()), end: Some("/b".into()) } };
        for (api, memory) in [(Api::Bulk2, page), (Api::Bulk1, file), (Api::Rest, run)] {
            let text = memory.text().unwrap();
            assert_eq!(serde_json::from_str::<PartMemory>(&text).unwrap(), memory, "{text}");
            assert!(Known::read(api, std::slice::from_ref(&text)).is_ok());
        }
        for text in ["", "{}", r#"{"kind":"run","number":0,"start":null,"end":null}"#] {
            let error = Known::read(Api::Bulk2, &[text.to_owned()]).unwrap_err().to_string();
            assert!(error.contains("--fresh"), "{error}");
        }
    }
}
