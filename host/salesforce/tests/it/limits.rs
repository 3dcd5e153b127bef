//! How hard an org is asked: shares, refusals for too much at once, retries that end, logins that end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forcepump_emulator::options::Options;
use forcepump_emulator::{Emulator, FaultScript};
use forcepump_salesforce::{Client, ClientOptions, ErrorKind, QueryJob, QueryOptions, ResolvedConnection};
use futures_util::future::join_all;
use secrecy::SecretString;

use crate::server::{Answer, End, Seen, Server, options};

const COUNTING: &str = "/services/data/v62.0/limits/recordCount";
const USER: &str = "005000000000001AAA";
/// After the request, whatever the time is.
const LATER: &str = "2999-01-01T00:00:00.000+0000";
const COUNTS: &str = r#"{"sObjects":[]}"#;

fn usage(used: u64, allowed: u64) -> Answer {
    Answer::json(200, "{}").with("sforce-limit-info", &format!("api-usage={used}/{allowed}"))
}

fn heard(client: &Client) -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    client.listen(Arc::new(move |text| ear.lock().unwrap().push(text.to_owned())));
    heard
}

fn quick() -> ClientOptions {
    ClientOptions { quota_pause: Duration::from_millis(1), ..options() }
}

#[tokio::test]
async fn runs_stop_at_their_share_and_nothing_more_is_sent() {
    let server = Server::start(|_, before| usage(35 + before as u64, 100)).await;
    let client = server.client_with(quick());
    let heard = heard(&client);
    let mut sent = 0;
    let error = loop {
        match client.limits().await {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), sent), (ErrorKind::Limit, 16), "35 to 50 used, half of 100 allowed");
    let text = error.to_string();
    for part in ["used 50 of its 100", "(50 left)", "daily_share = 0.5", "[inline.limits]", "not sent"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(server.count(|s| !s.is_login()), 16);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains("used 40 of its 100") && heard[0].contains("stop at 50"), "{heard:?}");
}

#[tokio::test]
async fn two_clients_of_one_org_share_what_was_told() {
    let server = Server::start(|_, _| usage(60, 100)).await;
    let first = server.client_with(quick());
    first.limits().await.unwrap();
    let second = server.client_with(ClientOptions { daily_share: 0.7, ..quick() });
    second.limits().await.unwrap();
    assert_eq!(first.limits().await.unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(second.daily_share().map(|share| share.left()), Some(10));
    assert_eq!(server.count(|s| !s.is_login()), 2);
}

#[tokio::test]
async fn a_job_is_left_tidy_beyond_the_share() {
    let server = Server::start(|seen: &Seen, _| match seen.method.as_str() {
        "POST" => Answer::json(200, r#"{"id":"750000000000001AAA","object":"Account","state":"UploadComplete"}"#)
            .with("sforce-limit-info", "api-usage=90/100"),
        _ => Answer::new(204, "text/plain", ""),
    })
    .await;
    let client = server.client_with(quick());
    let job = QueryJob::create(&client, "SELECT Id FROM Account", QueryOptions::default()).await.unwrap();
    assert_eq!(job.info().await.unwrap_err().kind(), ErrorKind::Limit);
    job.abort().await.unwrap();
    job.delete().await.unwrap();
    assert_eq!(server.count(|s| s.is("PATCH", "AAA") || s.is("DELETE", "AAA")), 2);
}

#[tokio::test]
async fn too_many_at_once_halves_and_goes_on() {
    let server = Server::start(|_, before| match before {
        0..4 => {
            Answer::error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
        }
        _ => Answer::json(200, COUNTS),
    })
    .await;
    let client = server.client_with(ClientOptions { concurrency: 4, ..options() });
    let all = join_all((0..8).map(|_| client.query("SELECT Id FROM Account", false))).await;
    // the answers are no records, which is not what is tested
    assert!(all.iter().all(|one| one.as_ref().unwrap_err().kind() == ErrorKind::Protocol), "{all:?}");
    assert_eq!(server.count(|s| !s.is_login()), 12);
    assert_eq!(client.retries(), 4);
}

#[tokio::test]
async fn a_day_that_is_used_up_stops_at_once_and_for_all() {
    let server =
        Server::start(|_, _| Answer::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")).await;
    let client = server.client();
    let first = client.limits().await.unwrap_err();
    let second = client.versions().await.unwrap_err();
    assert_eq!((first.kind(), second.kind()), (ErrorKind::Limit, ErrorKind::Limit));
    assert_eq!(server.count(|s| !s.is_login()), 1, "the second is not even sent");
    let text = first.to_string();
    assert!(text.contains("TotalRequests") && text.contains("freed at"), "{text}");
    assert!(second.to_string().contains("list of API versions"), "{second}");
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_kept() {
    let server = Server::start(|_, before| match before {
        0 => Answer::error(503, "SERVER_UNAVAILABLE", "busy").with("retry-after", "1"),
        _ => Answer::json(200, "{}"),
    })
    .await;
    let started = Instant::now();
    server.client().limits().await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn half_of_all_requests_failing_costs_at_most_twice_the_calls() {
    let script: String = (1..=400)
        .step_by(2)
        .map(|nth| {
            format!(
                "[[fault]]\non = {{ path = \"{COUNTING}\", nth = {nth} }}\ndo = {{ kind = \"status\", code = 503 }}\n"
            )
        })
        .collect();
    let org = org(&script).await;
    let client = client(&org, options());
    for _ in 0..50 {
        counts(&client).await.unwrap();
    }
    assert_eq!((client.calls_used(), client.retries()), (100, 50));
}

#[tokio::test]
async fn all_requests_failing_ends_with_the_budget() {
    let script =
        "[[fault]]\non = { path = \"/services/data/*\", times = \"always\" }\ndo = { kind = \"status\", code = 503 }\n";
    let org = org(script).await;
    let client = client(&org, ClientOptions { max_attempts: 6, retry_budget: 20, ..options() });
    for _ in 0..50 {
        assert!(counts(&client).await.is_err());
    }
    assert_eq!((client.calls_used(), client.retries()), (50 + 20, 20), "one each, and the budget in all");
}

#[tokio::test]
async fn a_refused_login_is_told_tried_for_its_budget_and_costs_no_calls() {
    // a port that nobody listens at
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secret = SecretString::from("s3cr3t");
    let connection = ResolvedConnection::client_credentials(&format!("http://{address}"), "app", secret).unwrap();
    let budget = Duration::from_millis(300);
    let waits = ClientOptions { retry_min_delay: Duration::from_millis(40), retry_max_delay: budget, ..options() };
    let client = Client::new(connection, ClientOptions { login_budget: budget, max_attempts: 9, ..waits }).unwrap();
    let heard = heard(&client);
    let started = Instant::now();
    let error = client.limits().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(started.elapsed() < 10 * budget, "{:?}", started.elapsed());
    let heard = heard.lock().unwrap();
    assert!((1..9).contains(&heard.len()), "{heard:?}");
    assert!(heard.iter().all(|text| text.contains("login at") && text.contains("trying again in 0.")), "{heard:?}");
    assert_eq!((client.calls_used(), client.retries()), (0, 0));
}

async fn org(script: &str) -> Emulator {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Account.csv"), "Name\nA\n").unwrap();
    let faults = FaultScript::parse(script).unwrap();
    Emulator::start(Options { data: Some(folder.path().to_owned()), faults, ..Options::default() }).await.unwrap()
}

fn client(org: &Emulator, options: ClientOptions) -> Client {
    let who = org.credentials();
    let secret = SecretString::from(who.client_secret.clone());
    let connection = ResolvedConnection::client_credentials(&who.instance_url, &who.client_id, secret).unwrap();
    Client::new(connection, options).unwrap()
}

async fn counts(client: &Client) -> forcepump_salesforce::Result<()> {
    client.record_count("Account").await.map(|_| ())
}

/// A server that never answers the creation of a job, and lists these jobs.
async fn silent_about_jobs(jobs: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |seen: &Seen, _| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", _) => Answer::json(200, "{").ending(End::Stall),
        ("GET", path) if path.ends_with("/jobs/query") => {
            let job = |(id, user): &(&str, &str)| {
                format!(
                    r#"{{"id":"{id}","operation":"query","object":"Account","createdById":"{user}","createdDate":"{LATER}"}}"#
                )
            };
            let records: Vec<String> = jobs.iter().map(job).collect();
            Answer::json(200, format!(r#"{{"done":true,"records":[{}],"nextRecordsUrl":null}}"#, records.join(",")))
        }
        ("GET", path) if path.starts_with("/id/") => Answer::json(
            200,
            r#"{"username":"a@b","user_id":"005000000000001AAA","organization_id":"00D000000000001AAA"}"#,
        ),
        ("GET", _) => Answer::json(200, r#"{"identity":"https://login.salesforce.com/id/00D/005"}"#),
        _ => Answer::new(204, "text/plain", ""),
    })
    .await
}

async fn told_of_silence(server: &Server) -> String {
    let client = server.client_with(ClientOptions { stall_timeout: Duration::from_millis(60), ..options() });
    let created = QueryJob::create(&client, "SELECT Id FROM Account", QueryOptions::default()).await;
    assert_eq!(created.map(|job| job.id().to_owned()).unwrap_err().kind(), ErrorKind::Interrupted);
    client.notices().await.join("\n")
}

#[tokio::test]
async fn a_job_that_was_made_without_an_answer_is_found_and_ended() {
    let server = silent_about_jobs(&[("750000000000007AAA", USER), ("750000000000008AAA", "005000000000002AAA")]).await;
    let told = told_of_silence(&server).await;
    assert!(told.contains("750000000000007AAA was made, and is ended"), "{told}");
    assert_eq!(server.count(|s| s.is("PATCH", "007AAA") || s.is("DELETE", "007AAA")), 2);
    assert_eq!(server.count(|s| s.path.ends_with("008AAA")), 0, "another user's job is not touched");
}

#[tokio::test]
async fn jobs_that_may_be_the_missing_one_are_named_and_left_alone() {
    let none = silent_about_jobs(&[]).await;
    assert!(told_of_silence(&none).await.contains("no such job is in the org now"));
    let server = silent_about_jobs(&[("750000000000009AAA", USER), ("750000000000010AAA", USER)]).await;
    let told = told_of_silence(&server).await;
    assert!(told.contains("left alone: 750000000000009AAA, 750000000000010AAA"), "{told}");
    assert_eq!(server.count(|s| s.method == "DELETE"), 0);
}
