//! A server in the place of the host's network.

use crate::http::{HttpError, Request, Response};
use std::cell::RefCell;

type Server = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
    static SENT: RefCell<Vec<Request>> = const { RefCell::new(Vec::new()) };
}

/// Grants every origin, and answers each request of this thread with what `server` says, in place of an older one.
pub fn serve(server: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) {
    SERVER.set(Some(Box::new(server)));
    SENT.take();
}

/// Every request since the last call, also those that were answered with an error.
pub fn take_requests() -> Vec<Request> {
    SENT.take()
}

pub(crate) fn answer(request: &Request) -> Result<Response, HttpError> {
    SENT.with_borrow_mut(|sent| sent.push(request.clone()));
    SERVER.with_borrow_mut(|server| match server {
        Some(server) => server(request),
        None => Err(HttpError::Denied("no origin is granted; call testing::http::serve first".to_owned())),
    })
}
