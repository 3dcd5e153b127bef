//! The HTTP side: connections, routes, and how an answer gets its headers, its pace and its faults.

mod body;
mod call;
mod control;
mod dispatch;
mod emulator;
mod encoding;
mod faulty;
mod reply;
mod route;
mod running;
mod serve;
mod socket;
mod state;

pub use emulator::{Credentials, Emulator, EmulatorError, Emulators};
pub use state::RequestRecord;

pub(crate) use body::{Blocks, Content, CsvRows};
pub(crate) use call::{Call, Form, pairs};
pub(crate) use dispatch::resource;
pub(crate) use encoding::{is_held, tag};
pub(crate) use reply::{Reply, html_page};
pub(crate) use route::{ApiVersion, NEWEST_VERSION, OLDEST_VERSION, Resource, Route};
pub(crate) use running::Running;
#[cfg(test)]
pub(crate) use state::Place;
pub(crate) use state::{State, lock};

/// `Cache-Control` of every answer that was recorded.
pub(crate) const NO_CACHE: &str = "no-cache,must-revalidate,max-age=0,no-store,private";
