//! An org's objects, fields, limits and rows, as tables.

use forcepump_pipeline::{CallQuota, OrgDescribe, OrgField, OrgLimit, OrgObject, OrgRows};

use super::numbers::count;
use super::table;

/// One row an object.
pub fn objects(objects: &[OrgObject]) -> String {
    if objects.is_empty() {
        return "no object of that name or label".to_owned();
    }
    let yes = |value: bool| if value { "yes" } else { "" }.to_owned();
    let row = |object: &OrgObject| {
        let prefix = object.key_prefix.clone().unwrap_or_default();
        vec![object.name.clone(), object.label.clone(), prefix, yes(object.custom), yes(object.queryable)]
    };
    let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
    table::whole(&["object", "label", "ids begin", "custom", "queryable"], &rows)
}

/// One row a field, and below them why some cannot be read.
pub fn describe(describe: &OrgDescribe) -> String {
    let row = |field: &OrgField| {
        let arrow = field.arrow_type.clone().unwrap_or_else(|| "not in bulk".to_owned());
        vec![field.name.clone(), field.label.clone(), field.kind.clone(), field.size.clone(), arrow, marks(field)]
    };
    let rows: Vec<Vec<String>> = describe.fields.iter().map(row).collect();
    let mut text = format!("{} ({})\n", crate::output::clean(&describe.object), crate::output::clean(&describe.label));
    text.push_str(&table::whole(&["field", "label", "type", "size", "column", "is"], &rows));
    for field in describe.fields.iter().filter(|field| field.note.is_some()) {
        let note = field.note.as_deref().unwrap_or_default();
        text.push_str(&format!("\n {}: {}", crate::output::clean(&field.name), crate::output::clean(note)));
    }
    text
}

fn marks(field: &OrgField) -> String {
    let words = [
        (field.custom, "custom".to_owned()),
        (field.calculated, "calculated".to_owned()),
        (field.encrypted, "encrypted".to_owned()),
        (!field.nillable, "required".to_owned()),
        (!field.reference_to.is_empty(), format!("→ {}", targets(&field.reference_to))),
    ];
    words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

/// Some references point to dozens of objects.
fn targets(names: &[String]) -> String {
    match names {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}

/// One row a limit, and below them what of the API calls runs may use.
pub fn limits(limits: &[OrgLimit], calls: Option<&CallQuota>) -> String {
    let number = |value: i64| u64::try_from(value).map_or_else(|_| value.to_string(), count);
    let row = |limit: &OrgLimit| {
        let used = limit.max.saturating_sub(limit.remaining);
        vec![limit.name.clone(), number(limit.max), number(used), number(limit.remaining)]
    };
    let rows: Vec<Vec<String>> = limits.iter().map(row).collect();
    let share = calls.map_or_else(String::new, |calls| format!("\n{}", super::plan::quota_text(calls)));
    format!("{}{share}", table::whole(&["limit", "allowed", "used", "left"], &rows))
}

/// The rows of a query, and how many there are in all.
pub fn rows(found: &OrgRows, width: usize) -> String {
    if found.columns.is_empty() {
        return format!("{} rows", count(found.total));
    }
    let cells = |row: usize| found.columns.iter().map(|column| found.cell(row, column)).collect();
    let rows: Vec<Vec<String>> = (0..found.records.len()).map(cells).collect();
    let shown = rows.len() as u64;
    let total = match found.total > shown {
        true => format!("{} of {} rows; -n shows more", count(shown), count(found.total)),
        false => format!("{} rows", count(shown)),
    };
    format!("{}\n{total}", table::cut(&found.columns, &rows, width))
}
