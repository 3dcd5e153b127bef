//! A request that each batch makes, when the guest is built with the feature `http`.

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::http;

use crate::Fetch;

/// Status and body, or what the host said instead.
pub fn fetch(order: &Fetch) -> String {
    let request = http::Request {
        method: if order.body.is_empty() { http::Method::Get } else { http::Method::Post },
        url: order.url.clone(),
        headers: Vec::new(),
        body: order.body.clone().into_bytes(),
        credential: Some(order.credential.clone()).filter(|name| !name.is_empty()),
        timeout_ms: None,
    };
    match http::send(&request) {
        Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        Err(error) => format!("{error:?}"),
    }
}
