//! Jobs: create, wait, ends, retries.

use std::time::Duration;

use forcepump_salesforce::{ClientOptions, Error, ErrorKind, QueryAction, QueryJob, QueryOptions};

use crate::server::{Answer, Seen, Server, options};

pub const ID: &str = "750ak000009AVi5AAG";

pub fn job(state: &str, more: &str) -> Answer {
    Answer::json(
        200,
        format!(r#"{{"id":"{ID}","object":"Account","operation":"query","state":"{state}","apiVersion":62.0{more}}}"#),
    )
    .with("sforce-limit-info", "api-usage=29/15000")
}

pub fn is_create(seen: &Seen) -> bool {
    seen.is("POST", "/jobs/query")
}

fn is_info(seen: &Seen) -> bool {
    seen.is("GET", ID)
}

#[tokio::test]
async fn created_waited_for_and_counted() {
    let server = Server::start(|seen, before| match (is_create(seen), before) {
        (true, _) | (_, 0) => job("UploadComplete", ""),
        (_, 1) => job("InProgress", r#","numberRecordsProcessed":0"#),
        _ => job("JobComplete", r#","numberRecordsProcessed":110,"totalProcessingTime":436"#),
    })
    .await;
    let client = server.client();
    let options = QueryOptions { action: QueryAction::QueryAll, ..QueryOptions::default() };
    let job = QueryJob::create(&client, "SELECT Id FROM Account", options).await.unwrap();
    let mut states = Vec::new();
    let info = job.wait(|info| states.push(info.state.as_str().to_owned()), std::future::pending()).await.unwrap();
    assert_eq!((job.id(), job.object(), info.number_records_processed), (ID, "Account", Some(110)));
    assert_eq!(states, ["UploadComplete", "InProgress", "JobComplete"]);
    assert_eq!((client.calls_used(), client.api_usage()), (4, Some((29, 15000))));
    let create = server.seen().into_iter().find(is_create).unwrap();
    assert!(create.body.contains(r#""operation":"queryAll""#), "{}", create.body);
    assert_eq!(create.path, "/services/data/v62.0/jobs/query");
}

#[tokio::test]
async fn ends_without_results() {
    let table = [
        ("Failed", r#","errorMessage":"QUERY_TIMEOUT: too long""#, "QUERY_TIMEOUT"),
        ("Failed", "", "no reason"),
        ("Aborted", "", "someone stopped it"),
    ];
    for (state, more, expected) in table {
        let server = Server::start(move |_, _| job(state, more)).await;
        let job = QueryJob::attach(&server.client(), ID, QueryOptions::default()).await.unwrap();
        let error = job.wait(|_| {}, std::future::pending()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Job);
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(ID) && text.contains("Account"), "{text}");
    }
}

#[tokio::test]
async fn a_stuck_job_is_given_up_and_a_cancelled_wait_ends() {
    let server = Server::start(|_, _| job("InProgress", "")).await;
    let impatient = ClientOptions { job_stuck_after: Some(Duration::ZERO), ..options() };
    let stuck = QueryJob::attach(&server.client_with(impatient), ID, QueryOptions::default()).await.unwrap();
    let error = stuck.wait(|_| {}, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("no change"), "{error}");

    let patient = QueryJob::attach(&server.client(), ID, QueryOptions::default()).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let seen_once = |_: &_| drop(stop.take());
    let error = patient.wait(seen_once, async { drop(stopped.await) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn creation_is_repeated_only_if_it_surely_did_not_happen() {
    for (status, creations) in [(503, 2), (429, 2), (420, 2), (500, 1), (502, 1), (504, 1)] {
        let server = Server::start(move |seen, before| match (is_create(seen), before) {
            (true, 0) => Answer::html(status),
            _ => job("UploadComplete", ""),
        })
        .await;
        let created = QueryJob::create(&server.client(), "SELECT Id FROM Account", QueryOptions::default()).await;
        assert_eq!(created.is_ok(), creations == 2, "{status}");
        assert_eq!(server.count(is_create), creations, "{status}");
    }
}

#[tokio::test]
async fn html_trouble_while_polling_is_survived_and_has_an_end() {
    let server = Server::start(|_, before| if before < 2 { Answer::html(503) } else { job("JobComplete", "") }).await;
    let client = server.client();
    QueryJob::attach(&client, ID, QueryOptions::default()).await.unwrap();
    assert_eq!((client.retries(), client.calls_used()), (2, 3));

    let server = Server::start(|_, _| Answer::html(503).with("retry-after", "0")).await;
    let error = QueryJob::attach(&server.client(), ID, QueryOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("Down for Maintenance"), "{error}");
    assert_eq!(server.count(is_info), 3, "max_attempts, Retry-After or not");
}

#[tokio::test]
async fn the_retry_budget_ends_too() {
    let server = Server::start(|_, _| Answer::html(503)).await;
    let client = server.client_with(ClientOptions { retry_budget: 1, max_attempts: 10, ..options() });
    QueryJob::attach(&client, ID, QueryOptions::default()).await.unwrap_err();
    assert_eq!(server.count(is_info), 2);
}

#[tokio::test]
async fn limits_are_not_retried() {
    let limit = || Answer::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    let server = Server::start(move |_, _| limit().with("sforce-limit-info", "api-usage=15000/15000")).await;
    let error = server.client().limits().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("15000 of 15000"), "{error}");
    assert_eq!(server.count(|s| !s.is_login()), 1);
}

#[tokio::test]
async fn a_bad_query_is_salesforces_own_words() {
    let server = Server::start(|_, _| Answer::error(400, "MALFORMED_QUERY", "unexpected token: q")).await;
    let error = QueryJob::create(&server.client(), "q", QueryOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("unexpected token: q"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Query);
}

#[tokio::test]
async fn aborted_and_deleted() {
    let server = Server::start(|seen, before| match (seen.method.as_str(), before) {
        ("PATCH", 0) => job("Aborted", ""),
        ("PATCH", _) => Answer::error(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"),
        ("DELETE", 0) => Answer::new(204, "text/plain", ""),
        ("DELETE", _) => Answer::error(404, "NOT_FOUND", "The requested resource does not exist"),
        _ => job("InProgress", ""),
    })
    .await;
    let job = QueryJob::attach(&server.client(), ID, QueryOptions::default()).await.unwrap();
    assert!(job.abort().await.unwrap());
    assert!(!job.abort().await.unwrap());
    job.delete().await.unwrap();
    job.delete().await.unwrap();
    assert!(server.seen().iter().any(|s| s.method == "PATCH" && s.body == r#"{"state":"Aborted"}"#));
}

#[tokio::test]
async fn nobody_there_is_told_plainly() {
    let server = Server::start(|_, _| job("InProgress", "")).await;
    let client = server.client();
    let address = server.address;
    drop(server);
    // the port is free again once the server's task is gone
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    let error = client.limits().await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::start(|_, _| {
        Answer::new(302, "text/html", "").with("location", "http://127.0.0.1:1/elsewhere?token=x")
    })
    .await;
    let error = server.client().limits().await.unwrap_err();
    assert!(error.to_string().contains("redirected to http://127.0.0.1:1/elsewhere;"), "{error}");
    assert_eq!(server.count(|s| !s.is_login()), 1);
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again() {
    let server = Server::start(|_, before| match before {
        0 => job("InProgress", "").ending(crate::server::End::Cut),
        _ => job("InProgress", ""),
    })
    .await;
    let client = server.client();
    QueryJob::attach(&client, ID, QueryOptions::default()).await.unwrap();
    assert_eq!(client.retries(), 1);
}
