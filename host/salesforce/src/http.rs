//! The HTTP client: TLS, time-outs, no redirects; and plain words for its errors.

use std::sync::Once;

use reqwest::Url;

use crate::error::{Error, Result};
use crate::options::ClientOptions;
use crate::place::is_loopback;

static CRYPTO: Once = Once::new();

/// A client for one org. Loopback hosts get no proxy and no root certificates: they speak http only.
pub(crate) fn build(url: &Url, options: &ClientOptions) -> Result<reqwest::Client> {
    CRYPTO.call_once(|| {
        // someone else may have installed a provider already, which is as good
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("forcepump/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true);
    if is_loopback(url) && url.scheme() == "http" {
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder.build().map_err(|e| Error::config(format!("no HTTP client can be built: {}", describe_error(e))))
}

/// The innermost reason of a transport error, without the URL (its query may hold data).
pub(crate) fn describe_error(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason: &dyn std::error::Error = &error;
    let mut text = error.to_string();
    while let Some(source) = reason.source() {
        reason = source;
        text = reason.to_string();
    }
    text
}
