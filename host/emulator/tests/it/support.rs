//! A running emulator with a client of its own, and what the tests ask of it.

use std::sync::Once;

use forcepump_emulator::{Emulator, FaultScript, Options};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// Version of most calls.
pub const VERSION: &str = "62.0";

/// A client without a proxy.
pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    // reqwest is built for TLS elsewhere in the workspace and wants a provider even for loopback.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder().no_proxy().build().unwrap()
}

/// An emulator and a client that holds a living token.
pub struct Org {
    pub emulator: Emulator,
    pub client: Client,
}

impl Org {
    /// The demo org.
    pub async fn demo() -> Org {
        Org::with(Options::default()).await
    }

    /// The demo org with a fault script.
    pub async fn faulty(script: &str) -> Org {
        Org::with(Options { faults: FaultScript::parse(script).unwrap(), ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Org {
        Org { client: client(), emulator: Emulator::start(options).await.unwrap() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.emulator.url())
    }

    /// A request below `/services/data/v62.0`, with the token.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.raw(method, &format!("/services/data/v{VERSION}{path}"))
    }

    /// A request anywhere, with the token.
    pub fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(&self.emulator.credentials().access_token)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path).send().await.unwrap()
    }

    /// A `GET` that must succeed with JSON.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub async fn query(&self, soql: &str) -> Value {
        let response = self.call(Method::GET, "/query").query(&[("q", soql)]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{soql}");
        response.json().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.call(Method::POST, path).json(body).send().await.unwrap()
    }

    /// Creates a query job.
    pub async fn create(&self, soql: &str) -> Value {
        let response = self.post("/jobs/query", &json!({"operation": "query", "query": soql})).await;
        assert_eq!(response.status(), StatusCode::OK, "{soql}");
        response.json().await.unwrap()
    }

    /// Creates a query job and polls it to its end; gives its id.
    pub async fn complete(&self, soql: &str) -> String {
        let id = self.create(soql).await["id"].as_str().unwrap().to_owned();
        assert_eq!(self.finish(&id).await["state"], "JobComplete");
        id
    }

    /// Polls a job until it is at its end.
    pub async fn finish(&self, id: &str) -> Value {
        const MOST_POLLS: u32 = 10_000;
        for _ in 0..MOST_POLLS {
            let job = self.json(&format!("/jobs/query/{id}")).await;
            if !matches!(job["state"].as_str(), Some("UploadComplete" | "InProgress")) {
                return job;
            }
        }
        panic!("job {id} never ends");
    }

    pub async fn page(&self, id: &str, query: &str) -> Page {
        let response = self.get(&format!("/jobs/query/{id}/results{query}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let (locator, count) = (header("sforce-locator"), header("sforce-numberofrecords"));
        Page { locator, count, text: response.text().await.unwrap() }
    }

    /// Every page of a complete job along the locators.
    pub async fn pages(&self, id: &str, most: u64) -> Vec<Page> {
        let mut pages = vec![self.page(id, &format!("?maxRecords={most}")).await];
        while let Some(locator) = pages.last().unwrap().next() {
            pages.push(self.page(id, &format!("?maxRecords={most}&locator={locator}")).await);
        }
        pages
    }

    pub fn rows(&self, object: &str) -> u64 {
        self.emulator.rows(object).unwrap()
    }
}

/// One page of results.
pub struct Page {
    pub locator: Option<String>,
    pub count: Option<String>,
    pub text: String,
}

impl Page {
    pub fn next(&self) -> Option<&str> {
        self.locator.as_deref().filter(|locator| *locator != "null")
    }

    /// Lines after the header line; only for values without newlines.
    pub fn data_lines(&self) -> Vec<&str> {
        self.text.lines().skip(1).collect()
    }
}

/// Asserts a status and an error array of one entry; gives the message.
pub async fn refused(response: Response, status: u16, error_code: &str) -> String {
    assert_eq!(response.status().as_u16(), status);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body[0]["errorCode"], error_code, "{body}");
    assert_eq!(body.as_array().unwrap().len(), 1);
    body[0]["message"].as_str().unwrap().to_owned()
}

/// Keys of an object, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// A recorded response from beside the project; `None`, and a word about it, where there is none.
pub fn recording(path: &str) -> Option<Value> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings/");
    match std::fs::read(format!("{root}{path}")) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            // libtest shows it with --nocapture; the test passes over the comparison.
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("no recording {path} beside the project: not compared\n").as_bytes(),
            );
            None
        }
    }
}
