//! Bodies as they arrive: stall time-out, gzip by our own hand, and an end that is really the end.

use std::collections::VecDeque;
use std::io::Write as _;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures_util::Stream;
use http::header::CONTENT_ENCODING;

use crate::error::{Error, Result};

/// Compressed bytes fed at a time: bounds what one step can blow up to (deflate: at most about 1032 times).
const GZIP_STEP_BYTES: usize = 8 * 1024;
/// Nothing shorter can be a gzip member (RFC 1952: 10 bytes header, 2 deflate, 8 trailer).
const MIN_GZIP_BYTES: u64 = 20;

/// A body stream: plain bytes, in order; an error is the last item.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A body on the wire, decoded chunk by chunk.
pub(crate) struct WireBody {
    what: String,
    response: reqwest::Response,
    stall_timeout: Duration,
    decoder: Decoder,
    ready: VecDeque<Bytes>,
    received_bytes: u64,
    ended: bool,
}

enum Decoder {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Unknown(String),
}

impl WireBody {
    pub(crate) fn new(what: &str, response: reqwest::Response, stall_timeout: Duration) -> Self {
        let coding =
            response.headers().get(CONTENT_ENCODING).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        Self {
            what: what.to_owned(),
            decoder: Decoder::of(coding.as_deref().unwrap_or("identity")),
            response,
            stall_timeout,
            ready: VecDeque::new(),
            received_bytes: 0,
            ended: false,
        }
    }

    /// Next plain bytes, never empty; `None` after an end that was checked.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            if self.ended {
                return Ok(None);
            }
            match self.receive().await? {
                Some(chunk) => self.decode(chunk)?,
                None => self.end()?,
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<Bytes>> {
        let chunk = match tokio::time::timeout(self.stall_timeout, self.response.chunk()).await {
            Ok(chunk) => chunk,
            Err(_) => {
                return Err(Error::Stalled { what: self.what.clone(), waited: self.stall_timeout });
            }
        };
        let chunk = chunk.map_err(|error| self.truncated(crate::http::describe_error(error)))?;
        self.received_bytes += chunk.as_ref().map_or(0, |c| c.len() as u64);
        Ok(chunk)
    }

    fn decode(&mut self, chunk: Bytes) -> Result<()> {
        match &mut self.decoder {
            Decoder::Plain if chunk.is_empty() => Ok(()),
            Decoder::Plain => {
                self.ready.push_back(chunk);
                Ok(())
            }
            Decoder::Gzip(gzip) => {
                let decoded = inflate(gzip, &chunk, &mut self.ready);
                decoded.map_err(|e| self.truncated(format!("the gzip data is broken: {e}")))
            }
            Decoder::Unknown(coding) => {
                let detail = format!("Content-Encoding {coding:?}, although only gzip was offered");
                Err(Error::protocol(&self.what, detail))
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        let received = self.received_bytes;
        let Decoder::Gzip(gzip) = &mut self.decoder else {
            return Ok(());
        };
        // an empty body with a gzip header is what some servers send for "nothing"
        if received == 0 {
            return Ok(());
        }
        let finished = gzip.try_finish();
        let rest = std::mem::take(gzip.get_mut());
        if !rest.is_empty() {
            self.ready.push_back(rest.into());
        }
        if received < MIN_GZIP_BYTES || finished.is_err() {
            return Err(self.truncated("the gzip trailer is missing or does not fit".into()));
        }
        Ok(())
    }

    fn truncated(&self, detail: String) -> Error {
        Error::Truncated { what: self.what.clone(), received_bytes: self.received_bytes, detail }
    }

    /// As a stream for the caller.
    pub(crate) fn into_stream(self) -> BodyStream {
        Box::pin(futures_util::stream::unfold(Some(self), |body| async move {
            let mut body = body?;
            match body.next().await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some(body))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

impl Decoder {
    fn of(coding: &str) -> Self {
        match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Plain,
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            other => Self::Unknown(other.to_owned()),
        }
    }
}

fn inflate(gzip: &mut MultiGzDecoder<Vec<u8>>, chunk: &[u8], ready: &mut VecDeque<Bytes>) -> std::io::Result<()> {
    for step in chunk.chunks(GZIP_STEP_BYTES) {
        gzip.write_all(step)?;
        // the next step will unpack to about as much as this one
        let room = Vec::with_capacity(gzip.get_ref().len());
        let plain = std::mem::replace(gzip.get_mut(), room);
        if !plain.is_empty() {
            ready.push_back(plain.into());
        }
    }
    Ok(())
}

/// Reads a whole body of at most `max_bytes`.
pub(crate) async fn read_whole(mut body: WireBody, max_bytes: usize) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(bytes) = body.next().await? {
        if whole.len() + bytes.len() > max_bytes {
            return Err(Error::protocol(&body.what, format!("the answer is larger than {max_bytes} bytes")));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn body(bytes: Vec<u8>) -> WireBody {
        let response = http::Response::builder().header(CONTENT_ENCODING, "gzip").body(bytes).unwrap();
        WireBody::new("test", response.into(), Duration::from_secs(5))
    }

    async fn read(bytes: Vec<u8>) -> Result<Bytes> {
        read_whole(body(bytes), 1 << 20).await
    }

    #[tokio::test]
    async fn members_are_joined() {
        let both = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(read(both).await.unwrap().as_ref(), b"one,two");
        assert_eq!(read(Vec::new()).await.unwrap().as_ref(), b"");
        assert_eq!(read(gzip(b"")).await.unwrap().as_ref(), b"");
    }

    #[tokio::test]
    async fn every_cut_is_noticed() {
        let whole = gzip(b"\"Id\",\"Name\"\n\"001\",\"x\"\n");
        for cut in 1..whole.len() {
            let error = read(whole[..cut].to_vec()).await.unwrap_err();
            assert!(matches!(error, Error::Truncated { .. }), "cut at {cut}: {error}");
        }
        assert_eq!(read(whole).await.unwrap().len(), 22);
    }

    #[test]
    fn any_chunking_gives_the_same() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| i.to_string().into_bytes()).collect();
        let packed = [gzip(&text), gzip(b"tail")].concat();
        for size in [1, 2, 7, 1000, packed.len()] {
            let (mut decoder, mut ready) = (MultiGzDecoder::new(Vec::new()), VecDeque::new());
            for chunk in packed.chunks(size) {
                inflate(&mut decoder, chunk, &mut ready).unwrap();
            }
            decoder.try_finish().unwrap();
            let rest = std::mem::take(decoder.get_mut());
            let plain = [ready.iter().flat_map(|b| b.to_vec()).collect::<Vec<_>>(), rest].concat();
            assert_eq!(plain, [text.as_slice(), b"tail"].concat(), "chunks of {size}");
        }
    }

    #[tokio::test]
    async fn too_large_is_refused() {
        let error = read_whole(body(gzip(&[b'x'; 5000])), 100).await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
    }
}
