//! The client against the emulator, which was written from the same facts by other hands.

use std::time::Duration;

use arrow_schema::DataType;
use forcepump_emulator::options::{EmptyResultBody, Options, ResultPagesShape};
use forcepump_emulator::{Credentials, Emulator, FaultScript};
use forcepump_salesforce::{
    Client, ClientOptions, ConnectionConfig, ErrorKind, NextPage, QueryJob, QueryOptions, ResolvedConnection, Result,
    Select, check_count, classify, resolve,
};
use futures_util::StreamExt;
use secrecy::SecretString;

use crate::server::options;

const ACCOUNTS: usize = 40;
pub(crate) const CONTACTS: usize = 790;

/// An org with a little data: the demo org takes a second to load, and there are many orgs here.
pub(crate) async fn org(options: Options) -> Emulator {
    let folder = tempfile::tempdir().unwrap();
    let mut accounts = "Ext_Id__c,Name,AnnualRevenue\n".to_owned();
    (0..ACCOUNTS).for_each(|i| accounts.push_str(&format!("A{i},\"Account, {i}\",12345678\n")));
    let mut contacts = "Ext_Id__c,LastName,Account.Ext_Id__c\n".to_owned();
    (0..CONTACTS).for_each(|i| contacts.push_str(&format!("C{i},Name {i},A{}\n", i % ACCOUNTS)));
    std::fs::write(folder.path().join("Account.csv"), accounts).unwrap();
    std::fs::write(folder.path().join("Contact.csv"), contacts).unwrap();
    let org = Emulator::start(Options { data: Some(folder.path().to_owned()), ..options }).await.unwrap();
    assert_eq!((org.rows("Account"), org.rows("Contact")), (Some(ACCOUNTS as u64), Some(CONTACTS as u64)));
    org
}

pub(crate) fn faults(script: &str) -> Options {
    Options { faults: FaultScript::parse(script).unwrap(), ..Options::default() }
}

fn connection(who: &Credentials) -> ResolvedConnection {
    let secret = SecretString::from(who.client_secret.clone());
    ResolvedConnection::client_credentials(&who.instance_url, &who.client_id, secret).unwrap()
}

pub(crate) fn client(org: &Emulator, options: ClientOptions) -> Client {
    Client::new(connection(org.credentials()), options).unwrap()
}

/// What a whole query gave.
#[derive(Debug)]
struct Extract {
    rows: u64,
    pages: usize,
    header: String,
    listed: bool,
}

/// Runs a query from create to delete, with every count checked. Rows are ends of lines: use fields without newlines.
async fn extract(client: &Client, soql: &str, max_records: Option<u64>) -> Result<Extract> {
    let query = resolve(client, &Select::parse(soql)?).await?;
    let job = QueryJob::create(client, &query.soql, QueryOptions { max_records, ..QueryOptions::default() }).await?;
    let info = job.wait(|_| {}, std::future::pending()).await?;
    let mut pages = job.pages();
    let mut done = Extract { rows: 0, pages: 0, header: String::new(), listed: false };
    while let NextPage::Page(page) = pages.next().await? {
        let mut fetched = job.fetch(&page).await?;
        pages.learned(&page, fetched.next_locator.as_deref())?;
        let mut text = Vec::new();
        while let Some(chunk) = fetched.body.next().await {
            text.extend_from_slice(&chunk?);
        }
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines();
        done.header = lines.next().unwrap_or_default().to_owned();
        let rows = lines.count() as u64;
        check_count("page", fetched.announced_rows, rows)?;
        done.rows += rows;
        done.pages += 1;
    }
    done.listed = pages.is_listed();
    check_count("job", info.number_records_processed, done.rows)?;
    job.delete().await?;
    Ok(done)
}

#[tokio::test]
async fn the_whole_flow_in_every_shape_of_result_pages() {
    use ResultPagesShape::{Chunks, Guide, NotFound, Postman};
    for shape in [Guide, Postman, Chunks, NotFound] {
        let org = org(Options { result_pages: shape, page_size: 150, ..Options::default() }).await;
        let client = client(&org, options());
        let done = extract(&client, "SELECT Id, Ext_Id__c, Account.Ext_Id__c FROM Contact", None).await.unwrap();
        let expected = org.rows("Contact").unwrap();
        assert_eq!(done.rows, expected, "{shape:?}");
        assert_eq!(done.pages as u64, expected.div_ceil(150), "{shape:?}");
        assert_eq!(done.header, r#""Id","Ext_Id__c","Account.Ext_Id__c""#, "{shape:?}");
        assert_eq!(done.listed, shape != NotFound, "{shape:?}");
        assert!(org.requests().iter().all(|r| !r.path.contains("//")), "{shape:?}");
    }
}

#[tokio::test]
async fn small_pages_lose_no_row() {
    for shape in [ResultPagesShape::Guide, ResultPagesShape::NotFound] {
        let org = org(Options { result_pages: shape, ..Options::default() }).await;
        let done = extract(&client(&org, options()), "SELECT Id FROM Contact", Some(100)).await.unwrap();
        assert_eq!(done.rows, org.rows("Contact").unwrap(), "{shape:?}");
    }
}

#[tokio::test]
async fn an_empty_result_has_types_and_no_rows() {
    for body in [EmptyResultBody::Header, EmptyResultBody::ZeroBytes] {
        let org = org(Options { empty_result_body: body, ..Options::default() }).await;
        let client = client(&org, options());
        let soql = "SELECT Id, AnnualRevenue FROM Account WHERE Name = 'no such name'";
        let query = resolve(&client, &Select::parse(soql).unwrap()).await.unwrap();
        assert!(matches!(query.schema.field(1).data_type(), DataType::Decimal128(..)));
        let done = extract(&client, soql, None).await.unwrap();
        assert_eq!(done.rows, 0, "{body:?}");
    }
}

#[tokio::test]
async fn every_readable_field_of_every_demo_object() {
    let org = Emulator::start(Options::default()).await.unwrap();
    let client = client(&org, options());
    for object in ["Account", "Contact", "Opportunity", "Order_Line__c"] {
        let none: [&str; 0] = [];
        let query = resolve(&client, &Select::from_fields(object, &none, None).unwrap()).await.unwrap();
        let job = QueryJob::create(&client, &query.soql, QueryOptions::default()).await.unwrap();
        job.wait(|_| {}, std::future::pending()).await.unwrap();
        let NextPage::Page(page) = job.pages().next().await.unwrap() else { panic!("a page") };
        let mut body = job.fetch(&page).await.unwrap().body;
        let first = String::from_utf8_lossy(&body.next().await.unwrap().unwrap()).into_owned();
        let names: Vec<_> = query.schema.fields().iter().map(|f| format!("\"{}\"", f.name())).collect();
        assert!(first.starts_with(&names.join(",")), "{object}: {}", first.lines().next().unwrap_or_default());
    }
}

#[tokio::test]
async fn small_questions() {
    let org = org(Options::default()).await;
    let client = client(&org, options());
    assert!(client.versions().await.unwrap().iter().any(|v| v.version == client.api_version()));
    assert!(client.limits().await.unwrap()["DailyApiRequests"].max > 0);
    assert!(client.describe_global().await.unwrap().iter().any(|o| o.name == "Account"));
    assert!(client.api_usage().is_some());
    let error = client.describe("Acount").await.unwrap_err();
    assert!(error.to_string().contains("did you mean Account?"), "{error}");
    let error = QueryJob::create(&client, "SELECT Nmae FROM Account", QueryOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query);
    assert!(error.to_string().contains("No such column"), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_is_named() {
    let org = org(Options::default()).await;
    let mut who = org.credentials().clone();
    who.client_secret = "wr0ng".to_owned();
    let error = Client::new(connection(&who), options()).unwrap().login().await.unwrap_err();
    assert!(error.to_string().contains("client_secret is wrong"), "{error}");
    assert!(!error.to_string().contains("wr0ng"), "{error}");
}

#[tokio::test]
async fn other_ways_to_log_in() {
    let org = org(Options { rotation: true, ..Options::default() }).await;
    let who = org.credentials();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("refresh"), &who.refresh_token).unwrap();
    std::fs::write(folder.path().join("access"), &who.access_token).unwrap();
    std::fs::write(folder.path().join("secret"), &who.client_secret).unwrap();
    let refresh = format!(
        "auth = 'refresh-token'\nurl = '{}'\nclient_id = '{}'\nclient_secret = 'file:secret'\nrefresh_token = 'file:refresh'",
        who.instance_url, who.client_id
    );
    let access = format!("auth = 'access-token'\ninstance_url = '{}'\naccess_token = 'file:access'", who.instance_url);
    for text in [access, refresh.clone(), refresh] {
        let config: forcepump_salesforce::ConnectionConfig = toml::from_str(&text).unwrap();
        let client = Client::new(config.resolve("it", folder.path()).unwrap(), options()).unwrap();
        client.limits().await.unwrap();
    }
    let stored = std::fs::read_to_string(folder.path().join("refresh")).unwrap();
    assert_ne!(stored, who.refresh_token, "rotated twice, stored twice");
}

#[tokio::test]
async fn faults_that_are_survived() {
    let table = [
        ("session in the middle", r#"on = { route = "bulk2-results", nth = 2 }"#, r#"kind = "session-expired""#),
        ("html on results", r#"on = { route = "bulk2-results" }"#, r#"kind = "html-503""#),
        ("html on create", r#"on = { route = "bulk2-create" }"#, r#"kind = "html-503""#),
        ("500 on a poll", r#"on = { route = "bulk2-job" }"#, r#"kind = "status", code = 500"#),
        ("cut describe", r#"on = { route = "describe" }"#, r#"kind = "cut", after_bytes = 100"#),
        ("406", r#"on = { route = "bulk2-results" }"#, r#"kind = "status", code = 406"#),
        ("no list", r#"on = { route = "bulk2-result-pages" }"#, r#"kind = "status", code = 403"#),
        ("short page", r#"on = { route = "bulk2-results" }"#, r#"kind = "short-page", rows = 10"#),
        ("no count", r#"on = { route = "bulk2-results" }"#, r#"kind = "no-count""#),
    ];
    for (name, on, effect) in table {
        let script = format!("[[fault]]\n{on}\ndo = {{ {effect} }}\n");
        // short pages make a chain: the list knows nothing of them
        let shape = if name == "short page" { ResultPagesShape::NotFound } else { ResultPagesShape::Guide };
        let org = org(Options { page_size: 300, result_pages: shape, ..faults(&script) }).await;
        let done = extract(&client(&org, options()), "SELECT Id FROM Contact", None).await;
        assert_eq!(done.unwrap_or_else(|e| panic!("{name}: {e}")).rows, org.rows("Contact").unwrap(), "{name}");
    }
}

#[tokio::test]
async fn faults_that_are_errors() {
    use ErrorKind::{CountMismatch, Interrupted, Job, Limit, Protocol};
    let table = [
        ("bulk2-results", r#"kind = "cut", after_bytes = 50"#, Interrupted),
        ("bulk2-results", r#"kind = "cut", after_bytes = 50, reset = true"#, Interrupted),
        ("bulk2-results", r#"kind = "stall", after_bytes = 50"#, Interrupted),
        ("bulk2-results", r#"kind = "no-locator""#, Protocol),
        ("bulk2-results", r#"kind = "empty-locator""#, Protocol),
        ("bulk2-results", r#"kind = "wrong-count", by = 1"#, CountMismatch),
        ("bulk2-create", r#"kind = "limit""#, Limit),
        ("bulk2-create", r#"kind = "limit", which = "jobs""#, Limit),
        ("bulk2-job", r#"kind = "job-failed", reason = "QUERY_TIMEOUT: too long""#, Job),
        ("bulk2-job", r#"kind = "job-failed""#, Job),
        ("bulk2-job", r#"kind = "job-aborted""#, Job),
        ("bulk2-job", r#"kind = "job-stuck""#, Job),
    ];
    for (route, effect, expected) in table {
        let script = format!("[[fault]]\non = {{ route = \"{route}\" }}\ndo = {{ {effect} }}\n");
        let org = org(faults(&script)).await;
        let millis = |n| Duration::from_millis(n);
        let stuck = effect.contains("job-stuck").then_some(millis(30));
        let stall = if effect.contains("stall") { millis(100) } else { options().stall_timeout };
        let impatient = ClientOptions { job_stuck_after: stuck, stall_timeout: stall, ..options() };
        let error = extract(&client(&org, impatient), "SELECT Id, Name FROM Account", None).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{route} {effect}: {error}");
    }
}

#[tokio::test]
async fn an_abort_is_seen_by_the_org() {
    let org = org(faults("[[fault]]\non = { route = \"bulk2-job\" }\ndo = { kind = \"job-stuck\" }\n")).await;
    let client = client(&org, options());
    let job = QueryJob::create(&client, "SELECT Id FROM Account", QueryOptions::default()).await.unwrap();
    assert!(job.abort().await.unwrap());
    let error = job.wait(|_| {}, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("Aborted"), "{error}");
    job.delete().await.unwrap();
    assert!(QueryJob::attach(&client, job.id(), QueryOptions::default()).await.is_err());
}

#[tokio::test]
async fn classification_is_noted_in_the_columns_metadata_and_an_unreadable_one_is_an_error() {
    let refused = r#"[[fault]]
on = { route = "tooling-query", nth = 3 }
do = { kind = "status", code = 400, error_code = "INVALID_TYPE", message = "sObject type is not supported." }"#;
    let org = org(faults(refused)).await;
    let client = client(&org, options());
    let select = Select::parse("SELECT Id, Email, Account.Name, Birthdate FROM Contact").unwrap();
    let mut query = resolve(&client, &select).await.unwrap();
    classify(&client, &mut query).await.unwrap();
    let mark = |name: &str, key: &str| query.schema.field_with_name(name).unwrap().metadata().get(key).cloned();
    assert_eq!(mark("Email", "sf.complianceGroup").as_deref(), Some("PII;GDPR"));
    assert_eq!(mark("Email", "sf.securityClassification").as_deref(), Some("Confidential"));
    assert_eq!(mark("Birthdate", "sf.complianceGroup").as_deref(), Some("PII"));
    assert_eq!(mark("Account.Name", "sf.complianceGroup"), None);
    let error = classify(&client, &mut query).await.unwrap_err().to_string();
    assert!(error.contains("withhold_classified") && error.contains("FieldDefinition"), "{error}");
}

const TEST_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.key");
const TEST_PUBLIC_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator/tests/keys/test-app.pub");

/// A connection as the user writes it, with its secrets in files of a folder of its own.
fn written(org: &Org, settings: &str, secrets: &[(&str, &str)]) -> Result<Client> {
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in secrets {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let text = format!("url = '{}'\n{settings}", org.url());
    let config: ConnectionConfig = toml::from_str(&text).unwrap();
    Client::new(config.resolve("org", folder.path())?, options())
}

type Org = Emulator;

async fn limits_or_refusal(client: Result<Client>) -> String {
    match client {
        Ok(client) => client.limits().await.map_or_else(|error| error.to_string(), |_| "in".to_owned()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn the_soap_login_takes_password_and_token_apart() {
    let org = org(Options::default()).await;
    let who = org.credentials().clone();
    let settings =
        |user: &str| format!("auth = 'soap'\nusername = '{user}'\npassword = 'file:p'\nsecurity_token = 'file:t'");
    let secrets = [("p", who.password.as_str()), ("t", who.security_token.as_str())];
    assert_eq!(limits_or_refusal(written(&org, &settings(&who.username), &secrets)).await, "in");
    let wrong = limits_or_refusal(written(&org, &settings("nobody@acme.com"), &secrets)).await;
    assert!(wrong.contains("INVALID_LOGIN") && wrong.contains("Login History"), "{wrong}");
    let without = format!("auth = 'soap'\nusername = '{}'\npassword = 'file:p'", who.username);
    let without = limits_or_refusal(written(&org, &without, &secrets)).await;
    assert!(without.contains("LOGIN_MUST_USE_SECURITY_TOKEN") && without.contains("security_token"), "{without}");
    assert!(!without.contains(&who.password), "{without}");
}

#[tokio::test]
async fn the_jwt_bearer_flow_needs_no_secret_on_the_wire() {
    let account = forcepump_emulator::options::Account {
        jwt_certificate: Some(std::fs::read_to_string(TEST_PUBLIC_KEY).unwrap()),
        ..Default::default()
    };
    let org = org(Options { account, ..Options::default() }).await;
    let who = org.credentials().clone();
    let key = std::fs::read_to_string(TEST_KEY).unwrap();
    let settings = |id: &str, user: &str, more: &str| {
        format!("auth = 'jwt-bearer'\nclient_id = '{id}'\nusername = '{user}'\nprivate_key = 'file:k'\n{more}")
    };
    let table = [
        (settings(&who.client_id, &who.username, ""), "in"),
        (settings(&who.client_id, &who.username, &format!("audience = '{}'", org.url())), "in"),
        (settings("3MVG9other", &who.username, ""), "client_id is not known"),
        (settings(&who.client_id, "nobody@acme.com", ""), "has not approved the app"),
        (settings(&who.client_id, &who.username, "audience = 'https://example.com'"), "set audience"),
        (settings(&who.client_id, &who.username, "password = 'file:k'"), "password has no use"),
        ("auth = 'jwt-bearer'\nclient_id = 'x'\nusername = 'u'".to_owned(), "needs private_key"),
    ];
    for (settings, expected) in table {
        let found = limits_or_refusal(written(&org, &settings, &[("k", &key)])).await;
        assert!(found.contains(expected), "{settings}: {found}");
    }
    let unsigned = Emulator::start(Options::default()).await.unwrap();
    let found =
        limits_or_refusal(written(&unsigned, &settings(&who.client_id, &who.username, ""), &[("k", &key)])).await;
    assert!(found.contains("certificate of private_key"), "{found}");
}
