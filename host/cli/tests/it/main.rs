//! End-to-end tests: the real binary, against an emulator on loopback.

mod columns;
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
mod shapes;
mod tables;
mod words;
mod wrong;
