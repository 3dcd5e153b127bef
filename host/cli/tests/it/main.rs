//! End-to-end tests: the real binary, against an emulator on loopback.

mod demo;
mod files;
mod harness;
mod words;
