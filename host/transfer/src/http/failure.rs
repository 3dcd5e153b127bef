//! What the HTTP library says, as an error for the guest: fixed words, no address, no certificate's content.

use std::error::Error;
use std::io::ErrorKind;

use super::HttpError;
use super::dial::DialError;
use super::policy::Admitted;

/// The error of an exchange that was admitted.
pub(crate) fn of(error: &reqwest::Error, to: &Admitted) -> HttpError {
    match chain(error).find_map(dialled) {
        Some(HttpKind::Refused) => return refused(to),
        Some(HttpKind::Words(words)) => return HttpError::Connect(words.to_owned()),
        None => {}
    }
    if error.is_timeout() {
        return HttpError::Timeout;
    }
    if error.is_connect() {
        return HttpError::Connect("the server cannot be reached".to_owned());
    }
    if error.is_body() || error.is_decode() {
        return HttpError::Protocol("the response ended early or is malformed".to_owned());
    }
    HttpError::Protocol("the server closed the connection, or what it sent is not HTTP".to_owned())
}

fn refused(to: &Admitted) -> HttpError {
    let Admitted { origin, grant, .. } = to;
    HttpError::Denied(format!(
        "the name of {origin} leads to no address that grant.http.{} allows\nhint: by default only public \
         addresses are dialled; `private_addresses = true` allows more",
        super::shown(grant)
    ))
}

enum HttpKind {
    Refused,
    Words(&'static str),
}

fn dialled(error: &(dyn Error + 'static)) -> Option<HttpKind> {
    if let Some(error) = error.downcast_ref::<DialError>() {
        return Some(match error {
            DialError::Refused => HttpKind::Refused,
            DialError::Unknown => HttpKind::Words("the name cannot be resolved"),
        });
    }
    if error.is::<rustls::Error>() {
        return Some(HttpKind::Words("no trusted TLS connection; is the server's certificate valid for this name?"));
    }
    let kind = error.downcast_ref::<std::io::Error>()?.kind();
    Some(HttpKind::Words(match kind {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "closed by the server",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => "unreachable",
        _ => return None,
    }))
}

/// The error and its causes; an I/O error's own inner error too, which `source` skips.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    /// Deeper chains are a mistake of someone's.
    const CHAIN_MAX_LENGTH: usize = 32;
    std::iter::successors(Some(error), |error| cause(*error)).take(CHAIN_MAX_LENGTH)
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
