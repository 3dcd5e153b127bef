//! Records that change while the org is served, and what is there for tests only: the clock, late rows, lost jobs.

use chrono::{DateTime, TimeDelta, Utc};
use forcepump_emulator::access::UserAccess;
use forcepump_emulator::{Edit, Options};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, keys, refused};

const PAST: &str = "2026-03-01T10:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

/// An org whose clock stands.
async fn standing(options: Options) -> Org {
    let org = Org::with(options).await;
    org.emulator.clock().freeze();
    org.emulator.clock().set(at(PAST));
    org
}

async fn create(org: &Org, object: &str, fields: &Value) -> String {
    let answer = org.post(&format!("/sobjects/{object}"), fields).await;
    assert_eq!(answer.status(), StatusCode::CREATED, "{fields}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!((keys(&body), &body["success"]), (vec!["errors", "id", "success"], &true.into()));
    body["id"].as_str().unwrap().to_owned()
}

async fn patch(org: &Org, path: &str, fields: &Value) -> Response {
    org.call(Method::PATCH, path).json(fields).send().await.unwrap()
}

async fn delete(org: &Org, path: &str) -> Response {
    org.call(Method::DELETE, path).send().await.unwrap()
}

async fn undelete(org: &Org, ids: &[&str]) -> String {
    let token = &org.emulator.credentials().access_token;
    let ids: String = ids.iter().map(|id| format!("<urn:ids>{id}</urn:ids>")).collect();
    let envelope = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:urn=\"urn:partner.soap.sforce.com\">\
         <e:Header><urn:SessionHeader><urn:sessionId>{token}</urn:sessionId></urn:SessionHeader></e:Header>\
         <e:Body><urn:undelete>{ids}</urn:undelete></e:Body></e:Envelope>"
    );
    let call = org.client.post(org.url("/services/Soap/u/62.0")).header("SOAPAction", "\"\"").body(envelope);
    call.send().await.unwrap().text().await.unwrap()
}

async fn one(org: &Org, soql: &str) -> Value {
    let found = org.query(soql).await;
    assert_eq!(found["totalSize"], 1, "{soql}");
    found["records"][0].clone()
}

#[tokio::test]
async fn a_record_lives_through_all_calls() {
    let org = standing(Options::default()).await;
    let before = org.rows("Account");
    let fields = json!({"attributes": {"type": "Account"}, "Name": "Äpfel \"&\" Birnen", "AnnualRevenue": 1250, "Ext_Id__c": "N-1"});
    let id = create(&org, "account", &fields).await;
    assert_eq!(org.rows("Account"), before + 1);
    let soql = format!(
        "SELECT Name, AnnualRevenue, CreatedDate, SystemModstamp, Owner.Name, IsDeleted FROM Account WHERE Id = '{id}'"
    );
    let row = one(&org, &soql).await;
    assert_eq!((&row["Name"], &row["IsDeleted"]), (&fields["Name"], &false.into()));
    assert_eq!(row["CreatedDate"], "2026-03-01T10:00:00.000+0000");
    assert_eq!((&row["SystemModstamp"], &row["Owner"]["Name"]), (&row["CreatedDate"], &"Ada Admin".into()));

    org.emulator.clock().step(TimeDelta::milliseconds(61_500));
    let path = format!("/sobjects/Account/{id}");
    let answer = patch(&org, &path, &json!({"AnnualRevenue": null, "Name": "Obst"})).await;
    assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    let row = one(&org, &soql).await;
    assert_eq!((&row["Name"], &row["AnnualRevenue"]), (&"Obst".into(), &Value::Null));
    assert_eq!(row["CreatedDate"], "2026-03-01T10:00:00.000+0000");
    assert_eq!(row["SystemModstamp"], "2026-03-01T10:01:01.000+0000", "stamps are whole seconds");

    org.emulator.clock().step(TimeDelta::minutes(1));
    assert_eq!(delete(&org, &path).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(org.rows("Account"), before);
    assert_eq!(org.query(&soql).await["totalSize"], 0);
    let all = org.call(Method::GET, "/queryAll").query(&[("q", &soql)]).send().await.unwrap();
    let all: Value = all.json().await.unwrap();
    assert_eq!(all["records"][0]["IsDeleted"], true);
    assert_eq!(all["records"][0]["SystemModstamp"], "2026-03-01T10:02:01.000+0000");
    for answer in [patch(&org, &path, &json!({"Name": "x"})).await, delete(&org, &path).await] {
        assert_eq!(refused(answer, 404, "ENTITY_IS_DELETED").await, "entity is deleted");
    }
    let range = "start=2026-03-01T10:02:00%2B00:00&end=2026-03-01T10:03:00%2B00:00";
    let gone = org.json(&format!("/sobjects/Account/deleted?{range}")).await;
    assert_eq!(keys(&gone), ["deletedRecords", "earliestDateAvailable", "latestDateCovered"]);
    assert_eq!(gone["deletedRecords"], json!([{"id": id, "deletedDate": "2026-03-01T10:02:01.000+0000"}]));

    org.emulator.clock().step(TimeDelta::minutes(1));
    let answer = undelete(&org, &[&id, &id, "nonsense"]).await;
    for word in [
        format!("<result><id>{id}</id><success>true</success></result>").as_str(),
        "<statusCode>UNDELETE_FAILED</statusCode>",
        "<statusCode>INVALID_ID_FIELD</statusCode>",
    ] {
        assert!(answer.contains(word), "{word} is not in {answer}");
    }
    assert_eq!(one(&org, &soql).await["SystemModstamp"], "2026-03-01T10:03:01.000+0000");
    let range = "start=2026-03-01T10:03:00Z&end=2026-03-01T10:04:00Z";
    assert_eq!(org.json(&format!("/sobjects/Account/updated?{range}")).await["ids"], json!([id]));
    let wrong = org.get("/sobjects/Account/updated?start=2026-03-01T10:03:00Z&end=2026-03-01T10:00:00Z").await;
    refused(wrong, 400, "INVALID_REPLICATION_DATE").await;
}

#[tokio::test]
async fn refusals_have_code_text_and_fields() {
    let org = Org::demo().await;
    let taken = create(&org, "Account", &json!({"Name": "Taken", "Ext_Id__c": "T-1"})).await;
    let long = "x".repeat(256);
    for (object, fields, code, message, at) in [
        (
            "Account",
            json!({"AccountNumer": "1"}),
            "INVALID_FIELD",
            "No such column 'AccountNumer' on sobject of type Account",
            None,
        ),
        (
            "Account",
            json!({"Phone": "1"}),
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Name]",
            Some("Name"),
        ),
        (
            "Contact",
            json!({"FirstName": "A"}),
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [LastName]",
            Some("LastName"),
        ),
        (
            "Account",
            json!({"Name": "x", "MasterRecordId": null}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: MasterRecordId. Please check",
            Some("MasterRecordId"),
        ),
        (
            "Account",
            json!({"Name": "x", "Id": taken}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "cannot specify Id in an insert call",
            Some("Id"),
        ),
        (
            "Account",
            json!({"Name": long}),
            "STRING_TOO_LONG",
            "Account Account Name: data value too large",
            Some("Name"),
        ),
        (
            "Account",
            json!({"Name": 5}),
            "JSON_PARSER_ERROR",
            "Cannot deserialize instance of string from VALUE_NUMBER_INT value 5",
            None,
        ),
        (
            "Contact",
            json!({"LastName": "x", "Birthdate": "soon"}),
            "JSON_PARSER_ERROR",
            "Cannot deserialize instance of date from VALUE_STRING value soon",
            None,
        ),
        (
            "Account",
            json!({"Name": "x", "Ext_Id__c": "t-1"}),
            "DUPLICATE_VALUE",
            "duplicate value found: Ext_Id__c duplicates value on record with id: 001",
            None,
        ),
        (
            "Contact",
            json!({"LastName": "x", "AccountId": "001000000000001"}),
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            None,
        ),
        (
            "Contact",
            json!({"LastName": "x", "AccountId": "no"}),
            "MALFORMED_ID",
            "Account ID: id value of incorrect type: no",
            Some("AccountId"),
        ),
        (
            "Profile",
            json!({"Name": "x"}),
            "INVALID_TYPE_FOR_OPERATION",
            "entity type cannot be inserted: Profile",
            None,
        ),
    ] {
        let answer = org.post(&format!("/sobjects/{object}"), &fields).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{fields}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body[0]["errorCode"], code, "{fields}: {body}");
        assert!(body[0]["message"].as_str().unwrap().starts_with(message), "{body}");
        if let Some(at) = at {
            assert_eq!(body[0]["fields"], json!([at]));
        }
    }
    for path in ["/sobjects/Account/001000000000001AAA", "/sobjects/Nothing/001000000000001AAA", "/sobjects/Account/x"]
    {
        refused(patch(&org, path, &json!({"Name": "x"})).await, 404, "NOT_FOUND").await;
    }
    refused(org.post("/sobjects/Account", &json!([1])).await, 400, "JSON_PARSER_ERROR").await;
    assert_eq!(org.query("SELECT Id FROM Account WHERE Name = 'x'").await["totalSize"], 0);
}

#[tokio::test]
async fn what_follows_from_other_fields_follows_their_changes() {
    let org = Org::demo().await;
    let fields = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-05-31", "Amount": 1000.5});
    let id = create(&org, "Opportunity", &fields).await;
    let soql =
        format!("SELECT IsClosed, Probability, ExpectedRevenue, FiscalQuarter FROM Opportunity WHERE Id = '{id}'");
    let row = one(&org, &soql).await;
    assert_eq!(
        (&row["IsClosed"], &row["Probability"], &row["FiscalQuarter"]),
        (&false.into(), &json!(10.0), &2.into())
    );
    let won = json!({"StageName": "Closed Won", "CloseDate": "2026-12-01"});
    assert_eq!(patch(&org, &format!("/sobjects/Opportunity/{id}"), &won).await.status(), StatusCode::NO_CONTENT);
    let row = one(&org, &soql).await;
    assert_eq!(
        (&row["IsClosed"], &row["Probability"], &row["FiscalQuarter"]),
        (&true.into(), &json!(100.0), &4.into())
    );
    assert_eq!(row["ExpectedRevenue"], json!(1000.5));
    let id = create(&org, "Contact", &json!({"FirstName": "Ada", "LastName": "Bee"})).await;
    patch(&org, &format!("/sobjects/Contact/{id}"), &json!({"LastName": "Cee"})).await;
    assert_eq!(one(&org, &format!("SELECT Name FROM Contact WHERE Id = '{id}'")).await["Name"], "Ada Cee");
}

#[tokio::test]
async fn a_job_keeps_the_rows_of_its_creation() {
    let org = Org::with(Options { generate: vec![("Lead".to_owned(), 60)], ..Options::default() }).await;
    let job = org.create("SELECT Id, Company FROM Lead").await["id"].as_str().unwrap().to_owned();
    let ids = org.query("SELECT Id FROM Lead").await["records"].clone();
    let id = |row: usize| ids[row]["Id"].as_str().unwrap().to_owned();
    patch(&org, &format!("/sobjects/Lead/{}", id(3)), &json!({"Company": "Changed since"})).await;
    delete(&org, &format!("/sobjects/Lead/{}", id(4))).await;
    let new = create(&org, "Lead", &json!({"LastName": "New", "Company": "New"})).await;
    assert!(new.as_bytes() > id(59).as_bytes(), "ids ascend");
    org.finish(&job).await;
    let text: String = org.pages(&job, 7).await.into_iter().map(|page| page.text).collect();
    assert!(!text.contains("Changed since") && text.contains(&id(4)) && !text.contains(&new));
    let now = org.complete("SELECT Id, Company FROM Lead").await;
    let text = org.page(&now, "").await.text;
    assert!(text.contains("Changed since") && !text.contains(&id(4)) && text.contains(&new));
    assert_eq!(org.query("SELECT COUNT() FROM Lead").await["totalSize"], 60);
}

#[tokio::test]
async fn hidden_fields_are_unknown_to_who_does_not_see_them() {
    let user = UserAccess {
        username: "admin@forcepump.example".into(),
        hidden: vec!["Account.Phone".into()],
        ..UserAccess::default()
    };
    let org = Org::with(Options { users: vec![user], ..Options::default() }).await;
    let answer = org.post("/sobjects/Account", &json!({"Name": "x", "Phone": "1"})).await;
    let message = refused(answer, 400, "INVALID_FIELD").await;
    assert_eq!(message, "No such column 'Phone' on sobject of type Account");
    create(&org, "Account", &json!({"Name": "x"})).await;
}

#[tokio::test]
async fn control_is_off_unless_asked_for() {
    let org = Org::demo().await;
    let answer = org.client.post(org.url("/emulator/control")).json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let org = Org::with(Options { control: true, ..Options::default() }).await;
    let control = async |body: Value| org.client.post(org.url("/emulator/control")).json(&body).send().await.unwrap();
    let answer = control(json!({"clock_frozen": true, "clock": PAST, "clock_step_s": -60})).await;
    assert_eq!(answer.headers()["date"], "Sun, 01 Mar 2026 09:59:00 GMT", "the step comes after the time was set");
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["now"], "2026-03-01T09:59:00Z");
    let late =
        json!({"stamp": "2026-02-01T00:00:00Z", "edit": {"create": {"object": "Account", "fields": {"Name": "Late"}}}});
    let told: Value = control(json!({ "late": late })).await.json().await.unwrap();
    let row =
        one(&org, &format!("SELECT SystemModstamp FROM Account WHERE Id = '{}'", told["id"].as_str().unwrap())).await;
    assert_eq!(row["SystemModstamp"], "2026-02-01T00:00:00.000+0000");
    let job = org.complete("SELECT Id FROM Account").await;
    assert_eq!(control(json!({ "lose_job": job })).await.status(), StatusCode::OK);
    refused(org.get(&format!("/jobs/query/{job}")).await, 404, "NOT_FOUND").await;
    assert_eq!(control(json!({ "lose_job": job })).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(control(json!({ "clok": 1 })).await.status(), StatusCode::BAD_REQUEST);
    let page = org.query("SELECT Id FROM Opportunity").await;
    control(json!({"lose_cursors": true})).await;
    let next = org.raw(Method::GET, page["nextRecordsUrl"].as_str().unwrap()).send().await.unwrap();
    refused(next, 400, "INVALID_QUERY_LOCATOR").await;
}

#[tokio::test]
async fn time_makes_jobs_and_cursors_expire() {
    let org = Org::demo().await;
    let job = org.complete("SELECT Id FROM Account").await;
    let next = org.query("SELECT Id FROM Opportunity").await["nextRecordsUrl"].as_str().unwrap().to_owned();
    org.emulator.clock().step(TimeDelta::days(3));
    refused(org.raw(Method::GET, &next).send().await.unwrap(), 400, "INVALID_QUERY_LOCATOR").await;
    org.page(&job, "").await;
    org.emulator.clock().step(TimeDelta::days(5));
    refused(org.get(&format!("/jobs/query/{job}")).await, 404, "NOT_FOUND").await;
    let id = org.emulator.edit(&Edit::Delete { object: "Account".into(), id: "001gK0000000002QAA".into() }).unwrap();
    assert_eq!(id, "001gK0000000002QAA");
}
