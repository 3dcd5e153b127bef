//! What has changed in the org since the last whole run: fields that are gone, new, or of another type.
//!
//! Changes are told, by plan and by run; what becomes of them is the pipeline's to say (`drift`). A pipeline file can leave
//! two kinds of changes to no policy: a field that it does not read does not concern it, and a field that it names and
//! that is gone is an error, unless it says `ignore`.

mod compare;
mod select;

use chrono::DateTime;
use forcepump_salesforce::{ResolvedQuery, Select, VisibleField};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::file::{DriftPolicies, DriftPolicy, Problem};
use crate::session::Session;
use crate::state::{ColumnsRead, LastSeen, SeenField, SeenKey, State};
use compare::{compare, names_itself, takes_all_of};
pub(crate) use select::resolve;

/// A difference between what the last whole run saw and what describe says now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// API name of the object
    pub object: String,
    /// API name of the field
    pub field: String,
    /// `gone`, `new` or `type`
    pub change: Change,
    /// its type at the last run; none of a new field
    pub was: Option<String>,
    /// its type now; none of a field that is gone
    pub is: Option<String>,
    /// day of the last whole run, UTC
    pub since: String,
    /// what becomes of the field
    #[serde(default)]
    pub becomes: Becomes,
}

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Deleted, or hidden by field-level security.
    Gone,
    /// Made, or no longer hidden.
    New,
    /// Its type changed.
    Type,
}

/// What becomes of a field that changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    /// The pipeline did not select it, and does not.
    #[default]
    NotSelected,
    /// It is read as it is now.
    Read,
    /// It is not read, though the pipeline would.
    LeftOut,
    /// The run does not begin.
    Refused,
}

impl FieldChange {
    /// One sentence.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}{}", self.what(), self.consequence())
    }

    fn what(&self) -> String {
        let Self { object, field, since, .. } = self;
        let (was, is) = (self.was.as_deref().unwrap_or_default(), self.is.as_deref().unwrap_or_default());
        match self.change {
            Change::Gone => format!(
                "{object}.{field} ({was}) was seen on {since} and is not there now: it was deleted, or field-level \
                 security hides it from the user"
            ),
            Change::New => format!("{object}.{field} ({is}) is new since {since}"),
            Change::Type => format!("{object}.{field} was {was} on {since} and is {is} now"),
        }
    }

    fn consequence(&self) -> &'static str {
        match (self.change, self.becomes) {
            (Change::New, Becomes::Read) => "; it is read from now on",
            (Change::New, Becomes::LeftOut) => "; it is not read (drift = \"ignore\")",
            (Change::Gone, Becomes::LeftOut) => "; it is left out, and the destination keeps what it has of it",
            (_, Becomes::Refused | Becomes::NotSelected) | (Change::Gone | Change::Type, _) => "",
        }
    }
}

/// What changed, and what is to be kept when the run is whole.
#[derive(Debug)]
pub(crate) struct Drift {
    key: SeenKey,
    /// what the next run is to be compared with
    keep: Vec<SeenField>,
    /// the run reads every row there is
    every_row: bool,
    pub changes: Vec<FieldChange>,
    /// columns that rows of former runs have nothing in
    pub to_fill: Vec<String>,
}

impl Drift {
    /// Compares with the last whole run. `query`: as [`resolve`] gave it, all of its columns still in it.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be read, [`Error::Source`] when the login fails.
    pub(crate) async fn of(session: &Session, query: &ResolvedQuery) -> Result<Self, Error> {
        let select = session.selection().await?;
        let key = key(session, &query.object).await?;
        let now: Vec<SeenField> = query.visible.iter().map(seen).collect();
        let (last, to_fill) = match State::open_existing(session.pipeline().folder())? {
            Some(state) => (state.fields_seen(&key)?, state.columns_to_fill(&key)?),
            None => (None, Vec::new()),
        };
        let policies = policies(session);
        let mut changes = last.map(|last| compare(&last, &now, &query.object)).unwrap_or_default();
        for change in &mut changes {
            change.becomes = becomes(change, policies, &select, Some(query));
        }
        let keep = kept(now, &changes, policies);
        Ok(Self { key, keep, every_row: reads_every_row(session), changes, to_fill })
    }

    /// Refuses a run whose policy says so.
    ///
    /// # Errors
    /// [`Error::Input`] with every field that changed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        refuse(&self.changes)
    }

    /// What the operator is to know before the run: what changed in what it reads. That a field is new is told where it
    /// leaves gaps.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        self.changes.iter().filter(|change| change.change != Change::New).map(FieldChange::words)
    }

    /// Columns of the query that rows of former runs have nothing in, and how to fill them in. `query`: as it is sent.
    pub(crate) fn about_unfilled(&self, session: &Session, query: &ResolvedQuery) -> Option<String> {
        let is_new = |name: &str| {
            let found = |change: &&FieldChange| change.change == Change::New && change.field == name;
            self.changes.iter().find(found).is_some_and(|change| change.object == query.object)
        };
        let names = query.schema.fields().iter().map(|field| field.name().as_str());
        let waits = |name: &&str| is_new(name) || self.to_fill.iter().any(|waiting| waiting == name);
        let waiting: Vec<&str> = if self.every_row { Vec::new() } else { names.filter(waits).collect() };
        if waiting.is_empty() || session.filling().is_some() {
            return None;
        }
        let file = session.pipeline().path.display();
        let (list, verb) = (waiting.join(", "), if waiting.len() == 1 { "was" } else { "were" });
        Some(match session.window() {
            Some(_) => format!(
                "{list} {verb} not read by all former runs: their rows have nothing in it until `forcepump backfill {file}`"
            ),
            None => format!(
                "{list} {verb} not read by all former runs: their rows have nothing in it until they are read again"
            ),
        })
    }

    /// Keeps what this run saw and read for the next one to compare with. `query`: as it was sent.
    pub(crate) fn keep(&self, session: &Session, query: &ResolvedQuery) -> Result<(), Error> {
        if session.retry().is_some() {
            // A few rows, read again, are not what the next run is to be compared with.
            return Ok(());
        }
        let at_micros = chrono::Utc::now().timestamp_micros();
        let state = State::open(session.pipeline().folder())?;
        if let Some(fields) = session.filling() {
            let names = query.schema.fields().iter().map(|field| field.name());
            let filled = names.filter(|name| fields.iter().any(|field| field.eq_ignore_ascii_case(name)));
            return state.columns_filled(&self.key, &filled.cloned().collect::<Vec<_>>());
        }
        state.keep_fields_seen(&self.key, &LastSeen { at_micros, fields: self.keep.clone() })?;
        let new = self.changes.iter().filter(|change| change.change == Change::New);
        let read = ColumnsRead {
            names: query.schema.fields().iter().map(|field| field.name().clone()).collect(),
            new: new.map(|change| change.field.clone()).collect(),
            every_row: self.every_row,
            at_micros,
        };
        state.keep_columns_read(&self.key, &read)
    }
}

/// Whose fields they are.
pub(crate) async fn key(session: &Session, object: &str) -> Result<SeenKey, Error> {
    Ok(SeenKey {
        pipeline: session.memory_name(),
        org: session.client().organization().await?,
        feed: object.to_owned(),
    })
}

fn policies(session: &Session) -> DriftPolicies {
    session.pipeline().file.drift.unwrap_or_default().policies()
}

/// What the policies make of a change. `query`: none when it cannot be resolved.
fn becomes(change: &FieldChange, policies: DriftPolicies, select: &Select, query: Option<&ResolvedQuery>) -> Becomes {
    let is_root = query.is_none_or(|query| query.object == change.object);
    let (named, taken) = (names_itself(select, &change.field), takes_all_of(select, &change.field));
    match change.change {
        Change::New if !is_root || !(named || taken) => Becomes::NotSelected,
        Change::New if named => Becomes::Read,
        Change::New => match policies.new {
            DriftPolicy::Add => Becomes::Read,
            DriftPolicy::Ignore => Becomes::LeftOut,
            DriftPolicy::Fail => Becomes::Refused,
        },
        Change::Gone if !(named || taken) => Becomes::NotSelected,
        Change::Gone if policies.gone == DriftPolicy::Fail => Becomes::Refused,
        Change::Gone => Becomes::LeftOut,
        Change::Type if !query.map_or(named || taken, |query| reads(query, change)) => Becomes::NotSelected,
        Change::Type if policies.kind == DriftPolicy::Fail => Becomes::Refused,
        Change::Type => Becomes::Read,
    }
}

/// Whether a column of the query is that field. Of parents only those are compared that are selected.
fn reads(query: &ResolvedQuery, change: &FieldChange) -> bool {
    change.object != query.object || query.schema.field_with_name(&change.field).is_ok()
}

/// What the next run is compared with: under `ignore` that stays what it was.
fn kept(now: Vec<SeenField>, changes: &[FieldChange], policies: DriftPolicies) -> Vec<SeenField> {
    let of = |field: &SeenField| changes.iter().find(|c| c.object == field.object && c.field == field.field);
    let left_out = |field: &SeenField| {
        of(field).is_some_and(|change| change.change == Change::New && change.becomes == Becomes::LeftOut)
    };
    let mut keep: Vec<SeenField> = now.into_iter().filter(|field| !left_out(field)).collect();
    let gone = changes.iter().filter(|change| change.change == Change::Gone && change.becomes == Becomes::LeftOut);
    if policies.gone == DriftPolicy::Ignore {
        keep.extend(gone.map(|change| SeenField {
            object: change.object.clone(),
            field: change.field.clone(),
            kind: change.was.clone().unwrap_or_default(),
        }));
    }
    keep
}

/// Every change in one error, when any of them is refused.
fn refuse(changes: &[FieldChange]) -> Result<(), Error> {
    if changes.iter().all(|change| change.becomes != Becomes::Refused) {
        return Ok(());
    }
    let refused = changes.iter().filter(|change| change.becomes != Becomes::NotSelected);
    let mut problems: Vec<Problem> = refused.map(|change| Problem::new("drift", change.what())).collect();
    if let Some(last) = problems.last_mut() {
        last.message.push_str(
            "\nhint: accept the changes once with `--drift add`, and the next runs are compared with what is there now; or set drift = \"add\" or \"ignore\" in the pipeline file",
        );
    }
    Err(Error::Input(problems))
}

/// Whether the run reads every row that it could ever read, and not only what changed since the last one.
fn reads_every_row(session: &Session) -> bool {
    let source = &session.pipeline().file.source;
    let texts = [source.condition.as_deref(), source.query.as_deref()];
    let moves = texts.into_iter().flatten().any(|text| text.contains('$'));
    match session.window() {
        Some(window) => window.cursor.is_none() && !moves,
        None => source.incremental.is_none() && !moves,
    }
}

fn seen(field: &VisibleField) -> SeenField {
    SeenField { object: field.object.clone(), field: field.field.clone(), kind: field.kind.clone() }
}

fn day(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: Change, field: &str) -> FieldChange {
        let text = |wanted: bool| wanted.then(|| "string".to_owned());
        FieldChange {
            object: "Account".to_owned(),
            field: field.to_owned(),
            change,
            was: text(change != Change::New),
            is: text(change != Change::Gone),
            since: "2023-11-14".to_owned(),
            becomes: Becomes::default(),
        }
    }

    fn all(policy: DriftPolicy) -> DriftPolicies {
        DriftPolicies { new: policy, gone: policy, kind: policy }
    }

    #[test]
    fn policies_are_for_what_the_pipeline_reads() {
        let nothing: [&str; 0] = [];
        let every = Select::from_fields("Account", &nothing, None).unwrap();
        let named = Select::from_fields("Account", &["Id", "A__c"], None).unwrap();
        let custom = Select::from_fields("Account", &["Id", "FIELDS(CUSTOM)"], None).unwrap();
        let of = |kind, field: &str, policy, select: &Select| becomes(&change(kind, field), all(policy), select, None);
        for (kind, field, policy, select, expected) in [
            (Change::New, "A__c", DriftPolicy::Add, &every, Becomes::Read),
            (Change::New, "A__c", DriftPolicy::Ignore, &every, Becomes::LeftOut),
            (Change::New, "A__c", DriftPolicy::Fail, &every, Becomes::Refused),
            (Change::New, "A__c", DriftPolicy::Fail, &named, Becomes::Read),
            (Change::New, "B__c", DriftPolicy::Fail, &named, Becomes::NotSelected),
            (Change::New, "B__c", DriftPolicy::Ignore, &custom, Becomes::LeftOut),
            (Change::New, "Standard", DriftPolicy::Fail, &custom, Becomes::NotSelected),
            (Change::Gone, "B__c", DriftPolicy::Fail, &named, Becomes::NotSelected),
            (Change::Gone, "A__c", DriftPolicy::Ignore, &named, Becomes::LeftOut),
            (Change::Gone, "A__c", DriftPolicy::Fail, &every, Becomes::Refused),
            (Change::Gone, "A__c", DriftPolicy::Add, &every, Becomes::LeftOut),
            (Change::Type, "A__c", DriftPolicy::Fail, &every, Becomes::Refused),
            (Change::Type, "A__c", DriftPolicy::Ignore, &every, Becomes::Read),
        ] {
            assert_eq!(of(kind, field, policy, select), expected, "{kind:?} {field} {policy:?}");
        }
    }

    #[test]
    fn under_ignore_the_list_of_fields_stands_still() {
        let field = |name: &str| SeenField { object: "Account".into(), field: name.into(), kind: "string".into() };
        let left_out = |kind, name: &str| FieldChange { becomes: Becomes::LeftOut, ..change(kind, name) };
        let changes = [left_out(Change::New, "New__c"), left_out(Change::Gone, "Gone__c")];
        let names = |policies| {
            let kept = kept(vec![field("Id"), field("New__c")], &changes, policies);
            kept.into_iter().map(|field| field.field).collect::<Vec<_>>()
        };
        assert_eq!(names(all(DriftPolicy::Ignore)), ["Id", "Gone__c"]);
        let read = [FieldChange { becomes: Becomes::Read, ..change(Change::New, "New__c") }];
        let kept = kept(vec![field("Id"), field("New__c")], &read, all(DriftPolicy::Add));
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn a_refusal_names_every_field_and_the_way_out() {
        let refused = |kind, name: &str| FieldChange { becomes: Becomes::Refused, ..change(kind, name) };
        let changes = [refused(Change::Gone, "A__c"), change(Change::New, "B__c"), refused(Change::New, "C__c")];
        let text = refuse(&changes).unwrap_err().to_string();
        assert!(
            text.contains("Account.A__c") && text.contains("Account.C__c") && text.contains("--drift add"),
            "{text}"
        );
        assert!(!text.contains("B__c"), "{text}");
        assert!(refuse(&changes[1..2]).is_ok());
    }
}
