//! A page that comes a second time under another name: found by its beginning, before any of its rows is given.
//!
//! Locators are opaque (Bulk API 2.0 guide), and the first page has none where it is asked for: a chain that leads back
//! to it by its real locator looks like any other. Rows that carry their `Id` are never the same twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use ring::digest::{Context, SHA256};

use crate::body::BodyStream;
use crate::error::{Error, Result};

/// Held back of each page until it is known to be new; the header and some rows.
const HELD_BYTES: usize = 64 * 1024;

/// How the pages of one job begin.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    /// Page by the digest of its beginning.
    pages: Mutex<HashMap<String, u64>>,
}

impl Beginnings {
    /// Of pages that an earlier process has committed.
    pub(super) fn known<'a>(pages: impl Iterator<Item = (u64, &'a str)>) -> Self {
        Self { pages: Mutex::new(pages.map(|(index, digest)| (digest.to_owned(), index)).collect()) }
    }

    /// The digest of a page that was fetched.
    pub(super) fn of(&self, index: u64) -> Option<String> {
        let pages = self.pages();
        pages.iter().find(|(_, page)| **page == index).map(|(digest, _)| digest.clone())
    }

    /// The page's body, whose beginning is compared with those of the other pages first.
    pub(super) fn checked(self: &Arc<Self>, what: String, index: u64, body: BodyStream) -> BodyStream {
        let known = Arc::clone(self);
        let begun = async move {
            let (held, error, body) = hold(body).await;
            if error.is_none() {
                known.check(&what, index, &held)?;
            }
            let first = held.into_iter().map(Ok).chain(error.map(Err));
            Ok::<_, Error>(stream::iter(first.collect::<Vec<_>>()).chain(body))
        };
        Box::pin(stream::once(begun).try_flatten())
    }

    fn check(&self, what: &str, index: u64, held: &[Bytes]) -> Result<()> {
        let Some(digest) = digest(held) else { return Ok(()) };
        match self.pages().entry(digest) {
            Entry::Occupied(other) if *other.get() != index => Err(Error::protocol(
                what,
                format!(
                    "it begins with the same rows as page {}, ids and all; taken as new, rows would come twice",
                    other.get()
                ),
            )),
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(place) => {
                place.insert(index);
                Ok(())
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a body, an error in it, and the rest.
async fn hold(mut body: BodyStream) -> (Vec<Bytes>, Option<Error>, BodyStream) {
    let (mut held, mut bytes) = (Vec::new(), 0);
    while bytes < HELD_BYTES {
        match body.next().await {
            Some(Ok(chunk)) => {
                bytes += chunk.len();
                held.push(chunk);
            }
            // nothing comes after an error, nor after the end
            Some(Err(error)) => return (held, Some(error), Box::pin(stream::empty())),
            None => return (held, None, Box::pin(stream::empty())),
        }
    }
    (held, None, body)
}

/// Of the first bytes; none when they do not hold a whole row, which alone says that they are no other page's.
fn digest(held: &[Bytes]) -> Option<String> {
    let (mut room, mut lines, mut quoted) = (HELD_BYTES, 0, false);
    let mut context = Context::new(&SHA256);
    for chunk in held {
        let part = &chunk[..chunk.len().min(room)];
        room -= part.len();
        context.update(part);
        for byte in part {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => lines += 1,
                _ => {}
            }
        }
    }
    // the header line and a row
    (lines >= 2).then(|| STANDARD_NO_PAD.encode(context.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> BodyStream {
        // bytes come as they like
        Box::pin(stream::iter(text.as_bytes().chunks(7).map(|chunk| Ok(Bytes::from_static(chunk)))))
    }

    async fn read(known: &Arc<Beginnings>, index: u64, text: &'static str) -> Result<String> {
        let chunks: Vec<Bytes> = known.checked("page".into(), index, body(text)).try_collect().await?;
        Ok(String::from_utf8(chunks.concat()).unwrap())
    }

    #[tokio::test]
    async fn the_same_rows_under_another_number_are_an_error_and_nothing_else_is() {
        let known = Arc::new(Beginnings::default());
        let first = "\"Id\"\n\"001A\"\n\"001B\"\n";
        assert_eq!(read(&known, 0, first).await.unwrap(), first);
        assert_eq!(read(&known, 0, first).await.unwrap(), first, "the same page again");
        assert!(read(&known, 1, "\"Id\"\n\"001C\"\n").await.is_ok());
        let error = read(&known, 2, first).await.unwrap_err().to_string();
        assert!(error.contains("page 0"), "{error}");
        for (index, empty) in [(3, "\"Id\"\n"), (4, "\"Id\"\n"), (5, ""), (6, "\"I\nd\"\n"), (7, "\"I\nd\"\n")] {
            assert!(read(&known, index, empty).await.is_ok(), "no row is the same as no row");
        }
    }

    #[tokio::test]
    async fn an_early_error_passes_after_what_came_before_it() {
        let known = Arc::new(Beginnings::default());
        let broken = Error::protocol("x", "y");
        let body: BodyStream = Box::pin(stream::iter([Ok(Bytes::from_static(b"ab")), Err(broken)]));
        let items: Vec<_> = known.checked("page".into(), 0, body).collect().await;
        assert!(matches!(items.as_slice(), [Ok(_), Err(Error::Protocol { .. })]));
        assert_eq!(known.of(0), None);
    }

    #[tokio::test]
    async fn what_an_earlier_process_committed_counts_too() {
        let known = Arc::new(Beginnings::default());
        read(&known, 0, "\"Id\"\n\"001A\"\n").await.unwrap();
        let digest = known.of(0).unwrap();
        let later = Arc::new(Beginnings::known([(0, digest.as_str())].into_iter()));
        assert!(read(&later, 4, "\"Id\"\n\"001A\"\n").await.is_err());
    }
}
