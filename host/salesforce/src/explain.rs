//! `query?explain=`: what Salesforce thinks of a query without running it.
//!
//! REST API Developer Guide, "Query Performance Feedback": the answer is a list of plans, the cheapest first; a query
//! that cannot be run is refused as it would be when sent.

use serde::Deserialize;

use crate::client::{Call, Client};
use crate::error::{Error, ErrorKind, Result};
use crate::soql::Select;

/// URI and headers have at most 16,384 bytes (API Request Limits and Allocations); this leaves room for headers, and for
/// what grows when it is encoded.
const MAX_SOQL_BYTES: usize = 8_000;

/// How Salesforce would find the rows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryPlan {
    /// Rows that it expects to return, an estimate.
    #[serde(default)]
    pub cardinality: u64,
    /// Rows of the object, an estimate.
    #[serde(default)]
    pub sobject_cardinality: u64,
    /// `Index`, `TableScan`, `Sharing` or `Other`.
    #[serde(default)]
    pub leading_operation_type: String,
    /// Above 1 the query is not selective.
    #[serde(default)]
    pub relative_cost: f64,
}

/// What became of a look at a query's conditions.
#[derive(Debug, Clone, PartialEq)]
pub enum Explained {
    /// Salesforce would run it like this.
    Plan(QueryPlan),
    /// There was nothing to look at: the query has no conditions.
    Nothing,
    /// It could not be looked at, which says nothing of the query.
    Unknown(String),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    plans: Vec<QueryPlan>,
}

impl Client {
    /// Has Salesforce look at what follows the object in the query: conditions, order, limit. Costs one request and no job;
    /// nothing is sent when there is nothing to look at. `all`: deleted rows too.
    ///
    /// # Errors
    /// When Salesforce says that the query is wrong. Any other failure is [`Explained::Unknown`].
    pub async fn explain(&self, select: &Select, all: bool) -> Result<Explained> {
        if select.rest.is_empty() {
            return Ok(Explained::Nothing);
        }
        // The fields are known from describe; without them the query is short.
        let alias = select.alias.as_deref().map(|alias| format!(" {alias}")).unwrap_or_default();
        let soql = format!("SELECT Id FROM {}{alias} {}", select.object, select.rest);
        if soql.len() > MAX_SOQL_BYTES {
            return Ok(Explained::Unknown(format!("it has {} bytes, too many for an address", soql.len())));
        }
        let mut call = Call::get("conditions of the query", self.path(if all { "/queryAll" } else { "/query" }));
        call.query.push(("explain", soql));
        match self.json::<Answer>(&call).await {
            Ok(answer) => Ok(match answer.plans.into_iter().next() {
                Some(plan) => Explained::Plan(plan),
                None => Explained::Unknown("the answer holds no plan".to_owned()),
            }),
            Err(error) if is_about_the_query(&error) => Err(error),
            Err(error) => Ok(Explained::Unknown(error.to_string())),
        }
    }
}

/// Salesforce understood what was asked, and refuses it.
fn is_about_the_query(error: &Error) -> bool {
    matches!(error, Error::Api { status: 400, .. }) && error.kind() == ErrorKind::Query
}
