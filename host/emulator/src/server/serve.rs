//! One connection after another, one request after another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, DATE, HeaderValue, SERVER, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_XSS_PROTECTION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::NO_CACHE;
use super::body::{Break, Content, WireBody};
use super::call::Call;
use super::dispatch::answer;
use super::encoding::{accepts_gzip, mark_tag, unzipped};
use super::faulty::{Instead, break_off, delay, instead};
use super::reply::{Reply, html_page};
use super::route::Route;
use super::socket::{Ending, Socket};
use super::state::{RequestRecord, State, lock};
use crate::faults::{Action, Fired, Limit};

/// Most bytes of a request body; the largest legal one here is a SOQL statement of 100,000 characters.
const REQUEST_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of URI and headers together (API Request Limits and Allocations).
const REQUEST_HEAD_BYTES: usize = 16_384;
/// Longest pause after a connection could not be accepted, for example for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes that a connection gathers before it writes; two blocks of CSV.
const WRITE_BUFFER_BYTES: usize = 640 * 1024;

/// The date format of HTTP (RFC 9110, 5.6.7).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

const LIMIT_INFO: HeaderName = HeaderName::from_static("sforce-limit-info");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-sfdc-request-id");
const ASYNC_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
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
    let (method, path) = (head.method.as_str(), head.uri.path());
    let route = Route::parse(path);
    let mut fired = lock(&state.rules).meet(method, path, route.name(&head.method));
    if limited(&route) && crowded(&state) {
        fired.actions.insert(0, Action::Limit { which: Limit::Concurrent });
    }
    let break_off = break_off(&fired, &ending);
    let gzip = accepts_gzip(&head.headers);
    let mut record = RequestRecord {
        method: method.to_owned(),
        path: path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        status: 0,
    };
    // Held until the answer is made, or for as long as there is none.
    let _turn = limited(&route).then(|| state.running.begin());
    let Some(reply) = reply(&state, &route, head, body, fired).await else {
        state.record(record);
        // Ends when the client goes away: hyper drops the request with the connection.
        return std::future::pending().await;
    };
    record.status = reply.status.as_u16();
    state.record(record);
    Ok(response(&state, &route, reply, gzip, break_off))
}

/// Whether requests of that kind count against the org's limits.
fn limited(route: &Route) -> bool {
    matches!(route, Route::Data { .. } | Route::Async { .. })
}

/// Whether as many long requests are running as the org allows.
fn crowded(state: &State) -> bool {
    let long = Duration::from_millis(state.options.long_request_ms);
    state.running.longer_than(long) as u64 >= state.options.concurrent_long_requests
}

/// The answer, or `None` for silence.
async fn reply(state: &Arc<State>, route: &Route, head: Parts, body: Incoming, fired: Fired) -> Option<Reply> {
    if let Some(refused) = refuse_long(&head) {
        return Some(refused);
    }
    let Ok(body) = Limited::new(body, REQUEST_BODY_BYTES).collect().await else {
        let message = "Request body too large";
        return Some(Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", message));
    };
    // Bulk 1.0 unzips by itself: what it cannot read is an error of its own shape.
    let body = body.to_bytes();
    let raw = matches!(route, Route::Async { .. });
    let Some(body) = (if raw { Some(body) } else { unzipped(&head.headers, body, REQUEST_BODY_BYTES) }) else {
        return Some(Reply::bad_request("INVALID_CONTENT", "The compressed request body cannot be read"));
    };
    let wait = Duration::from_millis(state.options.latency_ms) + delay(&fired);
    let call = Call::new(head.method, &head.uri, head.headers, body, fired);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    match instead(state, &call, route) {
        Instead::Silence => None,
        Instead::Reply(reply) => Some(reply),
        Instead::Nothing => Some(answer_aside(state.clone(), call, route.clone()).await),
    }
}

/// Statements may take a while, so they run beside the connections.
async fn answer_aside(state: Arc<State>, call: Call, route: Route) -> Reply {
    let answered = tokio::task::spawn_blocking(move || answer(&state, &call, &route)).await;
    answered.unwrap_or_else(|_| {
        let message = "An unexpected error occurred in the emulator. Please report it";
        Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", message)
    })
}

/// URI and headers together have a limit; the bodies of these two are not published.
fn refuse_long(head: &Parts) -> Option<Reply> {
    let uri = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if uri + headers <= REQUEST_HEAD_BYTES {
        return None;
    }
    let (status, title) = if uri > headers {
        (StatusCode::URI_TOO_LONG, "URI Too Long")
    } else {
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
    };
    Some(Reply::text(status, "text/html;charset=UTF-8", html_page(title, "The request is too long.")))
}

fn response(state: &State, route: &Route, reply: Reply, gzip: bool, break_off: Option<Break>) -> Response<WireBody> {
    let gzip = gzip && reply.compress;
    let headers = headers(state, route, &reply, gzip);
    let mut response = Response::new(WireBody::new(reply.content, gzip, break_off, state.options.bandwidth));
    *response.status_mut() = reply.status;
    *response.headers_mut() = headers;
    response
}

/// The headers around every answer, as recorded in Salesforce's Postman collection (v58).
fn headers(state: &State, route: &Route, reply: &Reply, gzip: bool) -> HeaderMap {
    let mut headers = HeaderMap::clone(&reply.headers);
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
        mark_tag(&mut headers);
    }
    let mut insert = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    insert(DATE, state.now().format(HTTP_DATE).to_string());
    insert(REQUEST_ID, format!("{:032x}", state.next_request()));
    if matches!(route, Route::Async { .. }) {
        insert(ASYNC_REQUEST_ID, format!("{:032x}", state.requests_so_far()));
    }
    // Absent on the list of versions and the OAuth endpoints.
    if matches!(route, Route::Data { .. }) {
        insert(LIMIT_INFO, format!("api-usage={}/{}", state.calls(), state.options.daily_api_requests));
    }
    headers
}
