//! Pipeline file to plan to run: units, workers, commits, counts. The only crate that knows Salesforce and plugins.

mod again;
mod backfill;
mod cancel;
mod capability;
mod chain;
mod choice;
mod connections;
mod dead_letter;
mod doctor;
mod drift;
mod error;
mod estimate;
mod event;
mod feed_report;
pub mod file;
mod firewall;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod head;
mod health;
mod history;
mod host;
mod incremental;
mod link;
mod lock;
mod org;
mod part;
mod plan;
mod preview;
mod report;
mod run;
mod session;
mod source;
mod state;
mod types;
mod variables;
mod verify;

pub use again::{Retry, RetryPlan, plan_retry};
pub use cancel::Cancel;
pub use connections::{
    ConnectionDraft, ConnectionForgotten, ConnectionSaved, ConnectionSetting, ConnectionSummary, ConnectionTest,
    ConnectionTokens, RevokedTokens, list_connections, remove_connection, reset_connection, show_connection,
};
pub use dead_letter::{DeadLetter, DeadRow, Refusal, RefusalPlugin};
pub use doctor::{Check, CheckState, Diagnosis, diagnose};
pub use drift::{Becomes, Change, FieldChange};
pub use error::{Error, ErrorClass};
pub use estimate::{CallEstimate, CallQuota};
pub use event::{Event, Observer, Phase, Silent};
pub use feed_report::FeedReport;
pub use file::{
    Connections, FileError, Pipeline, PipelineFile, Problem, connections_schema, find_connections_file, pipeline_schema,
};
pub use forcepump_salesforce::{AuthMethod, BrowserLogin, Code, DeviceLogin, Listener, TokenStatus, logins_settled};
pub use head::{Head, head};
pub use history::{PastJob, PastRun, PastUnit, UnfinishedRun, past_run_of, past_runs, past_units, unfinished_run};
pub use host::{Builtin, Host};
pub use incremental::ShownWindow;
pub use lock::{LOCK_FILE, LockReport, LockState, LockedFolder, LockedPipeline, StepChange, lock, pinned_in};
pub use org::{ChildTable, ObjectFilter, Org, OrgDescribe, OrgField, OrgLimit, OrgObject, OrgRows};
pub use plan::{Expanded, Plan, PlanColumn, PlanFinds, PlanStep};
pub use preview::{Preview, PreviewReject, PreviewStage};
pub use report::{
    GivenUp, PluginMetric, PluginReport, ReportedError, ResultPlace, RowCounts, RunReport, RunState, SkippedField,
    WentOn,
};
#[doc(hidden)]
pub use run::bare::without_records;
pub use session::{DemoAccess, Session};
pub use types::{PublishedType, published_types};
pub use variables::ShownVariable;
pub use verify::{RunAsItWas, Verification, VerifyCheck, VerifyState, run_as_it_was};
