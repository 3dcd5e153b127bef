//! `POST /emulator/control`: what no call of Salesforce does and tests need. It answers only where the options ask for it.
//!
//! | key | what it does |
//! |---|---|
//! | `clock_frozen` | stops the org's clock, or lets it go on |
//! | `clock` | sets it: `"2026-01-31T10:00:00Z"` |
//! | `clock_step_s` | moves it by so many seconds, back by a negative number |
//! | `late` | `{"stamp": "…", "edit": {"create": {"object": "Account", "fields": {…}}}}`: a change that carries a stamp of its own, as a transaction does that commits long after it began; `update`, `delete` and `undelete` likewise |
//! | `lose_job` | the id of a query job of either Bulk API: from now on it does not exist |
//! | `lose_cursors` | every open REST cursor has expired |
//!
//! The answer is the org's time, and the id of the record that was changed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::reply::Reply;
use super::state::{State, lock};
use crate::data::edit::{Author, Edit, EditError};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Control {
    clock_frozen: Option<bool>,
    clock: Option<DateTime<Utc>>,
    clock_step_s: Option<i64>,
    late: Option<Late>,
    lose_job: Option<String>,
    lose_cursors: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Late {
    stamp: DateTime<Utc>,
    edit: LateEdit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum LateEdit {
    Create { object: String, fields: Map<String, Value> },
    Update { object: String, id: String, fields: Map<String, Value> },
    Delete { object: String, id: String },
    Undelete { id: String },
}

impl From<LateEdit> for Edit {
    fn from(late: LateEdit) -> Edit {
        match late {
            LateEdit::Create { object, fields } => Edit::Create { object, fields },
            LateEdit::Update { object, id, fields } => Edit::Update { object, id, fields },
            LateEdit::Delete { object, id } => Edit::Delete { object, id },
            LateEdit::Undelete { id } => Edit::Undelete { id },
        }
    }
}

/// Does what the body says, in the order of the table above.
pub(super) fn control(state: &State, call: &Call) -> Reply {
    let wanted: Control = match serde_json::from_slice(&call.body) {
        Ok(wanted) => wanted,
        Err(error) => return Reply::bad_request("JSON_PARSER_ERROR", &error.to_string()),
    };
    let clock = state.org.clock();
    match wanted.clock_frozen {
        Some(true) => clock.freeze(),
        Some(false) => clock.release(),
        None => {}
    }
    if let Some(at) = wanted.clock {
        clock.set(at);
    }
    if let Some(step) = wanted.clock_step_s.and_then(TimeDelta::try_seconds) {
        clock.step(step);
    }
    let changed = match wanted.late.map(|late| late_edit(state, &late.edit.into(), late.stamp)).transpose() {
        Ok(changed) => changed,
        Err(error) => return error.into(),
    };
    if let Some(id) = wanted.lose_job
        && !lose_job(state, &id)
    {
        return Reply::not_found();
    }
    if wanted.lose_cursors {
        lose_cursors(state);
    }
    Reply::ok(&json!({"now": clock.now(), "id": changed}))
}

/// Changes a record as the org's own user, with that stamp.
pub(super) fn late_edit(state: &State, edit: &Edit, stamp: DateTime<Utc>) -> Result<String, EditError> {
    state.org.edit(edit, Author { user: &state.user.id, at: stamp })
}

/// Makes a job of either Bulk API unknown; `false` when it is so already.
pub(super) fn lose_job(state: &State, id: &str) -> bool {
    lock(&state.jobs).lose(id) || lock(&state.classic_jobs).lose(id)
}

/// Makes every open cursor unknown.
pub(super) fn lose_cursors(state: &State) {
    lock(&state.cursors).lose();
}
