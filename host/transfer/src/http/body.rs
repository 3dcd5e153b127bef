//! A response's body: counted while it streams, decoded under the same cap.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::HttpError;

/// What a decoder gives out at once.
const STEP_BYTES: usize = 32 * 1024;
/// Bytes on the wire above those of the decoded body: frames of incompressible data.
const WIRE_EXTRA_BYTES: u64 = 64 * 1024;

/// Takes a body chunk by chunk; nothing is reserved on the word of a header.
pub(crate) struct Collector {
    decoder: Decoder,
    wire_bytes: u64,
    limit_bytes: u64,
}

enum Decoder {
    Identity(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
    Deflate { inflate: Option<Box<Decompress>>, is_done: bool, body: Capped },
}

impl Collector {
    /// For a response with these headers.
    pub(crate) fn new(headers: &HeaderMap, limit_bytes: u64) -> Result<Self, HttpError> {
        let body = Capped { bytes: Vec::new(), limit_bytes, is_over: false };
        let decoder = match encoding(headers)?.as_str() {
            "" | "identity" => Decoder::Identity(body),
            "gzip" | "x-gzip" => Decoder::Gzip(Box::new(MultiGzDecoder::new(body))),
            "deflate" => Decoder::Deflate { inflate: None, is_done: false, body },
            other => {
                let text = format!("the response is encoded as \"{}\", which was not asked for", super::shown(other));
                return Err(HttpError::Protocol(text));
            }
        };
        Ok(Self { decoder, wire_bytes: 0, limit_bytes })
    }

    /// Whether the body that comes out differs from what was sent.
    pub(crate) fn decodes(&self) -> bool {
        !matches!(self.decoder, Decoder::Identity(_))
    }

    /// Takes the next bytes of the wire.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), HttpError> {
        self.wire_bytes += chunk.len() as u64;
        if self.wire_bytes > self.limit_bytes.saturating_add(WIRE_EXTRA_BYTES) {
            return Err(HttpError::TooLarge(self.limit_bytes));
        }
        let result = match &mut self.decoder {
            Decoder::Identity(body) => body.write_all(chunk),
            Decoder::Gzip(decoder) => decoder.write_all(chunk),
            Decoder::Deflate { inflate, is_done, body } => inflate_chunk(inflate, is_done, body, chunk),
        };
        result.map_err(|_| self.failure())
    }

    /// The whole body.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, HttpError> {
        if self.wire_bytes == 0 {
            return Ok(Vec::new());
        }
        let result = match &mut self.decoder {
            Decoder::Identity(_) | Decoder::Deflate { is_done: true, .. } => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Deflate { .. } => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        match result {
            Ok(()) => Ok(std::mem::take(&mut self.body_mut().bytes)),
            Err(_) => Err(self.failure()),
        }
    }

    fn body_mut(&mut self) -> &mut Capped {
        match &mut self.decoder {
            Decoder::Identity(body) | Decoder::Deflate { body, .. } => body,
            Decoder::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn failure(&mut self) -> HttpError {
        if self.body_mut().is_over {
            HttpError::TooLarge(self.limit_bytes)
        } else {
            HttpError::Protocol("the response's body is not encoded as its header says".to_owned())
        }
    }
}

/// Several encodings on top of each other stay one odd text, which is refused.
fn encoding(headers: &HeaderMap) -> Result<String, HttpError> {
    let values: Result<Vec<&str>, _> = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str()).collect();
    let values = values.map_err(|_| HttpError::Protocol("the content-encoding is not text".to_owned()))?;
    Ok(values.join(",").trim().to_ascii_lowercase())
}

/// `deflate` is zlib's format (RFC 9110, 8.4.1.2), but some servers send the bare stream.
fn inflate_chunk(
    inflate: &mut Option<Box<Decompress>>,
    is_done: &mut bool,
    body: &mut Capped,
    mut chunk: &[u8],
) -> io::Result<()> {
    let Some(first) = chunk.first() else { return Ok(()) };
    let has_zlib_header = first & 0x0f == 8 && first >> 4 <= 7;
    let inflate = inflate.get_or_insert_with(|| Box::new(Decompress::new(has_zlib_header)));
    let mut step = vec![0; STEP_BYTES];
    while !*is_done {
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(chunk, &mut step, FlushDecompress::None).map_err(io::Error::other)?;
        let (taken, given) = (inflate.total_in() - before_in, inflate.total_out() - before_out);
        chunk = chunk.get(taken as usize..).unwrap_or_default();
        body.write_all(step.get(..given as usize).unwrap_or_default())?;
        *is_done = status == Status::StreamEnd;
        if taken == 0 && given == 0 {
            break;
        }
    }
    if *is_done && !chunk.is_empty() { Err(io::Error::other("bytes after the end")) } else { Ok(()) }
}

/// Bytes that never grow above a limit.
struct Capped {
    bytes: Vec<u8>,
    limit_bytes: u64,
    is_over: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit_bytes {
            self.is_over = true;
            return Err(io::Error::other("over the limit"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use reqwest::header::HeaderValue;

    use super::*;

    fn decode(encoding: &'static str, wire: &[u8], limit: u64, step: usize) -> Result<Vec<u8>, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        let mut collector = Collector::new(&headers, limit)?;
        wire.chunks(step.max(1)).try_for_each(|chunk| collector.push(chunk))?;
        collector.finish()
    }

    fn encoded(text: &[u8]) -> [(&'static str, Vec<u8>); 3] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(text).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::best());
        bare.write_all(text).unwrap();
        [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("deflate", bare.finish().unwrap())]
    }

    #[test]
    fn each_encoding_is_decoded_in_whatever_chunks_it_comes() {
        let text: Vec<u8> = (0..100_000u32).flat_map(|n| (n * 7919).to_le_bytes()).collect();
        for (encoding, wire) in encoded(&text) {
            for step in [1, 7, 4096, wire.len()] {
                assert!(decode(encoding, &wire, text.len() as u64, step).unwrap() == text, "{encoding} {step}");
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![0; 16 << 20];
        for (encoding, wire) in encoded(&zeros) {
            assert!(wire.len() < 100_000);
            assert_eq!(decode(encoding, &wire, 1 << 20, 512), Err(HttpError::TooLarge(1 << 20)), "{encoding}");
        }
    }

    #[test]
    fn endless_empty_members_are_stopped_too() {
        let [(_, empty), ..] = encoded(b"");
        let wire = empty.repeat(10_000);
        assert_eq!(decode("gzip", &wire, 1000, 4096), Err(HttpError::TooLarge(1000)));
    }

    #[test]
    fn a_cut_or_false_body_is_an_error() {
        for (encoding, wire) in encoded(b"some text that is worth it, some text that is worth it") {
            let cut = decode(encoding, &wire[..wire.len() - 3], 1000, 5);
            assert!(matches!(cut, Err(HttpError::Protocol(_))), "{encoding} {cut:?}");
            let mut longer = wire.clone();
            longer.extend(b"garbage");
            let longer = decode(encoding, &longer, 1000, 5);
            assert!(matches!(longer, Err(HttpError::Protocol(_))), "{encoding} {longer:?}");
        }
        for odd in ["br", "zstd", "gzip, gzip", "compress"] {
            assert!(matches!(decode(odd, b"x", 1000, 5), Err(HttpError::Protocol(_))), "{odd}");
        }
        assert_eq!(decode("gzip", b"", 1000, 5).unwrap(), b"");
    }
}
