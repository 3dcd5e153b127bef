//! An org's objects, fields, limits and rows, as tables.

use std::collections::BTreeMap;

use forcepump_pipeline::{CallQuota, ChildTable, OrgDescribe, OrgField, OrgLimit, OrgObject, OrgRows};

use super::numbers::{count, several};
use super::table;

/// One row an object.
pub fn objects(objects: &[OrgObject]) -> String {
    if objects.is_empty() {
        return "no such object".to_owned();
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
        let none = if field.parts.is_empty() { "none" } else { "its parts" };
        let arrow = field.arrow_type.clone().unwrap_or_else(|| none.to_owned());
        vec![field.name.clone(), field.label.clone(), field.kind.clone(), field.size.clone(), arrow, marks(field)]
    };
    let rows: Vec<Vec<String>> = describe.fields.iter().map(row).collect();
    let mut text = format!("{} ({})\n", crate::output::clean(&describe.object), crate::output::clean(&describe.label));
    text.push_str(&table::whole(&["field", "label", "type", "size", "column", "is"], &rows));
    for field in describe.fields.iter().filter(|field| field.note.is_some()) {
        let note = field.note.as_deref().unwrap_or_default();
        text.push_str(&format!("\n {}: {}", crate::output::clean(&field.name), crate::output::clean(note)));
    }
    if let Some(packages) = packages(&describe.fields) {
        text.push_str(&format!("\n {packages}"));
    }
    text
}

/// The packages that fields came with.
fn packages(fields: &[OrgField]) -> Option<String> {
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    fields.iter().filter_map(|field| field.namespace.as_deref()).for_each(|name| *found.entry(name).or_default() += 1);
    let of = |(name, fields): (&&str, &u64)| format!("{} ({})", crate::output::clean(name), several(*fields, "field"));
    let list: Vec<String> = found.iter().map(of).collect();
    (!list.is_empty()).then(|| format!("namespaces: {}", list.join(", ")))
}

fn marks(field: &OrgField) -> String {
    let words = [
        (field.custom, "custom".to_owned()),
        (field.calculated, "calculated".to_owned()),
        (field.encrypted, "encrypted".to_owned()),
        (!field.nillable, "required".to_owned()),
        (field.part_of.is_some(), format!("part of {}", field.part_of.as_deref().unwrap_or_default())),
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

/// The rows of a query, how many there are in all, and up to `most` of their children.
pub fn rows(found: &OrgRows, most: usize, width: usize) -> String {
    if found.columns.is_empty() {
        return super::numbers::rows(found.total);
    }
    let cells = |row: usize| found.columns.iter().map(|column| found.cell(row, column)).collect();
    let rows: Vec<Vec<String>> = (0..found.records.len()).map(cells).collect();
    let shown = rows.len() as u64;
    let total = match found.total > shown {
        true => format!("{} of {} rows; -n shows more", count(shown), count(found.total)),
        false => super::numbers::rows(shown),
    };
    let children: String = found.children().iter().map(|table| children(table, most, width)).collect();
    format!("{}\n{total}{children}", table::cut(&found.columns, &rows, width))
}

fn children(found: &ChildTable, most: usize, width: usize) -> String {
    let shown = &found.rows[..found.rows.len().min(most)];
    let all = several(found.rows.len() as u64, "row");
    let total = match shown.len() < found.rows.len() {
        true => format!("{} of {all}; -n shows more, --json has them all", count(shown.len() as u64)),
        false => all,
    };
    format!("\n\n{}\n{}\n{total}", crate::output::clean(&found.name), table::cut(&found.columns, shown, width))
}
