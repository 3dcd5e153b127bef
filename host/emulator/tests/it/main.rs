//! The emulator over HTTP, as a client that knows the published facts sees it.

mod auth;
mod authorize;
mod browser;
mod bulk1;
mod bulk2;
mod conformance;
mod faults;
mod identity;
mod orgs;
mod rest;
mod support;
mod wire;
