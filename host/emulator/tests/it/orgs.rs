//! Several orgs behind one login address, and sandboxes behind another.

use forcepump_emulator::access::{App, AppKind, UserAccess};
use forcepump_emulator::{Emulator, Emulators, FaultScript, Options};
use reqwest::Client;
use serde_json::Value;

use crate::browser::{Browser, CALLBACK};
use crate::support::{client, refused};

struct Orgs {
    emulators: Emulators,
    client: Client,
}

impl Orgs {
    /// A production org, and two sandboxes of it that do not know the partner's app.
    async fn start() -> Orgs {
        let partner = App {
            client_id: "partner".to_owned(),
            client_secret: Some("s3cret".to_owned()),
            callbacks: vec![CALLBACK.to_owned()],
            run_as: Some("admin@forcepump.example".to_owned()),
            ..App::default()
        };
        let local = App { client_id: "local".to_owned(), kind: AppKind::External, ..partner.clone() };
        let production = Options { name: Some("Acme".to_owned()), apps: vec![partner, local], ..Options::default() };
        let sandbox = Options {
            name: Some("Acme UAT".to_owned()),
            sandbox: Some("UAT".to_owned()),
            generate: vec![("Account".to_owned(), 7)],
            ..Options::default()
        };
        let second = Options { sandbox: Some("dev".to_owned()), ..Options::default() };
        let emulators = Emulators::start(Options::default(), vec![production, sandbox, second]).await.unwrap();
        Orgs { emulators, client: client() }
    }

    fn org(&self, place: usize) -> &Emulator {
        &self.emulators.orgs()[place]
    }

    async fn get(&self, base: &str, path: &str, token: &str) -> reqwest::Response {
        self.client.get(format!("{base}{path}")).bearer_auth(token).send().await.unwrap()
    }

    async fn token(&self, base: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.client.post(format!("{base}/services/oauth2/token")).form(fields).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn every_org_has_its_own_rows_users_and_sessions() {
    let orgs = Orgs::start().await;
    let (one, other) = (orgs.org(0).credentials(), orgs.org(1).credentials());
    assert_ne!(one.organization_id, other.organization_id);
    assert_eq!(other.username, format!("{}.uat", one.username));
    assert_eq!(orgs.org(1).rows("Account"), Some(7));
    assert_eq!(one.login_url, orgs.emulators.login_url());
    assert_eq!(Some(other.login_url.as_str()), orgs.emulators.test_login_url());

    let limits = "/services/data/v62.0/limits";
    for (credentials, own) in [(one, 0), (other, 1)] {
        assert!(credentials.access_token.starts_with(&credentials.organization_id[..15]));
        for place in [0, 1] {
            let answer = orgs.get(orgs.org(place).url(), limits, &credentials.access_token).await;
            if own == place {
                assert_eq!(answer.status().as_u16(), 200);
            } else {
                refused(answer, 401, "INVALID_SESSION_ID").await;
            }
        }
        // Rows are not at the login address.
        let front = orgs.get(&credentials.login_url, limits, &credentials.access_token).await;
        refused(front, 401, "INVALID_SESSION_ID").await;
    }
    let soql = "/services/data/v62.0/query?q=SELECT+Id,Name,IsSandbox+FROM+Organization";
    let row: Value = orgs.get(&other.instance_url, soql, &other.access_token).await.json().await.unwrap();
    let row = &row["records"][0];
    assert_eq!((row["Id"].as_str(), row["IsSandbox"].as_bool()), (Some(other.organization_id.as_str()), Some(true)));
    assert_eq!(row["Name"], "Acme UAT");
}

#[tokio::test]
async fn the_login_address_sends_each_user_to_his_org() {
    let orgs = Orgs::start().await;
    for place in [0, 1, 2] {
        let c = orgs.org(place).credentials();
        let browser = Browser::at(&c.login_url);
        let parameters = [("response_type", "code"), ("client_id", c.client_id.as_str()), ("redirect_uri", CALLBACK)];
        let page = browser.log_in(browser.authorize(&parameters).await, &c.username, &c.password).await;
        let code = browser.press(&page, "save").await.must("code");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("client_id", &c.client_id),
            ("client_secret", &c.client_secret),
            ("redirect_uri", CALLBACK),
        ];
        let elsewhere = orgs.org((place + 1) % 3).url();
        let (_, other) = orgs.token(elsewhere, &fields).await;
        assert_eq!(other["error_description"], "invalid authorization code");
        let (_, granted) = orgs.token(&c.login_url, &fields).await;
        assert_eq!(granted["instance_url"], orgs.org(place).url());
        let id = granted["id"].as_str().unwrap();
        assert!(id.starts_with(&format!("{}/id/{}/", c.login_url, c.organization_id)), "{id}");
        let access = granted["access_token"].as_str().unwrap();
        let who: Value = orgs.client.get(id).bearer_auth(access).send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (who["username"].as_str(), who["urls"]["custom_domain"].as_str()),
            (Some(c.username.as_str()), Some(orgs.org(place).url()))
        );
        let resources: Value =
            orgs.get(orgs.org(place).url(), "/services/data/v62.0", access).await.json().await.unwrap();
        assert_eq!(resources["identity"], id);

        let refresh = [
            ("grant_type", "refresh_token"),
            ("refresh_token", granted["refresh_token"].as_str().unwrap()),
            ("client_id", &c.client_id),
            ("client_secret", &c.client_secret),
        ];
        let login = c.login_url.as_str();
        for (base, status) in [(login, 200), (orgs.org(place).url(), 200), (elsewhere, 400)] {
            assert_eq!(orgs.token(base, &refresh).await.0, status);
        }

        let login = format!(
            "<login><username>{}</username><password>{}{}</password></login>",
            c.username, c.password, c.security_token
        );
        let body = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>{login}</e:Body></e:Envelope>"
        );
        let soap = |base: &str| {
            let request = orgs.client.post(format!("{base}/services/Soap/u/62.0")).header("content-type", "text/xml");
            request.body(body.clone()).send()
        };
        let text = soap(&c.login_url).await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!("<serverUrl>{}/services/Soap/u/62.0/", orgs.org(place).url())), "{text}");
        assert!(text.contains(&format!("<sandbox>{}</sandbox>", place > 0)), "{text}");
        let text = soap(elsewhere).await.unwrap().text().await.unwrap();
        assert!(text.contains("INVALID_LOGIN"), "{text}");
    }
}

#[tokio::test]
async fn a_revocation_is_sent_on_to_the_org_of_the_token() {
    let orgs = Orgs::start().await;
    let c = orgs.org(1).credentials();
    let url = format!("{}/services/oauth2/revoke", c.login_url);
    let revoked = orgs.client.post(&url).form(&[("token", &c.refresh_token)]).send().await.unwrap();
    assert!(revoked.status().as_u16() == 200 && revoked.url().as_str().starts_with(orgs.org(1).url()));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", c.refresh_token.as_str()),
        ("client_id", &c.client_id),
        ("client_secret", &c.client_secret),
    ];
    assert_eq!(orgs.token(&c.login_url, &fields).await.1["error"], "invalid_grant");
    let unknown = orgs.client.post(&url).form(&[("token", "x")]).send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 400);
}

#[tokio::test]
async fn client_credentials_belong_to_an_org_and_apps_of_other_orgs_are_not_installed() {
    let orgs = Orgs::start().await;
    let ask = async |base: &str, client: &str| {
        let fields = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", "s3cret")];
        orgs.token(base, &fields).await
    };
    let (status, granted) = ask(orgs.org(0).url(), "partner").await;
    assert_eq!(status, 200, "{granted}");
    let (_, front) = ask(orgs.emulators.login_url(), "partner").await;
    assert_eq!(front["error_description"], "request not supported on this domain");
    // Its run-as user is unknown in the other org too, but a sandbox user of the same name would not help either.
    orgs.org(1).change_user(UserAccess {
        username: "admin@forcepump.example".to_owned(),
        approve_uninstalled: Some(false),
        ..UserAccess::default()
    });
    let (_, other) = ask(orgs.org(1).url(), "partner").await;
    assert_eq!(
        (other["error"].as_str(), other["error_description"].as_str()),
        (Some("invalid_client"), Some("app must be installed into org"))
    );

    let c = orgs.org(1).credentials();
    let browser = Browser::at(&c.login_url);
    let parameters = [("response_type", "code"), ("client_id", "local"), ("redirect_uri", CALLBACK)];
    let end = browser.log_in(browser.authorize(&parameters).await, &c.username, &c.password).await;
    // The page is the org's own.
    assert!(
        end.location()
            .starts_with(&format!("{}/setup/secur/RemoteAccessErrorPage.apexp?error=app_not_found", orgs.org(1).url()))
    );
    let page = browser.get(end.location()).await;
    assert!(page.text.contains("OAUTH_EC_APP_NOT_FOUND"), "{}", page.text);
    let (_, body) = ask(orgs.org(1).url(), "local").await;
    assert_eq!(body["error"], "app_not_found");
}

#[tokio::test]
async fn a_user_of_a_sandbox_is_unknown_at_the_login_address_of_production() {
    let orgs = Orgs::start().await;
    for (of, at) in [(0, 1), (1, 0)] {
        let (c, other) = (orgs.org(of).credentials(), orgs.org(at).credentials());
        let browser = Browser::at(&other.login_url);
        let parameters = [("response_type", "code"), ("client_id", c.client_id.as_str()), ("redirect_uri", CALLBACK)];
        let page = browser.log_in(browser.authorize(&parameters).await, &c.username, &c.password).await;
        assert!(page.text.contains("id=\"error\""), "{}", page.text);
        let password = format!("{}{}", c.password, c.security_token);
        let fields = [
            ("grant_type", "password"),
            ("client_id", c.client_id.as_str()),
            ("client_secret", &c.client_secret),
            ("username", &c.username),
            ("password", &password),
        ];
        assert_eq!(orgs.token(&other.login_url, &fields).await.1["error_description"], "authentication failure");
        assert_eq!(orgs.token(&c.login_url, &fields).await.0, 200);
    }
}

#[tokio::test]
async fn the_login_address_has_faults_of_its_own() {
    let script = "[[fault]]\non = { route = \"token\" }\ndo = { kind = \"html-503\" }";
    let login = Options { faults: FaultScript::parse(script).unwrap(), ..Options::default() };
    let emulators = Emulators::start(login, vec![Options::default()]).await.unwrap();
    let orgs = Orgs { emulators, client: client() };
    let ask = async |base: &str| {
        let answer = orgs.client.post(format!("{base}/services/oauth2/token")).form(&[("grant_type", "x")]);
        answer.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(orgs.org(0).url()).await, 400);
    assert_eq!([ask(orgs.emulators.login_url()).await, ask(orgs.emulators.login_url()).await], [503, 400]);
}

#[tokio::test]
async fn limits_and_jobs_are_each_orgs_own() {
    let small = Options { daily_api_requests: 1, ..Options::default() };
    let emulators = Emulators::start(
        Options::default(),
        vec![small, Options { sandbox: Some("dev".to_owned()), ..Options::default() }],
    )
    .await
    .unwrap();
    let orgs = Orgs { emulators, client: client() };
    for (place, statuses) in [(0, [200, 403]), (1, [200, 200])] {
        let c = orgs.org(place).credentials();
        for status in statuses {
            let answer = orgs.get(&c.instance_url, "/services/data/v62.0/limits", &c.access_token).await;
            assert_eq!(answer.status().as_u16(), status);
        }
        assert_eq!(orgs.org(place).requests().len(), 2);
    }
    assert!(orgs.emulators.requests().is_empty());
    orgs.emulators.stop().await;
}
