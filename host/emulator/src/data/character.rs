//! What makes one org another: its id and name, and the marks of a sandbox.

use std::collections::HashMap;
use std::sync::Arc;

use super::ids;
use super::stored::TextColumn;
use super::tables::{Table, Tables};

/// How an org differs from the one that its rows describe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Character {
    /// Serial number of the organization; each org of an emulator has its own.
    pub number: u64,
    /// Its name; none: that of the row.
    pub name: Option<String>,
    /// A sandbox of that name: user names end in it, as copies of a production org have them.
    pub sandbox: Option<String>,
}

impl Character {
    /// Rewrites the rows of `Organization` and `User`.
    pub fn mark(&self, tables: &mut Tables) {
        if self.number > 0 {
            let id = ids::of_row(*b"00D", self.number);
            rewrite(tables, "Organization", "Id", |_| id.to_vec());
            rewrite(tables, "Organization", "InstanceName", |_| format!("EMU{}", self.number + 1).into_bytes());
            if let Some(Table::Stored(stored)) = table(tables, "Organization") {
                stored.given_ids = Some(HashMap::from([(id, 0)]));
            }
        }
        if let Some(name) = &self.name {
            rewrite(tables, "Organization", "Name", |_| name.clone().into_bytes());
        }
        if let Some(sandbox) = &self.sandbox {
            rewrite(tables, "Organization", "IsSandbox", |_| b"true".to_vec());
            let suffix = format!(".{}", sandbox.to_lowercase()).into_bytes();
            rewrite(tables, "User", "Username", |name| [name, &suffix].concat());
        }
    }
}

fn table<'a>(tables: &'a mut Tables, object: &str) -> Option<&'a mut Table> {
    let index = tables.schema.find(object)?;
    Arc::make_mut(&mut tables.tables).get_mut(index).map(Arc::make_mut)
}

/// Replaces every cell of a column; objects and fields that the org does not have are passed over.
fn rewrite(tables: &mut Tables, object: &str, field: &str, cell: impl Fn(&[u8]) -> Vec<u8>) {
    let index = tables.schema.find(object).and_then(|object| tables.schema.objects[object].field(field));
    let (Some(index), Some(Table::Stored(stored))) = (index, table(tables, object)) else { return };
    let mut column = TextColumn::default();
    for row in 0..stored.rows {
        column.push(&cell(stored.cell(row, index)));
    }
    if let Some(place) = stored.columns.get_mut(index) {
        *place = column;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSource, Org, QueryMode};
    use serde_json::{Value, json};

    fn row(org: &Org, soql: &str) -> Value {
        let mut rows = Vec::new();
        org.prepare(soql, QueryMode::Rest).unwrap().json_rows(0..1, "62.0", &mut rows);
        rows.remove(0)
    }

    #[test]
    fn a_sandbox_has_an_id_a_name_and_user_names_of_its_own() {
        let plain = Org::open(&DataSource::Demo, &[], 1).unwrap();
        let character = Character { number: 1, name: Some("Copy".to_owned()), sandbox: Some("UAT".to_owned()) };
        let copy = plain.clone().marked(&character);
        let statement = "SELECT Id, Name, IsSandbox FROM Organization";
        let (one, other) = (row(&plain, statement), row(&copy, statement));
        assert_ne!(one["Id"], other["Id"]);
        assert_eq!((&other["Name"], &other["IsSandbox"]), (&json!("Copy"), &json!(true)));
        assert!(copy.record("Organization", other["Id"].as_str().unwrap(), "62.0").is_some());
        let names = "SELECT Username FROM User LIMIT 1";
        let (one, other) = (row(&plain, names), row(&copy, names));
        assert_eq!(other["Username"], format!("{}.uat", one["Username"].as_str().unwrap()));
        assert_eq!(plain.clone().marked(&Character::default()).describe_global(62.0), plain.describe_global(62.0));
    }
}
