//! End-to-end tests: the real binary, against an emulator on loopback.

mod demo;
mod evil;
mod examples;
mod faults;
mod files;
mod harness;
mod interrupt;
mod orgs;
mod outcome;
mod pipelines;
mod tables;
mod words;
mod wrong;
