//! Clients that nobody here wrote count the same rows as the emulator.

use std::path::{Path, PathBuf};
use std::process::Command;

use forcepump_emulator::options::Account;
use forcepump_emulator::{Credentials, Emulators, Options};
use serde_json::{Value, json};

use crate::support::{Org, client};

/// Where `conformance/install.sh` puts the clients; the same variable moves it.
fn packages() -> PathBuf {
    match std::env::var_os("FORCEPUMP_CONFORMANCE_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/conformance"),
    }
}

/// Runs a client against the emulator; `None` when it is not installed, which continuous integration does not accept.
async fn run(mut command: Command, installed: PathBuf, credentials: Credentials) -> Option<Value> {
    if !installed.exists() {
        let missing = format!("{} is missing: run host/emulator/conformance/install.sh", installed.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        // libtest shows it with --nocapture; without the clients there is nothing to compare.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{missing}\n").as_bytes());
        return None;
    }
    let Value::Object(environment) = serde_json::to_value(credentials).unwrap() else { unreachable!() };
    command.envs(environment.iter().map(|(key, value)| (key, value.as_str().unwrap())));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_str(text.trim()).unwrap())
}

async fn compare(org: &Org, counts: Value) {
    let accounts = org.rows("Account");
    for key in ["rest_query", "bulk2_query", "bulk1_query", "bulk1_ids", "client_credentials_count"] {
        assert_eq!(counts[key], accounts, "{key}");
    }
    let described = org.json("/sobjects/Account/describe").await;
    assert_eq!(counts["describe_fields"], described["fields"].as_array().unwrap().len());
}

/// A script of jsforce's, and the file by which it is known to be installed.
fn node(script: &str) -> (Command, PathBuf) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let modules = packages().join("node");
    let mut command = Command::new("node");
    // Modules are found beside the script that imports them, so a copy is put there.
    command.arg(modules.join(script));
    let installed = modules.join("node_modules/jsforce/package.json");
    if installed.exists() {
        std::fs::copy(scripts.join(script), modules.join(script)).unwrap();
    }
    (command, installed)
}

#[tokio::test]
async fn jsforce_logs_in_by_the_browser_to_the_org_of_its_user() {
    client();
    let sandbox = Options {
        sandbox: Some("uat".to_owned()),
        generate: vec![("Account".to_owned(), 7)],
        rotation: true,
        ..Options::default()
    };
    let emulators = Emulators::start(Options::default(), vec![Options::default(), sandbox]).await.unwrap();
    let org = &emulators.orgs()[1];
    let (command, installed) = node("jsforce_login.mjs");
    if let Some(found) = run(command, installed, org.credentials().clone()).await {
        let c = org.credentials();
        let expected = json!({
            "state": "ü=&",
            "instance_url": c.instance_url,
            "username": c.username,
            "organization_id": c.organization_id,
            "count": 7,
            "count_after_refresh": 7,
            "refreshed": 1,
            "ended": "INVALID_SESSION_ID",
            "refused": "invalid_grant: expired access/refresh token",
            "again": "invalid_token",
        });
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn jsforce_agrees() {
    let org = Org::demo().await;
    let (command, installed) = node("jsforce.mjs");
    let credentials = org.emulator.credentials().clone();
    if let Some(counts) = run(command, installed, credentials).await {
        let failure = counts["bulk1_failure"].as_str().unwrap();
        assert!(failure.contains("Failed to process query: INVALID_FIELD"), "{failure}");
        assert_eq!(counts["bulk1_dead_session"], "InvalidSessionId");
        compare(&org, counts).await;
    }
}

#[tokio::test]
async fn simple_salesforce_agrees() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    let certificate = std::fs::read_to_string(keys.join("test-app.pub")).unwrap();
    let account = Account { jwt_certificate: Some(certificate), ..Account::default() };
    let org = Org::with(Options { account, ..Options::default() }).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/simple_salesforce_client.py");
    let modules = packages().join("python");
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", &modules).env("SF_PRIVATE_KEY_FILE", keys.join("test-app.key"));
    let credentials = org.emulator.credentials().clone();
    if let Some(counts) = run(command, modules.join("simple_salesforce"), credentials).await {
        assert_eq!((&counts["bulk1_milliseconds"], &counts["bulk1_deleted"]), (&true.into(), &3.into()));
        let failure = counts["bulk1_failure"].as_str().unwrap();
        assert!(failure.contains("Failed to process query: INVALID_FIELD"), "{failure}");
        assert_eq!(counts["jwt_count"], org.rows("Account"));
        compare(&org, counts).await;
    }
}

#[tokio::test]
async fn salesforce_bulk_agrees() {
    let org = Org::with(Options { generate: vec![("Account".to_owned(), 2_500)], ..Options::default() }).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/salesforce_bulk_client.py");
    let modules = packages().join("python");
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", &modules);
    let credentials = org.emulator.credentials().clone();
    if let Some(found) = run(command, modules.join("salesforce_bulk"), credentials).await {
        for form in ["csv", "serial", "json", "xml", "chunked", "chunked_ids"] {
            assert_eq!(found[form], 2_500, "{form}");
        }
        // The batch that was posted, and one for each thousand.
        assert_eq!((&found["not_processed"], &found["chunks"]), (&1.into(), &4.into()));
        let said = |key: &str| found[key].as_str().unwrap().to_owned();
        assert!(said("bad_statement").contains("InvalidBatch : Failed to process query: INVALID_FIELD"));
        assert!(said("dead_session").contains("<exceptionCode>InvalidSessionId</exceptionCode>"));
        assert!(said("ingest").contains("<exceptionCode>FeatureNotEnabled</exceptionCode>"));
    }
}
