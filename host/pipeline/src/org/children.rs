//! The children that a query nests in its rows: fetched to their end, and laid out as tables of their own.

use std::pin::Pin;

use forcepump_salesforce::{Client, RecordPage};
use serde_json::{Map, Value};

use super::{OrgRows, names};
use crate::error::Error;

/// The children of all rows in one relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildTable {
    /// the relationship's name, for example `Contacts`
    pub name: String,
    /// `of`, then dotted names of the columns
    pub columns: Vec<String>,
    /// the first cell names the row that they belong to, by its first column
    pub rows: Vec<Vec<String>>,
}

/// Fetches what is missing of the children in a value, at every depth: each list may have pages of its own.
pub(super) fn complete<'a>(
    client: &'a Client,
    value: &'a mut Value,
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
    Box::pin(async move {
        let Value::Object(object) = value else { return Ok(()) };
        if is_children(object) {
            complete_list(client, object).await?;
            for record in object.get_mut("records").and_then(Value::as_array_mut).into_iter().flatten() {
                complete(client, record).await?;
            }
            return Ok(());
        }
        for inner in object.values_mut() {
            complete(client, inner).await?;
        }
        Ok(())
    })
}

async fn complete_list(client: &Client, children: &mut Map<String, Value>) -> Result<(), Error> {
    // What is no page is left as it came.
    let Ok(mut page) = serde_json::from_value::<RecordPage>(Value::Object(children.clone())) else { return Ok(()) };
    let mut records = std::mem::take(&mut page.records);
    while let Some(mut next) = client.query_more(&page).await? {
        records.append(&mut next.records);
        page = next;
    }
    children.insert("records".to_owned(), records.into_iter().map(Value::Object).collect());
    children.insert("done".to_owned(), Value::Bool(true));
    children.remove("nextRecordsUrl");
    Ok(())
}

fn is_children(object: &Map<String, Value>) -> bool {
    object.get("records").is_some_and(Value::is_array)
}

impl OrgRows {
    /// The children of the rows, a table for each relationship; children of children are counted in their cells.
    #[must_use]
    pub fn children(&self) -> Vec<ChildTable> {
        let mut tables: Vec<ChildTable> = Vec::new();
        for (row, record) in self.records.iter().enumerate() {
            let of = self.columns.first().map(|column| self.cell(row, column)).unwrap_or_default();
            for (name, value) in record {
                let Some(children) = value.as_object().filter(|object| is_children(object)) else { continue };
                let at = tables.iter().position(|table| table.name == *name).unwrap_or_else(|| {
                    tables.push(ChildTable { name: name.clone(), columns: vec!["of".to_owned()], rows: Vec::new() });
                    tables.len() - 1
                });
                tables[at].add(&of, children);
            }
        }
        tables
    }
}

impl ChildTable {
    fn add(&mut self, of: &str, children: &Map<String, Value>) {
        let records = children.get("records").and_then(Value::as_array).into_iter().flatten();
        let records: Vec<Map<String, Value>> = records.filter_map(|record| record.as_object().cloned()).collect();
        records.iter().for_each(|record| names("", record, &mut self.columns));
        let rows = OrgRows { total: records.len() as u64, columns: self.columns.clone(), records };
        for row in 0..rows.records.len() {
            let cells = self.columns.iter().skip(1).map(|column| rows.cell(row, column));
            self.rows.push(std::iter::once(of.to_owned()).chain(cells).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_several_rows_are_one_table() {
        let records = r#"[
            {"Name": "Acme", "Contacts": {"totalSize": 2, "done": true, "records": [
                {"attributes": {}, "LastName": "Lovelace", "Owner": {"Name": "Ada"}}, {"LastName": "Turing", "Owner": null}]}},
            {"Name": "None", "Contacts": null},
            {"Name": "Beta", "Contacts": {"totalSize": 1, "done": true, "records": [{"LastName": "Hopper"}]},
             "Tasks": {"totalSize": 0, "done": true, "records": []}}]"#;
        let records: Vec<Map<String, Value>> = serde_json::from_str(records).unwrap();
        let rows = OrgRows { total: 3, columns: vec!["Name".to_owned(), "Contacts".to_owned()], records };
        let tables = rows.children();
        assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["Contacts", "Tasks"]);
        assert_eq!(tables[0].columns[..2], ["of", "LastName"]);
        let names: Vec<&[String]> = tables[0].rows.iter().map(|row| &row[..2]).collect();
        assert_eq!(names, [["Acme", "Lovelace"], ["Acme", "Turing"], ["Beta", "Hopper"]]);
    }
}
