//! Bulk API 1.0 query jobs: both forms, states, results in three content types, refusals.

use std::collections::HashSet;
use std::io::Write as _;

use forcepump_emulator::options::JsonDates;
use forcepump_emulator::{BatchState, ClassicJobState, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::classic::{NAMESPACE, refused, values};
use crate::support::Org;

#[tokio::test]
async fn a_csv_job_in_xml_from_creation_to_close() {
    let org = Org::demo().await;
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<jobInfo  xmlns=\"{NAMESPACE}\">\n  <operation>query</operation>\n  \
         <object>account</object>\n  <contentType>CSV</contentType>\n</jobInfo>"
    );
    let call = org.classic(Method::POST, "/job").header("content-type", "application/xml; charset=utf-8").body(body);
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    assert!(!answer.headers().contains_key("sforce-limit-info"));
    assert_eq!(answer.headers()["x-request-id"], answer.headers()["x-sfdc-request-id"]);
    let text = answer.text().await.unwrap();
    let id = values(&text, "id").pop().unwrap();
    assert!(text.starts_with(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><jobInfo\n   xmlns=\"{NAMESPACE}\">\n <id>{id}</id>\n <operation>query</operation>\n \
         <object>Account</object>\n <createdById>"
    )));
    let names: Vec<&str> = text.split("\n <").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "id",
            "operation",
            "object",
            "createdById",
            "createdDate",
            "systemModstamp",
            "state",
            "concurrencyMode",
            "contentType",
            "numberBatchesQueued",
            "numberBatchesInProgress",
            "numberBatchesCompleted",
            "numberBatchesFailed",
            "numberBatchesTotal",
            "numberRecordsProcessed",
            "numberRetries",
            "apiVersion",
            "numberRecordsFailed",
            "totalProcessingTime",
            "apiActiveProcessingTime",
            "apexProcessingTime"
        ]
    );
    assert!(values(&text, "createdDate")[0].ends_with(".000Z"));
    let job = format!("/job/{id}");
    assert_eq!(
        org.classic_text(&format!("{job}/batch/")).await,
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><batchInfoList\n   xmlns=\"{NAMESPACE}\" />")
    );

    let batch = org.batch(&job, "SELECT Id, Name FROM Account").await;
    let close = format!("<jobInfo xmlns=\"{NAMESPACE}\"><state>Closed</state></jobInfo>");
    let change =
        || org.classic(Method::POST, &job).header("content-type", "application/xml").body(close.clone()).send();
    assert_eq!(values(&change().await.unwrap().text().await.unwrap(), "state"), ["Closed"]);
    assert_eq!(
        refused(change().await.unwrap(), 400, "InvalidJobState").await,
        "Closing already Completed Job not allowed"
    );
    refused(org.add(&job, "SELECT Id FROM Account").await, 400, "InvalidJobState").await;

    // Clients may close right after adding: the batch runs on.
    let early = org.classic(Method::GET, &format!("{batch}/result")).send().await.unwrap();
    assert_eq!(refused(early, 400, "InvalidBatch").await, "Batch not completed");
    let states = [org.classic_text(&batch).await, org.classic_text(&format!("{batch}/")).await];
    assert_eq!(states.map(|text| values(&text, "state").pop().unwrap()), ["InProgress", "Completed"]);
    let info = org.classic_text(&job).await;
    assert_eq!(values(&info, "numberRecordsProcessed"), [org.rows("Account").to_string()]);
    assert_eq!(values(&info, "numberBatchesCompleted"), ["1"]);
    assert_eq!(org.classic_text(&format!("{batch}/request")).await, "SELECT Id, Name FROM Account");

    let results = org.results(&batch).await;
    assert_eq!(results.len(), 1);
    assert!(results[0].starts_with("\"Id\",\"Name\"\n\"001"));
    assert_eq!(results[0].lines().count() as u64, org.rows("Account") + 1);
    let record = &org.emulator.classic_jobs()[0];
    assert_eq!((record.state, record.batches[0].state), (ClassicJobState::Closed, BatchState::Completed));
}

#[tokio::test]
async fn a_json_job_answers_json_with_recorded_keys() {
    let org = Org::demo().await;
    let job = org.open("Account", "JSON", None).await;
    let info = org.classic_json(&job).await;
    assert_eq!(
        info.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "apexProcessingTime",
            "apiActiveProcessingTime",
            "apiVersion",
            "assignmentRuleId",
            "concurrencyMode",
            "contentType",
            "createdById",
            "createdDate",
            "externalIdFieldName",
            "fastPathEnabled",
            "id",
            "numberBatchesCompleted",
            "numberBatchesFailed",
            "numberBatchesInProgress",
            "numberBatchesQueued",
            "numberBatchesTotal",
            "numberRecordsFailed",
            "numberRecordsProcessed",
            "numberRetries",
            "object",
            "operation",
            "state",
            "systemModstamp",
            "totalProcessingTime"
        ]
    );
    assert_eq!((&info["concurrencyMode"], info["apiVersion"].to_string().as_str()), (&"Parallel".into(), "62.0"));
    assert!(info["createdDate"].as_str().unwrap().ends_with(".000+0000"));

    let soql =
        "SELECT Id, Name, Account.Name, CreatedDate, CloseDate, Amount, IsWon, NextStep FROM Opportunity LIMIT 2";
    let job = org.open("Opportunity", "JSON", None).await;
    // Batches answer as the job does, whatever the request says of itself.
    let call = org.classic(Method::POST, &format!("{job}/batch")).header("content-type", "text/csv").body(soql);
    let added: Value = call.send().await.unwrap().json().await.unwrap();
    assert_eq!((&added["state"], &added["stateMessage"]), (&"Queued".into(), &Value::Null));
    let batch = format!("{job}/batch/{}", &added["id"].as_str().unwrap()[..15]);
    org.classic_json(&format!("{job}/batch")).await;
    assert_eq!(org.classic_json(&batch).await["numberRecordsProcessed"], 2);
    let rows: Vec<Value> = serde_json::from_str(&org.results(&batch).await[0]).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["attributes"]["type"], "Opportunity");
    assert!(rows[0]["Account"]["Name"].is_string() && rows[0]["NextStep"].is_null());
    assert!(rows[0]["CreatedDate"].is_i64() && rows[0]["CloseDate"].is_string() && rows[0]["IsWon"].is_boolean());

    let org = Org::with(Options { json_dates: JsonDates::Epoch, ..Options::default() }).await;
    let results = org.classic_query("Opportunity", "JSON", "SELECT CloseDate FROM Opportunity LIMIT 1").await;
    let rows: Vec<Value> = serde_json::from_str(&results[0]).unwrap();
    assert_eq!(rows[0]["CloseDate"].as_i64().unwrap() % 86_400_000, 0);
}

#[tokio::test]
async fn job_answers_follow_the_request_and_batch_answers_the_job() {
    let org = Org::demo().await;
    for (content_type, of_batch) in
        [("CSV", "application/xml"), ("XML", "application/xml"), ("JSON", "application/json")]
    {
        let job = org.open("Account", content_type, None).await;
        for asked in ["application/json", "application/xml"] {
            let get = |path: String| org.classic(Method::GET, &path).header("content-type", asked).send();
            assert_eq!(get(job.clone()).await.unwrap().headers()["content-type"], asked);
            assert_eq!(get(format!("{job}/batch")).await.unwrap().headers()["content-type"], of_batch);
            let unknown = get(format!("{job}/batch/751000000000000")).await.unwrap();
            assert_eq!(unknown.headers()["content-type"], of_batch);
            refused(unknown, 400, "InvalidBatch").await;
        }
        let plain = org.classic(Method::GET, &job).send().await.unwrap();
        assert_eq!(plain.headers()["content-type"], of_batch);
    }
}

#[tokio::test]
async fn xml_results() {
    let org = Org::demo().await;
    let soql = "SELECT Id, Name, AnnualRevenue, CreatedDate, Owner.Name, Site FROM Account WHERE Name = '3M'";
    let results = org.classic_query("Account", "XML", soql).await;
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult xmlns=\"{NAMESPACE}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><records xsi:type=\"sObject\"><type>Account</type>\
         <Id>001gK0000000002QAA</Id><Id>001gK0000000002QAA</Id><Name>3M</Name><AnnualRevenue>2.49E10</AnnualRevenue><CreatedDate>"
    );
    assert!(results[0].starts_with(&head), "{}", results[0]);
    assert!(values(&results[0], "CreatedDate")[0].ends_with('Z'));
    let tail = "<Owner xsi:type=\"sObject\"><type>User</type><Id xsi:nil=\"true\"/><Name>Ada Admin</Name></Owner><Site xsi:nil=\"true\"/></records></queryResult>";
    assert!(results[0].ends_with(tail), "{}", results[0]);
    let nested =
        org.classic_query("Account", "XML", "SELECT Name, (SELECT LastName FROM Contacts) FROM Account LIMIT 20").await;
    assert!(nested[0].contains("<Contacts xsi:type=\"QueryResult\"><done>true</done>"), "{}", nested[0]);
}

#[tokio::test]
async fn results_without_rows() {
    let org = Org::demo().await;
    let soql = "SELECT Id FROM Account WHERE Name = 'nobody at all'";
    assert_eq!(org.classic_query("Account", "CSV", soql).await, ["Records not found for this query"]);
    assert_eq!(org.classic_query("Account", "JSON", soql).await, ["[]"]);
    let xml = org.classic_query("Account", "XML", soql).await;
    assert!(xml[0].ends_with("XMLSchema-instance\"></queryResult>"), "{}", xml[0]);
}

#[tokio::test]
async fn large_results_come_in_several_files() {
    let org = Org::with(Options { page_size: 700, ..Options::default() }).await;
    let files = org.classic_query("Account", "CSV", "SELECT Id FROM Account").await;
    let ids: HashSet<&str> = files.iter().flat_map(|file| file.lines().skip(1)).collect();
    assert_eq!((files.len() as u64, ids.len() as u64), (org.rows("Account").div_ceil(700), org.rows("Account")));
}

#[tokio::test]
async fn an_aborted_job_leaves_batches_over() {
    let org = Org::demo().await;
    let job = org.open("Account", "CSV", None).await;
    let batch = org.batch(&job, "SELECT Id FROM Account").await;
    let change = |state: &str| org.classic(Method::POST, &job).json(&json!({ "state": state })).send();
    let aborted: Value = change("Aborted").await.unwrap().json().await.unwrap();
    assert_eq!(aborted["state"], "Aborted");
    assert_eq!(values(&org.classic_text(&batch).await, "state"), ["NotProcessed"]);
    let again = refused(change("Aborted").await.unwrap(), 400, "InvalidJobState").await;
    assert_eq!(again, "Aborting already Aborted Job not allowed");
    refused(change("Closed").await.unwrap(), 400, "InvalidJobState").await;
}

#[tokio::test]
async fn a_dead_session_is_400_in_both_forms() {
    let org = Org::demo().await;
    org.emulator.expire_sessions();
    let path = "/job/750000000000000";
    let answer = org.classic(Method::GET, path).send().await.unwrap();
    assert_eq!(refused(answer, 400, "InvalidSessionId").await, "Invalid session id");
    let answer = org.classic(Method::GET, path).header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(refused(answer, 400, "InvalidSessionId").await, "Invalid session id");
    let none = org.client.get(org.url("/services/async/62.0/job/750")).send().await.unwrap();
    refused(none, 400, "InvalidSessionId").await;
}

#[tokio::test]
async fn other_ways_to_send_the_session_work() {
    let org = Org::demo().await;
    let token = org.emulator.credentials().access_token.clone();
    let url = org.url(&format!("/services/async/62.0{}", org.open("Account", "CSV", None).await));
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("OAuth {token}")),
        ("x-sfdc-session", token),
    ] {
        let answer = org.client.get(&url).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn faults_take_this_apis_shape() {
    let org = Org::faulty(
        "[[fault]]\non = { route = \"bulk1-job\" }\ndo = { kind = \"status\", code = 500 }\n\
         [[fault]]\non = { route = \"bulk1-job\", nth = 2 }\ndo = { kind = \"limit\", which = \"jobs\" }\n\
         [[fault]]\non = { route = \"bulk1-job\", nth = 3 }\ndo = { kind = \"session-unfit\" }\n\
         [[fault]]\non = { route = \"bulk1-job\", nth = 4 }\ndo = { kind = \"html-503\" }\n\
         [[fault]]\non = { route = \"bulk1-job\", nth = 5 }\ndo = { kind = \"job-vanish\" }\n\
         [[fault]]\non = { route = \"bulk1-batches\" }\ndo = { kind = \"session-expired\" }\n",
    )
    .await;
    let job = org.open("Account", "CSV", None).await;
    let get = |path: &str| org.classic(Method::GET, path).header("content-type", "application/json").send();
    refused(get(&job).await.unwrap(), 500, "Unknown").await;
    assert_eq!(refused(get(&job).await.unwrap(), 400, "ExceededQuota").await, "ApiBatchItems Limit exceeded.");
    assert_eq!(refused(get(&job).await.unwrap(), 400, "FeatureNotEnabled").await, "Async API not enabled");
    let html = get(&job).await.unwrap();
    assert_eq!(
        (html.status().as_u16(), &html.headers()["content-type"]),
        (503, &"text/html;charset=UTF-8".parse().unwrap())
    );
    refused(get(&job).await.unwrap(), 400, "InvalidJob").await;
    refused(get(&format!("{job}/batch")).await.unwrap(), 400, "InvalidSessionId").await;
    refused(get(&job).await.unwrap(), 400, "InvalidSessionId").await;
}

#[tokio::test]
async fn jobs_that_cannot_be() {
    let org = Org::demo().await;
    for (body, code) in [
        (json!({"operation": "insert", "object": "Account", "contentType": "CSV"}), "FeatureNotEnabled"),
        (json!({"operation": "steal", "object": "Account", "contentType": "CSV"}), "InvalidOperation"),
        (json!({"object": "Account"}), "InvalidJob"),
        (json!({"operation": "query"}), "InvalidJob"),
        (json!({"operation": "query", "object": "Nothing__c"}), "InvalidJob"),
        (json!({"operation": "query", "object": "EntityDefinition"}), "InvalidEntity"),
        (json!({"operation": "query", "object": "Account", "contentType": "ZIP_CSV"}), "UnsupportedContentType"),
        (json!({"operation": "query", "object": "Account", "concurrencyMode": 2}), "InvalidJob"),
    ] {
        let answer = org.classic(Method::POST, "/job").json(&body).send().await.unwrap();
        refused(answer, 400, code).await;
    }
    let answer = org.classic(Method::POST, "/job").header("content-type", "application/xml").body("<job/>");
    refused(answer.send().await.unwrap(), 400, "InvalidXML").await;
    refused(org.classic(Method::GET, "/jobs").send().await.unwrap(), 400, "InvalidUrl").await;
    refused(org.classic(Method::GET, "/job").send().await.unwrap(), 405, "MethodNotAllowed").await;
    refused(org.classic(Method::GET, "/job/750000000000000").send().await.unwrap(), 400, "InvalidJob").await;
    let old = org.raw(Method::GET, "/services/async/20.0/job/750").send().await.unwrap();
    refused(old, 410, "Gone").await;
    let job = org.open("Account", "CSV", None).await;
    let other = org.raw(Method::GET, &format!("/services/async/61.0{job}/batch")).send().await.unwrap();
    refused(other, 400, "InvalidVersion").await;
    refused(org.add(&job, "  ").await, 400, "ClientInputError").await;
    let answer = org.post("/jobs/ingest", &json!({"operation": "insert", "object": "Account"})).await;
    crate::support::refused(answer, 400, "FEATURENOTENABLED").await;
}

#[tokio::test]
async fn statements_fail_their_batch() {
    let org = Org::demo().await;
    for (content_type, soql, message) in [
        (
            "CSV",
            "SELECT Foo FROM Account",
            "InvalidBatch : Failed to process query: INVALID_FIELD: \nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Account'",
        ),
        ("CSV", "SELECT FROM", "InvalidBatch : Failed to process query: MALFORMED_QUERY: unexpected token: FROM"),
        (
            "CSV",
            "SELECT Id FROM Contact",
            "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: The root entity of the requested query (Contact) does not match the entity of the requested Bulk API Job (Account).",
        ),
        (
            "JSON",
            "SELECT BillingAddress FROM Account",
            "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
        ),
        (
            "CSV",
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "FeatureNotEnabled : Aggregate Relationships not supported in Bulk Query with CSV content type",
        ),
    ] {
        let job = org.open("Account", content_type, None).await;
        let batch = org.batch(&job, soql).await;
        let done = org.settle(&job).await;
        assert_eq!(done[0].1, "Failed");
        let said = done[0].2.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        assert!(said.starts_with(message), "{said}");
        let answer = org.classic(Method::GET, &format!("{batch}/result")).send().await.unwrap();
        assert_eq!(refused(answer, 400, "InvalidBatch").await, "Records not processed");
    }
}

#[tokio::test]
async fn batches_are_counted_and_run_out() {
    let org = Org::with(Options { daily_bulk_batches: 5, ..Options::default() }).await;
    let job = org.open("Account", "CSV", Some("chunkSize=500")).await;
    org.batch(&job, "SELECT Id FROM Account").await;
    org.settle(&job).await;
    assert_eq!(org.json("/limits").await["DailyBulkApiBatches"], json!({"Max": 5, "Remaining": 0}));
    assert_eq!(
        refused(org.add(&job, "SELECT Id FROM Account").await, 400, "ExceededQuota").await,
        "ApiBatchItems Limit exceeded."
    );
}

#[tokio::test]
async fn bodies_may_come_zipped() {
    let org = Org::demo().await;
    let job = org.open("Account", "CSV", None).await;
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(b"SELECT Id FROM Account LIMIT 3").unwrap();
    let call = org.classic(Method::POST, &format!("{job}/batch")).header("content-encoding", "gzip");
    let answer = call.header("content-type", "text/csv").body(zip.finish().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    org.settle(&job).await;
    assert_eq!(org.emulator.classic_jobs()[0].batches[0].rows, 3);
    let zipped =
        org.classic(Method::GET, &format!("{job}/batch")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn bulk_2_shows_classic_jobs() {
    let org = Org::demo().await;
    let job = org.open("Account", "CSV", Some("true")).await;
    org.create("SELECT Id FROM Account LIMIT 1").await;
    let count = |list: Value| list["records"].as_array().unwrap().len();
    assert_eq!(count(org.json("/jobs/query").await), 2);
    assert_eq!(count(org.json("/jobs/query?jobType=V2Query").await), 1);
    assert_eq!(count(org.json("/jobs/query?isPkChunkingEnabled=true").await), 1);
    let classic = org.json("/jobs/query?jobType=Classic").await["records"][0].clone();
    assert_eq!((&classic["jobType"], &classic["state"]), (&"Classic".into(), &"Open".into()));
    assert!(classic.get("lineEnding").is_none());
    let alone = org.json(&format!("/jobs/query/{}", job.strip_prefix("/job/").unwrap())).await;
    assert_eq!(alone["jobType"], "Classic");
    assert!(alone["apexProcessingTime"].is_u64() && alone["retries"].is_u64());
}
