//! Answers recorded from real orgs, read by the client: `../shared/oracles/recordings`, passed over where it is missing.

use std::path::{Path, PathBuf};

use forcepump_salesforce::{Api, Client, Error, Extract, ExtractOptions, Select, resolve};
use futures_util::StreamExt;

use crate::server::{Answer, Seen, Server, login};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings");

fn recordings() -> Option<PathBuf> {
    Some(PathBuf::from(FOLDER)).filter(|folder| folder.is_dir())
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One request of a cassette with its answer.
#[derive(Debug, Clone)]
struct Interaction {
    method: String,
    uri: String,
    body: String,
}

/// The interactions of a YAML cassette whose answer is a quoted string; templates and included files are passed over.
fn cassette(text: &str) -> Vec<Interaction> {
    let mut found = Vec::new();
    for part in text.split("- request:").skip(1) {
        let value = |key: &str| {
            let line = part.lines().find_map(|line| line.trim_start().strip_prefix(key));
            line.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        let answer = part.split_once("string:").map(|(_, rest)| rest.trim_start());
        if let Some(body) = answer.and_then(quoted) {
            found.push(Interaction { method: value("method:"), uri: value("uri:"), body });
        }
    }
    found
}

/// A quoted YAML scalar over several lines: a line's end is a space, unless a backslash stands before it.
fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut out = String::new();
    let mut rest = text[1..].chars().peekable();
    let skip_indent = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        while rest.next_if(|c| matches!(c, ' ' | '\n')).is_some() {}
    };
    while let Some(c) = rest.next() {
        match c {
            '\'' if quote == '\'' && rest.next_if_eq(&'\'').is_some() => out.push('\''),
            c if c == quote => return Some(out),
            '\\' if quote == '"' => match rest.next()? {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                '\n' => skip_indent(&mut rest),
                other => out.push(other),
            },
            '\n' => {
                let breaks =
                    1 + std::iter::from_fn(|| rest.next_if(|c| matches!(c, ' ' | '\n'))).filter(|c| *c == '\n').count();
                out.push_str(&if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) });
            }
            other => out.push(other),
        }
    }
    None
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// A client whose every request but logins is answered with this text.
async fn answered_with(status: u16, text: String) -> (Server, Client) {
    let server = Server::start(move |_, _| Answer::json(status, text.clone())).await;
    let client = server.client();
    (server, client)
}

#[tokio::test]
async fn recorded_logins_and_their_refusals() {
    let Some(folder) = recordings() else { return };
    let fixtures = folder.join("restforce/spec/fixtures");
    for name in ["auth_success_response.json", "refresh_success_response.json", "reauth_success_response.json"] {
        let text = read(&fixtures, name);
        let server = Server::start_raw(move |seen, _| {
            let text = text.clone();
            Box::pin(async move {
                // The recorded instance is a real host: the client must not be led there.
                let here = text.replace("https://na1.salesforce.com", "http://127.0.0.1:1");
                if seen.is_login() { Answer::json(200, here) } else { Answer::json(200, "[]") }
            })
        })
        .await;
        server.client().login().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (name, expected) in
        [("refresh_error_response.json", "expired access/refresh token"), ("auth_error_response.json", "invalid_grant")]
    {
        let text = read(&fixtures, name);
        let server = Server::start_raw(move |_, _| {
            let text = text.clone();
            Box::pin(async move { Answer::json(400, text) })
        })
        .await;
        let error = server.client().login().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[tokio::test]
async fn recorded_refusals_of_requests() {
    let Some(folder) = recordings() else { return };
    for (name, status, code) in [
        ("amp-labs/providers/salesforce/test/unknown-field.json", 400, "INVALID_FIELD"),
        ("amp-labs/providers/salesforce/test/unknown-object.json", 400, "INVALID_TYPE"),
        ("amp-labs/providers/salesforce/test/crm/delete/not-found.json", 404, "ENTITY_IS_DELETED"),
        ("restforce/spec/fixtures/sobject/query_error_response.json", 400, "INVALID_FIELD"),
        ("restforce/spec/fixtures/sobject/sobject_find_error_response.json", 404, "NOT_FOUND"),
    ] {
        let (_server, client) = answered_with(status, read(&folder, name)).await;
        match client.query("SELECT Id FROM Account", false).await {
            Err(Error::Api { code: told, .. }) => assert_eq!(told, code, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let expired = read(&folder, "restforce/spec/fixtures/expired_session_response.json");
    let server = Server::start_raw(move |seen, _| {
        let expired = expired.clone();
        Box::pin(async move {
            match (seen.is_login(), seen.token.as_str()) {
                (true, _) => login("token"),
                _ => Answer::json(401, expired),
            }
        })
    })
    .await;
    let error = server.client().versions().await.unwrap_err().to_string();
    assert!(error.contains("INVALID_SESSION_ID"), "{error}");
    assert_eq!(server.count(Seen::is_login), 2, "a dead session is renewed once");
}

#[tokio::test]
async fn recorded_pages_versions_and_counts() {
    let Some(folder) = recordings() else { return };
    let sobject = folder.join("restforce/spec/fixtures/sobject");
    let (first, last) = (
        read(&sobject, "query_paginated_first_page_response.json"),
        read(&sobject, "query_paginated_last_page_response.json"),
    );
    let server = Server::start(move |seen, _| {
        Answer::json(200, if seen.query.is_empty() { last.clone() } else { first.clone() })
    })
    .await;
    let client = server.client();
    let page = client.query("SELECT Text_Label FROM Whizbang", false).await.unwrap();
    assert_eq!((page.total_size, page.done, page.records.len()), (2, false, 1));
    let next = client.query_more(&page).await.unwrap().unwrap();
    assert!(next.done && next.records.len() == 1 && client.query_more(&next).await.unwrap().is_none());
    let (_server, client) =
        answered_with(200, read(&folder, "restforce/spec/fixtures/services_data_success_response.json")).await;
    assert_eq!(client.versions().await.unwrap().len(), 2);
    for name in ["read-opportunity-with-account.json", "read-opportunity-with-contacts.json", "read-list-contacts.json"]
    {
        let text = read(&folder, &format!("amp-labs/providers/salesforce/test/{name}"));
        let (_server, client) = answered_with(200, text).await;
        let page =
            client.query("SELECT Id FROM Opportunity", false).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!page.records.is_empty(), "{name}");
    }
}

/// Every recorded GET of a kind that the client sends is read by it.
#[tokio::test]
async fn recorded_cassettes() {
    let Some(folder) = recordings() else { return };
    let mut files = Vec::new();
    walk(&folder.join("cumulusci"), &mut files);
    let (mut queries, mut counts) = (0, 0);
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        for interaction in
            cassette(&std::fs::read_to_string(&file).unwrap()).into_iter().filter(|one| one.method == "GET")
        {
            let words = || format!("{}: {}", file.display(), interaction.uri);
            let path = interaction.uri.split_once(".com").map(|(_, path)| path.to_owned()).unwrap_or_default();
            if path.contains("/query/?q=") || path.contains("/query?q=") {
                let (_server, client) = answered_with(200, interaction.body.clone()).await;
                match client.query("SELECT Id FROM Account", false).await {
                    Ok(page) => assert!(page.done || page.next_records_url.is_some(), "{}", words()),
                    // Some cassettes hold what Salesforce answers to a bad query.
                    Err(Error::Protocol { .. }) if interaction.body.starts_with("[{\"message\"") => {}
                    Err(error) => panic!("{}: {error}", words()),
                }
                queries += 1;
            } else if let Some((_, object)) = path.split_once("/limits/recordCount?sObjects=") {
                let (_server, client) = answered_with(200, interaction.body.clone()).await;
                let object = object.split(',').next().unwrap_or_default();
                let count = client.record_count(object).await.unwrap_or_else(|error| panic!("{}: {error}", words()));
                assert!(count.is_some() || interaction.body.contains("\"sObjects\" : [ ]"), "{}", words());
                counts += 1;
            }
        }
    }
    assert!(queries >= 5 && counts >= 1, "{queries} queries, {counts} counts");
}

/// A job of Bulk API 1.0 with JSON batches, recorded in November 2024: XML for the job, JSON for the batch.
#[tokio::test]
async fn a_recorded_job_of_bulk_1() {
    let Some(folder) = recordings() else { return };
    let tasks = folder.join("cumulusci/cumulusci/tasks/bulkdata/tests/cassettes");
    let tape = cassette(&read(&tasks, "TestSelect.test_select_similarity_select_and_insert_strategy_bulk.yaml"));
    let find = |method: &str, end: &str, holds: &str| {
        let fits = |one: &&Interaction| one.method == method && one.uri.ends_with(end) && one.body.contains(holds);
        tape.iter().find(fits).unwrap_or_else(|| panic!("{method} {end} {holds}")).body.clone()
    };
    let job = find("POST", "/job", "7509H0000016GUXQA2");
    let queued = find("POST", "/batch", "Queued");
    let completed = find("GET", "7519H000001XiCzQAK", "Completed");
    let results = find("GET", "/result", "7529H000000xO6L");
    let rows = find("GET", "format=json", "Test Event 1");
    let describe = read(&folder, "derived/Event.describe.json");
    let server = Server::start(move |seen, _| {
        let json = |text: &str| Answer::new(200, "application/json", text.to_owned());
        match seen.path.as_str() {
            path if path.ends_with("/describe") => json(&describe),
            path if path.ends_with("/result/7529H000000xO6L") => json(&rows),
            path if path.ends_with("/result") => json(&results),
            path if path.ends_with("/batch") && seen.method == "POST" => json(&queued),
            path if path.ends_with("/batch") => json(&format!("{{\"batchInfo\":[{completed}]}}")),
            path if path.ends_with("7519H000001XiCzQAK") => json(&completed),
            _ => Answer::new(200, "application/xml", job.clone()),
        }
    })
    .await;
    let client = server.client();
    let fields = ["Id", "Subject", "DurationInMinutes", "ActivityDateTime"];
    let query = resolve(&client, &Select::from_fields("Event", &fields, None).unwrap()).await.unwrap();
    let options = ExtractOptions { format: forcepump_batch::ResultFormat::Json, ..ExtractOptions::of(Api::Bulk1) };
    let extract = Extract::create(&client, &query, &options).await.unwrap();
    assert_eq!(extract.job_id(), Some("7509H0000016GUXQA2"));
    extract.wait(|_| {}, std::future::pending()).await.unwrap();
    let part = extract.next_part().await.unwrap().unwrap();
    let mut body = extract.fetch(&part).await.unwrap();
    let mut text = Vec::new();
    while let Some(chunk) = body.body.next().await {
        text.extend_from_slice(&chunk.unwrap());
    }
    let schema = std::sync::Arc::clone(&query.schema);
    let mut records: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&text).unwrap();
    for record in &mut records {
        // Selected by the recorded query with TYPEOF, and not by ours.
        record.retain(|name, _| name != "Who" && name != "What");
    }
    let text = serde_json::to_vec(&records).unwrap();
    let mut decoder =
        forcepump_batch::PageDecoder::new(body.format, schema, forcepump_batch::DecodeOptions::default()).unwrap();
    let mut batches = Vec::new();
    decoder.feed(&text, &mut batches).unwrap();
    assert_eq!(decoder.finish(&mut batches).unwrap(), 3);
    assert!(
        batches.iter().all(|decoded| decoded.rejects.is_empty()),
        "every recorded value has the type that describe says"
    );
}
