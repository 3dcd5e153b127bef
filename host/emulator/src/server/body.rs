//! Response bodies as they go out: made block by block as the client reads, compressed, paced, cut.

use std::convert::Infallible;
use std::io::Write;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::socket::Ending;
use crate::data::{CsvDialect, Prepared};

/// Aimed-at size of one block of CSV; large enough that the cost of a write does not count.
const BLOCK_BYTES: usize = 256 * 1024;
/// Rows of the first block, before the width of a row is known.
const FIRST_BLOCK_ROWS: u64 = 64;
/// Frames a second when a bandwidth is set, so that a slow connection still trickles evenly.
const PACED_FRAMES_PER_SECOND: u64 = 50;

/// Rows of one result page still to be written as CSV.
#[derive(Debug)]
pub(crate) struct CsvRows {
    pub(crate) prepared: Prepared,
    pub(crate) dialect: CsvDialect,
    pub(crate) rows: Range<u64>,
    pub(crate) header_line: bool,
    /// Rows that fill about one block, learnt from the last one.
    pub(crate) block_rows: u64,
}

impl CsvRows {
    pub(crate) fn new(prepared: Prepared, dialect: CsvDialect, rows: Range<u64>, header_line: bool) -> CsvRows {
        CsvRows { prepared, dialect, rows, header_line, block_rows: FIRST_BLOCK_ROWS }
    }

    fn next_block(&mut self) -> Option<Vec<u8>> {
        if !self.header_line && self.rows.is_empty() {
            return None;
        }
        let mut block = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
        if std::mem::take(&mut self.header_line) {
            self.prepared.csv_header(&self.dialect, &mut block);
        }
        let end = self.rows.end.min(self.rows.start.saturating_add(self.block_rows));
        let before = block.len();
        self.prepared.csv_rows(self.rows.start..end, &self.dialect, &mut block);
        self.learn(end - self.rows.start, block.len() - before);
        self.rows.start = end;
        Some(block)
    }

    fn learn(&mut self, rows: u64, bytes: usize) {
        let row_bytes = (bytes as u64 / rows.max(1)).max(1);
        self.block_rows = (BLOCK_BYTES as u64 / row_bytes).max(1);
    }
}

/// A body that is made as the client reads.
pub(crate) trait Blocks: std::fmt::Debug + Send {
    /// The next bytes; `None` at the end.
    fn next_block(&mut self) -> Option<Vec<u8>>;
}

/// What a body is made of.
#[derive(Debug)]
pub(crate) enum Content {
    /// No body: `Content-Length: 0`, or none where the status has none.
    Empty,
    /// Bytes that are ready.
    Bytes(Vec<u8>),
    /// Result rows made as the client reads.
    Csv(Box<CsvRows>),
    /// Anything else made as the client reads.
    Made(Box<dyn Blocks>),
}

impl Content {
    fn next_block(&mut self) -> Option<Vec<u8>> {
        match self {
            Content::Empty => None,
            Content::Bytes(bytes) if bytes.is_empty() => None,
            Content::Bytes(bytes) => Some(std::mem::take(bytes)),
            Content::Csv(rows) => rows.next_block(),
            Content::Made(blocks) => blocks.next_block(),
        }
    }
}

/// Where a body is broken off.
#[derive(Debug, Clone)]
pub(crate) struct Break {
    pub(crate) after_bytes: u64,
    pub(crate) then: Broken,
}

/// How a broken body goes on.
#[derive(Debug, Clone)]
pub(crate) enum Broken {
    /// The connection ends without the last chunk.
    End { ending: Ending, reset: bool },
    /// Nothing more comes, and the connection stays.
    Stall,
}

/// A response body.
#[derive(Debug)]
pub(crate) struct WireBody {
    content: Content,
    gzip: Option<GzEncoder<Vec<u8>>>,
    ready: Bytes,
    break_off: Option<Break>,
    pace: Option<Pace>,
}

impl WireBody {
    pub(crate) fn new(content: Content, gzip: bool, break_off: Option<Break>, bandwidth: Option<u64>) -> WireBody {
        WireBody {
            content,
            gzip: gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
            ready: Bytes::new(),
            break_off,
            pace: bandwidth.map(Pace::new),
        }
    }

    /// Makes `ready` non-empty, or says that the body is at its end.
    fn fill(&mut self) -> bool {
        while self.ready.is_empty() {
            let block = self.content.next_block();
            let Some(encoder) = &mut self.gzip else {
                let Some(block) = block else { return false };
                self.ready = block.into();
                continue;
            };
            match block {
                // Writing into a vector cannot fail.
                Some(block) => {
                    let _ = encoder.write_all(&block);
                    self.ready = std::mem::take(encoder.get_mut()).into();
                }
                None => {
                    let _ = encoder.try_finish();
                    self.ready = std::mem::take(encoder.get_mut()).into();
                    self.gzip = None;
                    self.content = Content::Empty;
                }
            }
        }
        true
    }

    fn take_frame(&mut self) -> Bytes {
        let mut most = self.ready.len();
        if let Some(pace) = &self.pace {
            most = most.min(pace.frame_bytes());
        }
        if let Some(break_off) = &mut self.break_off {
            most = most.min(usize::try_from(break_off.after_bytes).unwrap_or(usize::MAX));
            break_off.after_bytes -= most as u64;
        }
        self.ready.split_to(most)
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(Break { after_bytes: 0, then }) = &self.break_off {
            if let Broken::End { ending, reset } = then {
                ending.ask(*reset);
            }
            // Nothing wakes this body again: the connection ends at its next flush, or stalls.
            return Poll::Pending;
        }
        if let Some(pace) = &mut self.pace
            && pace.poll_turn(cx).is_pending()
        {
            return Poll::Pending;
        }
        if !self.fill() {
            return Poll::Ready(None);
        }
        let frame = self.take_frame();
        if let Some(pace) = &mut self.pace {
            pace.sent(frame.len());
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.content {
            Content::Empty if self.ready.is_empty() && self.gzip.is_none() => SizeHint::with_exact(0),
            // Salesforce sends everything chunked, without a length.
            _ => SizeHint::default(),
        }
    }
}

/// Keeps a body to so many bytes a second.
#[derive(Debug)]
struct Pace {
    bytes_per_second: u64,
    /// When the next frame may go; `None` before the first.
    turn: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    fn new(bytes_per_second: u64) -> Pace {
        Pace { bytes_per_second: bytes_per_second.max(1), turn: None }
    }

    fn frame_bytes(&self) -> usize {
        usize::try_from((self.bytes_per_second / PACED_FRAMES_PER_SECOND).max(1)).unwrap_or(usize::MAX)
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turn.as_mut().map_or(Poll::Ready(()), |turn| turn.as_mut().poll(cx))
    }

    fn sent(&mut self, bytes: usize) {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        match &mut self.turn {
            // Counted from when the last frame was due, so that late wake-ups do not add up.
            Some(turn) => {
                let due = turn.deadline();
                turn.as_mut().reset(due + cost);
            }
            None => self.turn = Some(Box::pin(tokio::time::sleep(cost))),
        }
    }
}
