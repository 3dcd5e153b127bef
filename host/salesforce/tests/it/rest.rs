//! REST as a source: pages along a cursor, runs of them that can be read again, and ends that are no ends.

use forcepump_salesforce::{Api, Client, Extract, ExtractOptions, PartRef, QueryAction, Result, Select, resolve};
use futures_util::StreamExt;

use crate::server::{Answer, Seen, Server};

fn describe() -> Answer {
    Answer::json(200, r#"{"name":"Account","queryable":true,"fields":[{"name":"Id","type":"id","length":18}]}"#)
}

/// Page number `page` of `pages`, each of `rows` rows.
fn page(page: usize, pages: usize, rows: usize) -> Answer {
    let records = vec![r#"{"Id":"001"}"#; rows].join(",");
    let next = match page + 1 < pages {
        true => format!(r#""done":false,"nextRecordsUrl":"/services/data/v62.0/query/01gX-{}""#, page + 1),
        false => r#""done":true"#.to_owned(),
    };
    Answer::json(200, format!(r#"{{"totalSize":{},{next},"records":[{records}]}}"#, pages * rows))
}

fn number(seen: &Seen) -> usize {
    seen.path.rsplit_once('-').map_or(0, |(_, number)| number.parse().unwrap())
}

async fn open(client: &Client) -> Result<Extract> {
    let query = resolve(client, &Select::parse("SELECT Id FROM Account").unwrap()).await?;
    let options = ExtractOptions { action: QueryAction::QueryAll, ..ExtractOptions::of(Api::Rest) };
    let extract = Extract::create(client, &query, &options).await?;
    extract.wait(|_| {}, std::future::pending()).await?;
    Ok(extract)
}

/// Rows of a part.
async fn rows(extract: &Extract, part: &PartRef) -> Result<usize> {
    let mut body = extract.fetch(part).await?.body;
    let mut rows = 0;
    while let Some(chunk) = body.next().await {
        let records: Vec<serde_json::Value> = serde_json::from_slice(&chunk?).unwrap();
        rows += records.len();
    }
    Ok(rows)
}

#[tokio::test]
async fn runs_end_at_enough_rows_and_can_be_read_again() {
    let server = Server::start(|seen, _| match seen.is("GET", "/describe") {
        true => describe(),
        false => page(number(seen), 60, 2_000),
    })
    .await;
    let client = server.client();
    let extract = open(&client).await.unwrap();
    assert_eq!(extract.announced().await, 120_000);
    let mut all = Vec::new();
    while let Some(part) = extract.next_part().await.unwrap() {
        let found = rows(&extract, &part).await.unwrap();
        assert_eq!(rows(&extract, &part).await.unwrap(), found, "the same again");
        all.push(found);
    }
    assert_eq!(all, [50_000, 50_000, 20_000]);
    let first = server.seen().into_iter().find(|s| s.path.contains("/queryAll")).unwrap();
    assert_eq!(first.headers["sforce-query-options"], "batchSize=2000");
    assert_eq!(server.count(|s| s.path.contains("/queryAll")), 1, "the first page is not asked for again");
}

#[tokio::test]
async fn pages_that_come_otherwise_the_second_time_are_an_error() {
    let server = Server::start(|seen, before| match (seen.is("GET", "/describe"), number(seen)) {
        (true, _) => describe(),
        // the second time, the run does not end where it did
        (_, 24) if before > 0 => page(25, 60, 2_000),
        (_, number) => page(number, 60, 2_000),
    })
    .await;
    let client = server.client();
    let extract = open(&client).await.unwrap();
    let part = extract.next_part().await.unwrap().unwrap();
    assert_eq!(rows(&extract, &part).await.unwrap(), 50_000);
    let error = rows(&extract, &part).await.unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "{error}");
}

#[tokio::test]
async fn loops_and_ways_out_of_the_api_are_errors() {
    let next = |url: &'static str, rows: usize| {
        let records = vec![r#"{"Id":"001"}"#; rows].join(",");
        Answer::json(200, format!(r#"{{"totalSize":9,"done":false,"nextRecordsUrl":"{url}","records":[{records}]}}"#))
    };
    for (url, rows_of_page, word) in [
        ("/services/data/v62.0/query/01gX-1", 1, "endless loop"),
        ("/services/data/v62.0/query/01gX-1", 0, "endless loop"),
        ("/services/data/v62.0/query/01gX-1", 60_000, "endless loop"),
        ("https://evil.example/query", 1, "leads away"),
    ] {
        let server = Server::start(move |seen, _| match seen.is("GET", "/describe") {
            true => describe(),
            false => next(url, rows_of_page),
        })
        .await;
        let client = server.client();
        let read = async {
            let extract = open(&client).await?;
            while let Some(part) = extract.next_part().await? {
                rows(&extract, &part).await?;
            }
            Ok(())
        };
        let error: Result<()> = read.await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_without_room_for_the_address_is_passed_by_a_composite_request() {
    let server = Server::start(|seen, _| match (seen.method.as_str(), seen.path.rsplit('/').next().unwrap_or_default()) {
        (_, "describe") => describe(),
        ("POST", "composite") => {
            assert!(seen.body.contains("/services/data/v62.0/queryAll?q=SELECT+Id+FROM+Account"), "{}", seen.body);
            let body = r#"{"totalSize":1,"done":true,"records":[{"Id":"001"}]}"#;
            Answer::json(200, format!(r#"{{"compositeResponse":[{{"body":{body},"httpHeaders":{{}},"httpStatusCode":200,"referenceId":"rows"}}]}}"#))
        }
        _ => Answer::html(414),
    })
    .await;
    let client = server.client();
    let extract = open(&client).await.unwrap();
    let part = extract.next_part().await.unwrap().unwrap();
    assert_eq!(rows(&extract, &part).await.unwrap(), 1);
    assert_eq!(extract.next_part().await.unwrap(), None);
}
