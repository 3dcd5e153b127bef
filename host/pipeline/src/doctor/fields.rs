//! What of one object the user cannot see: told from lists, never guessed.

use forcepump_salesforce::Client;

use super::{Check, CheckState};

const OBJECT: &str = "object";
const FIELDS: &str = "hidden fields";
/// Fields that are told by name.
const TOLD: usize = 20;

/// Examines the object.
pub(super) async fn examine(client: &Client, object: &str, checks: &mut Vec<Check>) {
    let describe = match client.describe(object).await {
        Ok(describe) => describe,
        Err(error) => {
            let way = "give the user Read on it: Setup > Permission Sets > Object Settings";
            checks.push(Check::of_error(OBJECT, CheckState::Failed, &error, way));
            checks.push(Check::skipped(FIELDS, "the object cannot be described"));
            return;
        }
    };
    let (name, seen) = (describe.name.as_str(), describe.fields.len());
    checks.push(match describe.queryable {
        true => Check::ok(OBJECT, format!("{name}: the user sees {seen} fields")),
        false => Check::failed(
            OBJECT,
            format!("{name} is not queryable"),
            "no API reads it; look for an object that holds the same",
        ),
    });
    let defined = match client.defined_fields(name).await {
        Ok(defined) if !defined.is_empty() => defined,
        Ok(_) => {
            let found = "cannot be known: the Tooling API lists no field of the object to this user";
            checks.push(Check::warning(FIELDS, found, UNKNOWN));
            return;
        }
        Err(error) => {
            let found = format!("cannot be known: {error}");
            checks.push(Check::of_error(FIELDS, CheckState::Warning, &found, UNKNOWN));
            return;
        }
    };
    let hidden: Vec<&str> =
        defined.iter().map(String::as_str).filter(|field| describe.field(field).is_none()).collect();
    checks.push(match hidden.len() {
        0 => Check::ok(FIELDS, format!("none: describe shows all {} fields that the Tooling API lists", defined.len())),
        _ => Check::warning(
            FIELDS,
            listed(&hidden),
            "grant Read on them: Setup > Permission Sets > Object Settings, Field Permissions",
        ),
    });
}

const UNKNOWN: &str = "give the user \"View Setup and Configuration\" to have them compared";

fn listed(hidden: &[&str]) -> String {
    let names = hidden.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
    let more = if hidden.len() > TOLD { ", …" } else { "" };
    format!("{} that the Tooling API lists and describe does not show to the user: {names}{more}", hidden.len())
}
