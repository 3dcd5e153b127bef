//! End-to-end tests: the real binary, against an emulator on loopback.

mod bad_batches;
mod columns;
mod demo;
mod evil;
mod examples;
mod fault_cases;
mod faults;
mod files;
mod firewall;
mod guests;
mod harness;
mod interrupt;
mod look;
mod max_rejects;
mod orgs;
mod outcome;
mod outputs;
mod pipelines;
mod proxy;
mod repeatable;
mod requests;
mod shapes;
mod tables;
mod words;
mod wrong;
