//! A local Salesforce, written from the published wire facts.
//!
//! It speaks OAuth, the SOAP login, REST, Bulk API 2.0 and Bulk API 1.0 queries over HTTP on loopback, evaluates SOQL over CSV files
//! or generated rows, and fails on purpose where a [fault script](faults) says so. Nothing here is shared with the
//! client that is tested against it: a mistake about the wire must not be able to stand on both sides.
//!
//! [Apps, users and policies](access) decide who may log in; [`Emulators`] serves several orgs behind one login address.
//!
//! Records can be changed while it runs: by REST (create, update, delete) and SOAP (`undelete`), or by the handle. What no
//! call of Salesforce does (a [`Clock`] that is moved, rows that come late, lost jobs) is there for tests: by the handle,
//! and where the options ask for it by `POST /emulator/control`.
//!
//! Deliberately absent so far: ingest jobs, composite writes, upserts, zipped results and job specifications of Bulk API 1.0,
//! DISTANCE and FORMULA in SOQL, dynamic client registration, SAML.

pub mod access;
mod auth;
mod bulk1;
mod bulk2;

mod check;
mod clock;
pub mod data;
pub mod faults;
mod ids;
pub mod options;
mod partner;
mod rest;
mod server;
pub mod soql;

pub use bulk1::{BatchState, ClassicBatchRecord, ClassicJobRecord, ClassicJobState};
pub use bulk2::{JobRecord, JobState};
pub use check::OrgFileError;
pub use clock::Clock;
pub use data::DataSource;
pub use data::edit::{Edit, EditError};
pub use faults::{FaultScript, FaultScriptError};
pub use options::Options;
pub use server::{Credentials, Emulator, EmulatorError, Emulators, RequestRecord};
