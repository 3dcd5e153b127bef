//! Requests of the transfer crate's client, offered to the sandbox; credentials by reference, resolved here and shown nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use forcepump_sandbox as sandbox;
use forcepump_transfer::http;
use secrecy::SecretString;

use crate::error::Error;
use crate::file::{HttpCredential, HttpGrant, Method, Problem, SecretError, resolve_secret};

/// The granted origins of one plugin.
struct Origins(http::Client);

impl sandbox::HttpProvider for Origins {
    fn names(&self) -> Vec<String> {
        self.0.names().map(str::to_owned).collect()
    }

    fn send(&self, request: sandbox::HttpRequest) -> sandbox::HttpExchange<'_> {
        let sandbox::HttpRequest { method, url, headers, body, credential, timeout, max_response_bytes } = request;
        let method = match method {
            sandbox::HttpMethod::Get => http::Method::Get,
            sandbox::HttpMethod::Head => http::Method::Head,
            sandbox::HttpMethod::Post => http::Method::Post,
            sandbox::HttpMethod::Put => http::Method::Put,
            sandbox::HttpMethod::Patch => http::Method::Patch,
            sandbox::HttpMethod::Delete => http::Method::Delete,
        };
        let request = http::Request { method, url, headers, body, credential, timeout, max_response_bytes };
        Box::pin(async move {
            let http::Response { status, headers, body } = self.0.send(request).await.map_err(refusal)?;
            Ok(sandbox::HttpResponse { status, headers, body })
        })
    }
}

fn refusal(error: http::HttpError) -> sandbox::HttpError {
    match error {
        http::HttpError::Denied(text) => sandbox::HttpError::Denied(text),
        http::HttpError::UnknownCredential => sandbox::HttpError::UnknownCredential,
        http::HttpError::Timeout => sandbox::HttpError::Timeout,
        http::HttpError::Connect(text) => sandbox::HttpError::Connect(text),
        http::HttpError::TooLarge(bytes) => sandbox::HttpError::TooLarge(bytes),
        http::HttpError::Protocol(text) => sandbox::HttpError::Protocol(text),
    }
}

/// A provider over the granted origins, none when none is granted. Sends nothing.
///
/// # Errors
/// [`Error::Input`] with every grant that cannot be kept, and every secret that cannot be had.
pub fn provider(
    key: &str,
    grants: &BTreeMap<String, HttpGrant>,
    folder: &Path,
) -> Result<Option<Arc<dyn sandbox::HttpProvider>>, Error> {
    if grants.is_empty() {
        return Ok(None);
    }
    let origins = origins(key, grants, |reference| resolve_secret(reference, folder))?;
    let client =
        http::Client::new(origins).map_err(|error| Error::input(format!("{key}.grant.http"), error.to_string()))?;
    Ok(Some(Arc::new(Origins(client))))
}

/// The grants as the client takes them, each checked; `resolve` gives the secret of a reference.
///
/// # Errors
/// [`Error::Input`] with every fault.
pub fn origins(
    key: &str,
    grants: &BTreeMap<String, HttpGrant>,
    resolve: impl Fn(&str) -> Result<SecretString, SecretError>,
) -> Result<Vec<http::OriginGrant>, Error> {
    let mut problems = Vec::new();
    let mut origins = Vec::new();
    for (name, grant) in grants {
        let key = format!("{key}.grant.http.{name}");
        match origin(name, grant, &resolve) {
            Ok(origin) => match origin.check() {
                Ok(()) => origins.push(origin),
                Err(error) => problems.push(Problem::new(key, error.to_string())),
            },
            Err(error) => problems.push(Problem::new(format!("{key}.credential"), error.message)),
        }
    }
    if problems.is_empty() { Ok(origins) } else { Err(Error::Input(problems)) }
}

fn origin(
    name: &str,
    grant: &HttpGrant,
    resolve: impl Fn(&str) -> Result<SecretString, SecretError>,
) -> Result<http::OriginGrant, SecretError> {
    let credential = match &grant.credential {
        None => None,
        Some(HttpCredential::Bearer(value)) => Some(http::Credential::Bearer(resolve(value)?)),
        Some(HttpCredential::Basic { user, password }) => {
            Some(http::Credential::Basic { user: user.clone(), password: resolve(password)? })
        }
        Some(HttpCredential::Header { name, value }) => {
            Some(http::Credential::Header { name: name.clone(), value: resolve(value)? })
        }
    };
    Ok(http::OriginGrant {
        name: name.to_owned(),
        origin: grant.origin.clone(),
        methods: grant.methods.iter().copied().map(method).collect(),
        paths: grant.paths.clone(),
        credential,
        private_addresses: grant.private_addresses,
    })
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::Get,
        Method::Head => http::Method::Head,
        Method::Post => http::Method::Post,
        Method::Put => http::Method::Put,
        Method::Patch => http::Method::Patch,
        Method::Delete => http::Method::Delete,
    }
}

/// The grant in words, for a plan: `http scores = https://api.example.com (get, head; /v1; bearer credential)`.
pub fn words(name: &str, grant: &HttpGrant) -> String {
    let methods: Vec<&str> = grant.methods.iter().copied().map(word).collect();
    let mut parts = vec![methods.join(", "), grant.paths.join(", ")];
    parts.extend(grant.credential.as_ref().map(|credential| match credential {
        HttpCredential::Bearer(_) => "bearer credential".to_owned(),
        HttpCredential::Basic { user, .. } => format!("basic credential of {user}"),
        HttpCredential::Header { name, .. } => format!("credential in {name}"),
    }));
    if grant.private_addresses {
        parts.push("private addresses".to_owned());
    }
    format!("http {name} = {} ({})", grant.origin, parts.join("; "))
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Head => "head",
        Method::Post => "post",
        Method::Put => "put",
        Method::Patch => "patch",
        Method::Delete => "delete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(origin: &str) -> HttpGrant {
        HttpGrant {
            origin: origin.to_owned(),
            methods: vec![Method::Get],
            paths: vec!["/v1".to_owned()],
            credential: None,
            private_addresses: false,
        }
    }

    fn refused(grant: HttpGrant) -> String {
        let grants = BTreeMap::from([("api".to_owned(), grant)]);
        match provider("transform[0]", &grants, Path::new(".")) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn wrong_grants_are_told_with_their_key() {
        for (origin, says) in [
            ("https://api.example.com/v1", "scheme, host and port only"),
            ("http://api.example.com", "https"),
            ("https://10.0.0.1", "private_addresses"),
            ("ftp://api.example.com", "https"),
            ("", "scheme, host and port only"),
        ] {
            let text = refused(grant(origin));
            assert!(text.contains("transform[0].grant.http.api") && text.contains(says), "{origin}: {text}");
        }
        let text = refused(HttpGrant { methods: Vec::new(), ..grant("https://api.example.com") });
        assert!(text.contains("`methods` is empty"), "{text}");
        let text = refused(HttpGrant { paths: vec!["v1".into()], ..grant("https://api.example.com") });
        assert!(text.contains("`paths` has \"v1\""), "{text}");
    }

    #[test]
    fn a_secret_in_plain_text_is_refused_and_not_shown() {
        let credential = Some(HttpCredential::Bearer("hunter2-hunter2".to_owned()));
        let text = refused(HttpGrant { credential, ..grant("https://api.example.com") });
        assert!(text.contains("transform[0].grant.http.api.credential") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_plan_shows_what_is_granted_and_no_secret() {
        let credential = Some(HttpCredential::Header { name: "x-api-key".into(), value: "env:KEY".into() });
        let shown =
            words("api", &HttpGrant { credential, private_addresses: true, ..grant("https://api.example.com") });
        assert_eq!(shown, "http api = https://api.example.com (get; /v1; credential in x-api-key; private addresses)");
    }
}
