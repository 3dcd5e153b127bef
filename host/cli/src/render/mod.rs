//! Results in words: tables, plans, previews, summaries. Nothing here prints.

pub mod connection;
pub mod doctor;
pub mod history;
pub mod lock;
pub mod numbers;
pub mod org;
pub mod plan;
pub mod plugin;
pub mod preview;
pub mod rejects;
pub mod summary;
pub mod table;
pub mod types;
pub mod verify;
