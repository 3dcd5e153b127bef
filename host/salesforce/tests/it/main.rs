//! The client against scripted servers and against the emulator, on loopback only.

mod attach;
mod auth;
mod bulk1;
mod describe;
mod emulator;
mod jobs;
mod limits;
mod pages;
mod recordings;
mod rest;
mod server;
