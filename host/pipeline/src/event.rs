//! What happens during a run, told to whoever shows it; the pipeline itself prints nothing.

use std::sync::Arc;

use crate::report::RunState;

/// One thing that happened. Texts from plugins are already cut and free of control characters.
#[derive(Debug, Clone)]
pub enum Event {
    /// A new part of the run begins.
    Phase(Phase),
    /// Salesforce accepted the job.
    JobCreated {
        /// the job's id
        id: String,
    },
    /// An answer to a poll of the job.
    JobPolled {
        /// the state as Salesforce gives it
        state: String,
        /// rows processed so far; Salesforce may say 0 until the end
        rows: u64,
    },
    /// The job is complete: the number of rows it holds.
    Announced {
        /// rows of the whole job
        rows: u64,
    },
    /// Rows and bytes that came in, since the last such event.
    Read {
        /// rows decoded
        rows: u64,
        /// bytes of CSV (after decompression)
        bytes: u64,
    },
    /// A unit is tried again from its start; what it had counted is taken back.
    UnitRetried {
        /// the unit's id
        unit: String,
        /// rows to take back
        rows: u64,
        /// bytes to take back
        bytes: u64,
        /// why
        reason: String,
    },
    /// A unit is durable in the destination.
    UnitCommitted {
        /// the unit's id
        unit: String,
        /// rows written by it
        rows: u64,
    },
    /// Units that earlier processes of the run committed; their rows were told as read.
    WentOn {
        /// how many
        units: u64,
    },
    /// A line that a plugin logged.
    PluginLog {
        /// the plugin's name
        plugin: String,
        /// `trace`, `debug`, `info`, `warn` or `error`
        level: &'static str,
        /// the line
        message: String,
    },
    /// Something the operator may want to know.
    Note(String),
    /// Something the operator should know.
    Warning(String),
    /// It happened in one feed of several.
    OfFeed {
        /// the object
        feed: String,
        /// what happened
        event: Box<Event>,
    },
    /// A feed of several ended; the others go on.
    FeedEnded {
        /// how
        state: RunState,
        /// rows that it wrote
        written: u64,
        /// why, when it failed
        error: Option<String>,
    },
}

/// The parts of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Describe, open the plugins, prepare the destination.
    Planning,
    /// Salesforce works on the job.
    Querying,
    /// Pages are fetched, transformed and written.
    Moving,
    /// The destination's last step.
    Concluding,
}

/// Receives events; called from several threads.
pub trait Observer: Send + Sync {
    /// Takes one event; must return quickly.
    fn event(&self, event: Event);
}

/// Drops every event.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event) {}
}

/// Tells an observer which feed it is that things happen in.
pub(crate) struct ForFeed {
    feed: String,
    to: Arc<dyn Observer>,
}

impl ForFeed {
    pub(crate) fn observer(feed: &str, to: &Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Self { feed: feed.to_owned(), to: Arc::clone(to) })
    }
}

impl Observer for ForFeed {
    fn event(&self, event: Event) {
        self.to.event(Event::OfFeed { feed: self.feed.clone(), event: Box::new(event) });
    }
}
