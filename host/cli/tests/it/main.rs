//! End-to-end tests: the real binary, against an emulator on loopback.

mod demo;
mod faults;
mod files;
mod harness;
mod interrupt;
mod orgs;
mod tables;
mod words;
mod wrong;
