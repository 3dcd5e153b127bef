//! Queries that run for too long: what helps in a real org helps here.

use forcepump_emulator::{BatchState, Options};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{Org, refused};

async fn org(most: u64) -> Org {
    Org::with(Options { query_timeout_rows: Some(most), ..Options::default() }).await
}

async fn ask(org: &Org, soql: &str) -> Response {
    org.call(Method::GET, "/query").query(&[("q", soql)]).send().await.unwrap()
}

#[tokio::test]
async fn a_query_over_too_many_rows_is_given_up_by_each_api() {
    let org = org(300).await;
    assert!(org.rows("Contact") > 300);
    let soql = "SELECT Id FROM Contact";
    let message = refused(ask(&org, soql).await, 400, "QUERY_TIMEOUT").await;
    assert_eq!(message, "Your query request was running for too long.");
    let id = org.create(soql).await["id"].as_str().unwrap().to_owned();
    let job = org.finish(&id).await;
    assert_eq!(job["state"], "Failed");
    assert_eq!(job["errorMessage"], "QUERY_TIMEOUT: Your query request was running for too long.");
}

#[tokio::test]
async fn conditions_on_indexed_fields_and_limits_help_and_others_do_not() {
    let org = org(300).await;
    let whole = org.rows("Contact");
    for (rest, is_slow) in [
        (" LIMIT 10", false),
        (" ORDER BY Id LIMIT 1", false),
        (" ORDER BY LastName LIMIT 1", true),
        (" WHERE LastName != null LIMIT 10", true),
        (" WHERE LastName = 'Nobody at all'", true),
        (" WHERE Id = '003000000000001'", false),
        (" WHERE LastName != null AND (CreatedDate < 1900-01-01T00:00:00Z AND Id != null)", false),
        (" WHERE CreatedDate < 1900-01-01T00:00:00Z OR LastName = 'x'", true),
    ] {
        let answer = ask(&org, &format!("SELECT Id FROM Contact{rest}")).await;
        assert_eq!(answer.status().as_u16(), if is_slow { 400 } else { 200 }, "{rest}");
    }
    let generous = self::org(whole).await;
    assert!(ask(&generous, "SELECT Id FROM Contact").await.status().is_success());
}

#[tokio::test]
async fn chunks_are_queries_of_their_own() {
    for (size, fails) in [(100, false), (700, true)] {
        let org = org(300).await;
        let chunking = HeaderName::from_static("sforce-enable-pkchunking");
        let job = json!({"operation": "query", "object": "Contact", "contentType": "CSV"});
        let create = org.raw(Method::POST, "/services/async/62.0/job").header(chunking, format!("chunkSize={size}"));
        let token = org.emulator.credentials().access_token.clone();
        let made: serde_json::Value =
            create.header("x-sfdc-session", &token).json(&job).send().await.unwrap().json().await.unwrap();
        let path = format!("/services/async/62.0/job/{}/batch", made["id"].as_str().unwrap());
        let batch = org.raw(Method::POST, &path).header("x-sfdc-session", &token).header(CONTENT_TYPE, "text/csv");
        assert!(batch.body("SELECT Id FROM Contact").send().await.unwrap().status().is_success());
        let ends = |org: &Org| org.emulator.classic_jobs()[0].batches.iter().all(|batch| batch.state.is_terminal());
        for _ in 0..100 {
            if ends(&org) {
                break;
            }
            org.raw(Method::GET, &path).header("x-sfdc-session", &token).send().await.unwrap();
        }
        let batches = org.emulator.classic_jobs()[0].batches.clone();
        assert!(batches.len() > 1, "{batches:?}");
        assert_eq!(batches.iter().any(|batch| batch.state == BatchState::Failed), fails, "{size}");
    }
}
