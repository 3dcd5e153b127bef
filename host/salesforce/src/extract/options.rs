//! Which API reads a query, and how.

use forcepump_batch::ResultFormat;
use serde::{Deserialize, Serialize};

use crate::bulk1::PkChunking;
use crate::bulk2::QueryAction;

/// An API of Salesforce that gives rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Bulk API 2.0 query jobs.
    Bulk2,
    /// Bulk API 1.0 query jobs.
    Bulk1,
    /// REST `query` and `queryAll`.
    Rest,
}

impl Api {
    /// As in the pipeline file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk2 => "bulk2",
            Self::Bulk1 => "bulk1",
            Self::Rest => "rest",
        }
    }

    /// The API of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Bulk2, Self::Bulk1, Self::Rest].into_iter().find(|api| api.as_str() == word)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Bulk2 => "Bulk API 2.0 query",
            Self::Bulk1 => "Bulk API 1.0 query",
            Self::Rest => "REST query",
        }
    }
}

/// How a query is read.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// By which API.
    pub api: Api,
    /// Which rows.
    pub action: QueryAction,
    /// Bulk 2.0: rows a page at most.
    pub max_records: Option<u64>,
    /// API version, for example `62.0`; `None`: the connection's.
    pub api_version: Option<String>,
    /// Bulk 1.0: split the query by ranges of ids.
    pub pk_chunking: Option<PkChunking>,
    /// Bulk 1.0: the format of the results.
    pub format: ResultFormat,
    /// Chunks in the order of their list, not of their completion.
    pub in_order: bool,
}

impl ExtractOptions {
    /// The defaults of an API.
    pub fn of(api: Api) -> Self {
        Self {
            api,
            action: QueryAction::default(),
            max_records: None,
            api_version: None,
            pk_chunking: None,
            format: ResultFormat::default(),
            in_order: false,
        }
    }

    pub(crate) fn sees_all(&self) -> bool {
        self.action == QueryAction::QueryAll
    }
}
