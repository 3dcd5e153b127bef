//! A client of Bulk API 1.0, and what its answers are read with.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, keys};

/// Namespace of the answers in XML.
pub const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";

impl Org {
    /// A request below `/services/async/62.0`, with the token in the header of this API.
    pub fn classic(&self, method: Method, path: &str) -> RequestBuilder {
        let token = &self.emulator.credentials().access_token;
        self.client.request(method, self.url(&format!("/services/async/62.0{path}"))).header("X-SFDC-Session", token)
    }

    pub async fn classic_json(&self, path: &str) -> Value {
        let answer = self.classic(Method::GET, path).header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    pub async fn classic_text(&self, path: &str) -> String {
        let answer = self.classic(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// Creates a job with a JSON body and gives its path.
    pub async fn open(&self, object: &str, content_type: &str, chunking: Option<&str>) -> String {
        let body = json!({"operation": "query", "object": object, "concurrencyMode": 0, "contentType": content_type});
        let mut call = self.classic(Method::POST, "/job").json(&body);
        if let Some(chunking) = chunking {
            call = call.header("Sforce-Enable-PKChunking", chunking);
        }
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        location.strip_prefix("/services/async/62.0").unwrap().to_owned()
    }

    /// Adds a batch and gives its path.
    pub async fn batch(&self, job: &str, soql: &str) -> String {
        let answer = self.add(job, soql).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{soql}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        location.strip_prefix("/services/async/62.0").unwrap().to_owned()
    }

    pub async fn add(&self, job: &str, soql: &str) -> Response {
        let path = format!("{job}/batch");
        self.classic(Method::POST, &path).header("content-type", "text/csv").body(soql.to_owned()).send().await.unwrap()
    }

    /// Looks at the batches of a job until none waits or runs; gives id, state and message of each.
    pub async fn settle(&self, job: &str) -> Vec<(String, String, String)> {
        const MOST_LOOKS: u32 = 1_000;
        for _ in 0..MOST_LOOKS {
            let found = batches(&self.classic_text(&format!("{job}/batch")).await);
            if found.iter().all(|(_, state, _)| state != "Queued" && state != "InProgress") {
                return found;
            }
        }
        panic!("{job} never ends");
    }

    /// The bodies of all results of a batch.
    pub async fn results(&self, batch: &str) -> Vec<String> {
        let list = self.classic_text(&format!("{batch}/result")).await;
        let ids: Vec<String> =
            if list.starts_with('[') { serde_json::from_str(&list).unwrap() } else { values(&list, "result") };
        let mut bodies = Vec::new();
        for id in ids {
            assert!(id.len() == 15 && id.starts_with("752"), "{id}");
            bodies.push(self.classic_text(&format!("{batch}/result/{id}")).await);
        }
        bodies
    }

    /// Runs a statement in a job of its own and gives all results.
    pub async fn classic_query(&self, object: &str, content_type: &str, soql: &str) -> Vec<String> {
        let job = self.open(object, content_type, None).await;
        let batch = self.batch(&job, soql).await;
        for _ in 0..2 {
            self.classic_text(&batch).await;
        }
        self.results(&batch).await
    }
}

/// The texts of every element with that name.
pub fn values(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = xml.split(&open).skip(1);
    rest.map(|rest| rest.split(&close).next().unwrap_or_default().to_owned()).collect()
}

pub fn batches(list: &str) -> Vec<(String, String, String)> {
    if list.starts_with('{') {
        let list: Value = serde_json::from_str(list).unwrap();
        let text = |batch: &Value, key: &str| batch[key].as_str().unwrap_or_default().to_owned();
        let each = list["batchInfo"].as_array().unwrap().iter();
        return each.map(|batch| (text(batch, "id"), text(batch, "state"), text(batch, "stateMessage"))).collect();
    }
    let one = |batch: &str, name: &str| values(batch, name).pop().unwrap_or_default();
    let each = values(list, "batchInfo").into_iter();
    each.map(|batch| (one(&batch, "id"), one(&batch, "state"), one(&batch, "stateMessage"))).collect()
}

/// Asserts a status and an error in XML or JSON; gives the message.
pub async fn refused(answer: Response, status: u16, code: &str) -> String {
    assert_eq!(answer.status().as_u16(), status);
    let form = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    if form == "application/json" {
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(keys(&error), ["exceptionCode", "exceptionMessage"]);
        assert_eq!(error["exceptionCode"], code, "{text}");
        return error["exceptionMessage"].as_str().unwrap().to_owned();
    }
    assert_eq!(form, "application/xml");
    let start = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error\n   xmlns=\"{NAMESPACE}\">\n <exceptionCode>{code}</"
    );
    assert!(text.starts_with(&start), "{text}");
    values(&text, "exceptionMessage").pop().unwrap()
}
