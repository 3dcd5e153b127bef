//! What has changed in the org since the last whole run: fields that are gone, new, or of another type.
//!
//! Changes are told, by plan and by run, and a selected field that is gone is an error. What else should become of a
//! change is one decision, taken in [`Drift::check`].

use std::collections::BTreeMap;

use chrono::DateTime;
use forcepump_salesforce::{ResolvedQuery, VisibleField};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::session::Session;
use crate::state::{LastSeen, SeenField, State};

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

impl FieldChange {
    /// One sentence.
    #[must_use]
    pub fn words(&self) -> String {
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
}

/// What changed, and what is to be kept when the run is whole.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    org: String,
    now: Vec<SeenField>,
    pub changes: Vec<FieldChange>,
}

impl Drift {
    /// Compares with the last whole run.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be read, [`Error::Source`] when the login fails.
    pub(crate) async fn of(session: &Session, query: &ResolvedQuery) -> Result<Self, Error> {
        let org = session.client().organization().await?;
        let now: Vec<SeenField> = query.visible.iter().map(seen).collect();
        let last = last_seen(session, &org)?;
        let changes = last.map(|last| compare(&last, &now, &query.object)).unwrap_or_default();
        Ok(Self { org, now, changes })
    }

    /// What a change means for the run: the seam at which a policy decides. All that is left after a selected field that
    /// is gone, which never gets this far, can be lived with.
    pub(crate) fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Keeps what this run saw for the next one to compare with.
    pub(crate) fn keep(&self, session: &Session) -> Result<(), Error> {
        let seen = LastSeen { at_micros: chrono::Utc::now().timestamp_micros(), fields: self.now.clone() };
        State::open(session.pipeline().folder())?.keep_fields_seen(&session.memory_name(), &self.org, &seen)
    }
}

/// A field that the query names and describe does not show: an error that says so when the last whole run saw it.
pub(crate) async fn explain(session: &Session, error: forcepump_salesforce::Error) -> Error {
    let forcepump_salesforce::Error::NoField { objects, field, message } = &error else {
        return error.into();
    };
    let Ok(org) = session.client().organization().await else { return error.into() };
    let Ok(Some(last)) = last_seen(session, &org) else { return error.into() };
    let is_it = |seen: &&SeenField| objects.contains(&seen.object) && seen.field.eq_ignore_ascii_case(field);
    match last.fields.iter().find(is_it) {
        Some(seen) => Error::FieldGone {
            field: format!("{}.{}", seen.object, seen.field),
            kind: seen.kind.clone(),
            since: day(last.at_micros),
            message: message.clone(),
        },
        None => error.into(),
    }
}

fn last_seen(session: &Session, org: &str) -> Result<Option<LastSeen>, Error> {
    match State::open_existing(session.pipeline().folder())? {
        Some(state) => state.fields_seen(&session.memory_name(), org),
        None => Ok(None),
    }
}

fn seen(field: &VisibleField) -> SeenField {
    SeenField { object: field.object.clone(), field: field.field.clone(), kind: field.kind.clone() }
}

/// Of the object itself every field is known, of its parents only those that were selected: these are compared by type.
fn compare(last: &LastSeen, now: &[SeenField], object: &str) -> Vec<FieldChange> {
    let since = day(last.at_micros);
    let by_name = |fields: &[SeenField]| -> BTreeMap<(String, String), String> {
        fields.iter().map(|f| ((f.object.clone(), f.field.clone()), f.kind.clone())).collect()
    };
    let (before, after) = (by_name(&last.fields), by_name(now));
    // A pipeline that reads another object now has nothing to be compared with.
    let is_known = before.keys().any(|(of, _)| of == object);
    let change = |(object, field): &(String, String), change, was: Option<&String>, is: Option<&String>| FieldChange {
        object: object.clone(),
        field: field.clone(),
        change,
        was: was.cloned(),
        is: is.cloned(),
        since: since.clone(),
    };
    let gone = before
        .iter()
        .filter(|(name, _)| name.0 == object && !after.contains_key(*name))
        .map(|(name, was)| change(name, Change::Gone, Some(was), None));
    let others = after.iter().filter_map(|(name, is)| match before.get(name) {
        None if name.0 == object && is_known => Some(change(name, Change::New, None, Some(is))),
        Some(was) if was != is => Some(change(name, Change::Type, Some(was), Some(is))),
        _ => None,
    });
    gone.chain(others).collect()
}

fn day(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str, &str)]) -> Vec<SeenField> {
        let field = |(object, field, kind): &(&str, &str, &str)| SeenField {
            object: (*object).to_owned(),
            field: (*field).to_owned(),
            kind: (*kind).to_owned(),
        };
        list.iter().map(field).collect()
    }

    #[test]
    fn gone_new_and_retyped_fields_are_told() {
        let last = LastSeen {
            at_micros: 1_700_000_000_000_000,
            fields: fields(&[
                ("Account", "Id", "id"),
                ("Account", "Budget__c", "double"),
                ("Account", "Gone__c", "string"),
                ("User", "Email", "email"),
                ("User", "Title", "string"),
            ]),
        };
        let now = fields(&[
            ("Account", "Id", "id"),
            ("Account", "Budget__c", "currency"),
            ("Account", "New__c", "picklist"),
            ("User", "Email", "string"),
            ("User", "Phone", "phone"),
        ]);
        let words: Vec<String> = compare(&last, &now, "Account").iter().map(FieldChange::words).collect();
        assert_eq!(
            words,
            [
                "Account.Gone__c (string) was seen on 2023-11-14 and is not there now: it was deleted, or field-level security hides it from the user",
                "Account.Budget__c was double on 2023-11-14 and is currency now",
                "Account.New__c (picklist) is new since 2023-11-14",
                "User.Email was email on 2023-11-14 and is string now",
            ]
        );
    }

    #[test]
    fn another_object_is_compared_with_nothing() {
        let last = LastSeen { at_micros: 0, fields: fields(&[("Account", "Id", "id"), ("Account", "X", "string")]) };
        assert_eq!(compare(&last, &fields(&[("Contact", "Id", "id")]), "Contact"), []);
    }
}
