//! What describe says, against the values and against recorded describes.

use super::*;

#[test]
fn every_field_of_every_object_can_be_read() {
    let generate: Vec<(String, u64)> = ["Account", "Contact", "Opportunity", "Awkward__c", "Order_Line__c"]
        .map(|name| (name.to_owned(), 300))
        .to_vec();
    for org in [demo(), Org::open(&DataSource::Demo, &generate, 3).unwrap_or_else(|error| panic!("{error}"))] {
        for object in org.describe_global(62.0)["sobjects"].as_array().into_iter().flatten() {
            let name = object["name"].as_str().unwrap_or("");
            let described = org.describe(name, 62.0).unwrap_or_default();
            for record in records(&org, &format!("SELECT FIELDS(ALL) FROM {name} LIMIT 50")) {
                for field in described["fields"].as_array().into_iter().flatten() {
                    check_value(name, field, &record[field["name"].as_str().unwrap_or("")]);
                }
            }
        }
    }
}

/// Whether a value goes with what describe says of its field.
fn check_value(object: &str, field: &Value, value: &Value) {
    let name = &field["name"];
    assert!(!value.is_null() || field["nillable"] == true, "{object}.{name} is null");
    let fits = match field["type"].as_str().unwrap_or("") {
        _ if value.is_null() => true,
        "boolean" => value.is_boolean(),
        "int" | "long" => value.is_i64(),
        "double" | "currency" | "percent" => value.is_number(),
        "address" | "location" => value.is_object(),
        "id" | "reference" => value.as_str().is_some_and(|id| id.len() == 18),
        "date" => value.as_str().is_some_and(|date| date.len() == 10),
        "datetime" => value.as_str().is_some_and(|at| at.ends_with(".000+0000") && at.len() == 28),
        "base64" => value.as_str().is_some_and(|url| url.starts_with("/services/data/v62.0/sobjects/")),
        _ => value
            .as_str()
            .is_some_and(|text| text.chars().count() as u64 <= field["length"].as_u64().unwrap_or(0).max(1)),
    };
    assert!(fits || field["length"] == 0, "{object}.{name} {} is {value}", field["type"]);
}

#[test]
fn describe_has_every_key_of_recorded_describes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings/derived");
    let org = demo();
    for name in ["Account", "Contact", "Lead", "Opportunity", "Case", "Event", "OpportunityContactRole"] {
        // Passed over where the recordings are not at hand.
        let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}.describe.json")) else { continue };
        let recorded: Value = serde_json::from_str(&text).unwrap_or_default();
        let ours = org.describe(name, 52.0).unwrap_or_default();
        for key in recorded.as_object().into_iter().flat_map(Map::keys) {
            assert!(ours.get(key).is_some(), "{name} lacks {key}");
        }
        for field in recorded["fields"].as_array().into_iter().flatten() {
            let same = ours["fields"].as_array().into_iter().flatten().find(|ours| ours["name"] == field["name"]);
            let Some(same) = same else { continue };
            for (key, value) in field.as_object().into_iter().flatten() {
                let theirs_alone = [
                    "picklistValues",
                    "referenceTo",
                    "inlineHelpText",
                    "defaultValue",
                    "searchPrefilterable",
                    "compoundFieldName",
                    "extraTypeInfo",
                    "namePointing",
                    "polymorphicForeignKey",
                    "byteLength",
                ];
                assert!(same.get(key).is_some(), "{name}.{} lacks {key}", field["name"]);
                assert!(
                    theirs_alone.contains(&key.as_str()) || same[key] == *value,
                    "{name}.{} {key}: {} for {value}",
                    field["name"],
                    same[key]
                );
            }
        }
    }
}
