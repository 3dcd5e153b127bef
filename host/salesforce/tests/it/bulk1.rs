//! Bulk API 1.0 as a source: answers in either form, several files, chunks, and ends that are no ends.

use forcepump_batch::ResultFormat;
use forcepump_salesforce::{
    Api, Client, Error, ErrorKind, Extract, ExtractOptions, PkChunking, Refused, ResolvedQuery, Result, Select, resolve,
};
use futures_util::StreamExt;

use crate::server::{Answer, Seen, Server, options};

const JOB: &str = "750ak000009AVi5AAG";
const BATCH: &str = "751ak000009AVi5AAG";

fn xml(status: u16, body: &str) -> Answer {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    Answer::new(status, "application/xml", format!("{head}{body}"))
}

fn describe() -> Answer {
    let field = |name: &str, kind: &str| format!(r#"{{"name":"{name}","type":"{kind}","length":80}}"#);
    let fields = [field("Id", "id"), field("Name", "string")].join(",");
    Answer::json(200, format!(r#"{{"name":"Account","queryable":true,"fields":[{fields}]}}"#))
}

fn job(state: &str, total: u64) -> Answer {
    Answer::json(
        200,
        format!(r#"{{"id":"{JOB}","state":"{state}","numberBatchesTotal":{total},"numberBatchesQueued":0}}"#),
    )
}

fn batch(id: &str, state: &str, rows: &str) -> String {
    format!("<batchInfo><id>{id}</id><jobId>{JOB}</jobId><state>{state}</state>{rows}</batchInfo>")
}

fn rows(count: u64) -> String {
    format!("<numberRecordsProcessed>{count}</numberRecordsProcessed>")
}

fn list(batches: &[String]) -> Answer {
    xml(
        200,
        &format!(
            "<batchInfoList\n   xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">\n {}</batchInfoList>",
            batches.concat()
        ),
    )
}

/// Answers what every test needs; the others are the test's.
fn common(seen: &Seen) -> Option<Answer> {
    Some(match (seen.method.as_str(), seen.path.rsplit('/').next().unwrap_or_default()) {
        ("GET", "describe") => describe(),
        ("POST", "job") => job("Open", 0),
        ("POST", "batch") => xml(201, &batch(BATCH, "Queued", "")),
        ("POST", JOB) => job(if seen.body.contains("Aborted") { "Aborted" } else { "Closed" }, 1),
        _ => return None,
    })
}

async fn query(client: &Client) -> ResolvedQuery {
    resolve(client, &Select::parse("SELECT Id, Name FROM Account").unwrap()).await.unwrap()
}

/// Reads all; gives the bodies with what was announced.
async fn read(client: &Client, options: ExtractOptions) -> Result<(Vec<(Option<u64>, ResultFormat, String)>, u64)> {
    let extract = Extract::create(client, &query(client).await, &options).await?;
    let mut parts = Vec::new();
    extract.wait(|_| {}, std::future::pending()).await?;
    while let Some(part) = extract.next_part().await? {
        let mut fetched = extract.fetch(&part).await?;
        let mut text = Vec::new();
        while let Some(chunk) = fetched.body.next().await {
            text.extend_from_slice(&chunk?);
        }
        parts.push((fetched.announced_rows, fetched.format, String::from_utf8(text).unwrap()));
    }
    let announced = extract.announced().await;
    extract.dispose().await?;
    Ok((parts, announced))
}

fn plain() -> ExtractOptions {
    ExtractOptions::of(Api::Bulk1)
}

fn chunked() -> ExtractOptions {
    ExtractOptions { pk_chunking: Some(PkChunking::default()), ..plain() }
}

#[tokio::test]
async fn every_file_of_a_batch_is_read_and_the_job_is_closed() {
    let server = Server::start(|seen, before| {
        common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
            "batch" if before < 2 => list(&[batch(BATCH, "InProgress", "")]),
            "batch" => list(&[batch(BATCH, "Completed", &rows(3))]),
            "result" => xml(
                200,
                "<result-list xmlns=\"u\"><result>752x00000000F1</result><result>752x00000000F2</result></result-list>",
            ),
            "752x00000000F1" => {
                Answer::new(200, "text/csv; charset=UTF-8", "\"Id\",\"Name\"\n\"1\",\"a\"\n\"2\",\"b\"\n")
            }
            "752x00000000F2" => Answer::new(200, "text/csv", "\"Id\",\"Name\"\n\"3\",\"c\"\n"),
            other => panic!("{other}"),
        })
    })
    .await;
    let client = server.client();
    let (parts, announced) = read(&client, plain()).await.unwrap();
    assert_eq!((parts.len(), announced), (2, 3));
    assert_eq!((parts[0].0, parts[1].1), (None, ResultFormat::Csv), "rows of one file among several are not announced");
    let seen = server.seen();
    let create = seen.iter().find(|s| s.is("POST", "/job")).unwrap();
    assert_eq!(create.path, "/services/async/62.0/job");
    assert!(create.body.contains(r#""contentType":"CSV""#) && create.body.contains(r#""object":"Account""#));
    let header = |seen: &Seen, name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header(create, "x-sfdc-session").as_deref(), Some("token-1"));
    assert_eq!((header(create, "authorization"), header(create, "sforce-enable-pkchunking")), (None, None));
    let post = seen.iter().find(|s| s.is("POST", "/batch")).unwrap();
    assert_eq!(post.body, "SELECT Id, Name FROM Account");
    assert_eq!(header(post, "content-type").as_deref(), Some("text/csv; charset=UTF-8"));
    assert!(seen.last().unwrap().body.contains("Closed"));
}

#[tokio::test]
async fn results_are_what_they_say_they_are() {
    for (kind, body, format) in [
        ("application/json", "[]", ResultFormat::Json),
        ("application/xml", "<queryResult/>", ResultFormat::Xml),
        ("application/octet-stream", "x", ResultFormat::Csv),
    ] {
        let server = Server::start(move |seen, _| {
            common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
                "batch" => Answer::json(200, format!(r#"{{"batchInfo":[{{"id":"{BATCH}","state":"Completed","stateMessage":null,"numberRecordsProcessed":0}}]}}"#)),
                "result" => Answer::json(200, r#"["752x00000000F1"]"#),
                _ => Answer::new(200, kind, body),
            })
        })
        .await;
        let (parts, _) = read(&server.client(), plain()).await.unwrap();
        assert_eq!(parts, [(Some(0), format, body.to_owned())]);
    }
    let server = Server::start(|seen, _| {
        common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
            "batch" => list(&[batch(BATCH, "Completed", &rows(0))]),
            "result" => Answer::json(200, r#"["752x00000000F1"]"#),
            _ => Answer::html(200),
        })
    })
    .await;
    let error = read(&server.client(), plain()).await.unwrap_err();
    assert!(error.to_string().contains("not taken as rows"), "{error}");
}

#[tokio::test]
async fn chunks_are_waited_for_until_two_looks_and_the_counters_agree() {
    const CHUNK: [&str; 2] = ["751ak000009AVi6AAG", "751ak000009AVi7AAG"];
    let server = Server::start(|seen, before| {
        common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
            "batch" => {
                let original = batch(BATCH, if before == 0 { "InProgress" } else { "Not Processed" }, "");
                let first = batch(CHUNK[0], "Completed", &rows(2));
                // a lull: the second chunk is listed late
                let second = (before > 4).then(|| batch(CHUNK[1], "Completed", &rows(1)));
                list(&[vec![original, first], second.into_iter().collect()].concat())
            }
            "result" => xml(200, "<result-list><result>752x00000000F1</result></result-list>"),
            JOB => job("Open", 3),
            _ => Answer::new(200, "text/csv", "\"Id\",\"Name\"\n"),
        })
    })
    .await;
    let (parts, announced) = read(&server.client(), chunked()).await.unwrap();
    assert_eq!((parts.len(), announced, parts[0].0), (2, 3, Some(2)));
    let create = server.seen().into_iter().find(|s| s.is("POST", "/job")).unwrap();
    assert_eq!(create.headers["sforce-enable-pkchunking"], "true");
}

#[tokio::test]
async fn chunks_come_in_the_order_of_their_list_where_that_is_asked_for() {
    const CHUNK: [&str; 2] = ["751ak000009AVi6AAG", "751ak000009AVi7AAG"];
    for (in_order, expected) in [(false, [2, 1]), (true, [1, 2])] {
        let server = Server::start(|seen, before| {
            common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
                "batch" => {
                    let original = batch(BATCH, "NotProcessed", "");
                    let first = match before > 2 {
                        true => batch(CHUNK[0], "Completed", &rows(1)),
                        false => batch(CHUNK[0], "InProgress", ""),
                    };
                    list(&[original, first, batch(CHUNK[1], "Completed", &rows(2))])
                }
                "result" => xml(200, "<result-list><result>752x00000000F1</result></result-list>"),
                JOB => job("Open", 3),
                _ => Answer::new(200, "text/csv", "\"Id\",\"Name\"\n"),
            })
        })
        .await;
        let (parts, _) = read(&server.client(), ExtractOptions { in_order, ..chunked() }).await.unwrap();
        let rows: Vec<u64> = parts.iter().filter_map(|part| part.0).collect();
        assert_eq!(rows, expected);
    }
}

#[tokio::test]
async fn a_split_without_chunks_is_empty_only_if_the_object_is() {
    for (rows, ends_well) in [(0, true), (1, false)] {
        let server = Server::start(move |seen, _| {
            common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
                "batch" => list(&[batch(BATCH, "NotProcessed", "")]),
                "query" => Answer::json(200, format!(r#"{{"totalSize":{rows},"done":true,"records":[]}}"#)),
                JOB => job("Open", 1),
                other => panic!("{other}"),
            })
        })
        .await;
        let done = read(&server.client(), chunked()).await;
        assert_eq!(done.is_ok(), ends_well, "{done:?}");
        let asked = server.seen().into_iter().find(|s| s.is("GET", "/query")).unwrap();
        assert!(asked.query.contains("LIMIT"), "{}", asked.query);
    }
}

#[tokio::test]
async fn ends_that_are_no_success() {
    let table: [(&str, String, bool, &str); 7] = [
        (
            "Failed",
            "<stateMessage>InvalidBatch : Failed to process query: x</stateMessage>".into(),
            false,
            "its batch failed",
        ),
        ("Failed", String::new(), false, "no reason"),
        ("NotProcessed", String::new(), false, "someone stopped"),
        ("Paused", rows(1), false, "not known"),
        ("Completed", String::new(), false, "numberRecordsProcessed is missing"),
        ("Failed", "<stateMessage>no</stateMessage>".into(), true, "could not be split"),
        ("Failed", "<stateMessage>QUERY_TIMEOUT: slow</stateMessage>".into(), false, "narrow"),
    ];
    for (state, more, splits, word) in table {
        let server =
            Server::start(move |seen, _| common(seen).unwrap_or_else(|| list(&[batch(BATCH, state, &more)]))).await;
        let error = read(&server.client(), if splits { chunked() } else { plain() }).await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn refusals_leave_no_open_job_and_are_known() {
    let refused = "<error xmlns=\"u\"><exceptionCode>FeatureNotEnabled</exceptionCode><exceptionMessage>Binary field not supported</exceptionMessage></error>";
    let server = Server::start(move |seen, _| match seen.is("POST", "/batch") {
        true => xml(400, refused),
        false => common(seen).unwrap(),
    })
    .await;
    let error = read(&server.client(), plain()).await.unwrap_err();
    assert!(error.to_string().contains("Binary field"), "{error}");
    assert_eq!(error.refused(), Some(Refused::Always));
    assert!(server.seen().last().unwrap().body.contains("Aborted"), "the job that was made is ended");
}

#[tokio::test]
async fn a_dead_session_is_renewed_on_400_too() {
    let server = Server::start(|seen, before| match (seen.method.as_str(), seen.path.ends_with("/job"), before) {
        ("POST", true, 0) => Answer::json(400, r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#),
        _ => common(seen).unwrap_or_else(|| match seen.path.rsplit('/').next().unwrap_or_default() {
            "batch" if before == 0 => {
                xml(400, "<error><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>")
            }
            "batch" => list(&[batch(BATCH, "Completed", &rows(0))]),
            "result" => xml(200, "<result-list><result>752x00000000F1</result></result-list>"),
            _ => Answer::new(200, "text/csv", "Records not found for this query"),
        }),
    })
    .await;
    read(&server.client(), plain()).await.unwrap();
    assert_eq!(server.count(Seen::is_login), 3);
}

#[tokio::test]
async fn a_stuck_job_is_given_up_and_a_cancelled_wait_ends() {
    let stuck = |seen: &Seen, _: usize| common(seen).unwrap_or_else(|| list(&[batch(BATCH, "Queued", "")]));
    let server = Server::start(stuck).await;
    let impatient =
        forcepump_salesforce::ClientOptions { job_stuck_after: Some(std::time::Duration::ZERO), ..options() };
    let error = read(&server.client_with(impatient), plain()).await.unwrap_err();
    assert!(error.to_string().contains("no change"), "{error}");
    let client = server.client();
    let extract = Extract::create(&client, &query(&client).await, &plain()).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let error = extract.wait(|_| drop(stop.take()), async { drop(stopped.await) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(extract.abort().await.unwrap());
    extract.dispose().await.unwrap();
    assert!(matches!(error, Error::Cancelled { .. }));
}
