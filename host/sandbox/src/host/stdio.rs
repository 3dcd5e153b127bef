//! What a WASI guest prints becomes lines of the plugin's log, under the same gate.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::telemetry::{Level, LogPort};

/// Bytes that a guest may write at once.
const MAX_WRITE_BYTES: usize = 64 << 10;

/// The two outputs of one instance.
pub struct Outputs {
    out: Printed,
    err: Printed,
}

impl Outputs {
    /// Outputs that nobody wrote to yet.
    pub(crate) fn new(port: &Arc<LogPort>) -> Self {
        Outputs { out: Printed::new(port, Level::Info), err: Printed::new(port, Level::Warn) }
    }

    /// Where `stdout` leads.
    pub fn out(&self) -> Printed {
        self.out.clone()
    }

    /// Where `stderr` leads.
    pub fn err(&self) -> Printed {
        self.err.clone()
    }

    /// Sends on what has no line's end yet.
    pub fn flush(&self) {
        self.out.flush_line();
        self.err.flush_line();
    }
}

/// One output: every handle that the guest opens to it shares the line that is being written.
#[derive(Clone)]
pub struct Printed {
    port: Arc<LogPort>,
    level: Level,
    line: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    fn new(port: &Arc<LogPort>, level: Level) -> Self {
        Printed { port: Arc::clone(port), level, line: Arc::default() }
    }

    /// Takes bytes; of a line only what the log would show is kept.
    fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = self.port.line_bytes().saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if parts.peek().is_some() {
                self.send(&mut line);
            }
        }
    }

    fn send(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            self.port.line(self.level, &String::from_utf8_lossy(line), &[]);
            line.clear();
        }
    }

    fn flush_line(&self) {
        self.send(&mut self.line.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE_BYTES)
    }
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::Settings;
    use crate::limits::Limits;
    use crate::telemetry::{LogLine, LogSink};

    #[derive(Default)]
    struct Kept(Mutex<Vec<(Level, String)>>);

    impl LogSink for Kept {
        fn line(&self, line: LogLine) {
            self.0.lock().expect("no panic").push((line.level, line.message));
        }
    }

    #[test]
    fn bytes_become_lines_however_they_are_cut() {
        let kept = Arc::new(Kept::default());
        let limits = Limits { log_line_bytes: 8, ..Limits::default() };
        let settings = Settings { log: kept.clone(), limits, ..Settings::default() };
        let port = Arc::new(LogPort::new(&Arc::from("p"), &settings));
        let outputs = Outputs::new(&port);
        let (out, again, err) = (outputs.out(), outputs.out(), outputs.err());
        out.take(b"one\ntw");
        again.take(b"o\n\n\x1b[2J\n");
        err.take(b"a line that is too long");
        err.take(b" and goes on\nlast \xff");
        outputs.flush();
        let lines = kept.0.lock().expect("no panic").clone();
        let expected = [
            (Level::Info, "one"),
            (Level::Info, "two"),
            (Level::Info, "[2J"),
            (Level::Warn, "a line t"),
            (Level::Warn, "last \u{fffd}"),
        ];
        assert_eq!(lines, expected.map(|(level, text)| (level, text.to_owned())));
        assert_eq!(port.counts(), (5, 0));
    }
}
