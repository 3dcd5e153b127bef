//! One request inside another one: the parts of `/composite` and of `/composite/batch`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::server::{Call, Content, Reply, Route, State, resource};

/// A request as the body of another one names it.
pub(super) struct Subrequest<'a> {
    pub(super) method: &'a str,
    /// From the host's root, or from `/services/data/` where it begins with a version.
    pub(super) url: &'a str,
    pub(super) headers: Vec<(&'a String, &'a String)>,
    pub(super) body: Option<&'a Value>,
}

impl Subrequest<'_> {
    /// Its answer. Jobs, and composites in composites, cannot be put in one.
    pub(super) fn answer(&self, state: &State) -> Reply {
        let Ok(method) = self.method.to_ascii_uppercase().parse::<Method>() else {
            return not_allowed(self.method, "GET");
        };
        // Not parsed as a URI: those have a limit of their own, below that of a statement.
        let (path, query) = self.url.split_once('?').unwrap_or((self.url, ""));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/services/data/{path}") };
        let route = Route::parse(&path);
        let allowed = route.methods();
        if !allowed.is_empty() && !allowed.contains(&method.as_str()) {
            return not_allowed(self.method, &allowed.join(","));
        }
        match route {
            Route::Data { version, resource: wanted } if version.is_served() && wanted.is_plain() => {
                resource(state, &Call::inner(method, query, self.headers(), self.body()), version, &wanted)
            }
            _ => Reply::not_found(),
        }
    }

    fn body(&self) -> Bytes {
        self.body.and_then(|body| serde_json::to_vec(body).ok()).unwrap_or_default().into()
    }

    fn headers(&self) -> HeaderMap {
        let parsed = |(name, value): &(&String, &String)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        };
        self.headers.iter().filter_map(parsed).collect()
    }
}

fn not_allowed(method: &str, allowed: &str) -> Reply {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message)
}

/// The JSON of an answer; null where there is none.
pub(super) fn json_of(reply: &Reply) -> Value {
    match &reply.content {
        Content::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}
