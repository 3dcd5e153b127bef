//! Result pages: the list in its shapes, the chain, and every way in which a page can lie.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use forcepump_salesforce::{
    ClientOptions, Error, ErrorKind, NextPage, PageRef, QueryJob, QueryOptions, Result, check_count,
};
use futures_util::StreamExt;

use crate::jobs::{ID, job};
use crate::server::{Answer, End, Seen, Server, options};

fn is_list(seen: &Seen) -> bool {
    seen.is("GET", "/resultPages")
}

fn is_results(seen: &Seen) -> bool {
    seen.is("GET", "/results")
}

fn not_found() -> Answer {
    Answer::error(404, "NOT_FOUND", "The requested resource does not exist")
}

async fn attached(server: &Server, max_records: Option<u64>) -> QueryJob {
    attached_with(server, max_records, options()).await
}

async fn attached_with(server: &Server, max_records: Option<u64>, options: ClientOptions) -> QueryJob {
    let query = QueryOptions { max_records, ..QueryOptions::default() };
    QueryJob::attach(&server.client_with(options), ID, query).await.unwrap()
}

/// Reads one page whole; gives its rows.
async fn read(job: &QueryJob, page: &PageRef) -> Result<(u64, Option<String>)> {
    let mut fetched = job.fetch(page).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = fetched.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64;
    let rows = lines.saturating_sub(1);
    check_count("page", fetched.announced_rows, rows)?;
    Ok((rows, fetched.next_locator))
}

/// Reads all pages one after the other; gives their locators and the rows in all.
async fn read_all(job: &QueryJob) -> Result<(Vec<Option<String>>, u64)> {
    let (mut pages, mut locators, mut rows) = (job.pages(), Vec::new(), 0);
    loop {
        match pages.next().await? {
            NextPage::Page(page) => {
                let (found, next) = read(job, &page).await?;
                pages.learned(&page, next.as_deref())?;
                locators.push(page.locator);
                rows += found;
            }
            NextPage::Waiting => panic!("every page was told"),
            NextPage::End => return Ok((locators, rows)),
        }
    }
}

/// Answers `results` as a chain of three pages: none, `B`, `C`.
fn chain(seen: &Seen) -> Answer {
    match seen.query.split('&').find_map(|pair| pair.strip_prefix("locator=")) {
        None => Answer::csv("B", 3),
        Some("B") => Answer::csv("C", 2),
        Some("C") => Answer::csv("null", 1),
        Some(_) => not_found(),
    }
}

#[tokio::test]
async fn the_chain_where_no_list_is_offered() {
    for refusal in [404, 400, 403, 200] {
        let server = Server::start(move |seen, _| match seen {
            s if is_list(s) && refusal == 200 => Answer::json(200, r#"{"resultChunks":[],"done":true}"#),
            s if is_list(s) => Answer::error(refusal, "NOT_FOUND", "no"),
            s if is_results(s) => chain(s),
            _ => job("JobComplete", r#","numberRecordsProcessed":6"#),
        })
        .await;
        let (locators, rows) = read_all(&attached(&server, None).await).await.unwrap();
        assert_eq!((locators, rows), (vec![None, Some("B".into()), Some("C".into())], 6));
        let asked: Vec<Seen> = server.seen().into_iter().filter(is_results).collect();
        assert!(asked.iter().all(|s| s.headers["accept"] == "text/csv" && s.headers["accept-encoding"] == "gzip"));
        assert!(server.seen().iter().all(|s| !s.path.contains("//")));
    }
}

#[tokio::test]
async fn a_bound_on_pages_is_kept_by_the_chain() {
    let server = Server::start(|seen, _| if is_results(seen) { chain(seen) } else { job("JobComplete", "") }).await;
    let (locators, rows) = read_all(&attached(&server, Some(3)).await).await.unwrap();
    assert_eq!((locators.len(), rows), (3, 6));
    assert_eq!(server.count(is_list), 0);
    let asked: Vec<String> = server.seen().into_iter().filter(is_results).map(|s| s.query).collect();
    assert_eq!(asked, ["maxRecords=3", "locator=B&maxRecords=3", "locator=C&maxRecords=3"], "constant over the chain");
}

#[tokio::test]
async fn lists_in_all_three_shapes() {
    let long = "/services/data/v62.0/jobs/query/750ak000009AVi5AAG";
    let short = "/jobs/query/750ak000009AVi5AAG";
    let shapes = [
        ("resultPages", "resultUrl", long),
        ("resultPages", "resultLink", short),
        ("resultChunks", "resultLink", short),
    ];
    for (array, item, base) in shapes {
        let list = move |locators: &[&str], next: &str| {
            let links: Vec<String> =
                locators.iter().map(|l| format!(r#"{{"{item}":"{base}/results?locator={l}"}}"#)).collect();
            let done = next == "null";
            Answer::json(200, format!(r#"{{"{array}":[{}],"nextRecordsUrl":{next},"done":{done}}}"#, links.join(",")))
        };
        let server = Server::start(move |seen, _| match seen {
            s if is_list(s) && s.query.is_empty() => list(&["A", "B"], &format!(r#""{base}/resultpages?locator=L2""#)),
            s if is_list(s) && s.query == "locator=L2" => list(&["C"], "null"),
            s if is_results(s) => Answer::csv("whatever", 2),
            _ => job("JobComplete", ""),
        })
        .await;
        let job = attached(&server, None).await;
        let (locators, rows) = read_all(&job).await.unwrap();
        assert_eq!(locators, ["A", "B", "C"].map(|l| Some(l.to_owned())), "{array}/{item}");
        assert_eq!(rows, 6);
    }
}

#[tokio::test]
async fn listed_pages_are_known_before_any_is_fetched() {
    let list = r#"{"resultPages":[{"resultUrl":"/jobs/query/750ak000009AVi5AAG/results?locator=A"},{"resultUrl":"/jobs/query/750ak000009AVi5AAG/results?locator=B"}],"done":true}"#;
    let server = Server::start(move |seen, _| match seen {
        s if is_list(s) => Answer::json(200, list),
        _ => job("JobComplete", ""),
    })
    .await;
    let mut pages = attached(&server, None).await.pages();
    for expected in ["A", "B"] {
        let NextPage::Page(page) = pages.next().await.unwrap() else { panic!("a page was listed") };
        assert_eq!(page.locator.as_deref(), Some(expected));
    }
    assert!(pages.is_listed());
    assert_eq!(pages.next().await.unwrap(), NextPage::End);
}

#[tokio::test]
async fn the_chain_waits_for_a_head_and_goes_on_where_it_stopped() {
    let server = Server::start(|seen, _| match seen {
        s if is_results(s) => chain(s),
        s if is_list(s) => not_found(),
        _ => job("JobComplete", ""),
    })
    .await;
    let job = attached(&server, None).await;
    let mut pages = job.pages();
    assert!(matches!(pages.next().await.unwrap(), NextPage::Page(_)));
    assert_eq!(pages.next().await.unwrap(), NextPage::Waiting);

    let stopped_at = PageRef { index: 1, locator: Some("B".into()), max_records: None };
    let mut pages = job.pages_from(stopped_at.clone());
    assert_eq!(pages.next().await.unwrap(), NextPage::Page(stopped_at.clone()));
    let body = job.fetch(&stopped_at).await.unwrap();
    pages.learned(&stopped_at, body.next_locator.as_deref()).unwrap();
    // told again after a second fetch: nothing changes
    pages.learned(&stopped_at, body.next_locator.as_deref()).unwrap();
    let other = pages.learned(&stopped_at, Some("Z")).unwrap_err().to_string();
    assert!(other.contains("page 1 names another next page than before"), "{other}");
    let NextPage::Page(last) = pages.next().await.unwrap() else { panic!("page C follows") };
    assert_eq!((last.index, last.locator.as_deref()), (2, Some("C")));
}

#[tokio::test]
async fn heads_that_lie_are_errors() {
    type Page = fn() -> Answer;
    let table: [(Page, &str); 5] = [
        (|| Answer::csv("B", 1).without("sforce-locator"), "Sforce-Locator is missing"),
        (|| Answer::csv("", 1), "Sforce-Locator is missing"),
        (|| Answer::csv("A", 1), "endless loop"),
        (|| Answer::new(200, "text/html", "<html>").with("sforce-locator", "null"), "not CSV"),
        (
            || Answer::csv("null", 1).without("sforce-numberofrecords").with("sforce-numberofrecords", "2"),
            "2 rows announced, 1 found",
        ),
    ];
    for (page, expected) in table {
        let server = Server::start(move |seen, _| if is_results(seen) { page() } else { job("JobComplete", "") }).await;
        let job = attached(&server, None).await;
        let asked = PageRef { index: 0, locator: Some("A".into()), max_records: None };
        let error = read(&job, &asked).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_loop_of_two_locators_is_found() {
    let server = Server::start(|seen, _| match seen {
        s if is_list(s) => not_found(),
        s if is_results(s) => Answer::csv(if s.query == "locator=B" { "C" } else { "B" }, 1),
        _ => job("JobComplete", ""),
    })
    .await;
    let error = read_all(&attached(&server, None).await).await.unwrap_err();
    assert!(error.to_string().contains("comes a second time"), "{error}");
}

#[tokio::test]
async fn a_missing_row_count_is_unknown_and_not_zero() {
    let server = Server::start(|seen, _| match seen {
        s if is_results(s) => Answer::csv("null", 4).without("sforce-numberofrecords"),
        _ => job("JobComplete", ""),
    })
    .await;
    let job = attached(&server, None).await;
    let page = PageRef { index: 0, locator: None, max_records: None };
    assert_eq!(read(&job, &page).await.unwrap(), (4, None));
}

fn zipped(rows: usize) -> (Answer, Vec<u8>) {
    let mut answer = Answer::csv("null", rows).with("content-encoding", "gzip");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&answer.body).unwrap();
    answer.body = encoder.finish().unwrap();
    let bytes = answer.body.clone();
    (answer, bytes)
}

#[tokio::test]
async fn gzip_is_read_and_every_cut_is_an_error_that_can_be_repeated() {
    let page = PageRef { index: 0, locator: None, max_records: None };
    for cut_at in [None, Some(5), Some(20), Some(100)] {
        for end in [End::Whole, End::Cut] {
            let server = Server::start(move |seen, before| match seen {
                s if is_results(s) => {
                    let (mut answer, bytes) = zipped(500);
                    if let (Some(length), 0) = (cut_at, before) {
                        answer.body = bytes[..bytes.len() - length].to_vec();
                        return answer.ending(end);
                    }
                    answer
                }
                _ => job("JobComplete", ""),
            })
            .await;
            let job = attached(&server, None).await;
            let first = read(&job, &page).await;
            if cut_at.is_some() {
                let error = first.unwrap_err();
                assert!(
                    matches!(error, Error::Truncated { .. }) && error.is_retryable(),
                    "{cut_at:?} {end:?}: {error}"
                );
                assert_eq!(error.kind(), ErrorKind::Interrupted);
            }
            assert_eq!(read(&job, &page).await.unwrap().0, 500);
        }
    }
}

#[tokio::test]
async fn a_plain_body_that_is_cut_is_an_error() {
    let server = Server::start(|seen, _| match seen {
        s if is_results(s) => Answer::csv("null", 3).ending(End::Cut),
        _ => job("JobComplete", ""),
    })
    .await;
    let page = PageRef { index: 0, locator: None, max_records: None };
    let error = read(&attached(&server, None).await, &page).await.unwrap_err();
    assert!(matches!(error, Error::Truncated { .. }), "{error}");
    assert!(error.to_string().contains(ID), "{error}");
}

#[tokio::test]
async fn a_stalled_body_is_an_error() {
    let server = Server::start(|seen, _| match seen {
        s if is_results(s) => Answer::csv("null", 3).ending(End::Stall),
        _ => job("JobComplete", ""),
    })
    .await;
    let impatient = ClientOptions { stall_timeout: Duration::from_millis(50), ..options() };
    let job = attached_with(&server, None, impatient).await;
    let page = PageRef { index: 0, locator: None, max_records: None };
    let error = read(&job, &page).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_session_that_dies_between_pages_is_renewed_and_the_same_page_asked_for() {
    let server = Server::start(|seen, before| match seen {
        s if is_list(s) => not_found(),
        s if is_results(s) && before == 1 => Answer::dead_session(),
        s if is_results(s) => chain(s),
        _ => job("JobComplete", ""),
    })
    .await;
    let (locators, rows) = read_all(&attached(&server, None).await).await.unwrap();
    assert_eq!((locators.len(), rows), (3, 6));
    assert_eq!(server.count(|s| s.is_login()), 2);
    let asked: Vec<String> = server.seen().into_iter().filter(is_results).map(|s| s.query).collect();
    assert_eq!(asked, ["", "locator=B", "locator=B", "locator=C"]);
}

#[tokio::test]
async fn an_accept_header_that_is_refused_is_replaced() {
    let server = Server::start(|seen, _| match seen {
        s if is_results(s) && s.headers["accept"] == "text/csv" => Answer::new(406, "text/plain", ""),
        s if is_results(s) => Answer::csv("null", 1),
        _ => job("JobComplete", ""),
    })
    .await;
    let page = PageRef { index: 0, locator: None, max_records: None };
    assert_eq!(read(&attached(&server, None).await, &page).await.unwrap().0, 1);
}
