//! REST `query` and `queryAll`: pages of records, as a person at a terminal wants them.
//!
//! REST API Developer Guide, "Query": at most 2,000 records a page, `nextRecordsUrl` until `done`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::{Call, Client};
use crate::error::{Error, Result};

/// Where every path of the API begins: a next page elsewhere would carry the token to a stranger.
pub(crate) const DATA_ROOT: &str = "/services/data/";

/// One page of a query's answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordPage {
    /// Rows of the whole query; of `SELECT COUNT()` the count.
    pub total_size: u64,
    /// No page follows.
    pub done: bool,
    /// Path of the page that follows.
    #[serde(default)]
    pub next_records_url: Option<String>,
    /// Records as the API gives them: `attributes`, fields, parents as objects, children as pages of their own.
    #[serde(default)]
    pub records: Vec<Map<String, Value>>,
}

impl Client {
    /// The first page; `all` sees deleted and archived rows too.
    ///
    /// # Errors
    /// What Salesforce says of the query.
    pub async fn query(&self, soql: &str, all: bool) -> Result<RecordPage> {
        let resource = if all { "/queryAll" } else { "/query" };
        let mut call = Call::get("query", self.path(resource));
        call.query.push(("q", soql.to_owned()));
        self.checked(&call).await
    }

    /// The page after `page`; none when it was the last.
    ///
    /// # Errors
    /// What Salesforce says, for example of a cursor that is gone.
    pub async fn query_more(&self, page: &RecordPage) -> Result<Option<RecordPage>> {
        match &page.next_records_url {
            Some(next) if !page.done => {
                self.checked(&Call::get("next page of the query", next.clone())).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn checked(&self, call: &Call) -> Result<RecordPage> {
        let page: RecordPage = self.json(call).await?;
        let fault = match page.next_records_url.as_deref() {
            None if !page.done => "done is false, but nextRecordsUrl is missing; the rows that follow are out of reach",
            Some(next) if !next.starts_with(DATA_ROOT) => "nextRecordsUrl leads away from the API",
            _ => return Ok(page),
        };
        Err(Error::protocol(&call.what, fault))
    }
}
