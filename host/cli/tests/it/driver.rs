//! A real browser: headless Chromium through chromedriver, by the WebDriver protocol (W3C).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The key that WebDriver gives an element under.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser window.
pub struct Driver {
    runtime: Runtime,
    http: reqwest::Client,
    child: Child,
    session: String,
    _profile: TempDir,
}

impl Driver {
    /// Starts it; none where Chromium is not installed, which continuous integration does not accept.
    pub fn start() -> Option<Self> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = started else {
            let missing = "chromedriver is missing: install Debian's chromium and chromium-driver";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            // libtest shows it with --nocapture; without a browser there is nothing to drive
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{missing}\n").as_bytes());
            return None;
        };
        let port = port(&mut child);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Self {
            runtime: Runtime::new().expect("a runtime"),
            http,
            child,
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let folder = format!("--user-data-dir={}", driver._profile.path().display());
        // as root, in a container: no sandbox, no shared memory, no graphics
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            &folder,
        ];
        let options = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": args },
            "timeouts": { "implicit": 20_000, "pageLoad": 60_000 },
        }}});
        let session = driver.call(Method::POST, "", Some(options));
        let id = session["sessionId"].as_str().expect("a session").to_owned();
        driver.session = format!("{}/{id}", driver.session);
        Some(driver)
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.call(Method::POST, "/url", Some(json!({ "url": url })));
    }

    /// Types into a field.
    pub fn enter(&self, field: &str, text: &str) {
        let element = self.find(field);
        self.call(Method::POST, &format!("/element/{element}/value"), Some(json!({ "text": text })));
    }

    /// Presses a button.
    pub fn press(&self, button: &str) {
        let element = self.find(button);
        self.call(Method::POST, &format!("/element/{element}/click"), Some(json!({})));
    }

    /// What a part of the page says; waits for it.
    pub fn text(&self, part: &str) -> String {
        let element = self.find(part);
        let text = self.call(Method::GET, &format!("/element/{element}/text"), None);
        text.as_str().expect("a text").to_owned()
    }

    /// Where the browser is.
    pub fn address(&self) -> String {
        self.call(Method::GET, "/url", None).as_str().expect("an address").to_owned()
    }

    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let found = self.call(Method::POST, "/element", Some(json!({ "using": "css selector", "value": selector })));
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    #[track_caller]
    fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let text = self.runtime.block_on(async { request.send().await?.text().await }).expect("chromedriver answers");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(answer["value"]["error"].is_null(), "{path}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // the browser ends with its session, the driver by the signal; what fails here fails for a test that failed
        let request = self.http.delete(&self.session);
        let _ = self.runtime.block_on(request.send());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// chromedriver takes a free port and says which.
fn port(child: &mut Child) -> u16 {
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    for line in lines.map_while(Result::ok) {
        let port = line.split("on port ").nth(1).filter(|_| line.contains("started successfully"));
        if let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) {
            return port;
        }
    }
    panic!("chromedriver said no port");
}
