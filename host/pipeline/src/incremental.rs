//! The window of an incremental run: from the last complete run's end to a horizon before Salesforce's clock.

use chrono::{DateTime, SecondsFormat};
use forcepump_salesforce::{FieldGroup, SObjectDescribe, Select, Selected};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::file::{CHANGED_BY_DELETION, Deletes, Incremental, Source, nearest, parse_moment};
use crate::state::State;

/// Fields that tell when a row changed, the best first.
const CURSORS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];

/// What one run reads. Moments are microseconds since the epoch; `from` is inside, `to` is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// API name of the cursor field
    pub field: String,
    /// where it begins; none: at the beginning of everything
    pub from: Option<i64>,
    /// where the last complete run ended
    pub cursor: Option<i64>,
    /// where it ends: the horizon
    pub to: i64,
    /// rows from here on are remembered, to be known again in the next run's overlap
    pub remember_from: i64,
    /// Salesforce's clock, where the cursor lies after it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_cursor: Option<i64>,
}

/// Where the last complete run ended. Moments are microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// its end
    pub at: i64,
    /// the rows that it remembers begin here; none: that is not known
    pub remembers_from: Option<i64>,
}

/// A window, as plans and reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownWindow {
    /// API name of the cursor field
    pub field: String,
    /// where it begins, RFC 3339; none: at the beginning of everything
    pub from: Option<String>,
    /// where it ends; rows from here on are left to the next run
    pub to: String,
    /// where the last complete run ended; rows between `from` and this were read already, and only late ones are taken
    pub cursor: Option<String>,
    /// length of the slices that it is read in, as the pipeline file has it; none: in one, or as a query that runs for
    /// too long demands
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
}

impl Window {
    /// The window of a run that begins now. `now`: Salesforce's clock; `appends`: a row that is read twice is there twice, so
    /// that the overlap reaches no further back than what the last run remembers.
    ///
    /// # Errors
    /// [`Error::Input`] when the object has no field that can be a cursor, or the named one cannot; when the first window
    /// would begin after its end.
    pub(crate) fn new(
        incremental: &Incremental,
        describe: &SObjectDescribe,
        last: Option<Cursor>,
        (now, appends): (i64, bool),
    ) -> Result<Self, Error> {
        let field = cursor_field(incremental, describe)?;
        let overlap = incremental.overlap_micros();
        let cursor = last.map(|last| last.at);
        // Whatever the clock does, a cursor never moves back.
        let to = (now - incremental.horizon_micros()).max(cursor.unwrap_or(i64::MIN));
        let to = to - to.rem_euclid(1_000_000);
        let to = to.max(cursor.unwrap_or(to));
        let since = incremental.since.as_deref().and_then(|text| parse_moment(text).ok());
        if let (None, Some(since)) = (cursor, since.filter(|since| *since > to)) {
            // The cursor would move past rows that no run has read.
            let text = format!(
                "{} lies after the end of the window, {}, which is Salesforce's clock less the horizon: nothing would be read; write an earlier moment, or run after it",
                moment(since),
                moment(to)
            );
            return Err(Error::input("source.incremental.since", text));
        }
        let known = last.and_then(|last| last.remembers_from).filter(|_| appends).unwrap_or(i64::MIN);
        let behind_cursor = cursor.filter(|cursor| *cursor > now).map(|_| now);
        let from = cursor.map(|cursor| (cursor - overlap).max(known)).or(since);
        let remember_from = (to - overlap).max(from.unwrap_or(i64::MIN));
        Ok(Self { field, from, cursor, to, remember_from, behind_cursor })
    }

    /// All that was read up to a cursor.
    ///
    /// # Errors
    /// As [`Window::new`].
    pub(crate) fn until(incremental: &Incremental, describe: &SObjectDescribe, cursor: i64) -> Result<Self, Error> {
        let field = cursor_field(incremental, describe)?;
        let from = incremental.since.as_deref().and_then(|text| parse_moment(text).ok());
        Ok(Self { field, from, cursor: None, to: cursor, remember_from: cursor, behind_cursor: None })
    }

    /// The condition in SOQL, around the operator's own.
    pub(crate) fn condition(&self, own: Option<&str>) -> String {
        let field = &self.field;
        let mut parts = Vec::new();
        parts.extend(own.map(str::trim).filter(|own| !own.is_empty()).map(|own| format!("({own})")));
        parts.extend(self.from.map(|from| format!("{field} >= {}", moment(from))));
        parts.push(format!("{field} < {}", moment(self.to)));
        parts.join(" AND ")
    }

    /// The condition on rows that did not change since the end of the window, in SOQL.
    pub(crate) fn before_its_end(&self) -> String {
        format!("{} < {}", self.field, moment(self.to))
    }

    pub(crate) fn shown(&self) -> ShownWindow {
        ShownWindow {
            field: self.field.clone(),
            from: self.from.map(moment),
            to: moment(self.to),
            cursor: self.cursor.map(moment),
            slice: None,
        }
    }

    /// Of a window that holds nothing new because the cursor lies after Salesforce's clock.
    pub(crate) fn warning(&self) -> Option<String> {
        let (cursor, now) = (self.cursor?, self.behind_cursor?);
        Some(format!(
            "the last run ended its window at {}, which is after Salesforce's clock, {}: a clock was wrong then, or is now; nothing new is read until the clock has passed it, and rows that change before that are only read in the overlap\nhint: where the clock was wrong then, give the pipeline another name, and write with mode = \"merge\"",
            moment(cursor),
            moment(now)
        ))
    }

    /// The same with the slices that a pipeline file wants.
    pub(crate) fn planned(&self, incremental: Option<&Incremental>) -> ShownWindow {
        ShownWindow { slice: incremental.and_then(|incremental| incremental.slice.clone()), ..self.shown() }
    }
}

/// The end of the last complete run of the pipeline over this object in this org.
pub(crate) fn last_cursor(
    folder: &std::path::Path,
    pipeline: &str,
    org: &str,
    object: &str,
) -> Result<Option<Cursor>, Error> {
    match State::open_existing(folder)? {
        Some(state) => state.cursor(pipeline, org, object),
        None => Ok(None),
    }
}

/// The field that tells deleted rows from live ones.
pub(crate) const IS_DELETED: &str = "IsDeleted";

/// The fields to select: those of the file, and the one that flags deleted rows where they are asked for.
pub(crate) fn fields(source: &Source, incremental: &Incremental) -> Vec<String> {
    let mut fields = source.fields.clone();
    let covers = |text: &String| {
        let field = text.rsplit('.').next().unwrap_or_default();
        let all = ["FIELDS(ALL)", "FIELDS(STANDARD)"].iter().any(|group| text.trim().eq_ignore_ascii_case(group));
        all || (field.eq_ignore_ascii_case(IS_DELETED) && !text.contains('.'))
    };
    if incremental.deletes == Deletes::Flag && !fields.is_empty() && !fields.iter().any(covers) {
        fields.push(IS_DELETED.to_owned());
    }
    fields
}

/// Refuses to follow deletions where the object does not show them.
pub(crate) fn check_deletes(
    incremental: &Incremental,
    describe: &SObjectDescribe,
    window: &Window,
) -> Result<(), Error> {
    const KEY: &str = "source.incremental.deletes";
    if incremental.deletes.is_ignored() {
        return Ok(());
    }
    if describe.field(IS_DELETED).is_none() {
        let text = format!(
            "{} has no field IsDeleted: its rows are never in the recycle bin, and one that is deleted leaves no trace; set deletes = \"ignore\"",
            describe.name
        );
        return Err(Error::input(KEY, text));
    }
    if !CHANGED_BY_DELETION.iter().any(|field| field.eq_ignore_ascii_case(&window.field)) {
        let text = format!(
            "the window goes by {}, which stays as it is when a row of {} is deleted; set deletes = \"ignore\"",
            window.field, describe.name
        );
        return Err(Error::input(KEY, text));
    }
    Ok(())
}

/// Refuses a selection that lacks what rows are known again by.
pub(crate) fn check_fields(
    source: &Source,
    incremental: &Incremental,
    window: &Window,
    select: &Select,
) -> Result<(), Error> {
    if source.fields.is_empty() || incremental.overlap_micros() == 0 {
        return Ok(());
    }
    let is_it = |item: &Selected, name: &str| match item {
        Selected::Field(path) => path.to_string().eq_ignore_ascii_case(name),
        Selected::Group(FieldGroup::All) => true,
        Selected::Group(FieldGroup::Standard) => !name.ends_with("__c"),
        Selected::Group(FieldGroup::Custom) => name.ends_with("__c"),
    };
    let has = |name: &str| select.fields.iter().any(|item| is_it(item, name));
    match ["Id", window.field.as_str()].into_iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(name) => Err(Error::input(
            "source.fields",
            format!(
                "lacks `{name}`, by which rows in the overlap are known again; add it, or set source.incremental.overlap_minutes = 0"
            ),
        )),
    }
}

fn cursor_field(incremental: &Incremental, describe: &SObjectDescribe) -> Result<String, Error> {
    let fits = |name: &str| describe.field(name).filter(|field| field.kind == "datetime" && field.filterable);
    if let Some(name) = &incremental.cursor {
        if let Some(field) = fits(name) {
            return Ok(field.name.clone());
        }
        let datetimes = describe.fields.iter().filter(|field| field.kind == "datetime" && field.filterable);
        let known: Vec<&str> = datetimes.map(|field| field.name.as_str()).collect();
        let meant =
            nearest(name, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Error::input(
            "source.incremental.cursor",
            format!(
                "`{name}` is no datetime field of {} that can be filtered by{meant}; there are {}",
                describe.name,
                known.join(", ")
            ),
        ));
    }
    CURSORS.into_iter().find_map(fits).map(|field| field.name.clone()).ok_or_else(|| {
        Error::input(
            "source.incremental",
            format!(
                "{} has none of {}; name a datetime field with cursor = \"…\", or read everything",
                describe.name,
                CURSORS.join(", ")
            ),
        )
    })
}

/// As SOQL writes it, in UTC.
pub(crate) fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn describe(fields: &[&str]) -> SObjectDescribe {
        let fields: Vec<_> = fields
            .iter()
            .map(|name| serde_json::json!({ "name": name, "type": "datetime", "filterable": true }))
            .collect();
        serde_json::from_value(serde_json::json!({ "name": "X__c", "fields": fields })).unwrap()
    }

    fn window(cursor: Option<i64>, now: i64) -> Window {
        let last = cursor.map(|at| Cursor { at, remembers_from: None });
        Window::new(&Incremental::default(), &describe(&["SystemModstamp"]), last, (now, false)).unwrap()
    }

    #[test]
    fn where_rows_are_appended_a_longer_overlap_ends_at_what_is_remembered() {
        let last = Some(Cursor { at: 995 * MINUTE, remembers_from: Some(990 * MINUTE) });
        let begins = |appends| {
            let describe = describe(&["SystemModstamp"]);
            Window::new(&Incremental::default(), &describe, last, (1_100 * MINUTE, appends)).unwrap().from
        };
        assert_eq!((begins(true), begins(false)), (Some(990 * MINUTE), Some(985 * MINUTE)));
    }

    #[test]
    fn a_cursor_after_the_clock_is_told() {
        assert_eq!(window(Some(995 * MINUTE), 996 * MINUTE).warning(), None);
        let warning = window(Some(995 * MINUTE), 994 * MINUTE).warning().unwrap_or_default();
        assert!(
            warning.contains("1970-01-01T16:35:00.000Z, which is after Salesforce's clock, 1970-01-01T16:34:00.000Z")
        );
    }

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let first = window(None, 1_000 * MINUTE);
        assert_eq!((first.from, first.to), (None, 995 * MINUTE));
        let second = window(Some(first.to), 1_100 * MINUTE);
        assert_eq!((second.from, second.to), (Some(985 * MINUTE), 1_095 * MINUTE));
        assert_eq!(second.remember_from, 1_085 * MINUTE);
        assert_eq!(
            second.condition(Some("A = 1 OR B = 2")),
            "(A = 1 OR B = 2) AND SystemModstamp >= 1970-01-01T16:25:00.000Z AND SystemModstamp < 1970-01-01T18:15:00.000Z"
        );
    }

    #[test]
    fn a_cursor_never_moves_back() {
        let cursor = 995 * MINUTE;
        let behind = window(Some(cursor), 10 * MINUTE);
        assert_eq!((behind.from, behind.to), (Some(985 * MINUTE), cursor));
    }

    #[test]
    fn the_best_field_there_is_becomes_the_cursor() {
        let of = |fields: &[&str]| cursor_field(&Incremental::default(), &describe(fields));
        assert_eq!(of(&["CreatedDate", "LastModifiedDate"]).unwrap(), "LastModifiedDate");
        assert!(of(&["Other__c"]).unwrap_err().to_string().contains("cursor ="));
    }
}
