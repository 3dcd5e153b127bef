//! The run in the state: begun before anything is sent, ended with its report.

use std::sync::Arc;

use super::journal::Journal;
use super::receipt;
use crate::error::Error;
use crate::report::RunReport;
use crate::session::Session;
use crate::state::{RunEnd, State, Turn};

/// A run under way; holds the pipeline's turn.
pub(crate) struct Record {
    state: Arc<State>,
    run_id: String,
    _turn: Turn,
}

impl Record {
    /// Takes the pipeline's turn and notes the beginning.
    pub(super) fn begin(session: &Session) -> Result<Self, Error> {
        let pipeline = session.pipeline();
        let turn = Turn::take(pipeline.folder(), &pipeline.file.name)?;
        let state = State::open(pipeline.folder())?;
        state.run_begins(session.run_id(), &pipeline.file.name, &pipeline.path, session.submitted_at())?;
        Ok(Self { state: Arc::new(state), run_id: session.run_id().to_owned(), _turn: turn })
    }

    /// What is kept of one feed of the run.
    pub(super) fn feed(&self, name: &str) -> Arc<Journal> {
        Arc::new(Journal::new(Arc::clone(&self.state), &self.run_id, name))
    }

    /// The receipt of what is committed by now; none when nothing is, or the state cannot be read: then its end will say why.
    pub(super) fn receipt(&self) -> Option<String> {
        receipt::of(&self.state.units(&self.run_id).ok()?)
    }

    /// Notes the end.
    pub(super) fn end(&self, report: &RunReport) -> Result<(), Error> {
        let text = serde_json::to_string(report)
            .map_err(|error| Error::Host { what: "writing the report".to_owned(), error: error.into() })?;
        let end = RunEnd { state: report.state.word(), report: &text, resumable: false };
        self.state.run_ends(&self.run_id, chrono::Utc::now().timestamp_micros(), &end)
    }
}
