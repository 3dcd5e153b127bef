//! Tokens, identities and the SOAP login.

use forcepump_emulator::Options;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, keys, recording, refused};

async fn token(org: &Org, fields: &[(&str, &str)]) -> Response {
    org.client.post(org.url("/services/oauth2/token")).form(fields).send().await.unwrap()
}

async fn oauth_error(response: Response, error: &str) -> String {
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body: Value = response.json().await.unwrap();
    assert_eq!(keys(&body), ["error", "error_description"]);
    assert_eq!(body["error"], error);
    body["error_description"].as_str().unwrap().to_owned()
}

async fn works(org: &Org, token: &str) -> bool {
    let response = org.client.get(org.url("/services/data/v62.0/limits")).bearer_auth(token).send().await.unwrap();
    response.status() == StatusCode::OK
}

#[tokio::test]
async fn client_credentials_by_body_and_by_basic_header() {
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let body = [("grant_type", "client_credentials"), ("client_id", &c.client_id), ("client_secret", &c.client_secret)];
    let answer = token(&org, &body).await;
    assert_eq!(answer.headers()["cache-control"], "no-cache,must-revalidate,max-age=0,no-store,private");
    assert!(answer.headers().get("sforce-limit-info").is_none());
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        keys(&answer),
        [
            "access_token",
            "api_instance_url",
            "id",
            "instance_url",
            "issued_at",
            "scope",
            "signature",
            "token_format",
            "token_type"
        ]
    );
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["instance_url"], org.emulator.url());
    assert!(answer["issued_at"].as_str().unwrap().parse::<u64>().unwrap() > 1_600_000_000_000);
    assert!(works(&org, answer["access_token"].as_str().unwrap()).await);

    let basic = org
        .client
        .post(org.url("/services/oauth2/token"))
        .basic_auth(&c.client_id, Some(&c.client_secret))
        .form(&[("grant_type", "client_credentials")]);
    assert_eq!(basic.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn wrong_clients_users_and_grants_are_refused_in_the_known_words() {
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let wrong = |id: &str, secret: &str| {
        [
            ("grant_type".to_owned(), "client_credentials".to_owned()),
            ("client_id".to_owned(), id.to_owned()),
            ("client_secret".to_owned(), secret.to_owned()),
        ]
    };
    let send = |fields: [(String, String); 3]| org.client.post(org.url("/services/oauth2/token")).form(&fields).send();
    let answer = send(wrong("nobody", &c.client_secret)).await.unwrap();
    assert_eq!(oauth_error(answer, "invalid_client_id").await, "client identifier invalid");
    let answer = send(wrong(&c.client_id, "wrong")).await.unwrap();
    assert_eq!(oauth_error(answer, "invalid_client").await, "invalid client credentials");

    let password = |password: String| {
        let (id, secret, name) = (c.client_id.clone(), c.client_secret.clone(), c.username.clone());
        let org = &org;
        async move {
            let fields = [
                ("grant_type", "password"),
                ("client_id", &id),
                ("client_secret", &secret),
                ("username", &name),
                ("password", &password),
            ];
            token(org, &fields).await
        }
    };
    let answer = password(c.password.clone()).await;
    assert_eq!(oauth_error(answer, "invalid_grant").await, "authentication failure");
    let answer: Value = password(format!("{}{}", c.password, c.security_token)).await.json().await.unwrap();
    assert!(answer.get("scope").is_none() && answer.get("refresh_token").is_none());

    let answer = token(&org, &[("grant_type", "sesame")]).await;
    assert_eq!(oauth_error(answer, "unsupported_grant_type").await, "grant type not supported");
    // Parameters that are not a form are not read.
    let answer = org.client.post(org.url("/services/oauth2/token")).json(&json!({"grant_type": "password"}));
    oauth_error(answer.send().await.unwrap(), "unsupported_grant_type").await;
    let answer = org.client.get(org.url("/services/oauth2/token")).send().await.unwrap();
    assert_eq!(oauth_error(answer, "invalid_request").await, "must use HTTP POST");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_replay_revokes_the_family() {
    for rotation in [false, true] {
        let org = Org::with(Options { rotation, ..Options::default() }).await;
        let c = org.emulator.credentials().clone();
        let refresh = async |token_text: &str| {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", c.client_id.as_str()),
                ("client_secret", c.client_secret.as_str()),
                ("refresh_token", token_text),
            ];
            token(&org, &fields).await
        };
        let first: Value = refresh(&c.refresh_token).await.json().await.unwrap();
        let access = first["access_token"].as_str().unwrap();
        assert_eq!(first.get("refresh_token").is_some(), rotation);
        assert!(works(&org, access).await);
        let again = refresh(&c.refresh_token).await;
        if rotation {
            assert_eq!(oauth_error(again, "invalid_grant").await, "expired access/refresh token");
            assert!(!works(&org, access).await);
            let next = refresh(first["refresh_token"].as_str().unwrap()).await;
            oauth_error(next, "invalid_grant").await;
        } else {
            assert_eq!(again.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn the_token_endpoint_words_its_answer_as_asked() {
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let fields = |format| {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", c.client_id.clone()),
            ("client_secret", c.client_secret.clone()),
            ("format", format),
        ]
    };
    let send =
        |format: &str| org.client.post(org.url("/services/oauth2/token")).form(&fields(format.to_owned())).send();
    let form = send("urlencoded").await.unwrap().text().await.unwrap();
    assert!(form.contains("token_type=Bearer&") && form.contains("access_token="), "{form}");
    let xml = send("xml").await.unwrap().text().await.unwrap();
    assert!(xml.contains("<OAuth>") && xml.contains("<token_type>Bearer</token_type>"), "{xml}");
}

#[tokio::test]
async fn identity_userinfo_introspection_and_revocation() {
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let resources = org.json("").await;
    let identity = resources["identity"].as_str().unwrap();
    assert!(identity.starts_with(org.emulator.url()));
    let by_header: Value =
        org.client.get(identity).bearer_auth(&c.access_token).send().await.unwrap().json().await.unwrap();
    let by_parameter = [("format", "json"), ("oauth_token", c.access_token.as_str())];
    let by_parameter: Value = org.client.get(identity).query(&by_parameter).send().await.unwrap().json().await.unwrap();
    assert_eq!(by_header, by_parameter);
    assert_eq!(by_header["username"], c.username);
    assert!(by_header["urls"]["rest"].as_str().unwrap().contains("/services/data/v{version}/"));

    let info: Value = org.raw(Method::GET, "/services/oauth2/userinfo").send().await.unwrap().json().await.unwrap();
    assert_eq!(info["user_id"], by_header["user_id"]);
    let user = org.json(&format!("/sobjects/User/{}", info["user_id"].as_str().unwrap())).await;
    assert_eq!(user["Username"], c.username);

    for bad in [identity.to_owned(), org.url("/services/oauth2/userinfo")] {
        let answer = org.client.get(&bad).bearer_auth("dead").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.text().await.unwrap(), "Bad_OAuth_Token");
    }

    let introspect = async || {
        let request = org
            .client
            .post(org.url("/services/oauth2/introspect"))
            .basic_auth(&c.client_id, Some(&c.client_secret))
            .form(&[("token", &c.access_token)]);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let active = introspect().await;
    assert_eq!(active["active"], true);
    assert!(active["exp"].as_i64().unwrap() > active["iat"].as_i64().unwrap());
    let revoke = async || {
        let request = org.client.post(org.url("/services/oauth2/revoke")).form(&[("token", &c.access_token)]);
        request.send().await.unwrap()
    };
    let revoked = revoke().await;
    assert_eq!(revoked.status(), StatusCode::OK);
    assert_eq!(revoked.text().await.unwrap(), "");
    assert_eq!(introspect().await, json!({"active": false}));
    let again = revoke().await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert!(again.text().await.unwrap().contains("error=invalid_token"));
}

#[tokio::test]
async fn sessions_are_asked_for_and_may_be_dead() {
    let org = Org::demo().await;
    let limits = org.url("/services/data/v62.0/limits");
    let none = org.client.get(&limits).send().await.unwrap();
    assert_eq!(refused(none, 401, "INVALID_AUTH_HEADER").await, "INVALID_HEADER_TYPE");
    let token = &org.emulator.credentials().access_token;
    let old = org.client.get(&limits).header("authorization", format!("OAuth {token}")).send().await.unwrap();
    assert_eq!(old.status(), StatusCode::OK);
    org.emulator.expire_sessions();
    let dead = org.client.get(&limits).bearer_auth(token).send().await.unwrap();
    assert_eq!(dead.headers()["content-type"], "application/json;charset=UTF-8");
    let message = refused(dead, 401, "INVALID_SESSION_ID").await;
    assert_eq!(message, "Session expired or invalid");
}

async fn login(org: &Org, path: &str, user: &str, password: &str) -> (u16, String) {
    let body = format!(
        "<?xml version=\"1.0\"?><se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\"><se:Header/>\
         <se:Body><n1:login xmlns:n1=\"urn:partner.soap.sforce.com\"><n1:username>{user}</n1:username>\
         <n1:password>{password}</n1:password></n1:login></se:Body></se:Envelope>"
    );
    let request = org.client.post(org.url(path)).header("content-type", "text/xml").header("soapaction", "login");
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn soap_logins_and_faults() {
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let whole = format!("{}{}", c.password, c.security_token);
    for path in ["/services/Soap/u/62.0", "/services/Soap/c/64.0/"] {
        let (status, text) = login(&org, path, &c.username, &whole).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("<passwordExpired>false</passwordExpired>"), "{text}");
        let session = text.split_once("<sessionId>").unwrap().1.split_once('<').unwrap().0;
        assert!(works(&org, session).await);
    }
    let fault = |text: &str, code: &str| {
        assert!(text.contains(&format!("<faultcode>{code}</faultcode>")), "{text}");
        let bare = code.trim_start_matches("sf:");
        assert!(text.contains(&format!("<sf:exceptionCode>{bare}</sf:exceptionCode>")), "{text}");
        assert!(text.contains(&format!("<faultstring>{bare}: ")), "{text}");
    };
    let (status, text) = login(&org, "/services/Soap/u/62.0", &c.username, "wrong").await;
    assert_eq!(status, 500);
    fault(&text, "INVALID_LOGIN");
    let (_, text) = login(&org, "/services/Soap/u/62.0", &c.username, &c.password).await;
    fault(&text, "LOGIN_MUST_USE_SECURITY_TOKEN");
    let (status, text) = login(&org, "/services/Soap/u/65.0", &c.username, &whole).await;
    assert_eq!(status, 500);
    fault(&text, "sf:INVALID_OPERATION");
    assert!(text.contains("not available in the API version specified (65.0)"), "{text}");
    let (_, text) = login(&org, "/services/Soap/u/20.0", &c.username, &whole).await;
    fault(&text, "sf:UNSUPPORTED_API_VERSION");
}

#[tokio::test]
async fn recorded_token_answers_have_no_field_that_is_missing_here() {
    let Some(recorded) = recording("restforce/spec/fixtures/auth_success_response.json") else { return };
    let org = Org::demo().await;
    let c = org.emulator.credentials().clone();
    let fields =
        [("grant_type", "client_credentials"), ("client_id", &c.client_id), ("client_secret", &c.client_secret)];
    let answer: Value = token(&org, &fields).await.json().await.unwrap();
    for key in keys(&recorded).into_iter().filter(|key| *key != "refresh_token") {
        assert!(answer.get(key).is_some(), "{key}");
    }
}
