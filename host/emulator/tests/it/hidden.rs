//! Field-level security: what a user does not see is not there.

use forcepump_emulator::Options;
use forcepump_emulator::access::{Profile, UserAccess};
use serde_json::{Value, json};

use crate::partner::{LUIS, app, by_secret, user};
use crate::support::{Org, refused};

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
async fn a_bulk_1_batch_fails_over_a_hidden_field() {
    let users = vec![UserAccess { hidden: vec!["Account.AnnualRevenue".to_owned()], ..user(LUIS) }];
    let org = Org::with(Options { apps: vec![app()], users, ..Options::default() }).await;
    let (_, granted) = by_secret(&org).await;
    let admin = org.emulator.credentials().access_token.clone();
    for (token, state) in [(granted["access_token"].as_str().unwrap(), "Failed"), (&admin, "Completed")] {
        let post = |path: String| {
            let request = org.client.post(org.url(&format!("/services/async/62.0{path}")));
            request.header("X-SFDC-Session", token)
        };
        let job = json!({"operation": "query", "object": "Account", "contentType": "JSON"});
        let job: Value = post("/job".to_owned()).json(&job).send().await.unwrap().json().await.unwrap();
        let path = format!("/job/{}/batch", job["id"].as_str().unwrap());
        let soql = "SELECT Id, AnnualRevenue FROM Account LIMIT 1";
        let batch = post(path.clone()).header("content-type", "application/json").body(soql).send().await.unwrap();
        let batch: Value = batch.json().await.unwrap();
        let url = org.url(&format!("/services/async/62.0{path}/{}", batch["id"].as_str().unwrap()));
        let mut found = Value::Null;
        while !matches!(found["state"].as_str(), Some("Failed" | "Completed")) {
            let request = org.client.get(&url).header("X-SFDC-Session", token);
            found = request.header("content-type", "application/json").send().await.unwrap().json().await.unwrap();
        }
        assert_eq!(found["state"], state, "{found}");
        let message = found["stateMessage"].as_str().unwrap_or_default();
        let hidden = message.contains("No such column 'AnnualRevenue' on entity 'Account'");
        assert_eq!(hidden, state == "Failed", "{message}");
    }
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
