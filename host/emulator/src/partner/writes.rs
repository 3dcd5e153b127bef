//! What SOAP changes: `create`, `update`, `upsert` and `delete` of up to 200 records.

use serde_json::{Map, Value};

use super::Asked;
use super::describe::escape;
use crate::auth::Fault;
use crate::auth::soap_xml::{children, element, local_name, tagged, unescape};
use crate::data::edit::{Author, Edit, EditError};
use crate::rest::{Key, NotUpserted};
use crate::server::State;

/// Records in one call at most (SOAP API Developer Guide, "create()").
const MOST_RECORDS: usize = 200;

/// What became of one record: its id, and for an upsert whether it is new.
type Outcome = Result<(String, Option<bool>), EditError>;

/// Answers one of the four calls.
///
/// # Errors
/// The fault where there is nothing to do, or too much.
pub(super) fn write(state: &State, name: &str, asked: &Asked<'_>) -> Result<String, Fault> {
    let listed = if name == "delete" { "ids" } else { "sObjects" };
    let records: Vec<(&str, &str)> = tagged(asked.body, listed).collect();
    if records.len() > MOST_RECORDS {
        let text = format!("record limit reached. cannot submit more than {MOST_RECORDS} records into this call");
        return Err(Fault::unexpected("EXCEEDED_ID_LIMIT", text));
    }
    let key = asked.value("externalIDFieldName");
    let before = state.org.held();
    let mut outcomes: Vec<Outcome> = records
        .iter()
        .map(|record| match name {
            "delete" => delete(state, unescape(record.1.trim())),
            "update" => update(state, record),
            "upsert" => upsert(state, record, key.trim(), asked),
            _ => create(state, record),
        })
        .collect();
    let all_or_none = element(asked.envelope, "AllOrNoneHeader").and_then(|header| element(header, "allOrNone"));
    if all_or_none.is_some_and(|value| value.trim() == "true") && outcomes.iter().any(Result::is_err) {
        state.org.put_back(before);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            let text =
                "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Err(EditError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", text));
        }
    }
    let results: String = outcomes.iter().map(|outcome| result(outcome, name == "upsert")).collect();
    Ok(format!("<{name}Response>{results}</{name}Response>"))
}

/// A record as it was sent: its type, its id, and its fields.
struct Sent {
    object: String,
    id: Option<String>,
    fields: Map<String, Value>,
}

/// The type is an element of partner clients and an attribute of enterprise ones.
fn sent((tag, record): &(&str, &str)) -> Sent {
    let mut sent = Sent { object: type_of(tag).unwrap_or_default().to_owned(), id: None, fields: Map::new() };
    for (name, inner, nil) in children(record) {
        let text = unescape(inner);
        match name {
            "type" if sent.object.is_empty() => sent.object = text.trim().to_owned(),
            "fieldsToNull" if !text.trim().is_empty() => _ = sent.fields.insert(text.trim().to_owned(), Value::Null),
            "fieldsToNull" => {}
            _ if name.eq_ignore_ascii_case("Id") => {
                sent.id = Some(text.trim().to_owned()).filter(|id| !id.is_empty() && !nil);
            }
            // What is nil here is not set; fieldsToNull is for that.
            _ if nil => {}
            _ => _ = sent.fields.insert(name.to_owned(), text.into()),
        }
    }
    sent
}

/// `Account` of `sObjects xsi:type="ns:Account"`; a partner's type is always `sObject`.
fn type_of(tag: &str) -> Option<&str> {
    let (_, value) = tag.split_once(":type=")?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = local_name(value.get(1..)?.split(quote).next()?);
    (name != "sObject").then_some(name)
}

fn edit(state: &State, edit: &Edit) -> Result<String, EditError> {
    state.org.edit(edit, Author { user: &state.user.id, at: state.now() })
}

fn create(state: &State, record: &(&str, &str)) -> Outcome {
    let Sent { object, id, fields } = sent(record);
    if id.is_some() {
        return Err(EditError::new("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call"));
    }
    edit(state, &Edit::Create { object, fields }).map(|id| (id, None))
}

fn update(state: &State, record: &(&str, &str)) -> Outcome {
    let Sent { object, id, fields } = sent(record);
    let id = id.ok_or_else(|| EditError::new("MISSING_ARGUMENT", "Id not specified in an update call"))?;
    edit(state, &Edit::Update { object, id, fields }).map(|id| (id, None))
}

fn upsert(state: &State, record: &(&str, &str), key: &str, asked: &Asked<'_>) -> Outcome {
    let Sent { object, id, mut fields } = sent(record);
    let named = fields.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
    let value = match named.and_then(|name| fields.remove(&name)) {
        Some(Value::String(text)) => text,
        _ => id.unwrap_or_default(),
    };
    let found = Key { object: &object, field: key, value: &value }.upsert(state, fields, false, asked.version);
    found.map(|done| (done.id, Some(done.created))).map_err(|refused| match refused {
        NotUpserted::Record(error) => error,
        NotUpserted::Reply(_) => {
            let text = format!("Provided external ID field does not exist or is not accessible: {key}");
            EditError::new("INVALID_FIELD", text)
        }
    })
}

fn delete(state: &State, id: String) -> Outcome {
    let object = state.org.object_of(&id);
    let object = object.ok_or_else(|| EditError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))?;
    edit(state, &Edit::Delete { object, id }).map(|id| (id, None))
}

/// A `SaveResult`, `UpsertResult` or `DeleteResult`: the elements are in the order of their names.
fn result(outcome: &Outcome, upsert: bool) -> String {
    let (created, errors, id, success) = match outcome {
        Ok((id, created)) => (created.unwrap_or_default(), String::new(), format!("<id>{id}</id>"), true),
        Err(error) => {
            let fields: String = error.fields.iter().map(|field| format!("<fields>{field}</fields>")).collect();
            let (message, code) = (escape(&error.message), error.code);
            let errors =
                format!("<errors>{fields}<message>{message}</message><statusCode>{code}</statusCode></errors>");
            (false, errors, "<id xsi:nil=\"true\"/>".to_owned(), false)
        }
    };
    let created = if upsert { format!("<created>{created}</created>") } else { String::new() };
    format!("<result>{created}{errors}{id}<success>{success}</success></result>")
}
