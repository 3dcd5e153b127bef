//! Records by an external id: found, and created or updated by it.

use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Map, Value, json};

use super::records::{edit, fields_of, not_json};
use crate::data::QueryMode;
use crate::data::edit::{Edit, EditError};
use crate::server::{ApiVersion, Call, Reply, State};

/// First version that answers an upsert that updated with a body (REST API Developer Guide, "Upsert").
const FIRST_WITH_BODY: u16 = 46;

/// A record named by the value of one of its fields: `/sobjects/X/FIELD/VALUE`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) object: &'a str,
    pub(crate) field: &'a str,
    pub(crate) value: &'a str,
}

/// What an upsert did.
pub(crate) struct Upserted {
    pub(crate) id: String,
    pub(crate) created: bool,
}

/// Why an upsert did nothing.
pub(crate) enum NotUpserted {
    /// The answer as a whole.
    Reply(Reply),
    /// The refusal of one record.
    Record(EditError),
}

impl Key<'_> {
    /// The records that have this value, with these fields.
    ///
    /// # Errors
    /// The answer where object or field is none to look up by, or a wanted field is not there.
    pub(super) fn find(self, state: &State, fields: &str, version: ApiVersion) -> Result<Vec<Value>, Reply> {
        self.check(state, version)?;
        let Key { object, field, value } = self;
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        let soql = format!("SELECT {fields} FROM {object} WHERE {field} = '{value}'");
        let prepared = state.org.prepare(&soql, QueryMode::Rest)?;
        let mut rows = Vec::new();
        prepared.json_rows(0..prepared.total(), &version.to_string(), &mut rows);
        Ok(rows)
    }

    fn check(self, state: &State, version: ApiVersion) -> Result<(), Reply> {
        let described = state.org.describe(self.object, version.number()).ok_or_else(Reply::not_found)?;
        let truth = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
        let is_key = described.get("fields").and_then(Value::as_array).into_iter().flatten().any(|entry| {
            entry.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(self.field))
                && (truth(entry, "externalId") || truth(entry, "idLookup"))
        });
        if is_key {
            return Ok(());
        }
        let message = format!("Provided external ID field does not exist or is not accessible: {}", self.field);
        Err(Reply::error(StatusCode::NOT_FOUND, "NOT_FOUND", &message))
    }

    /// Updates the one record that has the value, or creates it.
    ///
    /// # Errors
    /// Where several have it, or the change is refused.
    pub(crate) fn upsert(
        self,
        state: &State,
        fields: Map<String, Value>,
        only_update: bool,
        version: ApiVersion,
    ) -> Result<Upserted, NotUpserted> {
        if let Some(name) = fields.keys().find(|name| name.eq_ignore_ascii_case("Id") || self.is(name)) {
            let text = format!("The {name} field should not be specified in the sobject data.");
            return Err(NotUpserted::Record(EditError::new("INVALID_FIELD", text)));
        }
        let found = self.find(state, "Id", version).map_err(NotUpserted::Reply)?;
        let object = self.object.to_owned();
        match found.as_slice() {
            // An id is never made up: what has none of this value is gone, or never was.
            [] if self.is("Id") && state.org.is_deleted(self.object, self.value) => {
                Err(NotUpserted::Record(EditError::new("ENTITY_IS_DELETED", "entity is deleted")))
            }
            [] if only_update || (self.is("Id") && !self.value.is_empty()) => {
                Err(NotUpserted::Reply(Reply::not_found()))
            }
            [] => {
                let mut fields = fields;
                if !self.is("Id") {
                    fields.insert(self.field.to_owned(), self.value.into());
                }
                let id = edit(state, &Edit::Create { object, fields }).map_err(NotUpserted::Record)?;
                Ok(Upserted { id, created: true })
            }
            [one] => {
                let id = one["Id"].as_str().unwrap_or_default().to_owned();
                let id = edit(state, &Edit::Update { object, id, fields }).map_err(NotUpserted::Record)?;
                Ok(Upserted { id, created: false })
            }
            several => Err(NotUpserted::Reply(choices(several))),
        }
    }

    fn is(self, name: &str) -> bool {
        self.field.eq_ignore_ascii_case(name)
    }
}

/// The addresses of several records that have the same value.
pub(super) fn choices(rows: &[Value]) -> Reply {
    let urls: Vec<&Value> = rows.iter().filter_map(|row| row.pointer("/attributes/url")).collect();
    Reply::json(StatusCode::MULTIPLE_CHOICES, &urls)
}

/// `PATCH /sobjects/X/FIELD/VALUE`.
pub(crate) fn upsert(state: &State, call: &Call, key: Key<'_>, version: ApiVersion) -> Reply {
    let fields = match fields_of(call) {
        Ok(fields) => fields,
        Err(error) => return not_json(&error),
    };
    let only_update = call.param("updateOnly").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match key.upsert(state, fields, only_update, version) {
        Ok(Upserted { created: false, .. }) if version.0 < FIRST_WITH_BODY => Reply::empty(StatusCode::NO_CONTENT),
        Ok(Upserted { id, created }) => {
            let body = json!({"id": id, "success": true, "errors": [], "created": created});
            if !created {
                return Reply::ok(&body);
            }
            let name = state.org.object_name(key.object).unwrap_or_default();
            let location = format!("/services/data/v{version}/sobjects/{name}/{id}");
            Reply::json(StatusCode::CREATED, &body).with(LOCATION, &location)
        }
        Err(NotUpserted::Reply(reply)) => reply,
        Err(NotUpserted::Record(error)) => error.into(),
    }
}

/// `DELETE /sobjects/X/FIELD/VALUE`.
pub(crate) fn delete_by_key(state: &State, key: Key<'_>, version: ApiVersion) -> Reply {
    let found = match key.find(state, "Id", version) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    match found.as_slice() {
        [] => Reply::not_found(),
        [one] => super::delete(state, key.object, one["Id"].as_str().unwrap_or_default()),
        several => choices(several),
    }
}
