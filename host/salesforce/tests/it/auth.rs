//! Login, renewal, refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forcepump_salesforce::{Client, ConnectionConfig, ErrorKind, ResolvedConnection, Revoked, TokenStore, revoke};
use secrecy::SecretString;
use tokio::sync::Barrier;

use crate::server::{Answer, End, Server, login, options};

const LIMITS: &str = r#"{"DailyApiRequests":{"Max":15000,"Remaining":14998}}"#;

/// Gives `token-1`, `token-2` …; holds back every answer to `token-1` until `waiting` requests with it are there.
async fn renewing_server(waiting: usize) -> Server {
    let logins = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(Barrier::new(waiting));
    Server::start_raw(move |seen, _| {
        let (logins, barrier) = (logins.clone(), barrier.clone());
        Box::pin(async move {
            if seen.is_login() {
                return login(&format!("token-{}", logins.fetch_add(1, Ordering::SeqCst) + 1));
            }
            if seen.token == "token-1" {
                barrier.wait().await;
                return Answer::dead_session();
            }
            Answer::json(200, LIMITS)
        })
    })
    .await
}

#[tokio::test]
async fn ten_dead_sessions_are_one_login() {
    let server = renewing_server(10).await;
    let client = server.client();
    client.login().await.unwrap();
    let calls: Vec<_> = (0..10).map(|_| client.limits()).collect();
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(server.count(|s| s.is_login()), 2, "one at the start, one for all");
    assert_eq!(client.calls_used(), 20);
}

#[tokio::test]
async fn a_session_that_stays_dead_is_renewed_once_only() {
    let server = Server::start(|_, _| Answer::dead_session()).await;
    let error = server.client().limits().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(server.count(|s| s.is_login()), 2);
    assert_eq!(server.count(|s| !s.is_login()), 2);
}

#[tokio::test]
async fn an_unusable_session_is_not_renewed() {
    let text = "This session is not valid for use with the REST API";
    let server = Server::start(move |_, _| Answer::error(401, "INVALID_SESSION_ID", text)).await;
    let error = server.client().limits().await.unwrap_err();
    assert!(error.to_string().contains("API Enabled"), "{error}");
    assert_eq!((server.count(|s| s.is_login()), server.seen().len()), (1, 2));
}

#[tokio::test]
async fn an_access_token_cannot_be_renewed() {
    let server = Server::start(|_, _| Answer::dead_session()).await;
    let connection = ResolvedConnection::access_token(&server.url(), SecretString::from("00Dx!tok3n")).unwrap();
    let client = Client::new(connection, options()).unwrap();
    let error = client.limits().await.unwrap_err();
    assert!(error.to_string().contains("cannot be renewed"), "{error}");
    assert!(!format!("{error:?}{client:?}").contains("tok3n"));
    assert_eq!(client.limits().await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(server.seen().len(), 1, "known to be dead: not tried again");
}

#[tokio::test]
async fn a_wrong_secret_is_told_once_for_all() {
    let server = Server::start_raw(|_, _| {
        Box::pin(async {
            Answer::json(400, r#"{"error_description":"invalid client credentials","error":"invalid_client"}"#)
        })
    })
    .await;
    let client = server.client();
    let answers = futures_util::future::join_all((0..5).map(|_| client.limits())).await;
    for error in answers.into_iter().map(Result::unwrap_err) {
        let text = format!("{error} {error:?}");
        assert!(text.contains("client_secret is wrong") && text.contains("127.0.0.1"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert_eq!(server.seen().len(), 1, "a refused login is not repeated");
    assert_eq!(client.calls_used(), 0);
}

#[tokio::test]
async fn a_login_survives_server_trouble() {
    let server = Server::start_raw(|seen, before| {
        Box::pin(async move {
            match (seen.is_login(), before) {
                (true, 0) => Answer::html(503),
                (true, _) => login("token-1"),
                _ => Answer::json(200, LIMITS),
            }
        })
    })
    .await;
    assert_eq!(server.client().limits().await.unwrap()["DailyApiRequests"].max, 15000);
    assert_eq!(server.count(|s| s.is_login()), 2);
}

#[tokio::test]
async fn a_page_instead_of_a_token_is_told_without_its_text() {
    let server =
        Server::start_raw(|_, _| Box::pin(async { Answer::new(200, "text/html", "<html>t0ken</html>") })).await;
    let error = server.client().login().await.unwrap_err();
    assert!(error.to_string().contains("HTML page"), "{error}");
    assert!(!format!("{error} {error:?}").contains("t0ken"));
}

/// Rotation: the new refresh token is used and stored.
#[tokio::test]
async fn a_rotated_refresh_token_is_kept() {
    let server = Server::start_raw(|seen, before| {
        Box::pin(async move {
            match (seen.is_login(), seen.token.as_str()) {
                (true, _) if before == 0 && seen.body.contains("refresh_token=old") => rotated("token-1", "new1"),
                (true, _) if before == 1 && seen.body.contains("refresh_token=new1") => rotated("token-2", "new2"),
                (true, _) => {
                    Answer::json(400, r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#)
                }
                (false, "token-1") => Answer::dead_session(),
                (false, _) => Answer::json(200, LIMITS),
            }
        })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("refresh"), "old\n").unwrap();
    let text =
        format!("auth = 'refresh-token'\nurl = '{}'\nclient_id = 'app'\nrefresh_token = 'file:refresh'", server.url());
    let config: ConnectionConfig = toml::from_str(&text).unwrap();
    let client = Client::new(config.resolve("prod", folder.path()).unwrap(), options()).unwrap();
    client.limits().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("refresh")).unwrap(), "new2");
    assert!(client.notices().await.is_empty());
}

fn refreshing(server: &Server, folder: &std::path::Path) -> ConnectionConfig {
    std::fs::write(folder.join("refresh"), "old").unwrap();
    let text =
        format!("auth = 'refresh-token'\nurl = '{}'\nclient_id = 'app'\nrefresh_token = 'file:refresh'", server.url());
    toml::from_str(&text).unwrap()
}

/// With rotation on, the old token used again revokes all.
#[tokio::test]
async fn a_refresh_that_may_have_been_executed_is_not_repeated() {
    for answer in [|| Answer { end: End::Cut, ..rotated("token-1", "new") }, || Answer::html(503)] {
        let server = Server::start_raw(move |_, _| Box::pin(async move { answer() })).await;
        let folder = tempfile::tempdir().unwrap();
        let config = refreshing(&server, folder.path());
        let client = Client::new(config.resolve("prod", folder.path()).unwrap(), options()).unwrap();
        assert!(client.limits().await.is_err() && client.limits().await.is_err());
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_newest_token_of_the_file_is_used_and_its_successor_is_written_there() {
    let server = Server::start_raw(|seen, _| {
        Box::pin(async move {
            match (seen.is_login(), seen.body.contains("refresh_token=newest")) {
                (true, true) => rotated("token-1", "next"),
                (true, false) => {
                    Answer::json(400, r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#)
                }
                (false, _) => Answer::json(200, LIMITS),
            }
        })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = refreshing(&server, folder.path());
    let client = Client::new(config.resolve("prod", folder.path()).unwrap(), options()).unwrap();
    // another process was here meanwhile
    std::fs::write(folder.path().join("refresh"), "newest").unwrap();
    client.limits().await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("refresh")).unwrap(), "next");
}

#[tokio::test]
async fn tokens_are_revoked_where_the_org_redirects_to() {
    let server = Server::start_raw(|seen, before| {
        Box::pin(async move {
            assert!(seen.body.contains("token=old") && seen.method == "POST");
            match before {
                0 => Answer {
                    headers: vec![("location", "/services/oauth2/revoke?org=2".to_owned())],
                    ..Answer::html(302)
                },
                1 => Answer::new(200, "text/html", ""),
                _ => Answer::new(400, "text/html", "error=invalid_token&error_description=unknown"),
            }
        })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = refreshing(&server, folder.path());
    let store = TokenStore::beside(folder.path());
    let told = || revoke(&config, "prod", folder.path(), &store);
    assert_eq!((told().await.unwrap(), told().await.unwrap()), (Revoked::Yes, Revoked::AlreadyDead));
}

fn rotated(token: &str, refresh: &str) -> Answer {
    Answer::json(200, format!(r#"{{"access_token":"{token}","token_type":"Bearer","refresh_token":"{refresh}"}}"#))
}

#[tokio::test]
async fn the_instance_of_the_token_answer_is_used_and_checked() {
    let org = Server::start(|_, _| Answer::json(200, LIMITS)).await;
    let url = org.url();
    let door = Server::start_raw(move |_, _| {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer","instance_url":"{url}"}}"#);
        Box::pin(async move { Answer::json(200, body) })
    })
    .await;
    door.client().limits().await.unwrap();
    assert_eq!((door.seen().len(), org.seen().len()), (1, 1));

    let evil = Server::start_raw(|_, _| {
        let body = r#"{"access_token":"t","token_type":"Bearer","instance_url":"http://evil.example.com"}"#;
        Box::pin(async move { Answer::json(200, body) })
    })
    .await;
    let error = evil.client().limits().await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}
