//! What only the bytes on the wire show: chunks, compression, broken connections.

use std::io::Read;

use flate2::read::GzDecoder;
use forcepump_emulator::{FaultScript, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Org;

/// A request by hand, whose connection the server is asked to close.
fn request(org: &Org, line: &str, headers: &str) -> String {
    let token = &org.emulator.credentials().access_token;
    format!("{line} HTTP/1.1\r\nhost: x\r\nAUTHORIZATION: Bearer {token}\r\nconnection: close\r\n{headers}\r\n")
}

async fn connect(org: &Org) -> TcpStream {
    TcpStream::connect(org.emulator.url().trim_start_matches("http://")).await.unwrap()
}

/// Sends and reads until the server closes; `Err` when it resets.
async fn exchange(org: &Org, request: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = connect(org).await;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(end);
    Ok((String::from_utf8(bytes).unwrap(), body))
}

/// Joins chunks; says whether the last one came.
fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") else { return (out, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        bytes = &bytes[end + 2..];
        if size == 0 {
            return (out, true);
        }
        let size = size.min(bytes.len());
        out.extend_from_slice(&bytes[..size]);
        bytes = bytes.get(size + 2..).unwrap_or_default();
    }
}

async fn results_line(org: &Org, soql: &str) -> String {
    format!("GET /services/data/v62.0/jobs/query/{}/results", org.complete(soql).await)
}

#[tokio::test]
async fn results_are_chunked_with_the_recorded_headers() {
    let org = Org::demo().await;
    let line = results_line(&org, "SELECT Id, Name FROM Account").await;
    let (head, body) = exchange(&org, &request(&org, &line, "")).await.unwrap();
    let lower = head.to_lowercase();
    for header in [
        "content-type: text/csv; charset=utf-8\r\n",
        "transfer-encoding: chunked\r\n",
        "server: sfdcedge\r\n",
        "vary: accept-encoding\r\n",
        "cache-control: no-cache,must-revalidate,max-age=0,no-store,private\r\n",
        "sforce-limit-info: api-usage=",
        "sforce-locator: null\r\n",
        "x-sfdc-request-id: ",
        "strict-transport-security: max-age=63072000; includesubdomains\r\n",
    ] {
        assert!(lower.contains(header), "{header} is not in {head}");
    }
    assert!(!lower.contains("content-length") && !lower.contains("content-encoding"), "{head}");
    let (text, whole) = dechunk(&body);
    assert!(whole);
    assert!(String::from_utf8(text).unwrap().starts_with("\"Id\",\"Name\"\n"));
}

#[tokio::test]
async fn gzip_when_asked_for_is_the_same_text() {
    let org = Org::demo().await;
    let line = results_line(&org, "SELECT Id, Name FROM Opportunity").await;
    let (_, plain) = exchange(&org, &request(&org, &line, "")).await.unwrap();
    let (head, packed) = exchange(&org, &request(&org, &line, "accept-encoding: gzip\r\n")).await.unwrap();
    assert!(head.to_lowercase().contains("content-encoding: gzip"));
    let mut text = Vec::new();
    GzDecoder::new(dechunk(&packed).0.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(text, dechunk(&plain).0);
    assert!(packed.len() < plain.len());
}

#[tokio::test]
async fn request_bodies_may_be_chunked_and_headers_in_any_case() {
    let org = Org::demo().await;
    let body = "{\"operation\":\"query\",\"query\":\"SELECT Id FROM Account\"}";
    let (one, two) = body.split_at(20);
    let head = request(
        &org,
        "POST /services/data/v62.0/jobs/query/",
        "CONTENT-TYPE: application/json\r\nTransfer-Encoding: chunked\r\n",
    );
    let text = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let (head, _) = exchange(&org, &text).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
}

async fn cut(action: &str, headers: &str) -> std::io::Result<(String, Vec<u8>)> {
    let org = Org::faulty(&format!("[[fault]]\non = {{ route = \"bulk2-results\" }}\ndo = {{ {action} }}")).await;
    let line = results_line(&org, "SELECT Id, Name FROM Opportunity").await;
    exchange(&org, &request(&org, &line, headers)).await
}

#[tokio::test]
async fn a_cut_body_ends_after_so_many_bytes_without_the_last_chunk() {
    for (after, headers) in [(0, ""), (1_000, ""), (250_000, ""), (1_000, "accept-encoding: gzip\r\n")] {
        let (head, body) = cut(&format!("kind = \"cut\", after_bytes = {after}"), headers).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let (text, whole) = dechunk(&body);
        assert_eq!((text.len(), whole), (after, false), "{headers}");
    }
}

#[tokio::test]
async fn a_reset_body_is_an_error_of_the_connection() {
    let error = cut("kind = \"cut\", after_bytes = 200000, reset = true", "").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_body_that_is_shorter_than_the_cut_is_whole() {
    let (_, body) = cut("kind = \"cut\", after_bytes = 100000000", "").await.unwrap();
    assert!(dechunk(&body).1);
}

#[tokio::test]
async fn a_stall_sends_nothing_more_and_other_requests_go_on() {
    let org = Org::faulty(
        "[[fault]]\non = { route = \"limits\" }\ndo = { kind = \"stall\" }\n\
         [[fault]]\non = { route = \"sobjects\" }\ndo = { kind = \"stall\", after_bytes = 10 }",
    )
    .await;
    let mut silent = connect(&org).await;
    silent.write_all(request(&org, "GET /services/data/v62.0/limits", "").as_bytes()).await.unwrap();
    let mut partial = connect(&org).await;
    partial.write_all(request(&org, "GET /services/data/v62.0/sobjects", "").as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|w| w == b"\r\n\r\n") || dechunk(after_head(&seen)).0.len() < 10 {
        partial.read_buf(&mut seen).await.unwrap();
    }
    // An answer on another connection comes while both are held.
    org.json("/limits").await;
    let mut byte = [0];
    assert!(silent.try_read(&mut byte).is_err() && partial.try_read(&mut byte).is_err());
    // Stopping ends them.
    org.emulator.stop().await;
    assert!(matches!(silent.read(&mut byte).await, Ok(0) | Err(_)));
}

fn after_head(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    &bytes[end..]
}

#[tokio::test]
async fn bandwidth_and_latency_change_no_byte() {
    let plain = Org::demo().await;
    let options =
        Options { bandwidth: Some(5_000_000), latency_ms: 1, faults: FaultScript::default(), ..Options::default() };
    let slow = Org::with(options).await;
    let mut texts = Vec::new();
    for org in [&plain, &slow] {
        let id = org.complete("SELECT Name FROM Account ORDER BY Name").await;
        texts.push(org.page(&id, "").await.text);
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
async fn the_log_and_the_credentials_line() {
    let org = Org::demo().await;
    org.get("/limits?x=1").await;
    let record = org.emulator.requests().pop().unwrap();
    assert_eq!(
        (record.method.as_str(), record.path.as_str(), record.query.as_str(), record.status),
        ("GET", "/services/data/v62.0/limits", "x=1", 200)
    );
    let line = serde_json::to_value(org.emulator.credentials()).unwrap();
    for key in [
        "SF_INSTANCE_URL",
        "SF_ACCESS_TOKEN",
        "SF_USERNAME",
        "SF_PASSWORD",
        "SF_TOKEN",
        "SF_CLIENT_ID",
        "SF_CLIENT_SECRET",
        "SF_REFRESH_TOKEN",
    ] {
        assert!(line[key].is_string(), "{key}");
    }
}

#[tokio::test]
async fn headers_are_spelled_as_salesforce_spells_them() {
    let org = Org::demo().await;
    let id = org.complete("SELECT Id FROM Account").await;
    let line = format!("GET /services/data/v62.0/jobs/query/{id}/results?maxRecords=500");
    let (head, _) = exchange(&org, &request(&org, &line, "")).await.unwrap();
    for name in ["\r\nSforce-NumberOfRecords: 500\r\n", "\r\nSforce-Locator: ", "\r\nSforce-Limit-Info: api-usage="] {
        assert!(head.contains(name), "{name}: {head}");
    }
}
