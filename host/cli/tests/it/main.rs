//! End-to-end tests: the real binary, against an emulator on loopback.

mod demo;
mod evil;
mod faults;
mod files;
mod harness;
mod interrupt;
mod orgs;
mod pipelines;
mod tables;
mod words;
mod wrong;
