//! A loopback server that answers as it is told, byte for byte, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use forcepump_transfer::http::{Client, Credential, HttpError, Method, OriginGrant, Request, Resolver, Resolving};

/// A request as it came: the head's lines and the body.
#[derive(Debug, Clone)]
pub struct Seen {
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<String> {
        let mut fields = self.head.iter().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }
}

/// What is sent back.
pub enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then nothing until the client goes away.
    Hold(Vec<u8>),
    /// These bytes, then those again and again until the client goes away.
    Endless(Vec<u8>, Vec<u8>),
}

/// A whole answer with `content-length`.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut bytes = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| bytes.push_str(&format!("{name}: {value}\r\n")));
    bytes.push_str("\r\n");
    Reply::Bytes([bytes.as_bytes(), body].concat())
}

pub fn ok(body: &str) -> Reply {
    answer("200 OK", &[], body.as_bytes())
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (reply, log) = (Arc::new(reply), Arc::clone(&seen));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
                thread::spawn(move || serve(socket, &*reply, &log));
            }
        });
        Self { address, seen }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("lock").clone()
    }

    /// Every method and path of this server.
    pub fn grant(&self) -> OriginGrant {
        grant("local", &self.origin())
    }

    pub fn client(&self) -> Client {
        Client::new(vec![self.grant()]).expect("client")
    }

    pub fn client_with(&self, credential: Credential) -> Client {
        Client::new(vec![OriginGrant { credential: Some(credential), ..self.grant() }]).expect("client")
    }
}

/// Writing to a client that has gone is how a test ends, so errors end the connection only.
fn serve(mut socket: TcpStream, reply: &(dyn Fn(&Seen) -> Reply + Send + Sync), log: &Mutex<Vec<Seen>>) {
    let Some(seen) = read(&socket) else { return };
    log.lock().expect("lock").push(seen.clone());
    match reply(&seen) {
        Reply::Bytes(bytes) => drop(socket.write_all(&bytes)),
        Reply::Hold(bytes) => {
            let _ = socket.write_all(&bytes);
            let _ = socket.read(&mut [0]);
        }
        Reply::Endless(head, more) => {
            let _ = socket.write_all(&head);
            while socket.write_all(&more).is_ok() {}
        }
    }
}

fn read(socket: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(socket);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut seen = Seen { head, body: Vec::new() };
    let length = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

pub const ALL_METHODS: [Method; 6] =
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];

pub fn grant(name: &str, origin: &str) -> OriginGrant {
    OriginGrant {
        name: name.to_owned(),
        origin: origin.to_owned(),
        methods: ALL_METHODS.to_vec(),
        paths: vec!["/".to_owned()],
        credential: None,
        private_addresses: origin.starts_with("http:"),
    }
}

pub fn get(url: &str) -> Request {
    Request {
        method: Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        timeout: Duration::from_secs(20),
        max_response_bytes: 1 << 20,
    }
}

/// Answers names from a list, one answer after the other; the last one stays.
pub struct Names(Mutex<Vec<Vec<IpAddr>>>);

impl Names {
    pub fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("address")).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

impl Resolver for Names {
    fn resolve(&self, _: &str) -> Resolving {
        let mut answers = self.0.lock().expect("lock");
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() };
        Box::pin(async move { Ok(answer) })
    }
}

/// The text of a refusal.
pub fn denied<T: std::fmt::Debug>(result: Result<T, HttpError>) -> String {
    match result {
        Err(HttpError::Denied(text)) => text,
        other => panic!("not denied: {other:?}"),
    }
}
