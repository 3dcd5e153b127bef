//! The browser flows: authorization code with PKCE, user-agent, and what they refuse where.

use forcepump_emulator::Options;
use forcepump_emulator::access::{App, Policy, TokenFormat};
use serde_json::{Value, json};

use crate::browser::{Browser, CALLBACK, Page};
use crate::support::{Org, keys};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn allowed(org: &Org, extra: &[(&str, &str)]) -> Page {
    let browser = Browser::new(org);
    let c = org.emulator.credentials();
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", c.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("state", "a b&c"),
    ];
    parameters.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
    parameters.extend(extra);
    let page = browser.authorize(&parameters).await;
    let page = browser.log_in(page, &c.username, &c.password).await;
    assert!(page.text.contains("Manage user data via APIs"), "{}", page.text);
    browser.press(&page, "save").await
}

async fn exchange(org: &Org, fields: &[(&str, &str)]) -> (u16, Value) {
    let c = org.emulator.credentials();
    let mut all = vec![
        ("grant_type", "authorization_code"),
        ("client_id", c.client_id.as_str()),
        ("client_secret", c.client_secret.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    all.retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
    all.extend(fields);
    let answer = org.client.post(org.url("/services/oauth2/token")).form(&all).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn refused(org: &Org, fields: &[(&str, &str)], error: &str, description: &str) {
    let (status, body) = exchange(org, fields).await;
    assert_eq!((status, &body), (400, &json!({"error": error, "error_description": description})));
}

#[tokio::test]
async fn a_code_becomes_tokens_once() {
    let org = Org::demo().await;
    let page = allowed(&org, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).await;
    assert!(page.location().starts_with(&format!("{CALLBACK}?code=aPrx")), "{}", page.location());
    assert!(page.location().contains("%3D%3D&state=a%20b%26c"), "{}", page.location());
    let code = page.must("code");
    refused(&org, &[("code", &code)], "invalid_grant", "missing required code verifier").await;
    refused(&org, &[("code", &code), ("code_verifier", "wrong")], "invalid_request", "invalid code verifier").await;
    let elsewhere = [("code", code.as_str()), ("code_verifier", VERIFIER), ("redirect_uri", "http://localhost:1/")];
    refused(&org, &elsewhere, "redirect_uri_mismatch", "redirect_uri must match configuration").await;
    let wrong = [("code", code.as_str()), ("code_verifier", VERIFIER), ("client_secret", "wrong")];
    refused(&org, &wrong, "invalid_client", "invalid client credentials").await;

    let (status, granted) = exchange(&org, &[("code", &code), ("code_verifier", VERIFIER)]).await;
    assert_eq!(status, 200, "{granted}");
    let all = [
        "access_token",
        "id",
        "id_token",
        "instance_url",
        "issued_at",
        "refresh_token",
        "scope",
        "signature",
        "token_type",
    ];
    assert_eq!(keys(&granted), all);
    let identity = org.client.get(granted["id"].as_str().unwrap());
    let identity = identity.bearer_auth(granted["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(identity.json::<Value>().await.unwrap()["username"], org.emulator.credentials().username);
    refused(&org, &[("code", &code), ("code_verifier", VERIFIER)], "invalid_grant", "invalid authorization code").await;

    let fields = [("grant_type", "refresh_token"), ("refresh_token", granted["refresh_token"].as_str().unwrap())];
    let (status, again) = exchange(&org, &fields).await;
    assert_eq!(status, 200, "{again}");
    assert!(again.get("refresh_token").is_none() && again["scope"] == granted["scope"]);
}

#[tokio::test]
async fn challenges_may_be_plain_or_without_a_method() {
    let org = Org::demo().await;
    let plain = allowed(&org, &[("code_challenge", "just-this"), ("code_challenge_method", "plain")]).await;
    let (status, body) = exchange(&org, &[("code", &plain.must("code")), ("code_verifier", "just-this")]).await;
    assert_eq!(status, 200, "{body}");
    let browser = Browser::new(&org);
    let c = org.emulator.credentials();
    let parameters = [
        ("response_type", "code"),
        ("client_id", c.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
    ];
    let page = browser.authorize(&parameters).await;
    // The approval of before holds.
    let page = browser.log_in(page, &c.username, &c.password).await;
    let (status, body) = exchange(&org, &[("code", &page.must("code")), ("code_verifier", VERIFIER)]).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn scopes_decide_what_is_given() {
    let org = Org::demo().await;
    let page = allowed(&org, &[("scope", "api id")]).await;
    let (_, granted) = exchange(&org, &[("code", &page.must("code"))]).await;
    assert_eq!(granted["scope"], "id api");
    assert!(granted.get("refresh_token").is_none() && granted.get("id_token").is_none(), "{granted}");
}

#[tokio::test]
async fn a_login_may_be_asked_for_again_hinted_or_forbidden() {
    let org = Org::demo().await;
    let c = org.emulator.credentials();
    let browser = Browser::new(&org);
    let ask = |extra: &'static [(&'static str, &'static str)]| {
        let mut parameters =
            vec![("response_type", "code"), ("client_id", c.client_id.as_str()), ("redirect_uri", CALLBACK)];
        parameters.extend(extra);
        let browser = &browser;
        async move { browser.authorize(&parameters).await }
    };
    for silent in [[("immediate", "true")].as_slice(), &[("prompt", "none")]] {
        assert_eq!(ask(silent).await.must("error"), "immediate_unsuccessful");
    }
    let hinted = browser.follow(ask(&[("login_hint", "ida@example.com"), ("display", "popup")]).await).await;
    assert!(hinted.text.contains("value=\"ida@example.com\""), "{}", hinted.text);

    let wrong = browser.log_in(ask(&[]).await, &c.username, "wrong").await;
    assert!(wrong.text.contains("id=\"error\"") && wrong.text.contains("check your username"), "{}", wrong.text);
    let approval = browser.log_in(ask(&[]).await, &c.username, &c.password).await;
    let denied = browser.press(&approval, "cancel").await;
    assert_eq!(
        denied.location(),
        format!("{CALLBACK}?error=access_denied&error_description=end-user+denied+authorization")
    );
    assert_eq!(ask(&[("immediate", "true")]).await.must("error"), "immediate_unsuccessful");

    let approval = browser.follow(ask(&[]).await).await;
    browser.press(&approval, "save").await.must("code");
    ask(&[("immediate", "true")]).await.must("code");
    let consent = browser.follow(ask(&[("prompt", "consent")]).await).await;
    assert!(consent.text.contains("id=\"oaapprove\""), "{}", consent.text);
    // After the login that it asks for, the approval of before holds.
    browser.log_in(ask(&[("prompt", "login")]).await, &c.username, &c.password).await.must("code");
    assert!(browser.follow(browser.get("/secur/logout.jsp").await).await.text.contains("id=\"Login\""));
    assert_eq!(ask(&[("prompt", "none")]).await.must("error"), "immediate_unsuccessful");
}

#[tokio::test]
async fn what_is_refused_before_a_login_has_no_callback() {
    let apps = vec![App {
        client_id: "strict".to_owned(),
        callbacks: vec!["http://localhost:1717/OauthRedirect".to_owned()],
        pkce_required: true,
        ..App::default()
    }];
    let org = Org::with(Options { apps, ..Options::default() }).await;
    let browser = Browser::new(&org);
    for (client, callback, body) in [
        ("nobody", CALLBACK, "error=invalid_client_id&error_description=client%20identifier%20invalid"),
        (
            "strict",
            "http://127.0.0.1:1717/OauthRedirect",
            "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration",
        ),
        (
            "strict",
            "http://localhost:1717/OauthRedirect/",
            "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration",
        ),
        ("strict", "", "error=redirect_uri_missing&error_description=redirect_uri%20not%20provided"),
        ("strict", CALLBACK, "error=invalid_request&error_description=missing%20required%20code%20challenge"),
    ] {
        let parameters = [("response_type", "code"), ("client_id", client), ("redirect_uri", callback)];
        let page = browser.authorize(&parameters).await;
        assert_eq!((page.status, page.content_type, page.text.as_str()), (400, None, body));
    }
    for (extra, error) in [
        (("response_type", "sesame"), "unsupported_response_type"),
        (("scope", "api everything"), "invalid_scope"),
        (("code_challenge_method", "S512"), "invalid_request"),
    ] {
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", "strict"),
            ("redirect_uri", CALLBACK),
            ("code_challenge", CHALLENGE),
            ("state", "s"),
        ];
        parameters.retain(|(name, _)| *name != extra.0);
        parameters.push(extra);
        let page = browser.authorize(&parameters).await;
        assert_eq!((page.status, page.must("error").as_str(), page.must("state").as_str()), (302, error, "s"));
    }
}

#[tokio::test]
async fn the_user_agent_flow_answers_in_the_fragment() {
    let org = Org::demo().await;
    let page = allowed(&org, &[("response_type", "token id_token"), ("nonce", "n-1")]).await;
    assert!(page.location().starts_with(&format!("{CALLBACK}#")), "{}", page.location());
    assert_eq!(page.must("state"), "a b&c");
    assert_eq!(page.must("instance_url"), org.emulator.url());
    let limits = org.client.get(org.url("/services/data/v62.0/limits"));
    assert_eq!(limits.bearer_auth(page.must("access_token")).send().await.unwrap().status().as_u16(), 200);
    assert!(page.must("id_token").starts_with("eyJ"));
    let browser = Browser::new(&org);
    let c = org.emulator.credentials();
    let parameters = [
        ("response_type", "token"),
        ("client_id", c.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("immediate", "true"),
    ];
    let page = browser.authorize(&parameters).await;
    assert!(page.location().starts_with(&format!("{CALLBACK}#error=immediate_unsuccessful")), "{}", page.location());
}

#[tokio::test]
async fn late_codes_are_refused() {
    let policy = Policy { code_seconds: 0, ..Policy::default() };
    let org = Org::with(Options { policy, ..Options::default() }).await;
    let page = allowed(&org, &[]).await;
    refused(&org, &[("code", &page.must("code"))], "invalid_grant", "expired authorization code").await;
}

#[tokio::test]
async fn discovery_keys_and_tokens_fit_together() {
    let org = Org::demo().await;
    let document: Value =
        org.client.get(org.url("/.well-known/openid-configuration")).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["issuer"], org.emulator.url());
    let keys: Value =
        org.client.get(document["jwks_uri"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    assert_eq!(keys["keys"][0]["alg"], "RS256");
    let absent = org.client.get(org.url("/.well-known/oauth-authorization-server")).send().await.unwrap();
    assert_eq!(absent.status().as_u16(), 404);
}

#[tokio::test]
async fn jwt_access_tokens_are_good_for_rest_alone() {
    let c = forcepump_emulator::options::Account::default();
    let app = App {
        client_id: c.client_id.clone(),
        client_secret: Some(c.client_secret.clone()),
        token_format: TokenFormat::Jwt,
        run_as: Some("admin@forcepump.example".to_owned()),
        ..App::default()
    };
    let org = Org::with(Options { apps: vec![app], ..Options::default() }).await;
    let (status, granted) = exchange(&org, &[("grant_type", "client_credentials")]).await;
    let token = granted["access_token"].as_str().unwrap_or_else(|| panic!("{status} {granted}"));
    assert!(token.starts_with("eyJ"));
    let limits = org.client.get(org.url("/services/data/v62.0/limits")).bearer_auth(token).send().await.unwrap();
    assert_eq!(limits.status().as_u16(), 200);
    for (token, status, text) in [
        (token, 500, "<faultcode>sf:INVALID_SESSION_ID</faultcode>"),
        (org.emulator.credentials().access_token.as_str(), 200, "<userName>admin@forcepump.example</userName>"),
    ] {
        let body = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header><SessionHeader \
             xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{token}</sessionId></SessionHeader></e:Header><e:Body>\
             <getUserInfo xmlns=\"urn:partner.soap.sforce.com\"/></e:Body></e:Envelope>"
        );
        let answer = org.client.post(org.url("/services/Soap/u/62.0")).header("content-type", "text/xml");
        let answer = answer.header("soapaction", "\"\"").body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let answer = answer.text().await.unwrap();
        assert!(answer.contains(text), "{answer}");
    }
}
