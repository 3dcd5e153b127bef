//! What the sessions of SOAP logins and tokens are good for, and how they end.

use forcepump_emulator::access::{App, Policy, UserAccess};
use forcepump_emulator::{FaultScript, Options};

use crate::browser::{Browser, CALLBACK};
use crate::partner::{ADMIN, LUIS, app, authorized, by_secret, error, org, refresh, soap, soap_login, user};
use crate::support::{Org, refused};

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

/// Values of `error` that the server knows (`OauthErrorCode`, as Salesforce's Mobile SDK mirrors it).
const OAUTH_ERRORS: [&str; 41] = [
    "access_denied",
    "app_blocked",
    "app_not_found",
    "authorization_pending",
    "bad_jti_claim",
    "app_attest_failed",
    "app_attest_failed_retry",
    "ecapp_policy_not_found",
    "exceeded_registration_limit",
    "fail_close_app_blocked",
    "failed_registration",
    "immediate_unsuccessful",
    "installation_error",
    "invalid_app_access",
    "invalid_assertion_type",
    "invalid_basic_auth_header",
    "invalid_dpop_proof",
    "invalid_client",
    "invalid_client_id",
    "invalid_distribution_state",
    "invalid_expid",
    "invalid_grant",
    "invalid_otp",
    "invalid_request",
    "invalid_scope",
    "invalid_session_level",
    "invalid_token",
    "login_error",
    "oauth_flow_disabled",
    "oauth_policy_not_found",
    "otp_error",
    "redirect_uri_missing",
    "redirect_uri_mismatch",
    "registration_error",
    "server_error",
    "service_unavailable",
    "slow_down",
    "system_down",
    "unknown_error",
    "unsupported_grant_type",
    "use_dpop_nonce",
];

#[tokio::test]
async fn every_oauth_error_of_the_server_can_be_scripted() {
    let faults: String = OAUTH_ERRORS
        .iter()
        .zip(1..)
        .map(|(error, nth)| {
            format!(
                "[[fault]]\non = {{ route = \"token\", nth = {nth} }}\n\
                 do = {{ kind = \"oauth-error\", error = \"{error}\", description = \"words of {error}\" }}\n"
            )
        })
        .collect();
    let org =
        Org::with(Options { apps: vec![app()], faults: FaultScript::parse(&faults).unwrap(), ..Options::default() })
            .await;
    for name in OAUTH_ERRORS {
        assert_eq!(error(&by_secret(&org).await), (name, format!("words of {name}").as_str()));
    }
    assert_eq!(by_secret(&org).await.0, 200);
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
