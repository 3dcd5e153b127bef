//! Each kind of fault, on the request that it names and on no other.

use forcepump_emulator::{JobState, Options};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Org, Page, refused};

fn on_results(action: &str) -> String {
    format!("[[fault]]\non = {{ route = \"bulk2-results\", nth = 2 }}\ndo = {{ {action} }}\n")
}

/// The second of three pages, met by a fault, and the first.
async fn second_page(action: &str) -> (Page, Page) {
    let org = Org::faulty(&on_results(action)).await;
    let id = org.complete("SELECT Id FROM Account ORDER BY Id LIMIT 30").await;
    let first = org.page(&id, "?maxRecords=10").await;
    let locator = first.next().unwrap().to_owned();
    let second = org.page(&id, &format!("?maxRecords=10&locator={locator}")).await;
    (first, second)
}

#[tokio::test]
async fn a_session_expires_between_pages() {
    let org = Org::faulty(&on_results("kind = \"session-expired\"")).await;
    let id = org.complete("SELECT Id FROM Account").await;
    let path = format!("/jobs/query/{id}/results?maxRecords=10");
    org.page(&id, "?maxRecords=10").await;
    refused(org.get(&path).await, 401, "INVALID_SESSION_ID").await;
    // The token stays dead.
    refused(org.get("/limits").await, 401, "INVALID_SESSION_ID").await;
}

#[tokio::test]
async fn an_unfit_session_lives_on() {
    let org = Org::faulty("[[fault]]\non = { route = \"limits\" }\ndo = { kind = \"session-unfit\" }").await;
    let message = refused(org.get("/limits").await, 401, "INVALID_SESSION_ID").await;
    assert_eq!(message, "This session is not valid for use with the REST API");
    org.json("/limits").await;
}

#[tokio::test]
async fn limits_in_the_known_words() {
    for (which, status, code, text) in [
        ("total", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        ("concurrent", 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        ("jobs", 400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached"),
        (
            "storage",
            400,
            "LIMIT_EXCEEDED",
            "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
        ),
    ] {
        let org = Org::faulty(&format!("[[fault]]\ndo = {{ kind = \"limit\", which = \"{which}\" }}")).await;
        assert_eq!(refused(org.get("/limits").await, status, code).await, text);
        org.json("/limits").await;
    }
}

#[tokio::test]
async fn statuses_with_the_bodies_they_were_seen_with() {
    for (action, status, content_type, part) in [
        ("kind = \"status\", code = 500", 500, "application/json;charset=UTF-8", "UNKNOWN_EXCEPTION"),
        ("kind = \"status\", code = 503", 503, "application/json;charset=UTF-8", "SERVER_UNAVAILABLE"),
        ("kind = \"status\", code = 429", 429, "application/json;charset=UTF-8", "REQUEST_LIMIT_EXCEEDED"),
        ("kind = \"status\", code = 420", 420, "text/html;charset=UTF-8", "We are setting things up"),
        ("kind = \"html-503\"", 503, "text/html;charset=UTF-8", "<html>"),
        ("kind = \"status\", code = 502, body = \"html\"", 502, "text/html;charset=UTF-8", "<html>"),
        (
            "kind = \"status\", code = 400, error_code = \"QUERY_TIMEOUT\", message = \"slow\"",
            400,
            "application/json;charset=UTF-8",
            "QUERY_TIMEOUT",
        ),
    ] {
        let org = Org::faulty(&format!("[[fault]]\ndo = {{ {action} }}")).await;
        let answer = org.get("/limits").await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
            (status, content_type)
        );
        assert!(answer.text().await.unwrap().contains(part), "{action}");
        assert_eq!(org.emulator.requests()[0].status, status);
    }
    let org = Org::faulty("[[fault]]\ndo = { kind = \"status\", code = 406 }").await;
    let answer = org.get("/limits").await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (406, ""));
}

#[tokio::test]
async fn oauth_errors() {
    let script = "[[fault]]\non = { route = \"token\" }\n\
                  do = { kind = \"oauth-error\", error = \"invalid_app_access\", description = \"no\" }";
    let org = Org::faulty(script).await;
    let answer = org.client.post(org.url("/services/oauth2/token")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_app_access");
}

#[tokio::test]
async fn locators_go_missing_or_come_back() {
    let (_, page) = second_page("kind = \"no-locator\"").await;
    assert_eq!(page.locator, None);
    let (_, page) = second_page("kind = \"empty-locator\"").await;
    assert_eq!(page.locator.as_deref(), Some(""));
    let (first, page) = second_page("kind = \"repeat-locator\"").await;
    assert_eq!(page.locator, first.locator);
}

#[tokio::test]
async fn counts_lie() {
    let (_, page) = second_page("kind = \"wrong-count\", by = -3").await;
    assert_eq!((page.count.as_deref(), page.data_lines().len()), (Some("7"), 10));
    let (_, page) = second_page("kind = \"no-count\"").await;
    assert_eq!(page.count, None);
    let (_, page) = second_page("kind = \"no-header-line\"").await;
    assert_eq!(page.text.lines().count(), 10);
    assert!(!page.text.contains("\"Id\""));
}

#[tokio::test]
async fn short_and_empty_pages_lose_no_row() {
    for (action, sizes) in
        [("kind = \"short-page\", rows = 4", vec![10, 4, 10, 6]), ("kind = \"empty-page\"", vec![10, 0, 10, 10])]
    {
        let org = Org::faulty(&on_results(action)).await;
        let id = org.complete("SELECT Id FROM Account LIMIT 30").await;
        let pages = org.pages(&id, 10).await;
        let rows: Vec<usize> = pages.iter().map(|page| page.data_lines().len()).collect();
        assert_eq!(rows, sizes);
        let locators: std::collections::HashSet<_> = pages.iter().map(|page| page.locator.clone()).collect();
        assert_eq!(locators.len(), pages.len());
    }
}

#[tokio::test]
async fn jobs_fail_abort_vanish_and_hang() {
    let fault = |on: &str, action: &str| format!("[[fault]]\non = {{ route = \"{on}\" }}\ndo = {{ {action} }}");
    for on in ["bulk2-create", "bulk2-job"] {
        let org = Org::faulty(&fault(on, "kind = \"job-failed\", reason = \"QUERY_TIMEOUT: too long\"")).await;
        let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
        let job = org.finish(&id).await;
        assert_eq!((&job["state"], &job["errorMessage"]), (&"Failed".into(), &"QUERY_TIMEOUT: too long".into()));
        refused(org.get(&format!("/jobs/query/{id}/results")).await, 400, "INVALIDJOBSTATE").await;

        let org = Org::faulty(&fault(on, "kind = \"job-failed\"")).await;
        let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
        assert!(org.finish(&id).await.get("errorMessage").is_none());

        let org = Org::faulty(&fault(on, "kind = \"job-aborted\"")).await;
        let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
        assert_eq!(org.finish(&id).await["state"], "Aborted");

        let org = Org::faulty(&fault(on, "kind = \"job-vanish\"")).await;
        let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
        refused(org.get(&format!("/jobs/query/{id}")).await, 404, "NOT_FOUND").await;
    }
    let org = Org::faulty(&fault("bulk2-create", "kind = \"job-stuck\"")).await;
    let id = org.create("SELECT Id FROM Account").await["id"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        assert_eq!(org.json(&format!("/jobs/query/{id}")).await["state"], "InProgress");
    }
    org.call(Method::PATCH, &format!("/jobs/query/{id}"))
        .json(&serde_json::json!({"state": "Aborted"}))
        .send()
        .await
        .unwrap();
    assert_eq!(org.emulator.jobs()[0].state, JobState::Aborted);
}

#[tokio::test]
async fn a_job_vanishes_between_pages() {
    let org = Org::faulty(&on_results("kind = \"job-vanish\"")).await;
    let id = org.complete("SELECT Id FROM Account").await;
    org.page(&id, "?maxRecords=10").await;
    refused(org.get(&format!("/jobs/query/{id}/results")).await, 404, "NOT_FOUND").await;
    assert!(org.emulator.jobs()[0].deleted);
}

#[tokio::test]
async fn scripts_are_options_too() {
    let options: Options = toml::from_str(
        "page_size = 10\nresult_pages = \"chunks\"\n[[faults.fault]]\non = { route = \"limits\", times = \"always\" }\n\
         do = { kind = \"html-503\" }\n",
    )
    .unwrap();
    let org = Org::with(options).await;
    for _ in 0..3 {
        assert_eq!(org.get("/limits").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let unknown = toml::from_str::<Options>("page_sise = 10").unwrap_err().to_string();
    assert!(unknown.contains("page_sise"), "{unknown}");
}
