//! Compressed bodies, which way they go, and the tags of what is cached.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

/// What the tag of a compressed answer ends in, as recorded: `"dd40d18c--gzip"`.
const GZIP_TAG: &str = "--gzip\"";

/// The body as it was before the client compressed it; `None` when it cannot be read or holds more than `most` bytes.
pub(super) fn unzipped(headers: &HeaderMap, body: Bytes, most: usize) -> Option<Bytes> {
    let coding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !coding.trim().eq_ignore_ascii_case("gzip") {
        return Some(body);
    }
    let mut out = Vec::new();
    MultiGzDecoder::new(body.as_ref()).take(most as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= most).then(|| out.into())
}

/// Whether gzip is named and not refused by `q=0`; other codings are ignored.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|p| matches!(p.strip_prefix("q=").map(str::parse::<f32>), Some(Ok(q)) if q == 0.0))
    })
}

/// The tag of these bytes.
pub(crate) fn tag(bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

/// Marks the tag of an answer that goes out compressed.
pub(super) fn mark_tag(headers: &mut HeaderMap) {
    let plain = headers.get(ETAG).and_then(|value| value.to_str().ok()).and_then(|tag| tag.strip_suffix('"'));
    if let Some(marked) = plain.and_then(|tag| HeaderValue::from_str(&format!("{tag}{GZIP_TAG}")).ok()) {
        headers.insert(ETAG, marked);
    }
}

/// Whether the client says that it has what bears this tag; compressed or not is the same to it.
pub(crate) fn is_held(headers: &HeaderMap, tag: &str) -> Option<bool> {
    let plain = |held: &str| held.trim().trim_start_matches("W/").replace(GZIP_TAG, "\"");
    let held = headers.get(IF_NONE_MATCH)?.to_str().ok()?;
    Some(held.split(',').any(|held| held.trim() == "*" || plain(held) == tag))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_only_when_asked() {
        for (value, asked) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0, br", false),
            ("gzip; q=0.0", false),
            ("identity", false),
            ("*", false),
        ] {
            assert_eq!(accepts_gzip(&headers(ACCEPT_ENCODING, value)), asked, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_body_is_unzipped_up_to_a_size() {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(b"hello").unwrap_or_default();
        let zipped = Bytes::from(zipped.finish().unwrap_or_default());
        let gzip = headers(CONTENT_ENCODING, "GZIP");
        assert_eq!(unzipped(&gzip, zipped.clone(), 5).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(unzipped(&gzip, zipped.clone(), 4), None);
        assert_eq!(unzipped(&gzip, zipped.slice(..zipped.len() - 1), 5), None);
        assert_eq!(unzipped(&HeaderMap::new(), zipped.clone(), 1), Some(zipped));
    }

    #[test]
    fn tags_are_compared_without_their_coding() {
        let tag = tag(b"x");
        for (held, same) in [(format!("{tag}, \"a\""), true), (tag.replace('"', ""), false), ("*".to_owned(), true)] {
            let value = HeaderValue::from_str(&held).unwrap_or(HeaderValue::from_static("?"));
            assert_eq!(is_held(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]), &tag), Some(same), "{held}");
        }
        let mut headers = HeaderMap::from_iter([(ETAG, HeaderValue::from_static("\"dd40d18c\""))]);
        mark_tag(&mut headers);
        assert_eq!(headers[ETAG], "\"dd40d18c--gzip\"");
        let held = HeaderMap::from_iter([(IF_NONE_MATCH, headers[ETAG].clone())]);
        assert_eq!(is_held(&held, "\"dd40d18c\""), Some(true));
        assert_eq!(is_held(&HeaderMap::new(), "\"a\""), None);
    }
}
