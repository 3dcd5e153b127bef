//! The configuration, checked.

use forcepump_plugin_sdk::http::Method;
use forcepump_plugin_sdk::{PluginError, Target, WriteMode};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Rows of a request unless the configuration says otherwise: about a megabyte of wide rows.
const ROWS_PER_REQUEST: u32 = 500;
/// The header of draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    method: Option<Verb>,
    format: Option<Format>,
    rows_per_request: Option<u32>,
    credential: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    idempotency_header: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Post,
    Put,
    Patch,
}

/// How rows stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// one object a line
    JsonLines,
    /// one array of objects
    JsonArray,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::JsonLines => "application/x-ndjson",
            Format::JsonArray => "application/json",
        }
    }
}

/// What every request has in common.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) method: Method,
    pub(crate) format: Format,
    pub(crate) rows_per_request: u32,
    pub(crate) credential: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) idempotency_header: String,
}

impl Settings {
    pub(crate) fn parse(target: &Target) -> Result<Self, PluginError> {
        let config: Config = target.config()?;
        if target.mode != WriteMode::Append {
            let message = "http cannot replace or remove what a server has; write mode = \"append\"";
            return Err(PluginError::config("", message));
        }
        if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
            let message = "the url needs its scheme, for example \"https://api.example.com/v1/accounts\"";
            return Err(PluginError::config("/url", message));
        }
        let format = config.format.unwrap_or(Format::JsonLines);
        Ok(Settings {
            url: config.url,
            method: match config.method.unwrap_or(Verb::Post) {
                Verb::Post => Method::Post,
                Verb::Put => Method::Put,
                Verb::Patch => Method::Patch,
            },
            format,
            rows_per_request: config.rows_per_request.unwrap_or(ROWS_PER_REQUEST).max(1),
            credential: config.credential,
            headers: with_content_type(config.headers, format),
            idempotency_header: config.idempotency_header.unwrap_or_else(|| IDEMPOTENCY_HEADER.to_owned()),
        })
    }
}

fn with_content_type(headers: BTreeMap<String, String>, format: Format) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.into_iter().collect();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type".to_owned(), format.content_type().to_owned()));
    }
    headers
}
