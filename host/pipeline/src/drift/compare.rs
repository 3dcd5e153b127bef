//! Two lists of fields side by side, and which of them a selection means.

use std::collections::BTreeMap;

use forcepump_salesforce::{FieldGroup, Select, Selected};

use super::{Becomes, Change, FieldChange, day};
use crate::state::{LastSeen, SeenField};

/// Ends of the API names of custom fields: their own, those of person accounts, and the parts of geolocations.
const CUSTOM: [&str; 3] = ["__c", "__pc", "__s"];

/// Of the object itself every field is known, of its parents only those that were selected: these are compared by type.
pub(super) fn compare(last: &LastSeen, now: &[SeenField], object: &str) -> Vec<FieldChange> {
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
        becomes: Becomes::default(),
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

/// Whether the selection names the object's own field.
pub(super) fn names_itself(select: &Select, field: &str) -> bool {
    select.fields.iter().filter_map(Selected::path).any(|path| {
        let own = match path.parents() {
            [] => true,
            [object] => object.eq_ignore_ascii_case(&select.object),
            _ => false,
        };
        own && path.field().eq_ignore_ascii_case(field)
    })
}

/// Whether the selection takes every field of the kind that this one is of.
pub(super) fn takes_all_of(select: &Select, field: &str) -> bool {
    let is_custom = CUSTOM.iter().any(|end| field.ends_with(end));
    let in_group = |item: &Selected| match item {
        Selected::Field(_) => false,
        Selected::Group(FieldGroup::All) => true,
        Selected::Group(FieldGroup::Custom) => is_custom,
        Selected::Group(FieldGroup::Standard) => !is_custom,
    };
    select.fields.is_empty() || select.fields.iter().any(in_group)
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

    #[test]
    fn a_selection_means_fields_by_name_or_by_kind() {
        let select = Select::from_fields("Account", &["account.Name", "Owner.Email", "FIELDS(CUSTOM)"], None).unwrap();
        assert!(names_itself(&select, "Name") && !names_itself(&select, "Email"));
        assert!(takes_all_of(&select, "A__c") && takes_all_of(&select, "Place__Latitude__s"));
        assert!(!takes_all_of(&select, "Industry"));
    }
}
