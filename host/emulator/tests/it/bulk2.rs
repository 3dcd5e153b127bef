//! Bulk API 2.0 query jobs: states, fields, pages, refusals.

use std::collections::HashSet;

use forcepump_emulator::options::{EmptyResultBody, ResultPagesShape};
use forcepump_emulator::{JobState, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, keys, recording, refused};

#[tokio::test]
async fn a_job_from_creation_to_deletion() {
    let org = Org::demo().await;
    let created = org.create("SELECT Id, Name FROM Account").await;
    let names: Vec<&str> = created.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "id",
            "operation",
            "object",
            "createdById",
            "createdDate",
            "systemModstamp",
            "state",
            "concurrencyMode",
            "contentType",
            "apiVersion",
            "lineEnding",
            "columnDelimiter"
        ]
    );
    assert_eq!(created["state"], "UploadComplete");
    assert_eq!(created["apiVersion"].to_string(), "62.0");
    assert!(created["createdDate"].as_str().unwrap().ends_with(".000+0000"));
    if let Some(recorded) = recording("amp-labs/providers/salesforce/test/bulk/read-launch-job-account.json") {
        let recorded: Vec<String> = recorded.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            names.iter().collect::<HashSet<_>>(),
            recorded.iter().map(|k| k.as_str()).collect::<HashSet<_>>().iter().collect()
        );
    }
    let id = created["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18);

    let path = format!("/jobs/query/{id}");
    refused(org.get(&format!("{path}/results")).await, 400, "INVALIDJOBSTATE").await;
    let running = org.json(&format!("{path}/")).await;
    assert_eq!((&running["state"], &running["numberRecordsProcessed"]), (&"InProgress".into(), &0.into()));
    assert_eq!(running["isPkChunkingSupported"], true);
    let delete = org.call(Method::DELETE, &path).send().await.unwrap();
    let message = refused(delete, 400, "API_ERROR").await;
    assert_eq!(message, "Error encountered when deleting the job because the job is not terminated");

    let done = org.json(&path).await;
    assert_eq!((&done["state"], &done["jobType"]), (&"JobComplete".into(), &"V2Query".into()));
    assert_eq!(done["numberRecordsProcessed"], org.rows("Account"));
    let abort = org.call(Method::PATCH, &path).json(&json!({"state": "Aborted"})).send().await.unwrap();
    let message = refused(abort, 400, "INVALIDJOBSTATE").await;
    assert_eq!(message, "Aborting already Completed Job not allowed");

    let delete = org.call(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(delete.status(), StatusCode::NO_CONTENT);
    assert!(delete.headers().contains_key("sforce-limit-info") && !delete.headers().contains_key("transfer-encoding"));
    refused(org.get(&path).await, 404, "NOT_FOUND").await;
    let record = &org.emulator.jobs()[0];
    assert!(record.deleted && record.state == JobState::JobComplete && record.id == id);
}

#[tokio::test]
async fn abort_answers_ten_fields() {
    let org = Org::demo().await;
    let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
    let path = format!("/jobs/query/{id}");
    let aborted = org.call(Method::PATCH, &path).json(&json!({"state": "Aborted"})).send().await.unwrap();
    let aborted: Value = aborted.json().await.unwrap();
    assert_eq!(aborted.as_object().unwrap().len(), 10);
    assert_eq!(aborted["state"], "Aborted");
    assert_eq!(org.json(&path).await["state"], "Aborted");
    assert_eq!(org.emulator.jobs()[0].state, JobState::Aborted);
}

#[tokio::test]
async fn every_row_comes_once_along_the_locators() {
    let org = Org::demo().await;
    let id = org.complete("SELECT Id FROM Opportunity").await;
    let pages = org.pages(&id, 1_000).await;
    assert_eq!(pages.len() as u64, org.rows("Opportunity").div_ceil(1_000));
    let mut ids = HashSet::new();
    for page in &pages {
        assert!(page.text.starts_with("\"Id\"\n"));
        assert_eq!(page.count.as_deref(), Some(page.data_lines().len().to_string().as_str()));
        ids.extend(page.data_lines().into_iter().map(str::to_owned));
    }
    assert_eq!(ids.len() as u64, org.rows("Opportunity"));
    let second = pages[0].next().unwrap();
    let again = org.page(&id, &format!("?maxRecords=1000&locator={second}")).await;
    assert_eq!(again.text, pages[1].text);
    assert!(!second.contains('='));
    for bad in ["bm9uc2Vuc2U", "%00", "MTAwMDA"] {
        let answer = org.get(&format!("/jobs/query/{id}/results?locator={bad}")).await;
        refused(answer, 400, "INVALID_QUERY_LOCATOR").await;
    }
}

#[tokio::test]
async fn the_server_page_size_is_an_upper_bound() {
    let org = Org::with(Options { page_size: 100, ..Options::default() }).await;
    let id = org.complete("SELECT Id FROM Account").await;
    assert_eq!(org.page(&id, "?maxRecords=5000").await.count.as_deref(), Some("100"));
    assert_eq!(org.page(&id, "").await.count.as_deref(), Some("100"));
    assert_eq!(org.page(&id, "?maxRecords=7").await.count.as_deref(), Some("7"));
    let answer = org.get(&format!("/jobs/query/{id}/results?maxRecords=0")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn delimiters_and_line_endings() {
    let org = Org::demo().await;
    for (name, delimiter) in
        [("BACKQUOTE", '`'), ("CARET", '^'), ("COMMA", ','), ("PIPE", '|'), ("SEMICOLON", ';'), ("TAB", '\t')]
    {
        let body = json!({"operation": "queryAll", "query": "SELECT Id, Ext_Id__c FROM Account LIMIT 1",
            "contentType": "CSV", "columnDelimiter": name, "lineEnding": "CRLF"});
        let created: Value = org.post("/jobs/query", &body).await.json().await.unwrap();
        assert_eq!((&created["columnDelimiter"], &created["operation"]), (&name.into(), &"queryAll".into()));
        let id = created["id"].as_str().unwrap();
        org.finish(id).await;
        let page = org.page(id, "").await;
        assert!(page.text.starts_with(&format!("\"Id\"{delimiter}\"Ext_Id__c\"\r\n")), "{}", page.text);
        assert!(page.text.ends_with("\r\n"));
    }
}

#[tokio::test]
async fn result_pages_in_three_shapes_or_none() {
    for (shape, list, item) in [
        (ResultPagesShape::Guide, "resultPages", "resultUrl"),
        (ResultPagesShape::Postman, "resultPages", "resultLink"),
        (ResultPagesShape::Chunks, "resultChunks", "resultLink"),
    ] {
        let org = Org::with(Options { page_size: 200, result_pages: shape, ..Options::default() }).await;
        let id = org.complete("SELECT Id FROM Account").await;
        let mut next = format!("/jobs/query/{id}/resultPages");
        let mut rows = 0;
        loop {
            let answer = org.json(next.trim_start_matches("/services/data/v62.0")).await;
            let links = answer[list].as_array().unwrap();
            assert!((1..=5).contains(&links.len()));
            for link in links {
                let link = link[item].as_str().unwrap();
                assert_eq!(link.starts_with("/services/data/v62.0/"), shape == ResultPagesShape::Guide);
                let (_, query) = link.split_once("/results").unwrap();
                rows += org.page(&id, query).await.data_lines().len() as u64;
            }
            assert_eq!(answer["done"], answer["nextRecordsUrl"].is_null());
            match answer["nextRecordsUrl"].as_str() {
                Some(url) => next = url.to_owned(),
                None => break,
            }
            assert!(next.contains("/resultpages?locator="));
        }
        assert_eq!(rows, org.rows("Account"));
    }
    let org = Org::with(Options { result_pages: ResultPagesShape::NotFound, ..Options::default() }).await;
    let id = org.complete("SELECT Id FROM Account").await;
    refused(org.get(&format!("/jobs/query/{id}/resultPages")).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn another_version_is_a_conflict() {
    let org = Org::demo().await;
    let id = org.complete("SELECT Id FROM Account").await;
    for tail in ["results", "resultPages"] {
        let answer = org.raw(Method::GET, &format!("/services/data/v61.0/jobs/query/{id}/{tail}"));
        assert_eq!(answer.send().await.unwrap().status(), StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn statements_are_refused_at_creation_and_leave_no_job() {
    let org = Org::demo().await;
    for soql in [
        "SELECT Id FROM Accout",
        "SELECT Nope FROM Account",
        "SELECT Id FROM Account OFFSET 5",
        "SELECT COUNT(Id) FROM Account GROUP BY Industry",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT BillingAddress FROM Account",
        "SELECT FROM",
    ] {
        let answer = org.post("/jobs/query", &json!({"operation": "query", "query": soql})).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{soql}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(keys(&body[0]), ["errorCode", "message"], "{soql}");
    }
    for body in [
        json!({"operation": "insert", "query": "SELECT Id FROM Account"}),
        json!({"operation": "query"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "contentType": "JSON"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "columnDelimiter": "COLON"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "lineEnding": "CR"}),
    ] {
        assert_eq!(org.post("/jobs/query", &body).await.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let answer = org.call(Method::POST, "/jobs/query").header("content-type", "application/json").body("{");
    refused(answer.send().await.unwrap(), 400, "JSON_PARSER_ERROR").await;
    let answer = org.call(Method::POST, "/jobs/query").header("content-type", "text/csv").body("{}");
    refused(answer.send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
    assert!(org.emulator.jobs().is_empty());
}

#[tokio::test]
async fn lists_jobs_and_the_quota_ends() {
    let org = Org::with(Options { daily_query_jobs: 3, ..Options::default() }).await;
    for _ in 0..3 {
        org.create("SELECT Id FROM Account LIMIT 1").await;
    }
    let list = org.json("/jobs/query/?jobType=V2Query").await;
    assert_eq!(list["records"].as_array().unwrap().len(), 3);
    assert_eq!(list["records"][0].as_object().unwrap().len(), 13);
    assert_eq!((list["done"].clone(), list["nextRecordsUrl"].clone()), (true.into(), Value::Null));
    let classic = org.json("/jobs/query?jobType=Classic").await;
    assert_eq!(classic["records"], json!([]));
    let answer = org.post("/jobs/query", &json!({"operation": "query", "query": "SELECT Id FROM Account"})).await;
    let message = refused(answer, 400, "LIMIT_EXCEEDED").await;
    assert_eq!(message, "Max bulk v2 query jobs (3) per 24 hrs has been reached");
}

#[tokio::test]
async fn an_empty_result_has_a_header_line_or_nothing() {
    for (empty_result_body, text) in [(EmptyResultBody::Header, "\"Id\",\"Name\"\n"), (EmptyResultBody::ZeroBytes, "")]
    {
        let org = Org::with(Options { empty_result_body, ..Options::default() }).await;
        let id = org.complete("SELECT Id, Name FROM Account WHERE Name = 'nobody at all'").await;
        let page = org.page(&id, "").await;
        assert_eq!(page.text, text);
        assert_eq!((page.count.as_deref(), page.locator.as_deref()), (Some("0"), Some("null")));
        let pages = org.json(&format!("/jobs/query/{id}/resultPages")).await;
        assert_eq!(pages["resultPages"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn jobs_can_go_by_time() {
    let org = Org::with(Options { job_ms: Some(0), ..Options::default() }).await;
    let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
    // Complete without one poll.
    assert_eq!(org.page(&id, "?maxRecords=1").await.count.as_deref(), Some("1"));
}

#[tokio::test]
async fn generated_rows_stream() {
    let generate = vec![("Account".to_owned(), 20_000)];
    let org = Org::with(Options { generate, ..Options::default() }).await;
    assert_eq!(org.rows("Account"), 20_000);
    let id = org.complete("SELECT Id FROM Account").await;
    let pages = org.pages(&id, 7_000).await;
    let ids: HashSet<&str> = pages.iter().flat_map(|page| page.data_lines()).collect();
    assert_eq!((pages.len(), ids.len()), (3, 20_000));
}
