//! Faults on purpose: a script says which request, and what happens to it.
//!
//! A script is TOML, a list of `[[fault]]` tables. Unknown keys and kinds are refused.
//!
//! ```toml
//! [[fault]]
//! on = { route = "bulk2-results", nth = 2 }      # the second request for a result page
//! do = { kind = "session-expired" }
//!
//! [[fault]]
//! on = { method = "GET", path = "/services/data/*/limits", times = 3 }
//! do = { kind = "status", code = 503 }
//! ```
//!
//! `on` chooses the requests; a request must fit all that is given:
//!
//! | key | meaning |
//! |---|---|
//! | `method` | `GET`, `POST` … |
//! | `path` | the path without the query; `*` stands for any run of characters |
//! | `route` | a [`RouteName`], for example `token`, `describe`, `query`, `bulk2-create`, `bulk2-job`, `bulk2-results` |
//! | `nth` | first of the fitting requests that fails, from 1 (default 1) |
//! | `times` | how many in a row fail, or `"always"` (default 1) |
//!
//! `do` says what happens:
//!
//! | kind | keys | effect |
//! |---|---|---|
//! | `session-expired` | | the token of the request is dead from now on; 401 `INVALID_SESSION_ID` |
//! | `session-unfit` | | 401 "This session is not valid for use with the REST API"; the token lives |
//! | `limit` | `which` = `total` (default), `concurrent`, `jobs`, `storage` | 403 `REQUEST_LIMIT_EXCEEDED`, or 400 with the Bulk quota texts |
//! | `status` | `code`, `body` = `json`, `html`, `empty`, `error_code`, `message` | that status; bodies as seen by default: 406 empty, 420 HTML, others a JSON array |
//! | `html-503` | | 503 with an HTML page |
//! | `oauth-error` | `error`, `description`, `via` = `json` (default), `body`, `callback`, `page` | 400 with the OAuth error object; on `authorize`, the other channels: a bare body, a redirect to the callback, the error page |
//! | `soap-fault` | `code`, `message` | 500 with that SOAP fault |
//! | `cut` | `after_bytes`, `reset` | body bytes sent before the connection closes, `reset` with a TCP reset |
//! | `stall` | `after_bytes` | the connection stays open without another byte; without the key not even a status line |
//! | `slow` | `ms` | the answer waits that long |
//! | `no-locator`, `empty-locator`, `repeat-locator` | | `Sforce-Locator` absent, empty, or the value that was asked for |
//! | `wrong-count` | `by` | `Sforce-NumberOfRecords` lies by that much |
//! | `no-count` | | `Sforce-NumberOfRecords` absent |
//! | `short-page` | `rows` | a page with at most that many rows; the next locator follows on |
//! | `empty-page` | | a page without rows before the page that was asked for |
//! | `no-header-line` | | the CSV begins with a data row |
//! | `cursor-expired` | | on `query-more`: the cursor is gone, 400 `INVALID_QUERY_LOCATOR` from now on |
//! | `job-failed` | `reason` | the job of the request ends `Failed`; without `reason` it has no `errorMessage` |
//! | `job-aborted` | | the job ends `Aborted`, as if somebody else had done it |
//! | `job-vanish` | | the job is gone: 404 |
//! | `job-stuck` | | the job never advances |
//!
//! Bulk 1.0: `session-expired` is 400 there, as is nearly every error, in XML or JSON; `limit` is `ExceededQuota`; a JSON
//! `status` has the API's own shape. The `job-…` kinds work on its routes too (`bulk1-create`, `bulk1-job`, `bulk1-close`,
//! `bulk1-batches`, `bulk1-batch-info`, …): `job-failed` fails the batches that are not at their end. On `bulk1-batch`,
//! the request that adds a batch:
//!
//! | kind | keys | effect |
//! |---|---|---|
//! | `job-failed`, `job-stuck` | `reason` | that batch fails or never advances |
//! | `wrong-count` | `by` | `numberRecordsProcessed` of the batch and its chunks lies by that much |
//! | `chunk-failed` | `nth` (default 1), `reason` | that chunk of PK chunking fails |
//! | `original-failed` | `reason` | cutting fails: the batch ends `Failed`, half of its chunks were queued and run |
//! | `late-chunks` | `looks` (default 3) | chunks appear, and complete, little by little while the original is `InProgress` |
//! | `empty-chunks` | `count` (default 1) | so many chunks more that have no rows |
//! | `large-chunk` | | the first two chunks come as one, larger than was asked for |

mod rules;
mod script;

pub(crate) use rules::glob;
pub use rules::{Fired, Rules};
pub use script::{
    Action, CountLie, Fault, FaultScript, FaultScriptError, JobFault, Limit, Match, PageFault, RouteName, StatusBody,
    Times, Via,
};
