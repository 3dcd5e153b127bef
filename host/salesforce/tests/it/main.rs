//! The client against scripted servers and against the emulator, on loopback only.

mod auth;
mod describe;
mod jobs;
mod pages;
mod server;
