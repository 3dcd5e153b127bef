//! `query?columns=true`: what the columns of a statement are, as Salesforce's own CLI asks for it.

use serde_json::{Value, json};

use super::prepare::{Output, Plan};
use super::resolve::FieldPath;
use super::schema::FieldType;
use super::tables::Tables;

/// The whole answer.
pub fn columns(plan: &Plan) -> Value {
    let object = plan.tables.object(plan.object);
    let (columns, selected) = match &plan.output {
        Output::Count(_) => (Vec::new(), false),
        Output::Groups { columns, .. } => {
            (columns.iter().map(|column| entry(&column.name, "Double", true, json!({}), Vec::new())).collect(), false)
        }
        Output::Records { columns, .. } => {
            let selected = columns.iter().any(|column| column.hops.is_empty() && column.kind == FieldType::Id);
            (nested(&plan.tables, columns, 0), selected)
        }
    };
    json!({
        "columnMetadata": columns,
        "entityName": object.name,
        "groupBy": plan.grouped,
        "idSelected": selected,
        "keyPrefix": object.prefix,
    })
}

/// The columns at one level of relationships; parents hold theirs in `joinColumns`.
fn nested(tables: &Tables, columns: &[FieldPath], level: usize) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut parents: Vec<&str> = Vec::new();
    for column in columns {
        let Some(name) = column.names.get(level) else { continue };
        if level == column.hops.len() {
            out.push(leaf(tables, column, name));
        } else if !parents.contains(&name.as_str()) {
            parents.push(name);
            let own: Vec<FieldPath> = columns
                .iter()
                .filter(|other| other.hops.len() > level && other.names.get(level) == Some(name))
                .cloned()
                .collect();
            out.push(entry(name, "SObject", false, json!({"foreignKeyName": name}), nested(tables, &own, level + 1)));
        }
    }
    out
}

fn leaf(tables: &Tables, column: &FieldPath, name: &str) -> Value {
    let field = column.field(&tables.schema);
    let flags = json!({
        "booleanType": column.kind == FieldType::Boolean,
        "custom": field.is_some_and(super::schema::FieldDef::custom),
        "insertable": field.is_some_and(|field| field.createable),
        "numberType": column.kind.is_number(),
        "textType": matches!(column.kind, FieldType::String | FieldType::TextArea | FieldType::Picklist | FieldType::Email | FieldType::Phone | FieldType::Url),
        "updatable": field.is_some_and(|field| field.updateable),
    });
    entry(name, apex_type(column.kind), false, flags, Vec::new())
}

fn entry(name: &str, apex_type: &str, aggregate: bool, flags: Value, joins: Vec<Value>) -> Value {
    let flag = |key: &str| flags.get(key).cloned().unwrap_or(Value::Bool(false));
    json!({
        "aggregate": aggregate,
        "apexType": apex_type,
        "booleanType": flag("booleanType"),
        "columnName": name,
        "custom": flag("custom"),
        "displayName": name,
        "foreignKeyName": flags.get("foreignKeyName").cloned(),
        "insertable": flag("insertable"),
        "joinColumns": joins,
        "numberType": flag("numberType"),
        "textType": flag("textType"),
        "updatable": flag("updatable"),
    })
}

fn apex_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "Id",
        FieldType::Boolean => "Boolean",
        FieldType::Int => "Integer",
        FieldType::Long => "Long",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "Double",
        FieldType::Date => "Date",
        FieldType::DateTime => "Datetime",
        FieldType::Time => "Time",
        FieldType::Base64 => "Blob",
        FieldType::Address => "Address",
        FieldType::Location => "Location",
        _ => "String",
    }
}
