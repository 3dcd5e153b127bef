//! Drives the crate as the pipeline does, and reads everything back with readers of others.

mod attacks;
mod credentials;
mod folders;
mod formats;
mod guard;
mod http;
mod inserts;
mod rows;
mod statements;
mod web;
