//! REST: versions, describes, records, queries and their errors.

use forcepump_emulator::Options;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, keys, recording, refused};

#[tokio::test]
async fn versions_need_no_session_and_carry_no_usage() {
    let org = Org::demo().await;
    for path in ["/services/data", "/services/data/"] {
        let answer = org.client.get(org.url(path)).send().await.unwrap();
        assert!(answer.headers().get("sforce-limit-info").is_none());
        let list: Value = answer.json().await.unwrap();
        let list = list.as_array().unwrap();
        assert_eq!(list[0]["version"], "31.0");
        let last = list.last().unwrap();
        assert_eq!((&last["label"], &last["url"]), (&"Summer '26".into(), &"/services/data/v67.0".into()));
        assert_eq!(keys(last), ["label", "url", "version"]);
    }
}

#[tokio::test]
async fn wrong_paths_methods_and_versions() {
    let org = Org::demo().await;
    for path in ["/services/data/v62.0//limits", "/services/data/v62.0/nothing", "/services/data/v99.0/limits", "/x"] {
        let answer = org.raw(Method::GET, path).send().await.unwrap();
        assert_eq!(refused(answer, 404, "NOT_FOUND").await, "The requested resource does not exist");
    }
    let answer = org.raw(Method::GET, "/services/data/v20.0/limits").send().await.unwrap();
    refused(answer, 410, "UNSUPPORTED_API_VERSION").await;
    let answer = org.call(Method::POST, "/limits").send().await.unwrap();
    let message = refused(answer, 405, "METHOD_NOT_ALLOWED").await;
    assert_eq!(message, "HTTP Method 'POST' not allowed. Allowed are HEAD,GET");
}

#[tokio::test]
async fn limits_count_calls_down_to_a_refusal() {
    let org = Org::with(Options { daily_api_requests: 2, ..Options::default() }).await;
    let answer = org.get("/limits").await;
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=1/2");
    let limits: Value = answer.json().await.unwrap();
    assert_eq!(limits["DailyApiRequests"], serde_json::json!({"Max": 2, "Remaining": 1}));
    assert_eq!(limits["DailyBulkV2QueryJobs"]["Max"], 10_000);
    org.json("/limits").await;
    let message = refused(org.get("/limits").await, 403, "REQUEST_LIMIT_EXCEEDED").await;
    assert_eq!(message, "TotalRequests Limit exceeded.");
}

#[tokio::test]
async fn describes_and_not_modified() {
    let org = Org::demo().await;
    let global = org.json("/sobjects/").await;
    assert_eq!((&global["encoding"], &global["maxBatchSize"]), (&"UTF-8".into(), &200.into()));
    let entry = org.json("/sobjects/Account").await;
    assert_eq!(keys(&entry), ["objectDescribe", "recentItems"]);
    let answer = org.get("/sobjects/Account/describe").await;
    let modified = answer.headers()["last-modified"].to_str().unwrap().to_owned();
    let described: Value = answer.json().await.unwrap();
    assert_eq!(described["name"], "Account");
    let again = org.call(Method::GET, "/sobjects/Account/describe").header("if-modified-since", &modified);
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.text().await.unwrap(), "");
    let old = org.call(Method::GET, "/sobjects/Account/describe");
    let old = old.header("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT").send().await.unwrap();
    assert_eq!(old.status(), StatusCode::OK);
    refused(org.get("/sobjects/Nothing/describe").await, 404, "NOT_FOUND").await;
    refused(org.get("/sobjects/Nothing").await, 404, "NOT_FOUND").await;

    if let Some(recorded) = recording("derived/Account.describe.json") {
        for key in keys(&recorded) {
            assert!(described.get(key).is_some(), "describe lacks {key}");
        }
        let field = |describe: &Value| describe["fields"][0].clone();
        assert_eq!(keys(&field(&recorded)), keys(&field(&described)));
    }
}

#[tokio::test]
async fn queries_page_by_locator() {
    let org = Org::demo().await;
    let total = org.rows("Opportunity");
    let mut page = org.query("SELECT Id, Name FROM Opportunity").await;
    let mut seen = 0;
    loop {
        assert_eq!(page["totalSize"], total);
        let records = page["records"].as_array().unwrap();
        assert!(records.len() <= 2_000);
        assert_eq!(records[0]["attributes"]["type"], "Opportunity");
        seen += records.len() as u64;
        let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) else { break };
        assert_eq!(page["done"], false);
        assert!(next.ends_with(&format!("-{seen}")), "{next}");
        page = org.raw(Method::GET, &next).send().await.unwrap().json().await.unwrap();
    }
    assert_eq!((page["done"].clone(), seen), (true.into(), total));

    let small = org.call(Method::GET, "/query/?q=SELECT+Id+FROM+Account");
    let small = small.header("Sforce-Query-Options", "batchSize=250").send().await.unwrap();
    assert_eq!(small.json::<Value>().await.unwrap()["records"].as_array().unwrap().len(), 250);
    let bad = org.get("/query/01g000000000001AAA-2000").await;
    assert_eq!(refused(bad, 400, "INVALID_QUERY_LOCATOR").await, "invalid query locator");
}

#[tokio::test]
async fn counts_columns_and_plans() {
    let org = Org::demo().await;
    let count = org.query("SELECT COUNT() FROM Account").await;
    assert_eq!(count, serde_json::json!({"totalSize": org.rows("Account"), "done": true, "records": []}));
    let columns = org.json("/query?q=SELECT+Id,+Name+FROM+Account&columns=true").await;
    assert_eq!(columns["columnMetadata"].as_array().unwrap().len(), 2);
    let plan = org.json("/query?explain=SELECT+Id+FROM+Account").await;
    assert_eq!(plan["plans"][0]["sobjectType"], "Account");
    let counts = org.json("/limits/recordCount?sObjects=Account,Contact").await;
    let account = counts["sObjects"].as_array().unwrap().iter().find(|c| c["name"] == "Account").unwrap();
    assert_eq!(account["count"], org.rows("Account"));
}

#[tokio::test]
async fn refused_statements() {
    let org = Org::demo().await;
    let message = refused(org.get("/query").await, 400, "MALFORMED_QUERY").await;
    assert_eq!(message, "A query string has to be specified");
    let answer = org.get("/query?q=select+count()+from+XYZZY").await;
    let message = refused(answer, 400, "INVALID_TYPE").await;
    assert!(message.contains("ERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported."), "{message}");
    refused(org.get("/query?q=SELECT+Nope+FROM+Account").await, 400, "INVALID_FIELD").await;
}

#[tokio::test]
async fn long_requests_are_refused() {
    let org = Org::demo().await;
    let answer = org.get(&format!("/query?q=SELECT+Id+FROM+Account+WHERE+Name+=+'{}'", "x".repeat(16_384))).await;
    assert_eq!(answer.status(), StatusCode::URI_TOO_LONG);
    let answer = org.call(Method::GET, "/limits").header("x-long", "x".repeat(16_384)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn parts_of_a_composite_request_refer_to_earlier_ones() {
    let org = Org::demo().await;
    let part =
        |id: &str, url: &str| json!({"method": "GET", "url": format!("/services/data/v62.0{url}"), "referenceId": id});
    let body = json!({"compositeRequest": [
        part("q", "/query?q=SELECT+Id,Name+FROM+Account+ORDER+BY+Name+LIMIT+2"),
        part("one", "/sobjects/Account/@{q.records[1].Id}"),
        part("none", "/sobjects/Account/@{q.records[2].Id}"),
        part("chained", "/sobjects/Account/@{none.Id}"),
    ]});
    let answer: Value = org.post("/composite", &body).await.json().await.unwrap();
    let parts = &answer["compositeResponse"];
    assert_eq!(parts[1]["body"]["Name"], parts[0]["body"]["records"][1]["Name"], "{answer}");
    for part in [&parts[2], &parts[3]] {
        assert_eq!(
            (&part["httpStatusCode"], &part["body"][0]["errorCode"]),
            (&400.into(), &"PROCESSING_HALTED".into())
        );
    }
}

#[tokio::test]
async fn a_composite_request_takes_a_query_that_no_address_holds() {
    let org = Org::demo().await;
    let soql = format!("SELECT+Id+FROM+Account+WHERE+Name+!=+'{}'", "x".repeat(3_900));
    let long = format!("{soql}{}", format!("+AND+Name+!=+'{}'", "y".repeat(3_900)).repeat(4));
    let part = |url: &str| json!({"method": "GET", "url": url, "referenceId": "rows"});
    let before = org.json("/limits").await["DailyApiRequests"]["Remaining"].as_u64().unwrap();
    let body = json!({"allOrNone": false, "compositeRequest": [
        part(&format!("/services/data/v62.0/query?q={long}")),
        part("/services/data/v62.0/query?q=SELECT+Nope+FROM+Account"),
        part("/services/data/v62.0/composite"),
    ]});
    let answer: Value = org.post("/composite", &body).await.json().await.unwrap();
    let parts = answer["compositeResponse"].as_array().unwrap();
    let status: Vec<u64> = parts.iter().map(|part| part["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(status, [200, 400, 405]);
    assert_eq!(parts[0]["body"]["totalSize"].as_u64(), Some(org.rows("Account")));
    assert_eq!(parts[1]["body"][0]["errorCode"], "INVALID_FIELD");
    let after = org.json("/limits").await["DailyApiRequests"]["Remaining"].as_u64().unwrap();
    assert_eq!(before - after, 2, "one call, and the look at the limits");
}

#[tokio::test]
async fn records_by_id_and_by_external_id() {
    let org = Org::demo().await;
    let first = org.query("SELECT Id, Name, Ext_Id__c FROM Account LIMIT 1").await["records"][0].clone();
    let (id, key) = (first["Id"].as_str().unwrap(), first["Ext_Id__c"].as_str().unwrap());
    let whole = org.json(&format!("/sobjects/Account/{id}")).await;
    assert_eq!(whole["Name"], first["Name"]);
    let some = org.json(&format!("/sobjects/Account/{id}?fields=Name")).await;
    assert_eq!(keys(&some), ["Name", "attributes"]);
    let by_key = org.json(&format!("/sobjects/Account/Ext_Id__c/{key}")).await;
    assert_eq!(by_key["Id"], first["Id"]);
    refused(org.get("/sobjects/Account/001000000000000AAA").await, 404, "NOT_FOUND").await;
    let answer = org.get("/sobjects/Account/rid/1").await;
    let message = refused(answer, 404, "NOT_FOUND").await;
    assert_eq!(message, "Provided external ID field does not exist or is not accessible: rid");
}

#[tokio::test]
async fn what_tools_ask_at_login() {
    let org = Org::demo().await;
    let fields = "Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType";
    let answer = org.query(&format!("SELECT {fields} FROM Organization")).await;
    assert_eq!(answer["totalSize"], 1);
}

#[tokio::test]
async fn children_beyond_a_page_have_cursors_of_their_own() {
    let org = Org::demo().await;
    let soql =
        "SELECT Name, (SELECT Id FROM Opportunities) FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity)";
    let call = |path: &str| org.call(Method::GET, path).header("Sforce-Query-Options", "batchSize=200");
    let mut page: Value = call("/query").query(&[("q", soql)]).send().await.unwrap().json().await.unwrap();
    let (mut parents, mut children) = (0, std::collections::HashSet::new());
    loop {
        let records = page["records"].as_array().unwrap();
        parents += records.len();
        let held: usize = records.iter().map(|r| 1 + r["Opportunities"]["records"].as_array().unwrap().len()).sum();
        let last = records.last().unwrap()["Opportunities"]["records"].as_array().unwrap().len();
        assert!(held - last <= 200, "children count towards the page");
        for record in records {
            let mut list = record["Opportunities"].clone();
            loop {
                let ids = list["records"].as_array().unwrap().iter().map(|r| r["Id"].as_str().unwrap().to_owned());
                children.extend(ids);
                match list["nextRecordsUrl"].as_str() {
                    Some(next) => list = org.json(next.trim_start_matches("/services/data/v62.0")).await,
                    None => break assert_eq!(list["done"], true),
                }
            }
        }
        match page["nextRecordsUrl"].as_str() {
            Some(next) => page = org.json(next.trim_start_matches("/services/data/v62.0")).await,
            None => break,
        }
    }
    assert_eq!(children.len() as u64, org.rows("Opportunity"));
    assert!(parents > 0);
}

#[tokio::test]
async fn wide_rows_come_in_short_pages() {
    let generate = vec![("Awkward__c".to_owned(), 500)];
    let org = Org::with(Options { generate, ..Options::default() }).await;
    let page = org.query("SELECT Id, Long__c, Rich__c FROM Awkward__c").await;
    assert_eq!((page["totalSize"].as_u64(), page["records"].as_array().unwrap().len()), (Some(500), 200));
    assert!(page["nextRecordsUrl"].as_str().unwrap().ends_with("-200"));
    assert_eq!(org.query("SELECT Id, Long__c FROM Awkward__c").await["done"], true);
}

#[tokio::test]
async fn a_cursor_that_expired_stays_so() {
    let script = "[[fault]]\non = { route = \"query-more\", nth = 2 }\ndo = { kind = \"cursor-expired\" }";
    let org = Org::faulty(script).await;
    let next = org.query("SELECT Id FROM Opportunity").await["nextRecordsUrl"].as_str().unwrap().to_owned();
    let path = next.trim_start_matches("/services/data/v62.0").to_owned();
    assert!(org.get(&path).await.status().is_success());
    for _ in 0..2 {
        assert_eq!(refused(org.get(&path).await, 400, "INVALID_QUERY_LOCATOR").await, "invalid query locator");
    }
}

#[tokio::test]
async fn field_definitions_are_there_for_rest_too() {
    let org = Org::demo().await;
    let soql =
        "SELECT QualifiedApiName, Label FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Account'";
    let found = org.query(soql).await;
    assert_eq!(keys(&found), ["done", "records", "totalSize"]);
    assert_eq!(found["records"][0]["QualifiedApiName"], "Id");
    assert!(found["records"][0]["attributes"]["url"].as_str().unwrap().contains("v62.0/sobjects/FieldDefinition/"));
}

#[tokio::test]
async fn long_requests_at_once_have_a_limit() {
    let script = "[[fault]]\non = { route = \"record-count\", times = \"always\" }\ndo = { kind = \"stall\" }";
    let faults = forcepump_emulator::FaultScript::parse(script).unwrap();
    let org =
        Org::with(Options { faults, concurrent_long_requests: 2, long_request_ms: 0, ..Options::default() }).await;
    let stalled: Vec<_> = (0..2).map(|_| tokio::spawn(org.call(Method::GET, "/limits/recordCount").send())).collect();
    while org.emulator.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    let message = refused(org.get("/limits").await, 403, "REQUEST_LIMIT_EXCEEDED").await;
    assert_eq!(message, "ConcurrentRequests (Concurrent API Requests) Limit exceeded.");
    // Bulk 1.0 has the same limit in its own words.
    let classic = org.raw(Method::GET, "/services/async/62.0/job/750000000000000").send().await.unwrap();
    assert!(classic.text().await.unwrap().contains("<exceptionCode>ExceededQuota</exceptionCode>"));
    for request in stalled {
        request.abort();
        assert!(request.await.is_err_and(|error| error.is_cancelled()));
    }
    // The server notices the end of the connections in its own time.
    while !org.get("/limits").await.status().is_success() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn results_fill_the_daily_storage() {
    let org = Org::with(Options { daily_query_result_kb: 2_048, ..Options::default() }).await;
    let storage = |limits: &Value| limits["DailyBulkV2QueryFileStorageMB"].clone();
    assert_eq!(storage(&org.json("/limits").await), json!({"Max": 2, "Remaining": 2}));
    for left in [1, 0] {
        org.create("SELECT FIELDS(STANDARD) FROM Order_Line__c").await;
        assert_eq!(storage(&org.json("/limits").await)["Remaining"], left);
    }
    let answer = org.post("/jobs/query", &json!({"operation": "query", "query": "SELECT Id FROM Account"})).await;
    let message = refused(answer, 400, "LIMIT_EXCEEDED").await;
    assert_eq!(message, "Max bulk v2 query result size stored (2048) kb per 24 hrs has been exceeded");
}
