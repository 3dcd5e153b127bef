//! A scripted loopback server: each test says what is answered to which request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use forcepump_salesforce::{Client, ClientOptions, ResolvedConnection};
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub token: String,
    pub headers: hyper::HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn is(&self, method: &str, path_end: &str) -> bool {
        self.method == method && self.path.ends_with(path_end)
    }

    pub fn is_login(&self) -> bool {
        self.is("POST", "/services/oauth2/token")
    }
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Whole,
    /// The connection is cut, without the chunked terminator.
    Cut,
    /// Nothing comes any more.
    Stall,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub end: End,
}

impl Answer {
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", kind.into())], body: body.into(), end: End::Whole }
    }

    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json;charset=UTF-8", body)
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#))
    }

    pub fn dead_session() -> Self {
        Self::error(401, "INVALID_SESSION_ID", "Session expired or invalid")
    }

    pub fn html(status: u16) -> Self {
        Self::new(status, "text/html", "<html><head><title>Down for Maintenance</title></head></html>")
    }

    pub fn csv(locator: &str, rows: usize) -> Self {
        let mut body = "\"Id\"\n".to_owned();
        (0..rows).for_each(|row| body.push_str(&format!("\"{row}\"\n")));
        Self::new(200, "text/csv; charset=UTF-8", body)
            .with("sforce-locator", locator)
            .with("sforce-numberofrecords", &rows.to_string())
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

type Handler = dyn Fn(Seen, usize) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `script` gets each request but logins, and how many with the same method and path came before.
    pub async fn start(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + Clone + 'static) -> Self {
        Self::start_raw(move |seen, before| {
            let script = script.clone();
            Box::pin(async move { if seen.is_login() { login("token-1") } else { script(&seen, before) } })
        })
        .await
    }

    pub async fn start_raw(
        script: impl Fn(Seen, usize) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, Arc::new(script), seen.clone()));
        Self { address, seen, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Client {
        self.client_with(options())
    }

    pub fn client_with(&self, options: ClientOptions) -> Client {
        let secret = SecretString::from("s3cr3t");
        let connection = ResolvedConnection::client_credentials(&self.url(), "app", secret).unwrap();
        Client::new(connection, options).unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self, is_it: impl Fn(&Seen) -> bool) -> usize {
        self.seen().iter().filter(|s| is_it(s)).count()
    }
}

/// Token answer without `instance_url`: the client stays at the host it logged in to.
pub fn login(token: &str) -> Answer {
    let body =
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","issued_at":"1609942615640","scope":"api"}}"#);
    Answer::json(200, body)
}

/// Waits of milliseconds, as no test waits for real.
pub fn options() -> ClientOptions {
    use std::time::Duration;
    ClientOptions {
        gzip: Some(true),
        retry_min_delay: Duration::from_millis(1),
        retry_max_delay: Duration::from_millis(2),
        poll_min_delay: Duration::from_millis(1),
        poll_max_delay: Duration::from_millis(2),
        stall_timeout: Duration::from_secs(20),
        first_byte_timeout: Duration::from_secs(20),
        max_attempts: 3,
        ..ClientOptions::default()
    }
}

async fn accept(listener: TcpListener, script: Arc<Handler>, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (script, seen) = (script.clone(), seen.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, script.clone(), seen.clone()));
            // a cut body ends the connection with an error, as planned
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, io::Error>;

async fn answer(
    request: Request<Incoming>,
    script: Arc<Handler>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let request = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        token: header("authorization").replace("Bearer ", ""),
        body: String::from_utf8_lossy(&body).into_owned(),
        headers: parts.headers,
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|s| s.method == request.method && s.path == request.path).count();
        seen.push(request.clone());
        before
    };
    let answer = script(request, before).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(body_of(answer)).unwrap())
}

fn body_of(answer: Answer) -> Body {
    let data = stream::iter((!answer.body.is_empty()).then(|| Ok(Frame::data(Bytes::from(answer.body)))));
    match answer.end {
        End::Whole => BodyExt::boxed(StreamBody::new(data)),
        End::Cut => {
            // the pause lets what was sent so far leave before the connection breaks
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::other("cut"))
            });
            BodyExt::boxed(StreamBody::new(data.chain(cut).boxed_sync()))
        }
        End::Stall => BodyExt::boxed(StreamBody::new(data.chain(stream::pending()).boxed_sync())),
    }
}

trait BoxedSync: Sized {
    fn boxed_sync(self) -> Pin<Box<dyn futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync>>;
}

impl<S: futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync + 'static> BoxedSync for S {
    fn boxed_sync(self) -> Pin<Box<dyn futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync>> {
        Box::pin(self)
    }
}
