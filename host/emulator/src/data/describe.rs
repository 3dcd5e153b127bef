//! Objects and fields as `describe` shows them: every key of the REST answer.

use serde_json::{Map, Value, json};

use super::schema::{FieldDef, FieldType, ObjectDef, Schema};

/// Id of the master record type, the same in every org.
const MASTER_RECORD_TYPE: &str = "012000000000000AAA";
/// Objects that are no business records: nothing in them is created, changed or deleted here.
const READ_ONLY: [&str; 3] = ["Organization", "EntityDefinition", "Profile"];
/// Child relationships of standard objects by child and field; custom ones follow from their names.
const CHILDREN: [(&str, &str, &str); 17] = [
    ("Account", "ParentId", "ChildAccounts"),
    ("Contact", "AccountId", "Contacts"),
    ("Contact", "ReportsToId", ""),
    ("Opportunity", "AccountId", "Opportunities"),
    ("Opportunity", "CampaignId", "Opportunities"),
    ("Case", "AccountId", "Cases"),
    ("Case", "ContactId", "Cases"),
    ("Case", "ParentId", "Cases"),
    ("Event", "WhatId", "Events"),
    ("Event", "WhoId", "Events"),
    ("Task", "WhatId", "Tasks"),
    ("Task", "WhoId", "Tasks"),
    ("Campaign", "ParentId", "ChildCampaigns"),
    ("OpportunityContactRole", "OpportunityId", "OpportunityContactRoles"),
    ("OpportunityContactRole", "ContactId", "OpportunityContactRoles"),
    ("User", "ManagerId", "ManagedUsers"),
    ("UserRole", "ParentRoleId", ""),
];

/// `GET /sobjects`.
pub fn global(schema: &Schema, version: f32) -> Value {
    let sobjects: Vec<Value> = schema.visible_objects().map(|object| Value::Object(summary(object, version))).collect();
    json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sobjects})
}

/// `GET /sobjects/X/describe`.
pub fn object(schema: &Schema, object: &ObjectDef, version: f32) -> Value {
    let fields: Vec<Value> = object.visible_fields().map(field).collect();
    let mut out = summary(object, version);
    let urls = out.remove("urls").unwrap_or_default();
    for (key, value) in [
        ("actionOverrides", json!([])),
        ("childRelationships", Value::Array(children(schema, object))),
        ("compactLayoutable", json!(object.has("compactLayoutable"))),
        ("defaultImplementation", Value::Null),
        ("extendedBy", Value::Null),
        ("extendsInterfaces", Value::Null),
        ("fields", Value::Array(fields)),
        ("implementedBy", Value::Null),
        ("implementsInterfaces", Value::Null),
        ("listviewable", Value::Null),
        ("lookupLayoutable", Value::Null),
        ("namedLayoutInfos", json!([])),
        ("networkScopeFieldName", Value::Null),
        ("recordTypeInfos", json!([record_type(object, version)])),
        ("searchLayoutable", json!(object.has("searchLayoutable"))),
        ("sobjectDescribeOption", json!("FULL")),
        ("supportedScopes", scopes(object)),
        ("urls", urls),
    ] {
        out.insert(key.to_owned(), value);
    }
    out.sort_keys();
    Value::Object(out)
}

/// Whether describe says so of an object: `createable`, `updateable`, `deletable` or `undeletable`.
pub fn allows(object: &ObjectDef, flag: &str) -> bool {
    summary(object, f32::default()).get(flag).and_then(Value::as_bool).unwrap_or(false)
}

/// The keys that an object has in the list of objects too.
fn summary(object: &ObjectDef, version: f32) -> Map<String, Value> {
    let writable = !READ_ONLY.contains(&object.name.as_str());
    let owned = writable && object.field("IsDeleted").is_some();
    let entries = [
        ("activateable", json!(false)),
        ("associateEntityType", Value::Null),
        ("associateParentEntity", Value::Null),
        ("createable", json!(writable)),
        ("custom", json!(object.custom())),
        ("customSetting", json!(false)),
        ("deepCloneable", json!(false)),
        ("deletable", json!(owned)),
        ("deprecatedAndHidden", json!(false)),
        ("feedEnabled", json!(!object.custom() && object.has("feedEnabled"))),
        ("hasSubtypes", json!(false)),
        ("isInterface", json!(false)),
        ("isSubtype", json!(false)),
        ("keyPrefix", json!(object.prefix)),
        ("label", json!(object.label)),
        ("labelPlural", json!(object.plural)),
        ("layoutable", json!(object.has("layoutable"))),
        ("mergeable", json!(!object.custom() && object.has("mergeable"))),
        ("mruEnabled", json!(object.has("mruEnabled"))),
        ("name", json!(object.name)),
        ("queryable", json!(true)),
        ("replicateable", json!(object.has("replicateable"))),
        ("retrieveable", json!(true)),
        ("searchable", json!(object.has("searchable"))),
        ("triggerable", json!(writable && object.has("triggerable"))),
        ("undeletable", json!(owned && object.has("undeletable"))),
        ("updateable", json!(writable)),
        ("urls", urls(object, version)),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn urls(object: &ObjectDef, version: f32) -> Value {
    let base = format!("/services/data/v{version:.1}/sobjects/{}", object.name);
    json!({
        "compactLayouts": format!("{base}/describe/compactLayouts"),
        "rowTemplate": format!("{base}/{{ID}}"),
        "approvalLayouts": format!("{base}/describe/approvalLayouts"),
        "listviews": format!("{base}/listviews"),
        "describe": format!("{base}/describe"),
        "quickActions": format!("{base}/quickActions"),
        "layouts": format!("{base}/describe/layouts"),
        "sobject": base,
    })
}

fn record_type(object: &ObjectDef, version: f32) -> Value {
    let layout = format!("/services/data/v{version:.1}/sobjects/{}/describe/layouts/{MASTER_RECORD_TYPE}", object.name);
    json!({
        "active": true,
        "available": true,
        "defaultRecordTypeMapping": true,
        "developerName": "Master",
        "master": true,
        "name": "Master",
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": layout},
    })
}

fn scopes(object: &ObjectDef) -> Value {
    let plural = object.plural.to_lowercase();
    let all = json!({"label": format!("All {plural}"), "name": "everything"});
    let mine = json!({"label": format!("My {plural}"), "name": "mine"});
    if object.field("OwnerId").is_some() { json!([all, mine]) } else { json!([all]) }
}

fn children(schema: &Schema, parent: &ObjectDef) -> Vec<Value> {
    let mut out = Vec::new();
    for child in schema.visible_objects() {
        for field in child.visible_fields().filter(|field| field.references.contains(&parent.name)) {
            out.push(json!({
                "cascadeDelete": false,
                "childSObject": child.name,
                "deprecatedAndHidden": false,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": relationship(child, field),
                "restrictedDelete": false,
            }));
        }
    }
    out
}

/// The name under which a sub-select finds the children, if it can.
pub fn relationship(child: &ObjectDef, field: &FieldDef) -> Option<String> {
    if field.name.ends_with("__c") {
        return Some(format!("{}s__r", child.name.trim_end_matches("__c")));
    }
    let known = CHILDREN.iter().find(|(object, name, _)| *object == child.name && *name == field.name)?;
    (!known.2.is_empty()).then(|| known.2.to_owned())
}

fn field(field: &FieldDef) -> Value {
    let polymorphic = field.references.len() > 1;
    let mut out = Map::new();
    for (key, value) in [
        ("aggregatable", json!(field.aggregatable)),
        ("aiPredictionField", json!(false)),
        ("autoNumber", json!(field.auto_number)),
        ("byteLength", json!(byte_length(field))),
        ("calculated", json!(field.calculated)),
        ("calculatedFormula", json!(field.formula)),
        ("cascadeDelete", json!(false)),
        ("caseSensitive", json!(field.case_sensitive)),
        ("compoundFieldName", json!(field.compound)),
        ("controllerName", Value::Null),
        ("createable", json!(field.createable)),
        ("custom", json!(field.custom())),
        ("defaultValue", if field.kind == FieldType::Boolean { json!(false) } else { Value::Null }),
        ("defaultValueFormula", Value::Null),
        ("defaultedOnCreate", json!(field.defaulted)),
        ("dependentPicklist", json!(false)),
        ("deprecatedAndHidden", json!(false)),
        ("digits", json!(field.digits)),
        ("displayLocationInDecimal", json!(field.kind == FieldType::Location)),
        ("encrypted", json!(field.kind == FieldType::EncryptedString)),
        ("externalId", json!(field.external_id)),
        ("extraTypeInfo", json!(field.extra)),
        ("filterable", json!(field.filterable)),
        ("filteredLookupInfo", Value::Null),
        ("formulaTreatNullNumberAsZero", json!(false)),
        ("groupable", json!(field.groupable)),
        ("highScaleNumber", json!(false)),
        ("htmlFormatted", json!(field.html)),
        ("idLookup", json!(field.id_lookup)),
        ("inlineHelpText", Value::Null),
        ("label", json!(field.label)),
        ("length", json!(field.length)),
        ("mask", if field.kind == FieldType::EncryptedString { json!("*") } else { Value::Null }),
        ("maskType", if field.kind == FieldType::EncryptedString { json!("all") } else { Value::Null }),
        ("name", json!(field.name)),
        ("nameField", json!(field.name_field)),
        ("namePointing", json!(polymorphic)),
        ("nillable", json!(field.nillable)),
        ("permissionable", json!(field.permissionable)),
        ("picklistValues", picklist(field)),
        ("polymorphicForeignKey", json!(polymorphic)),
        ("precision", json!(field.precision)),
        ("queryByDistance", json!(field.kind.is_compound())),
        ("referenceTargetField", Value::Null),
        ("referenceTo", json!(field.references)),
        ("relationshipName", json!(field.relationship)),
        ("relationshipOrder", Value::Null),
        ("restrictedDelete", json!(false)),
        ("restrictedPicklist", json!(field.restricted)),
        ("scale", json!(field.scale)),
        ("searchPrefilterable", json!(field.kind == FieldType::Reference && field.permissionable)),
        ("soapType", json!(field.kind.soap_type())),
        ("sortable", json!(field.sortable)),
        ("type", json!(field.kind.as_str())),
        ("unique", json!(field.unique)),
        ("updateable", json!(field.updateable)),
        ("writeRequiresMasterRead", json!(false)),
    ] {
        out.insert(key.to_owned(), value);
    }
    Value::Object(out)
}

/// Three bytes a character of text; ids and lists of picks are ASCII.
fn byte_length(field: &FieldDef) -> u32 {
    match field.kind {
        FieldType::Id | FieldType::Reference | FieldType::MultiPicklist => field.length,
        _ => field.length.saturating_mul(3),
    }
}

fn picklist(field: &FieldDef) -> Value {
    let entry = |pick: &super::schema::Pick| json!({"active": true, "defaultValue": pick.default, "label": pick.value, "validFor": null, "value": pick.value});
    Value::Array(field.picklist.iter().map(entry).collect())
}
