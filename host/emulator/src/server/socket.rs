//! A TCP stream that can be broken off, in order or by a reset, as a failing network would.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a connection shall end once everything written so far is out; shared with the body that asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<AtomicU8>);

const OPEN: u8 = 0;
const CLOSE: u8 = 1;
const RESET: u8 = 2;

impl Ending {
    /// Ends the connection after what is written; with a TCP reset or in order.
    pub(crate) fn ask(&self, reset: bool) {
        self.0.store(if reset { RESET } else { CLOSE }, Ordering::Release);
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire) != OPEN
    }

    fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire) == RESET
    }
}

/// Headers whose names Salesforce spells otherwise than a capital after each hyphen (recorded responses).
const SPELLINGS: [(&[u8], &[u8]); 5] = [
    (b"\r\nSforce-Numberofrecords:", b"\r\nSforce-NumberOfRecords:"),
    (b"\r\nWww-Authenticate:", b"\r\nWWW-Authenticate:"),
    (b"\r\nEtag:", b"\r\nETag:"),
    (b"\r\nX-Xss-Protection:", b"\r\nX-XSS-Protection:"),
    (b"\r\nX-Sfdc-Request-Id:", b"\r\nX-SFDC-Request-Id:"),
];

/// The head of a response in Salesforce's spelling; none when there is nothing to change. As long as before, so that
/// the writer above counts right.
fn respelled(written: &[u8]) -> Option<Vec<u8>> {
    if !written.starts_with(b"HTTP/1.") {
        return None;
    }
    let end = memchr::memmem::find(written, b"\r\n\r\n")?;
    let mut head: Option<Vec<u8>> = None;
    for (ours, theirs) in SPELLINGS {
        if let Some(at) = memchr::memmem::find(&written[..end], ours) {
            head.get_or_insert_with(|| written.to_vec())[at..at + theirs.len()].copy_from_slice(theirs);
        }
    }
    head
}

/// The server's end of one connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    ending: Ending,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, ending: Ending) -> Socket {
        Socket { stream, ending }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.ending.is_reset() {
            // A connection that is already gone needs no reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match respelled(buf) {
            Some(head) => Pin::new(&mut self.stream).poll_write(cx, &head),
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(head) = bufs.first().and_then(|first| respelled(first)) {
            return Pin::new(&mut self.stream).poll_write(cx, &head);
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // hyper flushes only when its own buffers are out, so everything before the break has been written.
        if self.ending.is_asked() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_reset() {
            // An orderly shutdown would hide the reset that follows.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_respelled_and_the_body_is_not() {
        let text = b"HTTP/1.1 200 OK\r\nSforce-Numberofrecords: 3\r\nEtag: x\r\n\r\n\r\nEtag: y";
        let expected = b"HTTP/1.1 200 OK\r\nSforce-NumberOfRecords: 3\r\nETag: x\r\n\r\n\r\nEtag: y";
        assert_eq!(respelled(text).as_deref(), Some(expected.as_slice()));
        for unchanged in [&b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\n"[..], b"\r\nEtag: y\r\n\r\n", b"HTTP/1.1 200", b""] {
            assert_eq!(respelled(unchanged), None);
        }
    }
}
