//! A server on loopback that takes what the destination `http` sends, and answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST /v1/accounts HTTP/1.1`, then the headers
    pub head: Vec<String>,
    /// the body
    pub body: String,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> String {
        let mut fields = self.head.iter().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// The server; it lives as long as the process.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// Status, more headers (each with its line end) and body; the status 0 ends the connection without an answer.
pub type Answer = (u16, String, String);

impl Receiver {
    /// Answers each request with what `answer` says of it and of how many came before.
    pub fn start(answer: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let log = Arc::clone(&received);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                serve(socket, &log, &answer);
            }
        });
        Self { address, received }
    }

    /// Takes everything.
    pub fn accepting() -> Self {
        Self::start(|_, _| (200, String::new(), String::new()))
    }

    /// Everything so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("lock").clone()
    }
}

/// One request a connection; a client that goes away ends it.
fn serve(mut socket: TcpStream, log: &Mutex<Vec<Received>>, answer: &impl Fn(&Received, usize) -> Answer) {
    let Some(request) = read(&socket) else { return };
    let before = {
        let mut log = log.lock().expect("lock");
        log.push(request.clone());
        log.len() - 1
    };
    let (status, headers, body) = answer(&request, before);
    if status == 0 {
        return;
    }
    let length = body.len();
    let text = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    let _ = socket.write_all(text.as_bytes());
}

fn read(socket: &TcpStream) -> Option<Received> {
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
    let mut request = Received { head, body: String::new() };
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
