//! REST in XML, compressed requests, and tags.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Org, refused};

async fn xml(org: &Org, path: &str) -> (u16, String, String) {
    let answer = org.call(Method::GET, path).header("accept", "application/xml").send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.text().await.unwrap())
}

#[tokio::test]
async fn answers_are_xml_for_those_who_ask() {
    let org = Org::demo().await;
    let (status, kind, text) = xml(&org, "/query?q=SELECT+Id,Name,Fax+FROM+Account+LIMIT+1").await;
    assert_eq!((status, kind.as_str()), (200, "application/xml;charset=UTF-8"));
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><QueryResult><totalSize>1</totalSize>"),
        "{text}"
    );
    assert!(text.contains("<records type=\"Account\" url=\"/services/data/v62.0/sobjects/Account/001"));
    let by_suffix = org.get("/query.xml?q=SELECT+Id+FROM+Account+LIMIT+1").await;
    assert_eq!(by_suffix.headers()["content-type"], "application/xml;charset=UTF-8");
    let by_suffix = org.call(Method::GET, "/sobjects/Account.json").header("accept", "application/xml");
    assert_eq!(by_suffix.send().await.unwrap().headers()["content-type"], "application/json;charset=UTF-8");

    let (status, _, text) = xml(&org, "/query?q=SELECT+Nope+FROM+Account").await;
    assert!(status == 400 && text.contains("<Errors><Error>") && text.contains("<errorCode>INVALID_FIELD</errorCode>"));
    let dead =
        org.client.get(org.url("/services/data/v62.0/limits")).header("accept", "application/xml").bearer_auth("dead");
    let text = dead.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("<Errors><Error><message>Session expired or invalid</message><errorCode>INVALID_SESSION_ID"));
    let versions = org.client.get(org.url("/services/data.xml")).send().await.unwrap().text().await.unwrap();
    assert!(versions.contains("<Versions><Version><label>Summer '14</label>"), "{versions}");
}

#[tokio::test]
async fn job_resources_are_json_whatever_is_asked_for() {
    let org = Org::demo().await;
    let body = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    for accept in ["application/xml", "text/csv", "*/*"] {
        let answer = org.call(Method::POST, "/jobs/query/").header("accept", accept).json(&body).send().await.unwrap();
        let job: Value = answer.json().await.unwrap();
        assert_eq!(job["state"], "UploadComplete", "{accept}");
    }
}

#[tokio::test]
async fn a_request_may_be_compressed() {
    let org = Org::demo().await;
    let zip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let send = async |body: Vec<u8>| {
        let request = org.call(Method::POST, "/jobs/query").header("content-type", "application/json");
        request.header("content-encoding", "gzip").body(body).send().await.unwrap()
    };
    let body = zip(br#"{"operation":"query","query":"SELECT Id FROM Account"}"#);
    assert_eq!(send(body.clone()).await.status(), 200);
    assert_eq!(send(body[..body.len() - 4].to_vec()).await.status(), 400);
    // Many bytes of nothing are a small body.
    assert_eq!(send(zip(&vec![b' '; 5 << 20])).await.status(), 400);
    let form = zip(b"grant_type=nonsense");
    let token = org.client.post(org.url("/services/oauth2/token")).header("content-encoding", "gzip");
    let token = token.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap();
    assert_eq!(token.json::<Value>().await.unwrap()["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn describes_have_a_tag() {
    let org = Org::demo().await;
    for path in ["/sobjects", "/sobjects/Account/describe"] {
        let zipped = org.call(Method::GET, path).header("accept-encoding", "gzip").send().await.unwrap();
        let tag = zipped.headers()["etag"].to_str().unwrap().to_owned();
        assert!(tag.ends_with("--gzip\"") && tag.len() == "\"dd40d18c--gzip\"".len(), "{tag}");
        let plain = org.get(path).await.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(plain.replace('"', ""), tag.replace("--gzip", "").replace('"', ""));
        for (held, status) in [(tag.as_str(), 304), (plain.as_str(), 304), ("\"00000000\"", 200)] {
            let again = org.call(Method::GET, path).header("if-none-match", held).send().await.unwrap();
            assert_eq!(again.status(), status, "{held}");
            assert_eq!(again.headers()["etag"], plain.as_str());
        }
    }
}

#[tokio::test]
async fn paths_in_answers_name_the_version_that_was_asked_for() {
    let org = Org::demo().await;
    let id = org.query("SELECT Id FROM Account LIMIT 1").await["records"][0]["Id"].as_str().unwrap().to_owned();
    let ask = async |path: &str| -> Value {
        let answer = org.raw(Method::GET, &format!("/services/data/v58.0{path}")).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let record = ask(&format!("/sobjects/Account/{id}")).await;
    assert_eq!(record["attributes"]["url"], format!("/services/data/v58.0/sobjects/Account/{id}"));
    let global = ask("/sobjects").await;
    assert!(global["sobjects"][0]["urls"]["sobject"].as_str().unwrap().starts_with("/services/data/v58.0/"));
    let described = ask("/sobjects/Account/describe").await;
    assert_eq!(described["urls"]["uiDetailTemplate"], format!("{}/{{ID}}", org.emulator.url()));
    let resources = ask("").await;
    for (name, path) in resources.as_object().unwrap().iter().filter(|(name, _)| *name != "identity") {
        let path = path.as_str().unwrap().strip_prefix("/services/data/v58.0").unwrap();
        // The jobs have no resource at this path itself.
        if name != "jobs" {
            assert_ne!(org.get(path).await.status(), 404, "{name}");
        }
    }
    assert_eq!(resources["composite"], "/services/data/v58.0/composite");
}

#[tokio::test]
async fn the_tooling_api_has_what_the_data_apis_have_too() {
    let org = Org::demo().await;
    let found = org.json("/tooling/query?q=SELECT+QualifiedApiName+FROM+EntityDefinition+LIMIT+2").await;
    assert_eq!((&found["size"], &found["entityTypeName"]), (&json!(2), &json!("EntityDefinition")));
    refused(org.get("/tooling/query?q=SELECT+Id+FROM+Account").await, 400, "INVALID_TYPE").await;
}

#[tokio::test]
async fn the_options_of_a_query_are_read_in_any_spelling() {
    let org = Org::demo().await;
    for option in ["batchSize=200", "BATCHSIZE = 200", "client=x; batchsize=200"] {
        let page = org.call(Method::GET, "/query?q=SELECT+Id+FROM+Account").header("sforce-query-options", option);
        let page: Value = page.send().await.unwrap().json().await.unwrap();
        assert_eq!(page["records"].as_array().unwrap().len(), 200, "{option}");
    }
}
