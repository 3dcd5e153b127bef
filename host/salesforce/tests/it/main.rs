//! The client against scripted servers and against the emulator, on loopback only.

mod auth;
mod describe;
mod emulator;
mod jobs;
mod pages;
mod server;
