//! From the JSON value of a field in a REST call to the text in which it is held.

use serde_json::Value;

use super::edit::EditError;
use super::ids;
use super::schema::{FieldDef, FieldType, ObjectDef};
use super::tables::Tables;
use super::value;

/// The held text of a value; empty for null.
pub fn text(object: &ObjectDef, field: &FieldDef, given: &Value) -> Result<String, EditError> {
    let plain = match given {
        Value::Null if field.kind == FieldType::Boolean => {
            let text = format!("{}: value not of required type: ", field.label);
            return Err(EditError::of("INVALID_TYPE_ON_FIELD_IN_RECORD", text, &field.name));
        }
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(value) if field.kind == FieldType::Boolean => value.to_string(),
        Value::Number(number) if field.kind.is_number() => number.to_string(),
        other => return Err(foreign(field, other)),
    };
    if plain.is_empty() && !field.nillable && !field.defaulted {
        let text = format!("Required fields are missing: [{}]", field.name);
        return Err(EditError::of("REQUIRED_FIELD_MISSING", text, &field.name));
    }
    if field.restricted && !plain.is_empty() && !field.picklist.iter().any(|pick| pick.value == plain) {
        let text = format!("{}: bad value for restricted picklist field: {plain}", field.label);
        return Err(EditError::of("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, &field.name));
    }
    value::canonical(field, &plain).map_err(|_| unfit(object, field, given, &plain))
}

/// Whether a reference leads to a record that it may lead to.
pub fn refers(tables: &Tables, field: &FieldDef, text: &str) -> Result<(), EditError> {
    if field.kind != FieldType::Reference || text.is_empty() {
        return Ok(());
    }
    let target = ids::normalise(text.as_bytes()).and_then(|id| tables.find(&id)).map(|at| &tables.object(at.0).name);
    if target.is_some_and(|name| field.references.contains(name)) {
        return Ok(());
    }
    Err(EditError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
}

/// A text that is none of the field's values.
fn unfit(object: &ObjectDef, field: &FieldDef, given: &Value, plain: &str) -> EditError {
    let label = &field.label;
    match field.kind {
        FieldType::Id | FieldType::Reference => {
            EditError::of("MALFORMED_ID", format!("{label}: id value of incorrect type: {plain}"), &field.name)
        }
        kind if kind.is_number() && plain.parse::<f64>().is_ok() => {
            let text = format!("{label}: value outside of valid range on numeric field: {plain}");
            EditError::of("NUMBER_OUTSIDE_VALID_RANGE", text, &field.name)
        }
        kind if kind.is_number() || is_typed(kind) => foreign(field, given),
        _ => {
            let text = format!("{} {label}: data value too large: {plain} (max length={})", object.label, field.length);
            EditError::of("STRING_TOO_LONG", text, &field.name)
        }
    }
}

fn is_typed(kind: FieldType) -> bool {
    matches!(kind, FieldType::Boolean | FieldType::Date | FieldType::DateTime | FieldType::Time)
}

/// A value of another type than the field's; Salesforce adds the place in the text, which is not known any more here.
fn foreign(field: &FieldDef, given: &Value) -> EditError {
    let (token, shown) = match given {
        Value::String(text) => ("VALUE_STRING", text.clone()),
        Value::Number(number) if number.is_f64() => ("VALUE_NUMBER_FLOAT", number.to_string()),
        Value::Number(number) => ("VALUE_NUMBER_INT", number.to_string()),
        Value::Bool(true) => ("VALUE_TRUE", "true".to_owned()),
        Value::Bool(false) => ("VALUE_FALSE", "false".to_owned()),
        Value::Array(_) => ("START_ARRAY", "[".to_owned()),
        Value::Object(_) => ("START_OBJECT", "{".to_owned()),
        Value::Null => ("VALUE_NULL", "null".to_owned()),
    };
    let kind = field.kind.as_str();
    let text = format!(
        "Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required field"
    );
    EditError::new("JSON_PARSER_ERROR", text)
}
