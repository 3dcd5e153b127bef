//! Who may come in and who not: every refusal of the reference by an honest state of apps, users and orgs.

use forcepump_emulator::access::{App, AppKind, Flow, Installation, Policy, UserAccess};
use serde_json::{Value, json};

use crate::browser::{Browser, CALLBACK};
use crate::partner::{
    ADMIN, LEAVER, LUIS, app, assertion, authorized, by_browser, by_jwt, by_password, by_secret, error, org, refresh,
    soap_login, token, user,
};
use crate::support::{keys, refused};

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
        (json!({"aud": "https://test.salesforce.com"}), ("invalid_grant", "audience is invalid")),
        (json!({"sub": "nobody@x.y"}), ("invalid_grant", "user hasn't approved this consumer")),
        (json!({"prn": "nobody@x.y"}), ("invalid_grant", "user hasn't approved this consumer")),
        (json!({"exp": now - 10}), ("invalid_grant", "expired authorization code")),
        (json!({"exp": "soon"}), ("invalid_grant", "invalid assertion")),
    ] {
        assert_eq!(error(&by_jwt(&org, claims).await), expected);
    }
    for claims in [
        json!({"exp": now + 180}),
        // CumulusCI signs with the present moment, which is over when the assertion arrives.
        json!({"exp": now - 1}),
        json!({"exp": 9_999_999_999.5}),
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
async fn a_user_for_programs_sees_no_page_and_access_control_sees_no_app() {
    const PROGRAM: &str = "integration@forcepump.example";
    let org_of = async |app: App, users: Vec<UserAccess>| {
        org(app, users, Policy { api_access_control: true, ..Policy::default() }).await
    };
    let plain = org(App { run_as: Some(PROGRAM.to_owned()), ..app() }, Vec::new(), Policy::default()).await;
    let page = by_browser(&plain, PROGRAM, &[]).await;
    assert!(page.text.contains("OAUTH_APPROVAL_ERROR_GENERIC"), "{}", page.text);
    assert_eq!(by_secret(&plain).await.0, 200);

    let uninstalled = App { installation: Installation::Uninstalled, run_as: Some(ADMIN.to_owned()), ..app() };
    let controlled = org_of(uninstalled.clone(), Vec::new()).await;
    assert_eq!(error(&by_secret(&controlled).await), ("invalid_client", "app must be installed into org"));
    let any = UserAccess { any_api_client: Some(true), ..user(ADMIN) };
    assert_eq!(by_secret(&org_of(uninstalled, vec![any.clone()]).await).await.0, 200);
    for (users, status) in [(Vec::new(), 401), (vec![any], 200)] {
        let org = org_of(app(), users).await;
        let (_, text) = soap_login(&org, ADMIN).await;
        let session = text.split_once("<sessionId>").unwrap().1.split_once('<').unwrap().0;
        let limits = org.client.get(org.url("/services/data/v62.0/limits")).bearer_auth(session).send().await.unwrap();
        assert_eq!(limits.status().as_u16(), status);
    }
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
