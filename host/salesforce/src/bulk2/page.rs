//! Fetching one page of results, and the checks of its head.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::{PageRef, QueryJob};
use crate::body::{BodyStream, WireBody};
use crate::client::Call;
use crate::error::{Error, Result};

/// A page of CSV, header line first (it is repeated on every page).
pub struct PageBody {
    /// Rows of this page as the server announces them (`Sforce-NumberOfRecords`), the header line not counted.
    pub announced_rows: Option<u64>,
    /// Locator of the next page; `None`: this is the last.
    pub next_locator: Option<String>,
    /// CSV bytes, already decompressed. Ends without an error only at the real end.
    pub body: BodyStream,
}

impl std::fmt::Debug for PageBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageBody")
            .field("announced_rows", &self.announced_rows)
            .field("next_locator", &self.next_locator)
            .finish_non_exhaustive()
    }
}

pub(super) async fn fetch(job: &QueryJob, page: &PageRef) -> Result<PageBody> {
    let what = format!("{}, page {}", job.words(), page.index);
    let mut call = Call::get(&what, job.path("/results"));
    call.accept = "text/csv";
    if let Some(locator) = &page.locator {
        call.query.push(("locator", locator.clone()));
    }
    if let Some(rows) = page.max_records {
        call.query.push(("maxRecords", rows.to_string()));
    }
    let response = match job.client.stream(&call).await {
        // seen in production for text/csv (airbytehq/airbyte PR 35947)
        Err(Error::Api { status: 406, .. }) => {
            call.accept = "*/*";
            job.client.stream(&call).await?
        }
        other => other?,
    };
    check_csv(&what, response.headers())?;
    let next_locator = next_locator(&what, response.headers(), page)?;
    let announced_rows = announced_rows(&what, response.headers())?;
    let wire = WireBody::new(&what, response, job.client.options().stall_timeout);
    Ok(PageBody { announced_rows, next_locator, body: wire.into_stream() })
}

/// A page of another kind, sent with 200, is not data.
fn check_csv(what: &str, headers: &HeaderMap) -> Result<()> {
    let kind = headers.get(CONTENT_TYPE).map(|v| String::from_utf8_lossy(v.as_bytes()).to_ascii_lowercase());
    match kind {
        Some(kind) if ["text/html", "application/json", "application/xml"].iter().any(|k| kind.starts_with(k)) => {
            Err(Error::protocol(what, format!("the answer is {kind} and not CSV; not taken as rows")))
        }
        _ => Ok(()),
    }
}

/// The locator header must be there: taking its absence for the end would lose rows silently.
fn next_locator(what: &str, headers: &HeaderMap, page: &PageRef) -> Result<Option<String>> {
    let text = headers.get("sforce-locator").and_then(|v| v.to_str().ok()).map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(Error::protocol(
            what,
            "the header Sforce-Locator is missing, so it is not known whether more pages follow; \
             a proxy may have removed it. Not taken as the end",
        ));
    }
    if text.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    if page.locator.as_deref() == Some(text) {
        return Err(Error::protocol(
            what,
            format!("the next page's locator {text} is this page's own: an endless loop"),
        ));
    }
    Ok(Some(text.to_owned()))
}

/// Missing: unknown, the check of the job's total remains. Present and not a number: a broken answer.
fn announced_rows(what: &str, headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get("sforce-numberofrecords") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let number = text.trim().parse();
    number.map(Some).map_err(|_| Error::protocol(what, format!("Sforce-NumberOfRecords {text:?} is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn locators() {
        let page = PageRef { index: 1, locator: Some("MTAwMDA".into()), max_records: None };
        let read = |pairs: &[(&'static str, &str)]| next_locator("page", &headers(pairs), &page);
        assert_eq!(read(&[("sforce-locator", "null")]).unwrap(), None);
        assert_eq!(read(&[("sforce-locator", "MjAwMDAw")]).unwrap().as_deref(), Some("MjAwMDAw"));
        for broken in [&[][..], &[("sforce-locator", "")], &[("sforce-locator", "MTAwMDA")]] {
            assert!(matches!(read(broken), Err(Error::Protocol { .. })));
        }
    }

    #[test]
    fn row_counts() {
        assert_eq!(announced_rows("p", &headers(&[("sforce-numberofrecords", "50000")])).unwrap(), Some(50000));
        assert_eq!(announced_rows("p", &headers(&[])).unwrap(), None);
        assert!(announced_rows("p", &headers(&[("sforce-numberofrecords", "many")])).is_err());
    }

    #[test]
    fn pages_of_another_kind() {
        assert!(check_csv("p", &headers(&[("content-type", "text/html; charset=UTF-8")])).is_err());
        assert!(check_csv("p", &headers(&[("content-type", "text/csv; charset=UTF-8")])).is_ok());
        assert!(check_csv("p", &headers(&[])).is_ok());
    }
}
