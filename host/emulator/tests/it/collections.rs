//! Several records in one call, and records by their external ids.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Org, refused};

async fn send(org: &Org, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let answer = org.call(method, path).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn ids(org: &Org, soql: &str) -> Vec<String> {
    let found = org.query(soql).await;
    found["records"].as_array().unwrap().iter().map(|record| record["Id"].as_str().unwrap().to_owned()).collect()
}

fn record(kind: &str, fields: Value) -> Value {
    let mut record = fields;
    record["attributes"] = json!({"type": kind});
    record
}

#[tokio::test]
async fn a_collection_is_created_in_its_order_and_says_what_failed() {
    let org = Org::demo().await;
    let before = org.rows("Account");
    let body = json!({"records": [record("Account", json!({"Name": "One"})), record("Contact", json!({"LastName": "Two"})),
        record("Account", json!({"Fax": "1"}))]});
    let (status, found) = send(&org, Method::POST, "/composite/sobjects", &body).await;
    assert_eq!(status, 200);
    assert!(found[0]["id"].as_str().unwrap().starts_with("001") && found[1]["id"].as_str().unwrap().starts_with("003"));
    assert_eq!((&found[0]["success"], &found[0]["errors"]), (&json!(true), &json!([])));
    // Inside it is statusCode, not errorCode.
    let error = json!({"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name]", "fields": ["Name"]});
    assert_eq!(found[2], json!({"success": false, "errors": [error]}));
    assert_eq!(org.rows("Account"), before + 1);
}

#[tokio::test]
async fn all_or_none_undoes_what_succeeded() {
    let org = Org::demo().await;
    let before = org.rows("Account");
    let records = [record("Account", json!({"Name": "One"})), record("Account", json!({}))];
    let (_, found) =
        send(&org, Method::POST, "/composite/sobjects", &json!({"allOrNone": true, "records": records})).await;
    assert_eq!(found[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(found[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(org.rows("Account"), before);
}

#[tokio::test]
async fn a_collection_is_updated_fetched_and_deleted() {
    let org = Org::demo().await;
    let some = ids(&org, "SELECT Id FROM Account ORDER BY Id LIMIT 2").await;
    let records = [
        record("Account", json!({"id": some[0], "Phone": "42"})),
        record("Account", json!({"Id": "001000000000000AAA", "Phone": "42"})),
        record("Account", json!({"Phone": "42"})),
    ];
    let (_, found) = send(&org, Method::PATCH, "/composite/sobjects", &json!({"records": records})).await;
    assert_eq!(found[0], json!({"id": some[0], "success": true, "errors": []}));
    assert_eq!(found[1]["errors"][0]["statusCode"], "NOT_FOUND");
    assert_eq!(found[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");

    let by_url = format!(
        "/composite/sobjects/Account?ids={},001000000000000AAA,{}&fields=Phone,Owner.Name",
        some[1],
        &some[0][..15]
    );
    let fetched = org.json(&by_url).await;
    assert_eq!((&fetched[1], &fetched[2]["Phone"]), (&Value::Null, &json!("42")));
    assert!(fetched[0]["attributes"]["url"].as_str().unwrap().ends_with(&some[1]) && fetched[0].get("Id").is_none());
    let body = json!({"ids": some, "fields": ["Id", "Name"]});
    let (status, posted) = send(&org, Method::POST, "/composite/sobjects/account", &body).await;
    assert_eq!((status, &posted[1]["Id"]), (200, &json!(some[1])));
    let wrong = org.get(&format!("/composite/sobjects/Account?ids={}&fields=Nope", some[0])).await;
    refused(wrong, 400, "INVALID_FIELD").await;

    let (_, gone) =
        send(&org, Method::DELETE, &format!("/composite/sobjects?ids={},001000000000000AAA", some[0]), &json!({}))
            .await;
    assert_eq!(gone[0], json!({"id": some[0], "success": true, "errors": []}));
    assert_eq!(gone[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert!(ids(&org, &format!("SELECT Id FROM Account WHERE Id = '{}'", some[0])).await.is_empty());
}

#[tokio::test]
async fn a_collection_has_limits() {
    let org = Org::demo().await;
    refused(org.post("/composite/sobjects", &json!({"records": []})).await, 400, "REQUIRED_FIELD_MISSING").await;
    let many = vec![record("Account", json!({"Name": "x"})); 201];
    refused(org.post("/composite/sobjects", &json!({"records": many})).await, 400, "EXCEEDED_ID_LIMIT").await;
    refused(org.post("/composite/sobjects", &json!([])).await, 400, "JSON_PARSER_ERROR").await;
    let text = refused(org.get("/composite/sobjects").await, 405, "METHOD_NOT_ALLOWED").await;
    assert_eq!(text, "HTTP Method 'GET' not allowed. Allowed are POST,PATCH,DELETE");
}

#[tokio::test]
async fn a_record_is_upserted_by_its_key() {
    let org = Org::demo().await;
    let path = "/sobjects/Contact/Email/new%40x.example";
    let (status, made) = send(&org, Method::PATCH, path, &json!({"LastName": "New"})).await;
    assert_eq!((status, &made["created"], &made["success"]), (201, &json!(true), &json!(true)));
    let (status, again) = send(&org, Method::PATCH, path, &json!({"LastName": "Newer"})).await;
    assert_eq!((status, &again["created"], &again["id"]), (200, &json!(false), &made["id"]));
    assert_eq!(org.json(path).await["LastName"], "Newer");
    // Versions before 46.0 answer without a body.
    let old = org.raw(Method::PATCH, &format!("/services/data/v45.0{path}")).json(&json!({"LastName": "Old"}));
    assert_eq!(old.send().await.unwrap().status(), 204);

    let other = "/sobjects/Contact/Email/nobody%40x.example";
    let wanted = org.call(Method::PATCH, &format!("{other}?updateOnly=true")).json(&json!({"LastName": "N"}));
    refused(wanted.send().await.unwrap(), 404, "NOT_FOUND").await;
    let named = org.call(Method::PATCH, other).json(&json!({"LastName": "N", "Email": "a@x.example"}));
    refused(named.send().await.unwrap(), 400, "INVALID_FIELD").await;
    let text = refused(
        org.call(Method::PATCH, "/sobjects/Contact/Nope/1").json(&json!({})).send().await.unwrap(),
        404,
        "NOT_FOUND",
    )
    .await;
    assert_eq!(text, "Provided external ID field does not exist or is not accessible: Nope");

    let twins = json!({"records": [record("Contact", json!({"LastName": "A", "Email": "twin@x.example"})),
        record("Contact", json!({"LastName": "B", "Email": "twin@x.example"}))]});
    assert_eq!(org.post("/composite/sobjects", &twins).await.status(), 200);
    let (status, urls) =
        send(&org, Method::PATCH, "/sobjects/Contact/Email/twin%40x.example", &json!({"LastName": "C"})).await;
    assert_eq!((status, urls.as_array().unwrap().len()), (300, 2));
    assert_eq!(org.call(Method::DELETE, path).send().await.unwrap().status(), 204);
    let (status, plain) = send(&org, Method::POST, "/sobjects/Contact/Id", &json!({"LastName": "Plain"})).await;
    assert_eq!((status, &plain["success"]), (201, &json!(true)));
}

#[tokio::test]
async fn a_collection_is_upserted_by_its_key() {
    let org = Org::demo().await;
    let records = [
        record("Contact", json!({"LastName": "A", "Email": "k@x.example"})),
        record("Contact", json!({"LastName": "B", "Email": "k@x.example"})),
    ];
    let (status, found) =
        send(&org, Method::PATCH, "/composite/sobjects/Contact/Email", &json!({"records": records})).await;
    assert_eq!(status, 200);
    assert_eq!((&found[0]["created"], &found[1]["created"]), (&json!(true), &json!(false)));
    assert_eq!(found[0]["id"], found[1]["id"]);
}

#[tokio::test]
async fn a_composite_writes_and_refers_back() {
    let org = Org::demo().await;
    let before = org.rows("Account");
    let part = |reference: &str, method: &str, url: &str, body: Value| {
        let url = format!("/services/data/v62.0{url}");
        json!({"method": method, "url": url, "referenceId": reference, "body": body})
    };
    let parts = vec![
        part("a", "POST", "/sobjects/Account", json!({"Name": "Parent"})),
        part("c", "POST", "/sobjects/Contact", json!({"LastName": "Child", "AccountId": "@{a.id}"})),
        part("q", "GET", "/sobjects/Contact/@{c.id}?fields=AccountId", Value::Null),
    ];
    let (_, found) = send(&org, Method::POST, "/composite", &json!({"compositeRequest": parts})).await;
    let found = &found["compositeResponse"];
    assert_eq!(found[0]["httpStatusCode"], 201);
    let location = found[0]["httpHeaders"]["Location"].as_str().unwrap();
    assert!(location.ends_with(found[0]["body"]["id"].as_str().unwrap()));
    assert_eq!(found[2]["body"]["AccountId"], found[0]["body"]["id"]);
    assert_eq!(org.rows("Account"), before + 1);

    let mut parts = parts;
    parts.push(part("bad", "POST", "/sobjects/Account", json!({})));
    parts.push(part("after", "GET", "/sobjects/Account/@{bad.id}", Value::Null));
    let (_, found) =
        send(&org, Method::POST, "/composite", &json!({"allOrNone": true, "compositeRequest": parts})).await;
    let found = &found["compositeResponse"];
    assert_eq!(
        (&found[0]["httpStatusCode"], &found[0]["body"][0]["errorCode"]),
        (&json!(400), &json!("PROCESSING_HALTED"))
    );
    assert_eq!(found[3]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(found[4]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(org.rows("Account"), before + 1);
}

#[tokio::test]
async fn a_batch_counts_each_of_its_parts() {
    let org = Org::demo().await;
    let used = |answer: &reqwest::Response| {
        let text = answer.headers()["sforce-limit-info"].to_str().unwrap().to_owned();
        text.trim_start_matches("api-usage=").split('/').next().unwrap().parse::<u64>().unwrap()
    };
    let before = used(&org.get("/limits").await);
    let parts = [
        json!({"method": "GET", "url": "v62.0/sobjects/Account/describe"}),
        json!({"method": "GET", "url": "/services/data/v62.0/sobjects/Nope/describe"}),
        json!({"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "Batched"}}),
    ];
    let answer = org.post("/composite/batch", &json!({"batchRequests": parts})).await;
    assert_eq!(used(&answer), before + 3);
    let found: Value = answer.json().await.unwrap();
    assert_eq!(found["hasErrors"], true);
    let statuses: Vec<&Value> = found["results"].as_array().unwrap().iter().map(|one| &one["statusCode"]).collect();
    assert_eq!(statuses, [200, 404, 201]);
    assert_eq!(found["results"][0]["result"]["name"], "Account");

    let halted = json!({"haltOnError": true, "batchRequests": parts});
    let found: Value = org.post("/composite/batch", &halted).await.json().await.unwrap();
    assert_eq!(found["results"][2]["statusCode"], 412);
    assert_eq!(found["results"][2]["result"][0]["errorCode"], "BATCH_PROCESSING_HALTED");
}

#[tokio::test]
async fn a_tree_is_planted_whole_or_not_at_all() {
    let org = Org::demo().await;
    let (accounts, contacts) = (org.rows("Account"), org.rows("Contact"));
    let node = |kind: &str, reference: &str, fields: Value| {
        let mut node = fields;
        node["attributes"] = json!({"type": kind, "referenceId": reference});
        node
    };
    let child = node("Contact", "r2", json!({"LastName": "Child"}));
    let root = node("Account", "r1", json!({"Name": "Root", "Contacts": {"records": [child]}}));
    let (status, made) = send(&org, Method::POST, "/composite/tree/Account/", &json!({"records": [root]})).await;
    assert_eq!((status, &made["hasErrors"], &made["results"][1]["referenceId"]), (201, &json!(false), &json!("r2")));
    let linked = org.json(&format!("/sobjects/Contact/{}", made["results"][1]["id"].as_str().unwrap())).await;
    assert_eq!(linked["AccountId"], made["results"][0]["id"]);

    let bad = node("Account", "r3", json!({}));
    let (status, refused) =
        send(&org, Method::POST, "/composite/tree/Account", &json!({"records": [root, bad, root]})).await;
    assert_eq!((status, &refused["hasErrors"]), (400, &json!(true)));
    assert_eq!(refused["results"][0]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(refused["results"][1]["errors"][0]["statusCode"], "INVALID_INPUT");
    assert_eq!((org.rows("Account"), org.rows("Contact")), (accounts + 1, contacts + 1));
}

#[tokio::test]
async fn what_is_deleted_and_what_is_no_json_is_refused() {
    let org = Org::demo().await;
    let id = &ids(&org, "SELECT Id FROM Account LIMIT 1").await[0];
    let path = format!("/sobjects/Account/{id}");
    assert_eq!(org.call(Method::DELETE, &path).send().await.unwrap().status(), 204);
    for path in [path.clone(), format!("{path}?fields=Name"), format!("/sobjects/account/{}", &id[..15])] {
        assert_eq!(refused(org.get(&path).await, 404, "ENTITY_IS_DELETED").await, "entity is deleted");
    }
    refused(org.get(&format!("/sobjects/Contact/{id}")).await, 404, "NOT_FOUND").await;
    let gone = [(id.as_str(), "ENTITY_IS_DELETED"), ("001000000000000AAA", "NOT_FOUND")];
    for (id, code) in gone {
        let request = org.call(Method::PATCH, &format!("/sobjects/Account/Id/{id}")).json(&json!({"Name": "x"}));
        refused(request.send().await.unwrap(), 404, code).await;
    }
    for path in ["/sobjects/Account", "/composite", "/jobs/query"] {
        for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
            let request = org.call(Method::POST, path).header("content-type", kind).body("{}");
            refused(request.send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
        }
    }
    let silent = org.call(Method::POST, "/sobjects/Account").body("{\"Name\": \"x\"}");
    assert_eq!(silent.send().await.unwrap().status(), 201);
}
