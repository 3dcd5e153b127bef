//! Reads the object tables in `data/schema`; their notation is described at the top of `standard.txt`.

use super::schema::{FieldDef, FieldType, ObjectDef, Pick};

/// Longest text that is still filterable, sortable and groupable (describe of textarea fields).
const LONG_TEXT_CHARS: u32 = 255;
/// Fields of `Wide__c` altogether.
const WIDE_FIELDS: usize = 500;
const AUDIT: [&str; 5] = [
    "CreatedDate datetime ! ro d : Created Date",
    "CreatedById ->User ! ro d : Created By ID",
    "LastModifiedDate datetime ! ro d : Last Modified Date",
    "LastModifiedById ->User ! ro d : Last Modified By ID",
    "SystemModstamp datetime ! ro d : System Modstamp",
];

/// Reads one table into `objects`.
pub fn read(text: &str, objects: &mut Vec<ObjectDef>) -> Result<(), String> {
    let mut current: Option<usize> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("object ") {
            objects.push(object(rest).ok_or_else(|| format!("object line does not parse: {line}"))?);
            current = objects.len().checked_sub(1);
        } else if let Some(name) = line.strip_prefix("extend ") {
            current = objects.iter().position(|object| object.name == name.trim());
        } else {
            let object =
                current.and_then(|index| objects.get_mut(index)).ok_or_else(|| format!("no object above: {line}"))?;
            let single = [line];
            for line in if line == "@audit" { AUDIT.as_slice() } else { single.as_slice() } {
                object
                    .push(field(line).ok_or_else(|| format!("field line of {} does not parse: {line}", object.name))?);
            }
        }
    }
    Ok(())
}

fn object(rest: &str) -> Option<ObjectDef> {
    let mut parts = rest.split('|').map(str::trim);
    let (name, prefix) = parts.next()?.split_once(' ')?;
    let (label, plural) = (parts.next()?, parts.next()?);
    let without = parts.next().and_then(|flags| flags.strip_prefix("no ")).unwrap_or_default();
    Some(ObjectDef::new(name, prefix, label, plural, without.split_whitespace().map(str::to_owned).collect()))
}

/// A field of that type with the flags that its type implies.
pub fn plain(name: &str, kind: FieldType, length: u32) -> FieldDef {
    let long = kind == FieldType::TextArea && length > LONG_TEXT_CHARS;
    let list = matches!(kind, FieldType::MultiPicklist);
    let scalar = !kind.is_compound() && !list && !long;
    FieldDef {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
        length,
        precision: 0,
        scale: 0,
        digits: 0,
        nillable: true,
        createable: true,
        updateable: true,
        defaulted: false,
        aggregatable: scalar && kind != FieldType::Boolean,
        filterable: !long,
        sortable: scalar,
        groupable: scalar && !kind.is_decimal() && kind != FieldType::DateTime,
        permissionable: true,
        auto_number: false,
        calculated: false,
        formula: None,
        external_id: false,
        unique: false,
        case_sensitive: false,
        id_lookup: kind == FieldType::Id,
        name_field: false,
        restricted: false,
        html: false,
        compound: None,
        extra: None,
        references: Vec::new(),
        relationship: None,
        picklist: Vec::new(),
        compliance: None,
        sensitivity: None,
    }
}

fn field(line: &str) -> Option<FieldDef> {
    let (head, tail) = line.split_once(" : ")?;
    let (label, picks) = tail.split_once(" = ").unwrap_or((tail, ""));
    let mut words = head.split_whitespace();
    let mut field = typed(words.next()?, words.next()?)?;
    field.label = label.trim().to_owned();
    field.picklist = picks.split('|').filter(|pick| !pick.is_empty()).map(pick).collect();
    let mut departures = Vec::new();
    for word in words {
        if !flag(&mut field, word) {
            departures.push(word);
        }
    }
    field.permissionable = field.nillable && (field.createable || field.updateable) && field.kind != FieldType::Id;
    departures.into_iter().all(|word| depart(&mut field, word)).then_some(field)
}

fn pick(text: &str) -> Pick {
    let value = text.strip_prefix('*').unwrap_or(text);
    Pick { value: value.to_owned(), default: value.len() < text.len() }
}

fn typed(name: &str, kind: &str) -> Option<FieldDef> {
    if let Some(targets) = kind.strip_prefix("->") {
        let mut field = plain(name, FieldType::Reference, 18);
        field.references = targets.split('|').map(str::to_owned).collect();
        field.relationship = Some(name.strip_suffix("Id").unwrap_or(name).to_owned());
        return Some(field);
    }
    let (kind, size) = kind.strip_suffix(')').and_then(|kind| kind.split_once('(')).unwrap_or((kind, ""));
    let kind = FieldType::named(kind)?;
    let mut sizes = size.split(',').filter_map(|size| size.parse::<u32>().ok());
    let (first, second) = (sizes.next().unwrap_or(0), sizes.next().unwrap_or(0));
    let numeric = kind.is_number();
    let length = if kind == FieldType::Id { 18 } else { first };
    let mut field = plain(name, kind, if numeric { 0 } else { length });
    if kind.is_decimal() {
        field.precision = u8::try_from(first).ok()?;
        field.scale = u8::try_from(second).ok()?;
    } else if numeric {
        field.digits = u8::try_from(first).ok()?;
    }
    Some(field)
}

/// Sets what a flag says; `false` when the word is not a flag.
fn flag(field: &mut FieldDef, word: &str) -> bool {
    match word {
        "!" => field.nillable = false,
        "ro" => (field.createable, field.updateable) = (false, false),
        "co" => field.updateable = false,
        "uo" => field.createable = false,
        "d" => field.defaulted = true,
        "auto" => field.auto_number = true,
        "calc" => (field.calculated, field.createable, field.updateable) = (true, false, false),
        "ext" => field.external_id = true,
        "unique" => field.unique = true,
        "case" => field.case_sensitive = true,
        "lookup" => field.id_lookup = true,
        "name" => field.name_field = true,
        "restricted" => field.restricted = true,
        "html" => field.html = true,
        "norel" => field.relationship = None,
        _ => return valued(field, word),
    }
    true
}

fn valued(field: &mut FieldDef, word: &str) -> bool {
    let Some((key, value)) = word.split_once('=') else { return false };
    let value = Some(value.to_owned());
    match key {
        "in" => field.compound = value,
        "extra" => field.extra = value,
        "rel" => field.relationship = value,
        "formula" => field.formula = value,
        "compliance" => field.compliance = value,
        "sensitivity" => field.sensitivity = value,
        _ => return false,
    }
    true
}

/// `+f`, `-s` and so on; `false` when the word is not one of them.
fn depart(field: &mut FieldDef, word: &str) -> bool {
    let value = word.starts_with('+');
    match word.get(1..) {
        Some("a") => field.aggregatable = value,
        Some("f") => field.filterable = value,
        Some("s") => field.sortable = value,
        Some("g") => field.groupable = value,
        Some("p") => field.permissionable = value,
        _ => return false,
    }
    true
}

/// The fields that every custom object has.
pub fn push_custom_head(object: &mut ObjectDef) {
    const HEAD: [&str; 4] = [
        "Id id ! ro d : Record ID",
        "OwnerId ->User|Group ! d : Owner ID",
        "IsDeleted boolean ! ro d : Deleted",
        "Name string(80) d lookup name : Name",
    ];
    for found in HEAD.iter().chain(&AUDIT).filter_map(|line| field(line)) {
        object.push(found);
    }
}

/// `Wide__c`: as many fields as fit, in a handful of types.
pub fn wide() -> ObjectDef {
    let mut object = ObjectDef::new("Wide__c", "a04", "Wide", "Wides", Vec::new());
    push_custom_head(&mut object);
    let kinds = [
        "string(255)",
        "double(18,2)",
        "date",
        "datetime",
        "boolean",
        "currency(18,2)",
        "textarea(255)",
        "picklist(255)",
    ];
    for number in object.fields.len()..WIDE_FIELDS {
        let kind = kinds.get(number % kinds.len()).copied().unwrap_or("string(255)");
        let flags = if kind == "boolean" { " ! d" } else { "" };
        let picks = if kind.starts_with("pick") { " = Red|Green|Blue" } else { "" };
        if let Some(found) = field(&format!("Field_{number:03}__c {kind}{flags} : Field {number:03}{picks}")) {
            object.push(found);
        }
    }
    object
}
