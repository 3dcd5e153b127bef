//! A browser of the plainest kind: it follows redirects one by one, keeps the cookie, fills in forms.

use std::cell::RefCell;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::support::Org;

/// Callback of the tests; nothing listens there.
pub const CALLBACK: &str = "http://localhost:1717/OauthRedirect";

pub struct Browser {
    client: Client,
    base: String,
    cookie: RefCell<Option<String>>,
}

/// What the server answered.
pub struct Page {
    pub status: u16,
    pub content_type: Option<String>,
    pub location: Option<String>,
    pub text: String,
}

impl Page {
    /// The value of a form's hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let value = self.text.split_once(&mark).unwrap_or_else(|| panic!("no {name} in {}", self.text)).1;
        value.split_once('"').unwrap().0.replace("&amp;", "&")
    }

    pub fn location(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("{} {}", self.status, self.text))
    }

    /// The parameters after `?` or `#` of the location.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once(['?', '#'])?;
        form_pairs(query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn must(&self, name: &str) -> String {
        self.parameter(name).unwrap_or_else(|| panic!("no {name} in {}", self.location()))
    }
}

/// Decodes `a=b&c=d`.
pub fn form_pairs(text: &str) -> Vec<(String, String)> {
    reqwest::Url::parse(&format!("http://x/?{text}")).unwrap().query_pairs().into_owned().collect()
}

impl Browser {
    pub fn at(base: &str) -> Browser {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Browser { client, base: base.to_owned(), cookie: RefCell::default() }
    }

    pub fn new(org: &Org) -> Browser {
        Browser::at(org.emulator.url())
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let cookie = self.cookie.borrow().clone();
        let request = match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let response: Response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = header("set-cookie") {
            *self.cookie.borrow_mut() = cookie.split(';').next().map(str::to_owned);
        }
        let (status, content_type, location) = (response.status().as_u16(), header("content-type"), header("location"));
        Page { status, content_type, location, text: response.text().await.unwrap() }
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.client.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(self.client.post(self.url(path)).form(fields)).await
    }

    /// `GET /services/oauth2/authorize`.
    pub async fn authorize(&self, parameters: &[(&str, &str)]) -> Page {
        let url = self.url("/services/oauth2/authorize");
        self.send(self.client.get(url).query(parameters)).await
    }

    /// Follows redirects inside the server.
    pub async fn follow(&self, mut page: Page) -> Page {
        const MOST: u32 = 10;
        for _ in 0..MOST {
            match &page.location {
                Some(location) if location.starts_with('/') || location.starts_with(&self.base) => {
                    page = self.get(&location.clone()).await;
                }
                _ => return page,
            }
        }
        panic!("redirects go round in circles");
    }

    /// Fills in the login page.
    pub async fn log_in(&self, page: Page, username: &str, password: &str) -> Page {
        let page = self.follow(page).await;
        assert!(page.text.contains("id=\"username\"") && page.text.contains("id=\"password\""), "{}", page.text);
        let start = page.hidden("startURL");
        let page = self.post("/", &[("startURL", &start), ("username", username), ("pw", password)]).await;
        self.follow(page).await
    }

    /// Presses a button of the approval page: `save` or `cancel`.
    pub async fn press(&self, page: &Page, button: &str) -> Page {
        assert!(page.text.contains("id=\"oaapprove\"") && page.text.contains("id=\"oadeny\""), "{}", page.text);
        let path = "/setup/secur/RemoteAccessAuthorizationPage.apexp";
        let page = self.post(path, &[("source", &page.hidden("source")), (button, "x")]).await;
        self.follow(page).await
    }
}
