//! The device flow, and the tools of Salesforce that send forms in their own way.

use forcepump_emulator::Options;
use forcepump_emulator::access::Policy;
use serde_json::Value;

use crate::browser::{Browser, CALLBACK, form_pairs};
use crate::support::{Org, keys};

#[tokio::test]
async fn the_command_line_of_salesforce_has_no_secret_and_a_long_verifier() {
    let org = Org::demo().await;
    let c = org.emulator.credentials();
    // 171 characters, more than RFC 7636 allows.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".repeat(4)[..171].to_owned();
    let parameters = [
        ("prompt", "login"),
        ("response_type", "code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", CALLBACK),
        ("scope", "refresh_token api web"),
        ("code_challenge", &verifier),
        ("code_challenge_method", "plain"),
    ];
    let browser = Browser::new(&org);
    let page = browser.log_in(browser.authorize(&parameters).await, &c.username, &c.password).await;
    let code = browser.press(&page, "save").await.must("code");
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", CALLBACK),
        ("code", &code),
        ("code_verifier", &verifier),
    ];
    let (status, granted) = device_token(&org, &fields).await;
    assert_eq!(status, 200, "{granted}");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "PlatformCLI"),
        ("refresh_token", granted["refresh_token"].as_str().unwrap()),
    ];
    let (status, granted) = device_token(&org, &fields).await;
    assert_eq!(status, 200, "{granted}");
    // What it asks for next.
    let access = granted["access_token"].as_str().unwrap();
    let query = "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization";
    let url = org.url("/services/data/v62.0/query");
    let rows = org.client.get(&url).query(&[("q", query)]).bearer_auth(access).send().await.unwrap();
    assert_eq!(rows.json::<Value>().await.unwrap()["totalSize"], 1);
    let hub = org.client.get(&url).query(&[("q", "SELECT Id FROM ScratchOrgInfo limit 1")]).bearer_auth(access);
    assert!(matches!(hub.send().await.unwrap().status().as_u16(), 200 | 400));
}

async fn device_token(org: &Org, fields: &[(&str, &str)]) -> (u16, Value) {
    let answer = org.client.post(org.url("/services/oauth2/token")).form(fields).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Posts a multipart form to the token endpoint.
async fn multipart(org: &Org, fields: &[(&str, &str)], accept: &str) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body: String = fields.iter().map(part).chain(["--B--\r\n".to_owned()]).collect();
    let request = org.client.post(org.url("/services/oauth2/token")).header("accept", accept);
    let request = request.header("content-type", "multipart/form-data; boundary=B").body(body);
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_device_polls_until_somebody_typed_its_code() {
    let policy = Policy { device_interval_seconds: 0, ..Policy::default() };
    let org = Org::with(Options { policy, ..Options::default() }).await;
    let c = org.emulator.credentials();
    for (button, error) in [("save", None), ("cancel", Some("access_denied"))] {
        // The command line of Salesforce sends multipart.
        let started = multipart(&org, &[("response_type", "device_code"), ("client_id", &c.client_id)], "*/*").await;
        let started: Value = serde_json::from_str(&started).unwrap();
        assert_eq!(keys(&started), ["device_code", "interval", "user_code", "verification_uri"]);
        let (code, typed) = (started["device_code"].as_str().unwrap(), started["user_code"].as_str().unwrap());
        let poll = [("grant_type", "device"), ("client_id", &c.client_id), ("code", code)];
        let (status, pending) = device_token(&org, &poll).await;
        assert_eq!((status, pending["error"].as_str()), (400, Some("authorization_pending")));

        let browser = Browser::new(&org);
        let page = browser.get(started["verification_uri"].as_str().unwrap()).await;
        assert!(page.text.contains("id=\"user_code\""), "{}", page.text);
        let wrong = browser.post("/setup/connect", &[("user_code", "00000000"), ("connect", "Connect")]).await;
        assert!(wrong.text.contains("not valid"), "{}", wrong.text);
        let typed = typed.to_lowercase();
        let page = browser.post("/setup/connect", &[("user_code", &typed), ("connect", "Connect")]).await;
        let approval = browser.log_in(page, &c.username, &c.password).await;
        let done = browser.press(&approval, button).await;
        assert!(done.text.contains("id=\"result\""), "{}", done.text);

        let (status, body) = device_token(&org, &poll).await;
        match error {
            Some(error) => assert_eq!((status, body["error"].as_str()), (400, Some(error))),
            None => assert!(status == 200 && body["refresh_token"].is_string(), "{body}"),
        }
        assert_eq!(device_token(&org, &poll).await.1["error"], "invalid_grant");
    }
    let rfc = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("client_id", &c.client_id)];
    assert_eq!(device_token(&org, &rfc).await.1["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn hasty_and_late_devices_are_told_so() {
    for (policy, error) in
        [(Policy::default(), "slow_down"), (Policy { device_seconds: 0, ..Policy::default() }, "invalid_grant")]
    {
        let org = Org::with(Options { policy, ..Options::default() }).await;
        let c = org.emulator.credentials();
        let start = [("response_type", "device_code"), ("client_id", c.client_id.as_str())];
        let (_, started) = device_token(&org, &start).await;
        assert_eq!(started["interval"], 5);
        let code = started["device_code"].as_str().unwrap();
        let poll = [("grant_type", "device"), ("client_id", c.client_id.as_str()), ("code", code)];
        device_token(&org, &poll).await;
        assert_eq!(device_token(&org, &poll).await.1["error"], error);
    }
}

#[tokio::test]
async fn posted_authorizations_and_forms_as_answers() {
    let org = Org::demo().await;
    let c = org.emulator.credentials();
    let browser = Browser::new(&org);
    let parameters = [("response_type", "code"), ("client_id", c.client_id.as_str()), ("redirect_uri", CALLBACK)];
    let page = browser.post("/services/oauth2/authorize", &parameters).await;
    let approval = browser.log_in(page, &c.username, &c.password).await;
    let code = browser.press(&approval, "save").await.must("code");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("client_id", &c.client_id),
        ("client_secret", &c.client_secret),
    ];
    let answer = multipart(&org, &fields, "application/x-www-form-urlencoded").await;
    let pairs = form_pairs(&answer);
    assert!(pairs.iter().any(|(name, value)| name == "token_type" && value == "Bearer"), "{answer}");
}
