//! Requests over HTTP that a guest should not make, or not so many of.

use forcepump_plugin_sdk::PluginError;
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::http;

/// Attacks of `process` over HTTP; the guest `evil-http` has them. `text` of the orders is the URL.
pub const MODES: &[&str] = &[
    "http-get",
    "http-credential",
    "http-flood",
    "http-all-at-once",
    "http-too-many",
    "http-order",
    "http-huge-body",
    "http-long-url",
    "http-url-line-break",
    "http-many-headers",
    "http-huge-headers",
    "http-header-line-break",
    "http-header-name",
    "http-never-answers",
    "http-waits-forever",
    "http-large-response",
    "http-response-bomb",
    "http-steering-response",
];

/// Makes the attack, if it is one of [`MODES`]; the error is what the host said.
pub fn attack(mode: &str, url: &str) -> Result<(), PluginError> {
    if !MODES.contains(&mode) {
        return Ok(());
    }
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let mut request = get(url);
    match mode {
        "http-flood" => return Err(PluginError::Data(tally((0..300).map(|_| http::send(&request))))),
        "http-all-at-once" => return many(vec![request; 40]),
        "http-too-many" => return many(vec![request; 400]),
        "http-response-bomb" => return many(vec![request; 32]),
        "http-order" => return in_order(url),
        "http-credential" => request.credential = Some("other".to_owned()),
        "http-huge-body" => request.body = vec![0; 100 << 20],
        "http-long-url" => request.url = format!("{url}?{}", "q".repeat(10_000)),
        "http-url-line-break" => request.url = format!("{url}\r\nhost: evil.example"),
        "http-many-headers" => request.headers = vec![("x".to_owned(), "y".to_owned()); 1_000],
        "http-huge-headers" => request.headers = header("x", &"y".repeat(100_000)),
        "http-header-line-break" => request.headers = header("x", "y\r\nhost: evil.example"),
        "http-header-name" => request.headers = header("x: y\r\nhost", "evil.example"),
        "http-never-answers" => request.timeout_ms = Some(50),
        _ => {}
    }
    Err(PluginError::Data(match http::send(&request) {
        Ok(answer) => format!("{} {:?} {} bytes", answer.status, answer.headers, answer.body.len()),
        Err(error) => format!("{error:?}"),
    }))
}

fn get(url: &str) -> http::Request {
    http::Request {
        method: http::Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        timeout_ms: None,
    }
}

fn many(requests: Vec<http::Request>) -> Result<(), PluginError> {
    Err(PluginError::Data(tally(http::send_all(&requests).into_iter())))
}

/// How many answers there were of each kind.
fn tally(answers: impl Iterator<Item = Result<http::Response, http::HttpError>>) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for answer in answers {
        let kind = match answer {
            Ok(_) => "answered".to_owned(),
            Err(http::HttpError::Throttled(_)) => "throttled".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        *counts.entry(kind).or_insert(0u32) += 1;
    }
    format!("{counts:?}")
}

/// Each answer has the length that its request asked for.
fn in_order(url: &str) -> Result<(), PluginError> {
    let requests: Vec<_> = (0..20).map(|number| get(&format!("{url}{number}"))).collect();
    let lengths: Vec<usize> = http::send_all(&requests)
        .into_iter()
        .map(|answer| answer.map_or(usize::MAX, |answer| answer.body.len()))
        .collect();
    Err(PluginError::Data(format!("{lengths:?}")))
}
