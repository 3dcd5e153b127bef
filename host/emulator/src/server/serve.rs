//! One connection after another, one request after another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HeaderValue, SERVER, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_XSS_PROTECTION,
};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::NO_CACHE;
use super::body::{Content, WireBody};
use super::call::Call;
use super::dispatch::answer;
use super::faulty::{Instead, break_off, delay, instead};
use super::reply::Reply;
use super::route::Route;
use super::socket::{Ending, Socket};
use super::state::{RequestRecord, State, lock};

/// Most bytes of a request body; the largest legal one here is a SOQL statement of 100,000 characters.
const REQUEST_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Longest pause after a connection could not be accepted, for example for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes that a connection gathers before it writes; two blocks of CSV.
const WRITE_BUFFER_BYTES: usize = 640 * 1024;

const LIMIT_INFO: HeaderName = HeaderName::from_static("sforce-limit-info");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-sfdc-request-id");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Accepts connections until it is dropped, which ends them all.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, state.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Without it a small answer after a large one may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let ending = Ending::default();
    let socket = TokioIo::new(Socket::new(stream, ending.clone()));
    let service = service_fn(move |request| handle(state.clone(), ending.clone(), request));
    // A client that goes away, or a fault that cuts, ends the connection with an error: nothing to do.
    let _ = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(WRITE_BUFFER_BYTES)
        .serve_connection(socket, service)
        .await;
}

async fn handle(
    state: Arc<State>,
    ending: Ending,
    request: Request<Incoming>,
) -> Result<Response<WireBody>, Infallible> {
    let (head, body) = request.into_parts();
    let route = Route::parse(head.uri.path());
    let fired = lock(&state.rules).meet(head.method.as_str(), head.uri.path(), route.name(&head.method));
    let (delay, break_off) = (delay(&fired), break_off(&fired, &ending));
    let gzip = accepts_gzip(&head.headers);
    let mut record = RequestRecord {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        status: 0,
    };
    let reply = match Limited::new(body, REQUEST_BODY_BYTES).collect().await {
        Ok(body) => {
            let call = Call::new(head.method, &head.uri, head.headers, body.to_bytes(), fired);
            tokio::time::sleep(Duration::from_millis(state.options.latency_ms) + delay).await;
            reply(&state, call, route.clone()).await
        }
        Err(_) => Some(Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", "Request body too large")),
    };
    let Some(reply) = reply else {
        state.record(record);
        // Ends when the client goes away: hyper drops the request with the connection.
        return std::future::pending().await;
    };
    record.status = reply.status.as_u16();
    state.record(record);
    let gzip = gzip && reply.compress;
    let headers = headers(&state, &route, &reply, gzip);
    let mut response = Response::new(WireBody::new(reply.content, gzip, break_off, state.options.bandwidth));
    *response.status_mut() = reply.status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The answer, or `None` for silence. Statements may take a while, so they run beside the connections.
async fn reply(state: &Arc<State>, call: Call, route: Route) -> Option<Reply> {
    match instead(state, &call) {
        Instead::Silence => return None,
        Instead::Reply(reply) => return Some(reply),
        Instead::Nothing => {}
    }
    let state = state.clone();
    let answered = tokio::task::spawn_blocking(move || answer(&state, &call, &route)).await;
    Some(answered.unwrap_or_else(|_| {
        let message = "An unexpected error occurred in the emulator. Please report it";
        Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", message)
    }))
}

/// The headers around every answer, as recorded in Salesforce's Postman collection (v58).
fn headers(state: &State, route: &Route, reply: &Reply, gzip: bool) -> HeaderMap {
    let mut headers = reply.headers.clone();
    let mut fixed = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    fixed(STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    fixed(X_CONTENT_TYPE_OPTIONS, "nosniff");
    fixed(X_XSS_PROTECTION, "1; mode=block");
    fixed(ROBOTS, "none");
    fixed(CACHE_CONTROL, NO_CACHE);
    fixed(SERVER, "sfdcedge");
    fixed(VARY, "Accept-Encoding");
    if gzip && !matches!(reply.content, Content::Empty) {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut insert = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    insert(REQUEST_ID, format!("{:032x}", state.next_request()));
    // Absent on the list of versions and the OAuth endpoints.
    if matches!(route, Route::Data { .. }) {
        insert(LIMIT_INFO, format!("api-usage={}/{}", state.calls(), state.options.daily_api_requests));
    }
    headers
}

/// Whether gzip is named and not refused by `q=0`; other codings are ignored.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|p| matches!(p.strip_prefix("q=").map(str::parse::<f32>), Some(Ok(q)) if q == 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_only_when_asked() {
        for (value, asked) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0, br", false),
            ("gzip; q=0.0", false),
            ("identity", false),
            ("*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), asked, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
