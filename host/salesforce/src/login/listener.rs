//! Listens on loopback for the one redirect that ends a login.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Url;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::page::Page;
use super::redirect::{self, Answer};
use crate::error::{Error, Result};

/// A browser opens a few; more is something else.
const MAX_CONNECTIONS: usize = 16;
/// Bytes of a request's head; a redirect has some hundred.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// From the first byte of a request to the last of its answer.
const CONNECTION_LIFE: Duration = Duration::from_secs(15);
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// After a connection could not be accepted, for example for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bound to 127.0.0.1, and to ::1 for `localhost` where it can be: browsers try either first.
pub(super) struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
    path: Arc<str>,
}

impl Listener {
    pub(super) async fn bind(uri: &Url) -> Result<Self> {
        let wanted = uri.port_or_known_default().unwrap_or(80);
        let host = uri.host_str().unwrap_or_default();
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, wanted));
        let first = if host.starts_with('[') { six } else { SocketAddr::from((Ipv4Addr::LOCALHOST, wanted)) };
        let socket = TcpListener::bind(first).await.map_err(|error| in_use(uri, wanted, &error))?;
        let port = socket.local_addr().map_or(wanted, |address| address.port());
        let mut sockets = vec![socket];
        if host == "localhost" {
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
                Ok(socket) => sockets.push(socket),
                // another program would get what is meant for us
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(in_use(uri, port, &error)),
                // this machine has no IPv6
                Err(_) => {}
            }
        }
        Ok(Self { sockets, port, path: uri.path().into() })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until the redirect of this login is among them, and that one is answered too.
    pub(super) async fn answer(&mut self, state: &str) -> Answer {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = accept(&self.sockets);
            tokio::select! {
                stream = accepted => {
                    let Ok(place) = places.clone().try_acquire_owned() else { continue };
                    let (path, state) = (self.path.clone(), state.to_owned());
                    connections.spawn(async move {
                        let answer = serve(stream, &path, &state).await;
                        drop(place);
                        answer
                    });
                }
                Some(done) = connections.join_next() => {
                    if let Ok(Some(answer)) = done {
                        return answer;
                    }
                }
            }
        }
    }
}

async fn accept(sockets: &[TcpListener]) -> TcpStream {
    loop {
        let waiting = sockets.iter().map(|socket| Box::pin(socket.accept()));
        match futures_util::future::select_all(waiting).await {
            (Ok((stream, _)), ..) => return stream,
            (Err(_), ..) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One request; the answer counts once the page is out, so that the person sees it.
async fn serve(stream: TcpStream, path: &str, state: &str) -> Option<Answer> {
    let found: Mutex<Option<Answer>> = Mutex::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        let (page, answer) = judge(&request, path, state);
        if answer.is_some() {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        }
        std::future::ready(Ok::<_, Infallible>(respond(page, request.method() == Method::HEAD)))
    });
    let mut server = http1::Builder::new();
    server.keep_alive(false).max_buf_size(MAX_HEAD_BYTES).timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // a browser that leaves, or never speaks, is no error of the login
    let _ = tokio::time::timeout(CONNECTION_LIFE, server.serve_connection(TokioIo::new(stream), service)).await;
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn judge(request: &Request<Incoming>, path: &str, state: &str) -> (Page, Option<Answer>) {
    if request.method() != Method::GET || request.uri().path() != path {
        return (Page::NotFound, None);
    }
    match redirect::read_query(request.uri().query().unwrap_or_default(), state) {
        None => (Page::Stray, None),
        Some(answer @ Answer::Code(_)) => (Page::Done, Some(answer)),
        Some(answer @ Answer::Refused { .. }) => (Page::Refused, Some(answer)),
    }
}

fn respond(page: Page, head_only: bool) -> Response<Full<Bytes>> {
    let body = if head_only { String::new() } else { page.html() };
    Response::builder()
        .status(page.status())
        .header("content-type", "text/html; charset=utf-8")
        .header("cache-control", "no-store")
        .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .body(Full::from(body))
        .unwrap_or_default()
}

fn in_use(uri: &Url, port: u16, error: &std::io::Error) -> Error {
    Error::config(format!(
        "cannot listen on port {port} for {uri}: {error}\n\
         hint: end the program that uses it, give the app another callback URL and set it as redirect_uri, or use --paste"
    ))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn strangers_get_a_page_and_only_the_redirect_ends_it() {
        let uri = Url::parse("http://localhost:0/back").unwrap();
        let mut listener = Listener::bind(&uri).await.unwrap();
        let port = listener.port();
        let idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let browser = async {
            assert!(get(port, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
            assert!(get(port, "/back?code=evil&state=guessed").await.starts_with("HTTP/1.1 400"));
            let forged = get(port, "/back?error=<script>&state=other").await;
            assert!(forged.starts_with("HTTP/1.1 400") && !forged.contains("<script>"), "{forged}");
            get(port, "/back?code=abc&state=right").await
        };
        let (answer, page) = tokio::join!(listener.answer("right"), browser);
        assert!(matches!(answer, Answer::Code(_)));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("can be closed"), "{page}");
        drop(idle);
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_with_the_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let uri = Url::parse(&format!("http://127.0.0.1:{port}/x")).unwrap();
        let error = Listener::bind(&uri).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--paste"), "{error}");
    }
}
