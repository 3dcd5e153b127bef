//! A person with a browser that knows forms and cookies: opens pages, logs in, allows and denies.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, Url};
use tokio::runtime::Runtime;

use crate::harness::Org;

/// More redirects than any of the pages has.
const MAX_REDIRECTS: usize = 10;

/// Somebody at a browser.
pub struct Person {
    runtime: Runtime,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    username: String,
    password: String,
    nobody_listens: bool,
}

/// A page that is open.
pub struct Page {
    /// where it ended after all redirects
    pub url: Url,
    /// its text
    pub text: String,
}

impl Page {
    /// The value of a field that the page does not show.
    fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\""))?;
        let value = rest.split('"').next()?;
        Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"))
    }
}

impl Person {
    /// The org's own user.
    pub fn of(org: &Org) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let credentials = org.emulator().credentials();
        Self {
            runtime: Runtime::new().expect("a runtime"),
            http: http.tls_certs_only([]).build().expect("a client"),
            cookies: BTreeMap::new(),
            username: credentials.username.clone(),
            password: credentials.password.clone(),
            nobody_listens: false,
        }
    }

    /// Opens a page and follows where it leads.
    pub fn open(&mut self, url: &str) -> Page {
        self.go(Method::GET, Url::parse(url).expect("a URL"), &[])
    }

    /// Opens the login page of a client and logs in: ends at the approval page, or beyond.
    pub fn log_in(&mut self, url: &str) -> Page {
        let page = self.open(url);
        let start = page.hidden("startURL").unwrap_or_else(|| panic!("no login page: {}", page.text));
        let (username, password) = (self.username.clone(), self.password.clone());
        let fields = [("startURL", start.as_str()), ("username", &username), ("pw", &password)];
        self.go(Method::POST, page.url.join("/").expect("a URL"), &fields)
    }

    /// Presses a button of the approval page: `save` or `cancel`.
    pub fn answer(&mut self, page: &Page, button: &str) -> Page {
        let source = page.hidden("source").unwrap_or_else(|| panic!("no approval page: {}", page.text));
        let to = page.url.join("/setup/secur/RemoteAccessAuthorizationPage.apexp").expect("a URL");
        self.go(Method::POST, to, &[("source", &source), (button, "x")])
    }

    /// As [`Person::answer`], at a callback that nobody listens on: the address that the browser shows.
    pub fn answer_to_nobody(&mut self, page: &Page, button: &str) -> String {
        self.nobody_listens = true;
        self.answer(page, button).url.to_string()
    }

    /// The address at which a login ends that was approved before, at a callback that nobody listens on.
    pub fn log_in_to_nobody(&mut self, url: &str) -> String {
        self.nobody_listens = true;
        self.log_in(url).url.to_string()
    }

    /// Types the code of a device and allows it.
    pub fn connect_device(&mut self, url: &str, code: &str) -> Page {
        let url = format!("{url}?user_code={code}&connect=Connect");
        let page = self.log_in(&url);
        self.answer(&page, "save")
    }

    fn go(&mut self, method: Method, url: Url, fields: &[(&str, &str)]) -> Page {
        let (mut method, mut url, mut fields) = (method, url, fields);
        for _ in 0..MAX_REDIRECTS {
            let cookie: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut request = self.http.request(method.clone(), url.clone()).header(COOKIE, cookie.join("; "));
            if method == Method::POST {
                request = request.form(fields);
            }
            let response = self.runtime.block_on(request.send()).expect("an answer");
            for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
                let pair = cookie.split(';').next().unwrap_or_default().split_once('=');
                self.cookies.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
            let next = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            let Some(next) = next else {
                let text = self.runtime.block_on(response.text()).expect("a page");
                return Page { url, text };
            };
            url = url.join(&next).expect("a URL");
            (method, fields) = (Method::GET, &[]);
            // the redirect of a client that nobody listens for: its address is what counts
            if self.nobody_listens && url.query().is_some_and(|query| query.contains("code=")) {
                return Page { url, text: String::new() };
            }
        }
        panic!("more than {MAX_REDIRECTS} redirects")
    }
}
