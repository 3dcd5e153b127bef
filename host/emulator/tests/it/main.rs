//! The emulator over HTTP, as a client that knows the published facts sees it.

mod auth;
mod authorize;
mod browser;
mod bulk1;
mod bulk1_chunks;
mod bulk2;
mod classic;
mod collections;
mod conformance;
mod device;
mod edits;
mod faults;
mod hidden;
mod identity;
mod orgs;
mod partner;
mod recordings;
mod rest;
mod sessions;
mod slow;
mod soap_reads;
mod support;
mod wire;
mod xml;
