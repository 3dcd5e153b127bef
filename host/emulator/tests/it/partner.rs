//! An org with the app of a partner, and every way in through it.

use forcepump_emulator::Options;
use forcepump_emulator::access::{App, Policy, UserAccess};
use serde_json::{Value, json};

use crate::browser::{Browser, CALLBACK, Page};
use crate::support::{Org, keys};

pub const ADMIN: &str = "admin@forcepump.example";
pub const LUIS: &str = "luis.ortega@forcepump.example";
pub const LEAVER: &str = "former.colleague@forcepump.example";
pub const KEY: &str = include_str!("../keys/test-app.key");
pub const CERTIFICATE: &str = include_str!("../keys/test-app.pub");

/// An app with every flow, acting as Luis.
pub fn app() -> App {
    App {
        client_id: "partner".to_owned(),
        client_secret: Some("s3cret".to_owned()),
        callbacks: vec![CALLBACK.to_owned()],
        scopes: ["api", "refresh_token"].map(str::to_owned).to_vec(),
        run_as: Some(LUIS.to_owned()),
        jwt_certificate: Some(CERTIFICATE.to_owned()),
        jwt_without_approval: true,
        ..App::default()
    }
}

pub fn user(username: &str) -> UserAccess {
    UserAccess { username: username.to_owned(), ..UserAccess::default() }
}

pub async fn org(app: App, users: Vec<UserAccess>, policy: Policy) -> Org {
    Org::with(Options { apps: vec![app], users, policy, ..Options::default() }).await
}

pub async fn token(org: &Org, fields: &[(&str, &str)]) -> (u16, Value) {
    let answer = org.client.post(org.url("/services/oauth2/token")).form(fields).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

pub fn assertion(org: &Org, claims: Value) -> String {
    let mut all = json!({"iss": "partner", "sub": LUIS, "aud": org.emulator.url(), "exp": 9_999_999_999_i64});
    for (key, value) in claims.as_object().unwrap() {
        all[key] = value.clone();
    }
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256), &all, &key).unwrap()
}

pub async fn by_jwt(org: &Org, claims: Value) -> (u16, Value) {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    token(org, &[("grant_type", grant), ("assertion", &assertion(org, claims))]).await
}

pub async fn by_secret(org: &Org) -> (u16, Value) {
    let fields = [("grant_type", "client_credentials"), ("client_id", "partner"), ("client_secret", "s3cret")];
    token(org, &fields).await
}

pub async fn by_password(org: &Org, username: &str) -> (u16, Value) {
    let c = org.emulator.credentials();
    let password = format!("{}{}", c.password, c.security_token);
    let fields = [
        ("grant_type", "password"),
        ("client_id", "partner"),
        ("client_secret", "s3cret"),
        ("username", username),
        ("password", &password),
    ];
    token(org, &fields).await
}

/// Through the browser up to the end: the callback or a page.
pub async fn by_browser(org: &Org, username: &str, extra: &[(&str, &str)]) -> Page {
    let browser = Browser::new(org);
    let mut parameters = vec![("response_type", "code"), ("client_id", "partner"), ("redirect_uri", CALLBACK)];
    parameters.extend(extra);
    let page = browser.authorize(&parameters).await;
    let password = org.emulator.credentials().password.clone();
    let page = browser.log_in(page, username, &password).await;
    if page.text.contains("id=\"oaapprove\"") { browser.press(&page, "save").await } else { page }
}

/// Tokens by the browser, for the flows that need them.
pub async fn authorized(org: &Org, username: &str) -> Value {
    let page = by_browser(org, username, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &page.must("code")),
        ("client_id", "partner"),
        ("client_secret", "s3cret"),
        ("redirect_uri", CALLBACK),
    ];
    let (status, body) = token(org, &fields).await;
    assert_eq!(status, 200, "{body}");
    body
}

pub async fn refresh(org: &Org, token_text: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", "partner"), ("refresh_token", token_text)];
    fields.extend(more);
    token(org, &fields).await
}

pub fn error(answer: &(u16, Value)) -> (&str, &str) {
    assert_eq!(answer.0, 400, "{}", answer.1);
    assert_eq!(keys(&answer.1), ["error", "error_description"]);
    (answer.1["error"].as_str().unwrap(), answer.1["error_description"].as_str().unwrap())
}

pub async fn soap(org: &Org, version: &str, session: &str, body: &str) -> (u16, String) {
    let text = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header><SessionHeader \
         xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{session}</sessionId></SessionHeader></e:Header>\
         <e:Body>{body}</e:Body></e:Envelope>"
    );
    let request = org.client.post(org.url(&format!("/services/Soap/u/{version}"))).header("content-type", "text/xml");
    let answer = request.header("soapaction", "\"\"").body(text).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

pub async fn soap_login(org: &Org, username: &str) -> (u16, String) {
    let c = org.emulator.credentials();
    let body = format!(
        "<login xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username><password>{}{}</password></login>",
        c.password, c.security_token
    );
    soap(org, "62.0", "", &body).await
}
