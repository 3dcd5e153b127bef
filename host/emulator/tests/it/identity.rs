//! Who may come in and who not: every refusal of the reference by an honest state of apps, users and orgs.

use forcepump_emulator::access::{App, AppKind, Flow, Installation, Policy, Profile, UserAccess};
use forcepump_emulator::{FaultScript, Options};
use serde_json::{Value, json};

use crate::browser::{Browser, CALLBACK, Page};
use crate::support::{Org, keys, refused};

const ADMIN: &str = "admin@forcepump.example";
const LUIS: &str = "luis.ortega@forcepump.example";
const LEAVER: &str = "former.colleague@forcepump.example";
const KEY: &str = include_str!("../keys/test-app.key");
const CERTIFICATE: &str = include_str!("../keys/test-app.pub");

/// An app with every flow, acting as Luis.
fn app() -> App {
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

fn user(username: &str) -> UserAccess {
    UserAccess { username: username.to_owned(), ..UserAccess::default() }
}

async fn org(app: App, users: Vec<UserAccess>, policy: Policy) -> Org {
    Org::with(Options { apps: vec![app], users, policy, ..Options::default() }).await
}

async fn token(org: &Org, fields: &[(&str, &str)]) -> (u16, Value) {
    let answer = org.client.post(org.url("/services/oauth2/token")).form(fields).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn assertion(org: &Org, claims: Value) -> String {
    let mut all = json!({"iss": "partner", "sub": LUIS, "aud": org.emulator.url(), "exp": 9_999_999_999_i64});
    for (key, value) in claims.as_object().unwrap() {
        all[key] = value.clone();
    }
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256), &all, &key).unwrap()
}

async fn by_jwt(org: &Org, claims: Value) -> (u16, Value) {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    token(org, &[("grant_type", grant), ("assertion", &assertion(org, claims))]).await
}

async fn by_secret(org: &Org) -> (u16, Value) {
    let fields = [("grant_type", "client_credentials"), ("client_id", "partner"), ("client_secret", "s3cret")];
    token(org, &fields).await
}

async fn by_password(org: &Org, username: &str) -> (u16, Value) {
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
async fn by_browser(org: &Org, username: &str, extra: &[(&str, &str)]) -> Page {
    let browser = Browser::new(org);
    let mut parameters = vec![("response_type", "code"), ("client_id", "partner"), ("redirect_uri", CALLBACK)];
    parameters.extend(extra);
    let page = browser.authorize(&parameters).await;
    let password = org.emulator.credentials().password.clone();
    let page = browser.log_in(page, username, &password).await;
    if page.text.contains("id=\"oaapprove\"") { browser.press(&page, "save").await } else { page }
}

/// Tokens by the browser, for the flows that need them.
async fn authorized(org: &Org, username: &str) -> Value {
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

async fn refresh(org: &Org, token_text: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", "partner"), ("refresh_token", token_text)];
    fields.extend(more);
    token(org, &fields).await
}

fn error(answer: &(u16, Value)) -> (&str, &str) {
    assert_eq!(answer.0, 400, "{}", answer.1);
    assert_eq!(keys(&answer.1), ["error", "error_description"]);
    (answer.1["error"].as_str().unwrap(), answer.1["error_description"].as_str().unwrap())
}

#[tokio::test]
async fn apps_and_users_that_may_not_come_in_by_program() {
    let not_admin = ("invalid_app_access", "user is not admin approved to access this app");
    let admin_only = App { admin_approved_only: true, approved: vec!["System Administrator".to_owned()], ..app() };
    let table = [
        (
            App { installation: Installation::Uninstalled, ..app() },
            user(LUIS),
            Policy::default(),
            ("invalid_client", "app must be installed into org"),
        ),
        (
            App { installation: Installation::Blocked, ..app() },
            user(LUIS),
            Policy::default(),
            ("app_blocked", "this app is blocked by admin"),
        ),
        (admin_only, user(LUIS), Policy::default(), not_admin),
        (
            App { flows_off: vec![Flow::ClientCredentials, Flow::JwtBearer], ..app() },
            user(LUIS),
            Policy::default(),
            ("oauth_flow_disabled", "oauth flow is disabled for this app"),
        ),
        (
            app(),
            UserAccess { active: Some(false), ..user(LUIS) },
            Policy::default(),
            ("invalid_grant", "inactive user"),
        ),
        (
            app(),
            UserAccess { ip_restricted: true, ..user(LUIS) },
            Policy::default(),
            ("invalid_grant", "ip restricted or invalid login hours"),
        ),
        (
            app(),
            user(LUIS),
            Policy { active: false, ..Policy::default() },
            ("inactive_org", "organization is inactive"),
        ),
        (
            app(),
            user(LUIS),
            Policy { logins_per_hour: 0, ..Policy::default() },
            ("rate_limit_exceeded", "login rate exceeded"),
        ),
    ];
    for (app, user, policy, expected) in table {
        let org = org(app, vec![user], policy).await;
        assert_eq!(error(&by_secret(&org).await), expected);
        assert_eq!(error(&by_jwt(&org, json!({})).await), expected);
    }
}

#[tokio::test]
async fn client_credentials_need_a_user_a_secret_and_my_domain() {
    for (app, policy, expected) in [
        (App { run_as: None, ..app() }, Policy::default(), ("invalid_grant", "no client credentials user enabled")),
        (
            App { run_as: Some("nobody@x.y".to_owned()), ..app() },
            Policy::default(),
            ("invalid_grant", "no client credentials user enabled"),
        ),
        (App { client_secret: None, ..app() }, Policy::default(), ("invalid_client", "invalid client credentials")),
        (
            app(),
            Policy { my_domain: false, ..Policy::default() },
            ("invalid_grant", "request not supported on this domain"),
        ),
    ] {
        let org = org(app, Vec::new(), policy).await;
        assert_eq!(error(&by_secret(&org).await), expected);
    }
    let org = org(app(), Vec::new(), Policy::default()).await;
    let (status, granted) = by_secret(&org).await;
    assert_eq!(status, 200, "{granted}");
    let info =
        org.client.get(org.url("/services/oauth2/userinfo")).bearer_auth(granted["access_token"].as_str().unwrap());
    assert_eq!(info.send().await.unwrap().json::<Value>().await.unwrap()["preferred_username"], LUIS);
}

#[tokio::test]
async fn assertions_are_refused_in_the_known_words() {
    let org = org(app(), Vec::new(), Policy::default()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (claims, expected) in [
        (json!({"iss": "nobody"}), ("invalid_client_id", "client identifier invalid")),
        (json!({"aud": "https://example.com"}), ("invalid_grant", "audience is invalid")),
        (json!({"sub": "nobody@x.y"}), ("invalid_grant", "user hasn't approved this consumer")),
        (json!({"prn": "nobody@x.y"}), ("invalid_grant", "user hasn't approved this consumer")),
        (json!({"exp": now - 10}), ("invalid_grant", "expired authorization code")),
        (json!({"exp": "soon"}), ("invalid_grant", "invalid assertion")),
    ] {
        assert_eq!(error(&by_jwt(&org, claims).await), expected);
    }
    for claims in [
        json!({"exp": now + 180}),
        json!({"exp": (now + 180).to_string()}),
        json!({"exp": now * 1_000 + 300_000}),
        json!({"aud": "https://login.salesforce.com"}),
        json!({"aud": format!("{}/", org.emulator.url())}),
    ] {
        let (status, body) = by_jwt(&org, claims).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(keys(&body), ["access_token", "id", "instance_url", "scope", "token_type"]);
    }
    assert_eq!(by_jwt(&org, json!({"jti": "once"})).await.0, 200);
    assert_eq!(error(&by_jwt(&org, json!({"jti": "once"})).await).0, "bad_jti_claim");
    let torn =
        token(&org, &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "a.b.c")]).await;
    assert_eq!(error(&torn), ("invalid_grant", "invalid assertion"));
}

#[tokio::test]
async fn an_assertion_needs_an_approval_for_requests_at_any_time() {
    let org = org(App { jwt_without_approval: false, ..app() }, Vec::new(), Policy::default()).await;
    assert_eq!(error(&by_jwt(&org, json!({})).await), ("invalid_grant", "user hasn't approved this consumer"));
    by_browser(&org, LUIS, &[("scope", "api")]).await.must("code");
    assert_eq!(error(&by_jwt(&org, json!({})).await), ("invalid_grant", "user hasn't approved this consumer"));
    by_browser(&org, LUIS, &[]).await.must("code");
    assert_eq!(by_jwt(&org, json!({})).await.0, 200);
}

#[tokio::test]
async fn passwords_fail_in_one_way_only() {
    let failure = ("invalid_grant", "authentication failure");
    for (app, user, policy) in [
        (app(), UserAccess { locked: true, ..user(LUIS) }, Policy::default()),
        (app(), UserAccess { password: Some("other".to_owned()), ..user(LUIS) }, Policy::default()),
        (app(), UserAccess { active: Some(false), ..user(LUIS) }, Policy::default()),
        (app(), UserAccess { password_expired: true, ..user(LUIS) }, Policy::default()),
        (App { kind: AppKind::External, ..app() }, user(LUIS), Policy::default()),
        (app(), user(LUIS), Policy { password_flow: false, ..Policy::default() }),
    ] {
        let org = org(app, vec![user], policy).await;
        assert_eq!(error(&by_password(&org, LUIS).await), failure);
    }
    let org = org(app(), Vec::new(), Policy::default()).await;
    assert_eq!(by_password(&org, LUIS).await.0, 200);
    // Inactive by the row alone.
    assert_eq!(error(&by_password(&org, LEAVER).await), failure);
}

#[tokio::test]
async fn a_browser_meets_the_callback_or_the_error_page() {
    let page = "/setup/secur/RemoteAccessErrorPage.apexp?error=";
    let to_callback = |error: &str, text: &str| format!("{CALLBACK}?error={error}&error_description={text}&state=s");
    let blocked = to_callback("OAUTH_APP_BLOCKED", "this+app+is+blocked+by+admin");
    let denied = to_callback("OAUTH_APP_ACCESS_DENIED", "user+is+not+admin+approved+to+access+this+app");
    let outside = to_callback("invalid_grant", "ip+restricted+or+invalid+login+hours");
    let closed = to_callback("inactive_org", "organization+is+inactive");
    for (app, user, policy, end) in [
        (
            App { installation: Installation::Uninstalled, ..app() },
            user(LUIS),
            Policy::default(),
            format!("{page}invalid_client&error_description=app+must+be+installed+into+org&state=s"),
        ),
        (
            App { scopes: vec!["id".to_owned()], ..app() },
            user(LUIS),
            Policy::default(),
            format!("{page}invalid_scope&error_description=the+app+does+not+have+the+requested+scope&state=s"),
        ),
        (App { installation: Installation::Blocked, ..app() }, user(LUIS), Policy::default(), blocked),
        (App { admin_approved_only: true, ..app() }, user(LUIS), Policy::default(), denied),
        (app(), UserAccess { ip_restricted: true, ..user(LUIS) }, Policy::default(), outside),
        (app(), user(LUIS), Policy { active: false, ..Policy::default() }, closed),
    ] {
        let org = org(app, vec![user], policy).await;
        let browser = Browser::new(&org);
        let parameters = [
            ("response_type", "code"),
            ("client_id", "partner"),
            ("redirect_uri", CALLBACK),
            ("scope", "api"),
            ("state", "s"),
        ];
        let login = browser.follow(browser.authorize(&parameters).await).await;
        let password = &org.emulator.credentials().password;
        let start = login.hidden("startURL");
        let again = browser.post("/", &[("startURL", &start), ("username", LUIS), ("pw", password)]).await;
        let last = browser.get(again.location()).await;
        let expected = if end.starts_with('/') { format!("{}{end}", org.emulator.url()) } else { end };
        assert_eq!(last.location(), expected);
        if expected.contains("RemoteAccessErrorPage") {
            let text = browser.get(last.location()).await.text;
            assert!(text.contains("OAUTH_APPROVAL_ERROR_GENERIC : An unexpected error has occurred"), "{text}");
        }
    }
}

#[tokio::test]
async fn an_uninstalled_app_is_for_administrators_and_those_who_approved_it_before() {
    let org = org(app(), Vec::new(), Policy::default()).await;
    let granted = authorized(&org, LUIS).await;
    org.emulator.change_app(App { installation: Installation::Uninstalled, ..app() });
    let secret = [("client_secret", "s3cret")];
    assert_eq!(refresh(&org, granted["refresh_token"].as_str().unwrap(), &secret).await.0, 200);
    by_browser(&org, LUIS, &[]).await.must("code");
    by_browser(&org, ADMIN, &[]).await.must("code");
    let other = by_browser(&org, "emma.schäfer@forcepump.example", &[]).await;
    assert!(other.text.contains("OAUTH_APPROVAL_ERROR_GENERIC"), "{}", other.text);
    // An approval of before does not help the device flow.
    let start = [("response_type", "device_code"), ("client_id", "partner")];
    let (_, started) = token(&org, &start).await;
    let browser = Browser::new(&org);
    let typed = started["user_code"].as_str().unwrap();
    let page = browser.post("/setup/connect", &[("user_code", typed), ("connect", "Connect")]).await;
    let end = browser.log_in(page, LUIS, &org.emulator.credentials().password).await;
    assert!(end.text.contains("OAUTH_APPROVAL_ERROR_GENERIC"), "{}", end.text);
}

#[tokio::test]
async fn refreshes_are_refused_when_the_user_the_app_or_the_token_is_gone() {
    let secret = [("client_secret", "s3cret")];
    let expired = ("invalid_grant", "expired access/refresh token");
    let org = org(App { refresh_seconds: Some(3_600), ..app() }, Vec::new(), Policy::default()).await;
    let granted = authorized(&org, LUIS).await;
    let own = granted["refresh_token"].as_str().unwrap();
    assert_eq!(error(&refresh(&org, own, &[]).await), ("invalid_client", "invalid client credentials"));
    assert_eq!(error(&refresh(&org, "nonsense", &secret).await), expired);
    org.emulator.change_user(UserAccess { active: Some(false), ..user(LUIS) });
    assert_eq!(error(&refresh(&org, own, &secret).await), ("invalid_grant", "inactive user"));
    let dead = org.client.get(org.url("/services/data/v62.0/limits"));
    let dead = dead.bearer_auth(granted["access_token"].as_str().unwrap()).send().await.unwrap();
    refused(dead, 401, "INVALID_SESSION_ID").await;
    org.emulator.change_user(user(LUIS));
    org.emulator.change_app(App { refresh_secret_required: false, ..app() });
    assert_eq!(refresh(&org, own, &[]).await.0, 200);
    // A secret that is sent is checked although none is needed.
    assert_eq!(error(&refresh(&org, own, &[("client_secret", "x")]).await).0, "invalid_client");
    org.emulator.change_app(App { refresh_seconds: Some(0), ..app() });
    assert_eq!(error(&refresh(&org, own, &secret).await), expired);
    org.emulator.change_app(app());
    org.emulator.revoke_refresh_tokens();
    assert_eq!(error(&refresh(&org, own, &secret).await), expired);
}

#[tokio::test]
async fn an_app_may_rotate_on_its_own() {
    let org = org(App { rotation: true, ..app() }, Vec::new(), Policy::default()).await;
    let granted = authorized(&org, LUIS).await;
    let secret = [("client_secret", "s3cret")];
    let first = granted["refresh_token"].as_str().unwrap();
    let (_, second) = refresh(&org, first, &secret).await;
    assert!(second["refresh_token"].is_string() && second["refresh_token"] != granted["refresh_token"]);
    assert_eq!(error(&refresh(&org, first, &secret).await).0, "invalid_grant");
    assert_eq!(error(&refresh(&org, second["refresh_token"].as_str().unwrap(), &secret).await).0, "invalid_grant");
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_send() {
    let public = App { client_secret: None, secret_required: false, refresh_secret_required: false, ..app() };
    let org = org(public, Vec::new(), Policy::default()).await;
    let page = by_browser(&org, LUIS, &[]).await;
    let code = page.must("code");
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", "partner"),
        ("redirect_uri", CALLBACK),
        ("client_secret", "anything"),
    ];
    assert_eq!(error(&token(&org, &fields).await), ("invalid_client", "invalid client credentials"));
    fields.pop();
    assert_eq!(token(&org, &fields).await.0, 200);
}

#[tokio::test]
async fn an_assertion_may_stand_in_place_of_the_secret() {
    let org = org(app(), Vec::new(), Policy::default()).await;
    let code = by_browser(&org, LUIS, &[]).await.must("code");
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let endpoint = org.url("/services/oauth2/token");
    for (claims, status) in
        [(json!({"sub": "partner", "aud": "https://x.y"}), 400), (json!({"sub": "partner", "aud": endpoint}), 200)]
    {
        let signed = assertion(&org, claims);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("client_assertion_type", kind),
            ("client_assertion", &signed),
        ];
        let (got, body) = token(&org, &fields).await;
        assert_eq!(got, status, "{body}");
    }
}

async fn soap(org: &Org, version: &str, session: &str, body: &str) -> (u16, String) {
    let text = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header><SessionHeader \
         xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{session}</sessionId></SessionHeader></e:Header>\
         <e:Body>{body}</e:Body></e:Envelope>"
    );
    let request = org.client.post(org.url(&format!("/services/Soap/u/{version}"))).header("content-type", "text/xml");
    let answer = request.header("soapaction", "\"\"").body(text).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn soap_login(org: &Org, username: &str) -> (u16, String) {
    let c = org.emulator.credentials();
    let body = format!(
        "<login xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username><password>{}{}</password></login>",
        c.password, c.security_token
    );
    soap(org, "62.0", "", &body).await
}

#[tokio::test]
async fn soap_logins_are_refused_with_the_fault_of_their_cause() {
    for (user, policy, code) in [
        (UserAccess { locked: true, ..user(LUIS) }, Policy::default(), "INVALID_LOGIN"),
        (UserAccess { active: Some(false), ..user(LUIS) }, Policy::default(), "INVALID_LOGIN"),
        (UserAccess { ip_restricted: true, ..user(LUIS) }, Policy::default(), "LOGIN_DURING_RESTRICTED_DOMAIN"),
        (UserAccess { api_enabled: Some(false), ..user(LUIS) }, Policy::default(), "API_CURRENTLY_DISABLED"),
        (UserAccess { any_api_auth: false, ..user(LUIS) }, Policy::default(), "INSUFFICIENT_ACCESS"),
        (user(LUIS), Policy { soap_login: false, ..Policy::default() }, "INVALID_OPERATION"),
        (user(LUIS), Policy { active: false, ..Policy::default() }, "ORG_LOCKED"),
        (user(LUIS), Policy { api_enabled: false, ..Policy::default() }, "API_DISABLED_FOR_ORG"),
        (user(LUIS), Policy { logins_per_hour: 0, ..Policy::default() }, "REQUEST_LIMIT_EXCEEDED"),
    ] {
        let org = org(app(), vec![user], policy).await;
        let (status, text) = soap_login(&org, LUIS).await;
        assert_eq!(status, 500);
        assert!(text.contains(&format!("<sf:exceptionCode>{code}</sf:exceptionCode>")), "{text}");
    }
    let off = org(app(), Vec::new(), Policy { soap_login: false, ..Policy::default() }).await;
    let (_, text) = soap_login(&off, LUIS).await;
    assert!(text.contains("SOAP API login() is disabled by default in this org."), "{text}");
}

#[tokio::test]
async fn an_expired_password_gives_a_session_for_set_password_alone() {
    let org = org(app(), vec![UserAccess { password_expired: true, ..user(LUIS) }], Policy::default()).await;
    let (status, text) = soap_login(&org, LUIS).await;
    assert_eq!(status, 200);
    assert!(text.contains("<passwordExpired>true</passwordExpired>"), "{text}");
    let inner = |name: &str| text.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0.to_owned();
    let (session, id) = (inner("sessionId"), inner("userId"));
    let limits = org.client.get(org.url("/services/data/v62.0/limits")).bearer_auth(&session).send().await.unwrap();
    refused(limits, 403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD").await;
    let (status, text) = soap(&org, "62.0", &session, "<getUserInfo/>").await;
    assert!(status == 500 && text.contains("INVALID_OPERATION_WITH_EXPIRED_PASSWORD"), "{text}");
    let change = format!(
        "<u:setPassword xmlns:u=\"urn:partner.soap.sforce.com\"><u:userId>{id}</u:userId><u:password>N&amp;w-1</u:password></u:setPassword>"
    );
    let (status, text) = soap(&org, "62.0", &session, &change).await;
    assert_eq!(status, 200, "{text}");
    let token = &org.emulator.credentials().security_token;
    let login = format!("<login><username>{LUIS}</username><password>N&amp;w-1{token}</password></login>");
    let (_, text) = soap(&org, "62.0", "", &login).await;
    assert!(text.contains("<passwordExpired>false</passwordExpired>"), "{text}");
    // The same by hand, on the page that a browser is shown.
    org.emulator.change_user(UserAccess { password_expired: true, ..user(LUIS) });
    let browser = Browser::new(&org);
    let parameters = [("response_type", "code"), ("client_id", "partner"), ("redirect_uri", CALLBACK)];
    let password = org.emulator.credentials().password.clone();
    let page = browser.log_in(browser.authorize(&parameters).await, LUIS, &password).await;
    let start = page.hidden("startURL");
    let fields = [
        ("startURL", start.as_str()),
        ("currentpassword", &password),
        ("newpassword", "Next-1"),
        ("confirmpassword", "Next-1"),
    ];
    let page = browser.follow(browser.post("/_ui/system/security/ChangePassword", &fields).await).await;
    assert!(page.text.contains("id=\"oaapprove\""), "{}", page.text);
}

#[tokio::test]
async fn sessions_that_rest_does_not_take() {
    let unfit = (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API");
    let disabled = (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.");
    for (app, user, policy, (status, code, message)) in [
        (app(), UserAccess { rest_allowed: false, ..user(LUIS) }, Policy::default(), unfit),
        (App { scopes: vec!["id".to_owned()], ..app() }, user(LUIS), Policy::default(), unfit),
        (app(), UserAccess { api_enabled: Some(false), ..user(LUIS) }, Policy::default(), disabled),
        (app(), user(LUIS), Policy { api_enabled: false, ..Policy::default() }, disabled),
    ] {
        let org = org(app, vec![user], policy).await;
        let (_, granted) = by_secret(&org).await;
        for _ in 0..2 {
            let limits = org.client.get(org.url("/services/data/v62.0/limits"));
            let limits = limits.bearer_auth(granted["access_token"].as_str().unwrap()).send().await.unwrap();
            assert_eq!(refused(limits, status, code).await, message);
        }
    }
}

#[tokio::test]
async fn unused_sessions_end() {
    let org = org(app(), Vec::new(), Policy { session_seconds: 0, ..Policy::default() }).await;
    let (_, granted) = by_secret(&org).await;
    let limits = org.client.get(org.url("/services/data/v62.0/limits"));
    let limits = limits.bearer_auth(granted["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(refused(limits, 401, "INVALID_SESSION_ID").await, "Session expired or invalid");
}

#[tokio::test]
async fn an_org_that_moves_names_its_new_address_with_the_next_token() {
    let org = org(app(), Vec::new(), Policy { moves_after_refreshes: Some(1), ..Policy::default() }).await;
    let granted = authorized(&org, LUIS).await;
    let secret = [("client_secret", "s3cret")];
    let own = granted["refresh_token"].as_str().unwrap();
    let (_, first) = refresh(&org, own, &secret).await;
    assert_eq!(first["instance_url"], org.emulator.url());
    let (_, second) = refresh(&org, own, &secret).await;
    let (address, access) = (second["instance_url"].as_str().unwrap(), second["access_token"].as_str().unwrap());
    assert_ne!(address, org.emulator.url());
    assert_eq!(address, org.emulator.instance_url());
    let ask = async |base: &str, token: &str| {
        org.client.get(format!("{base}/services/data/v62.0/limits")).bearer_auth(token).send().await.unwrap()
    };
    assert_eq!(ask(address, access).await.status().as_u16(), 200);
    refused(ask(org.emulator.url(), first["access_token"].as_str().unwrap()).await, 401, "INVALID_SESSION_ID").await;
    let gone = ask(org.emulator.url(), access).await;
    assert_eq!(
        (gone.status().as_u16(), gone.headers()["content-type"].to_str().unwrap()),
        (404, "text/html;charset=UTF-8")
    );
}

#[tokio::test]
async fn the_fault_script_reaches_every_channel() {
    for (via, location) in [
        ("callback", Some(format!("{CALLBACK}?error=server_error&error_description=sorry"))),
        (
            "page",
            Some("/setup/secur/RemoteAccessErrorPage.apexp?error=server_error&error_description=sorry".to_owned()),
        ),
        ("body", None),
        ("json", None),
    ] {
        let script = format!(
            "[[fault]]\non = {{ route = \"authorize\" }}\n\
             do = {{ kind = \"oauth-error\", error = \"server_error\", description = \"sorry\", via = \"{via}\" }}"
        );
        let faults = FaultScript::parse(&script).unwrap();
        let org = Org::with(Options { apps: vec![app()], faults, ..Options::default() }).await;
        let parameters = [("response_type", "code"), ("client_id", "partner"), ("redirect_uri", CALLBACK)];
        let page = Browser::new(&org).authorize(&parameters).await;
        match location {
            Some(end) if end.starts_with('/') => assert_eq!(page.location(), format!("{}{end}", org.emulator.url())),
            Some(end) => assert_eq!(page.location(), end),
            None => assert!(page.status == 400 && page.text.contains("server_error"), "{}", page.text),
        }
    }
    let script = "[[fault]]\non = { route = \"soap-login\" }\n\
                  do = { kind = \"soap-fault\", code = \"SERVER_UNAVAILABLE\", message = \"later\" }";
    let faults = FaultScript::parse(script).unwrap();
    let org = Org::with(Options { faults, ..Options::default() }).await;
    let (status, text) = soap_login(&org, ADMIN).await;
    assert!(status == 500 && text.contains("<faultcode>sf:SERVER_UNAVAILABLE</faultcode>"), "{text}");
}

#[tokio::test]
async fn revocation_knows_its_hints_and_its_callback() {
    let org = org(app(), Vec::new(), Policy::default()).await;
    let granted = authorized(&org, LUIS).await;
    let revoke = |query: String| org.client.get(org.url(&format!("/services/oauth2/revoke?{query}"))).send();
    let text = revoke("token=x&token_type_hint=id_token".to_owned()).await.unwrap().text().await.unwrap();
    assert!(text.starts_with("error=unsupported_token_type"), "{text}");
    let text = revoke("token=x&callback=done".to_owned()).await.unwrap().text().await.unwrap();
    assert_eq!(text, "done({\"error\":\"invalid_token\"});");
    let own = granted["refresh_token"].as_str().unwrap();
    let answer = revoke(format!("token={own}&token_type_hint=refresh_token")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    // The refresh token takes its sessions with it.
    let limits = org.client.get(org.url("/services/data/v62.0/limits"));
    let limits = limits.bearer_auth(granted["access_token"].as_str().unwrap()).send().await.unwrap();
    refused(limits, 401, "INVALID_SESSION_ID").await;
}

#[tokio::test]
async fn hidden_fields_and_objects_are_not_there() {
    let profiles = vec![Profile {
        name: "Standard User".to_owned(),
        hidden: ["Account.AnnualRevenue", "Campaign"].map(str::to_owned).to_vec(),
        ..Profile::default()
    }];
    let users = vec![UserAccess { hidden: vec!["Account.Industry".to_owned()], ..user(LUIS) }];
    let org = Org::with(Options { apps: vec![app()], profiles, users, ..Options::default() }).await;
    let (_, granted) = by_secret(&org).await;
    let luis = granted["access_token"].as_str().unwrap();
    let ask = async |token: &str, path: &str| {
        let request = org.client.get(org.url(&format!("/services/data/v62.0{path}"))).bearer_auth(token);
        request.send().await.unwrap()
    };
    let names = async |token: &str| {
        let described: Value = ask(token, "/sobjects/Account/describe").await.json().await.unwrap();
        let name = |field: &Value| field["name"].as_str().unwrap().to_owned();
        described["fields"].as_array().unwrap().iter().map(name).collect::<Vec<String>>()
    };
    let admin = org.emulator.credentials().access_token.clone();
    let (all, seen) = (names(&admin).await, names(luis).await);
    let missing: Vec<&String> = all.iter().filter(|name| !seen.contains(name)).collect();
    let hidden = ["Industry", "AnnualRevenue"];
    assert!(missing.len() == 2 && missing.iter().all(|name| hidden.contains(&name.as_str())), "{missing:?}");
    let global: Value = ask(luis, "/sobjects").await.json().await.unwrap();
    let objects = global["sobjects"].as_array().unwrap();
    assert!(
        objects.iter().all(|object| object["name"] != "Campaign")
            && objects.iter().any(|object| object["name"] == "Account")
    );
    assert_eq!(ask(luis, "/sobjects/Campaign/describe").await.status().as_u16(), 404);

    let query = async |token: &str, soql: &str| {
        let request = org.client.get(org.url("/services/data/v62.0/query")).query(&[("q", soql)]).bearer_auth(token);
        request.send().await.unwrap()
    };
    for soql in [
        "SELECT Id, AnnualRevenue FROM Account",
        "SELECT Id FROM Account WHERE AnnualRevenue > 1",
        "SELECT Id FROM Account ORDER BY AnnualRevenue",
        "SELECT Id FROM Contact WHERE Account.AnnualRevenue > 1",
    ] {
        let message = refused(query(luis, soql).await, 400, "INVALID_FIELD").await;
        assert!(message.contains("No such column 'AnnualRevenue' on entity 'Account'."), "{message}");
        assert_eq!(query(&admin, soql).await.status().as_u16(), 200);
    }
    let message = refused(query(luis, "SELECT Id FROM Campaign").await, 400, "INVALID_TYPE").await;
    assert!(message.contains("sObject type 'Campaign' is not supported."), "{message}");
    let rows: Value = query(luis, "SELECT FIELDS(ALL) FROM Account LIMIT 1").await.json().await.unwrap();
    let row = &rows["records"][0];
    assert!(row.get("AnnualRevenue").is_none() && row.get("Name").is_some(), "{row}");
    let record: Value =
        ask(luis, row["attributes"]["url"].as_str().unwrap().trim_start_matches("/services/data/v62.0"))
            .await
            .json()
            .await
            .unwrap();
    assert!(record.get("Industry").is_none() && record.get("Name").is_some(), "{record}");

    let job = json!({"operation": "query", "query": "SELECT Id, AnnualRevenue FROM Account"});
    let request = org.client.post(org.url("/services/data/v62.0/jobs/query")).bearer_auth(luis).json(&job);
    let message = refused(request.send().await.unwrap(), 400, "INVALID_FIELD").await;
    assert!(message.contains("No such column 'AnnualRevenue' on entity 'Account'."), "{message}");
}

#[tokio::test]
async fn what_cannot_be_hidden_is_named_at_the_start() {
    for (name, named) in [
        ("Acount", "did you mean 'Account'?"),
        ("Account.Revenue__c", "has no field 'Revenue__c'"),
        ("Account.Id", "cannot be hidden"),
    ] {
        let users = vec![UserAccess { hidden: vec![name.to_owned()], ..user(LUIS) }];
        let started = forcepump_emulator::Emulator::start(Options { users, ..Options::default() }).await;
        let message = started.map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
}
