//! One unit: its requests, in order, each with a name of its own.

use crate::REQUESTS_METRIC;
use crate::config::{Format, Settings};
use crate::rows::Rows;
use forcepump_plugin_sdk::http::{HttpError, Request, Response, send_all};
use forcepump_plugin_sdk::{Batch, PluginError, Reject, RetryAdvice, Target, WriteOutcome, metrics};

/// A unit that is being sent.
#[derive(Debug)]
pub(crate) struct Unit {
    settings: Settings,
    /// `<run>/<feed>/<unit>`, as a header can carry it
    key: String,
    /// requests that were answered for good, refused ones too
    requests: u64,
    rows: u64,
    /// what of the current batch is done, when the host has to send it again
    paused: Option<Progress>,
}

/// How far a batch has come.
#[derive(Debug, Default)]
struct Progress {
    requests: usize,
    rejects: Vec<Reject>,
}

/// What became of a request.
enum Answer {
    Taken,
    Refused { code: String, reason: String },
    Later(RetryAdvice),
}

impl Unit {
    pub(crate) fn new(target: &Target, settings: Settings, unit: &str) -> Self {
        let key = [target.run_id.as_str(), target.feed.as_str(), unit].map(plain).join("/");
        Unit { settings, key, requests: 0, rows: 0, paused: None }
    }

    /// Sends a batch. One that was cut short goes on where it stopped: by the contract it is the same batch.
    pub(crate) fn write(&mut self, batch: &Batch<'_>) -> Result<WriteOutcome, PluginError> {
        let paused = self.paused.take();
        let is_new = paused.is_none();
        let Progress { requests: done, mut rejects } = paused.unwrap_or_default();
        let rows = Rows::of(batch)?;
        let mut sendable: Vec<(u32, &[u8])> = Vec::with_capacity(rows.objects.len());
        for (row, object) in (0u32..).zip(&rows.objects) {
            match object {
                Ok(object) => sendable.push((row, object)),
                Err(reject) if is_new => rejects.push(reject.clone()),
                Err(_) => {}
            }
        }
        for (at, part) in sendable.chunks(self.settings.rows_per_request as usize).enumerate().skip(done) {
            match self.send(part)? {
                Answer::Taken => self.rows += part.len() as u64,
                Answer::Refused { code, reason } => {
                    rejects.extend(part.iter().map(|(row, _)| Reject::new(*row, code.as_str(), reason.as_str())));
                }
                Answer::Later(advice) => {
                    self.paused = Some(Progress { requests: at, rejects });
                    return Ok(WriteOutcome::Retry(advice));
                }
            }
            self.requests += 1;
        }
        Ok(if rejects.is_empty() { WriteOutcome::Accepted } else { WriteOutcome::Partial(rejects) })
    }

    /// For people.
    pub(crate) fn summary(&self) -> String {
        format!("{} rows in {} requests", self.rows, self.requests)
    }

    fn send(&self, part: &[(u32, &[u8])]) -> Result<Answer, PluginError> {
        let Settings { url, method, credential, idempotency_header, .. } = &self.settings;
        let mut request = Request::new(*method, url.as_str()).body(self.body(part));
        request.headers = self.settings.headers.clone();
        request = request.header(idempotency_header.as_str(), format!("{}/{}", self.key, self.requests));
        request.credential = credential.clone();
        // One alone goes out at once or not at all; one of a list waits for its turn under the limit of calls a second.
        match send_all(&[request]).pop() {
            Some(Ok(response)) => answer(&response),
            Some(Err(error)) => unanswered(error),
            None => Err(PluginError::fatal("the host gave no answer to a request")),
        }
    }

    fn body(&self, part: &[(u32, &[u8])]) -> Vec<u8> {
        let objects: Vec<&[u8]> = part.iter().map(|(_, object)| *object).collect();
        match self.settings.format {
            Format::JsonLines => [objects.join(&b'\n'), b"\n".to_vec()].concat(),
            Format::JsonArray => [b"[".to_vec(), objects.join(&b','), b"]".to_vec()].concat(),
        }
    }
}

fn answer(response: &Response) -> Result<Answer, PluginError> {
    let status = response.status;
    if response.is_success() {
        metrics::count(REQUESTS_METRIC, 1);
        return Ok(Answer::Taken);
    }
    if response.is_transient() {
        let reason = format!("the server answered {status}: {}", response.excerpt());
        return Ok(Answer::Later(RetryAdvice { after_ms: response.retry_after_ms(), reason }));
    }
    if (400..500).contains(&status) {
        let excerpt = response.excerpt();
        let reason = if excerpt.is_empty() { format!("the server answered {status}") } else { excerpt };
        return Ok(Answer::Refused { code: format!("http_{status}"), reason });
    }
    let place = response.header("location").map(|place| format!(" to {place}")).unwrap_or_default();
    Err(PluginError::fatal(format!(
        "the server answered {status}{place}, and no redirect is followed; write the url that takes the rows"
    )))
}

/// A request that may or may not have reached the server: it is sent again under the same key.
fn unanswered(error: HttpError) -> Result<Answer, PluginError> {
    match PluginError::from(error) {
        PluginError::Retryable(advice) => Ok(Answer::Later(advice)),
        other => Err(other),
    }
}

/// Letters, digits and `.-_` as they are, other bytes as `%XX`: a header can carry it, and no two texts become one.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => plain.push(char::from(byte)),
            other => plain.push_str(&format!("%{other:02X}")),
        }
    }
    plain
}
