//! The run in the state: begun before anything is sent, ended with its report and, when complete, a moved cursor.

use std::sync::{Arc, OnceLock};

use super::overlap::{Overlap, RowHash};
use crate::error::Error;
use crate::report::{RunReport, RunState};
use crate::session::Session;
use crate::state::{CursorKey, State, Turn};

/// A run under way; holds the pipeline's turn.
pub(crate) struct Record {
    state: Arc<State>,
    run_id: String,
    /// of an incremental run, once its object is known
    key: OnceLock<CursorKey>,
    _turn: Turn,
}

/// What an incremental run knows of the last one, and leaves to the next.
pub(crate) struct Memory {
    pub overlap: Overlap,
    state: Arc<State>,
    run_id: String,
}

impl Memory {
    /// Rows of a unit that is durable in the destination.
    pub(super) fn remember(&self, rows: &[RowHash]) -> Result<(), Error> {
        if rows.is_empty() { Ok(()) } else { self.state.remember(&self.run_id, rows) }
    }
}

impl Record {
    /// Takes the pipeline's turn and notes the beginning.
    pub(super) fn begin(session: &Session) -> Result<Self, Error> {
        let pipeline = session.pipeline();
        let turn = Turn::take(pipeline.folder(), &pipeline.file.name)?;
        let state = State::open(pipeline.folder())?;
        state.run_begins(session.run_id(), &pipeline.file.name, &pipeline.path, session.submitted_at())?;
        Ok(Self { state: Arc::new(state), run_id: session.run_id().to_owned(), key: OnceLock::new(), _turn: turn })
    }

    /// The memory of an incremental run; none of any other.
    pub(super) async fn memory(&self, session: &Session, object: &str) -> Result<Option<Memory>, Error> {
        let Some(window) = session.window() else { return Ok(None) };
        // Asked for now: at the end nothing is sent any more, and what is committed cannot fail for want of an answer.
        let key = CursorKey {
            pipeline: session.pipeline().file.name.clone(),
            org: session.client().organization().await?,
            object: object.to_owned(),
        };
        let known = self.state.overlap(&key)?;
        self.key.get_or_init(|| key);
        let overlap = Overlap::new(window, known);
        Ok(Some(Memory { overlap, state: Arc::clone(&self.state), run_id: self.run_id.clone() }))
    }

    /// Notes the end; of a complete incremental run the cursor moves to the end of its window.
    pub(super) fn end(&self, session: &Session, report: &RunReport) -> Result<(), Error> {
        let is_complete = matches!(report.state, RunState::Complete | RunState::CompleteWithRejects);
        match (session.window(), self.key.get()) {
            (Some(window), Some(key)) if is_complete => {
                self.state.cursor_moves(key, &window.field, window.to, &self.run_id)?;
            }
            (Some(_), _) => self.state.forget(&self.run_id)?,
            (None, _) => {}
        }
        let text = serde_json::to_string(report)
            .map_err(|error| Error::Host { what: "writing the report".to_owned(), error: error.into() })?;
        self.state.run_ends(&self.run_id, chrono::Utc::now().timestamp_micros(), report.state.word(), &text)
    }
}
