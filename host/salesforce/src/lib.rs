//! Salesforce client: authentication, describe, SOQL, queries over Bulk API 2.0, Bulk API 1.0 and REST.
//!
//! The flow of an extract:
//!
//! 1. [`ConnectionConfig::resolve`] checks a connection and reads its secrets; [`Client::new`] takes the result.
//!    Nothing is sent yet: the first request logs in, and a session found dead is renewed once for all requests.
//! 2. [`Select::parse`] or [`Select::from_fields`] gives a query, [`resolve`] its types, from describe alone.
//! 3. [`Extract::create`] makes a job by Bulk API 2.0 or 1.0, or asks REST ([`Extract::job_memory`] belongs into the state store now, [`Extract::attach`] goes on with it),
//!    [`Extract::wait`] waits until its first part can be fetched. [`Error::refused`] tells when another API may help.
//! 4. [`Extract::next_part`] tells the parts, [`Extract::fetch`] streams one. A part that breaks off is an error of
//!    kind [`ErrorKind::Interrupted`]: fetch the same [`PartRef`] again.
//! 5. Rows parsed against rows announced, by part and in total ([`Extract::announced`]). Then [`Extract::dispose`].
//!
//! [`QueryJob`] is Bulk API 2.0 by itself.
//!
//! What is absent on purpose: no plugin, no CSV parsing, no state on disk but tokens: [`TokenStore`], and a rotated refresh
//! token that the user keeps in a file.

mod answer;
mod body;
mod bulk1;
mod bulk2;
mod classification;
mod client;
mod connection;
mod credentials;
mod describe;
mod error;
mod explain;
mod extract;
mod http;
mod identity;
mod jwt;
mod limits;
mod login;
mod notices;
mod oauth;
mod options;
mod place;
mod probe;
mod renewal;
mod resolved;
mod rest_query;
mod retry;
mod schema;
mod secret;
mod send;
mod session;
mod soap_login;
mod soql;
mod store;
mod throttle;
mod words;
mod xml_json;

pub use body::BodyStream;
pub use bulk1::{ChunkingFault, PkChunking, check_chunking};
pub use bulk2::{
    JobInfo, JobState, NextPage, PageBody, PageRef, Pages, QueryAction, QueryJob, QueryOptions, check_count,
};
pub use classification::classify;
pub use client::Client;
pub use connection::{ConnectionConfig, DEFAULT_API_VERSION, Environment};
pub use credentials::AuthMethod;
pub use describe::{FieldDescribe, SObjectDescribe, SObjectSummary, namespace};
pub use error::{Error, ErrorKind, Result};
pub use explain::{Explained, QueryPlan};
pub use extract::{Api, Extract, ExtractOptions, JobMemory, PartBody, PartRef, Progress, Refused};
pub use identity::Identity;
pub use limits::{ApiVersion, Limit, Limits};
pub use login::{BrowserLogin, Code, DeviceLogin, Revoked, revoke};
pub use notices::Listener;
pub use options::{ClientOptions, HttpSettings};
pub use resolved::ResolvedConnection;
pub use rest_query::RecordPage;
pub use schema::{ExpandedField, ResolvedQuery, SkippedField, Unreadable, VisibleField, resolve, why_not_readable};
pub use secret::SecretRef;
pub use session::logins_settled;
pub use soql::{FieldGroup, FieldPath, Select, Selected, middle_id};
pub use store::{TokenStatus, TokenStore};
pub use throttle::{DailyShare, LimitSettings, Share};
