//! An org looked at without a pipeline: its objects, fields, limits, and a query for a person at a terminal.

mod children;

use std::path::Path;

use forcepump_salesforce::{Client, ConnectionConfig, Limits, Listener, RecordPage, Select, Selected, TokenStore};
use serde::Serialize;
use serde_json::{Map, Value};

pub use children::ChildTable;

use crate::error::Error;
use crate::estimate::CallQuota;
use crate::file::{Connections, find_connections_file};
use crate::session::{DemoAccess, demo_connection};

/// Salesforce fills FIELDS() in only up to so many rows (SOQL and SOSL reference, "FIELDS()").
const MAX_FIELDS_ROWS: u64 = 200;
/// URI and headers have at most 16,384 bytes (API Request Limits and Allocations); names do not grow when encoded, commas
/// and blanks do.
const MAX_SOQL_BYTES: usize = 10_000;

/// A connection, opened by its name. Opening it sends nothing.
pub struct Org {
    client: Client,
    auth: &'static str,
}

/// One object that the user can see.
#[derive(Debug, Clone, Serialize)]
pub struct OrgObject {
    /// API name
    pub name: String,
    /// label in the user's language
    pub label: String,
    /// first three characters of its ids
    pub key_prefix: Option<String>,
    /// made by an administrator or a package
    pub custom: bool,
    /// namespace of the package that it came with
    pub namespace: Option<String>,
    /// SOQL works on it
    pub queryable: bool,
}

/// Which objects are listed.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// those whose name or label holds this, case ignored
    pub part: Option<String>,
    /// only custom ones
    pub custom: bool,
    /// only those that SOQL works on
    pub queryable: bool,
}

/// One field of an object.
#[derive(Debug, Clone, Serialize)]
pub struct OrgField {
    /// API name
    pub name: String,
    /// label in the user's language
    pub label: String,
    /// describe's type
    #[serde(rename = "type")]
    pub kind: String,
    /// the Arrow type of its column; none when it is read as its parts, or not at all
    pub arrow_type: Option<String>,
    /// of a compound field: the fields that it is read as
    pub parts: Vec<String>,
    /// the compound field that it is a part of
    pub part_of: Option<String>,
    /// namespace of the package that it came with
    pub namespace: Option<String>,
    /// characters of a text, digits of a number
    pub size: String,
    /// may be empty
    pub nillable: bool,
    /// made by an administrator or a package
    pub custom: bool,
    /// formula or roll-up
    pub calculated: bool,
    /// kept encrypted
    pub encrypted: bool,
    /// objects that it points to
    pub reference_to: Vec<String>,
    /// why it is no column of its own, and what is
    pub note: Option<String>,
}

/// An object with its fields.
#[derive(Debug, Clone, Serialize)]
pub struct OrgDescribe {
    /// API name, in the org's spelling
    pub object: String,
    /// label in the user's language
    pub label: String,
    /// the fields that the user may see
    pub fields: Vec<OrgField>,
}

/// One limit of the org.
#[derive(Debug, Clone, Serialize)]
pub struct OrgLimit {
    /// for example `DailyApiRequests`
    pub name: String,
    /// allowed
    pub max: i64,
    /// left
    pub remaining: i64,
}

/// The answer to a query.
#[derive(Debug, Clone, Serialize)]
pub struct OrgRows {
    /// rows of the whole query
    pub total: u64,
    /// dotted names of the columns
    pub columns: Vec<String>,
    /// the rows asked for, as the API gave them
    pub records: Vec<Map<String, Value>>,
}

impl Org {
    /// Whether the connection is the embedded emulator, which has to be started first.
    ///
    /// # Errors
    /// [`Error::File`] when the connections file or the connection is missing or malformed.
    pub fn needs_demo(connections: Option<&Path>, name: Option<&str>) -> Result<bool, Error> {
        let known = Connections::load(&find_connections_file(connections, Path::new("."))?)?;
        Ok(known.get(known.choose(name)?)?.is_demo())
    }

    /// Opens the connection of that name; without a name, the only one there is.
    ///
    /// # Errors
    /// [`Error::File`] for the connections file, [`Error::Source`] when a secret or the connection is unusable.
    pub fn open(connections: Option<&Path>, name: Option<&str>, demo: Option<&DemoAccess>) -> Result<Self, Error> {
        let known = Connections::load(&find_connections_file(connections, Path::new("."))?)?;
        let name = known.choose(name)?;
        Self::of(known.get(name)?, name, known.folder(), &TokenStore::beside(known.folder()), demo)
    }

    /// Opens a connection that need not be in a file.
    pub(crate) fn of(
        config: &ConnectionConfig,
        name: &str,
        folder: &Path,
        store: &TokenStore,
        demo: Option<&DemoAccess>,
    ) -> Result<Self, Error> {
        let resolved = match demo {
            Some(access) if config.is_demo() => demo_connection(access, name, config.api_version.as_deref())?,
            _ => config.resolve_with(name, folder, store)?,
        };
        let auth = config.auth.map_or("demo", forcepump_salesforce::AuthMethod::as_str);
        Ok(Self { client: Client::new(resolved, config.options())?, auth })
    }

    /// How it logs in.
    pub(crate) fn auth(&self) -> &'static str {
        self.auth
    }

    /// Whom to tell what happens on the way to Salesforce.
    pub fn listen(&self, listener: Listener) {
        self.client.listen(listener);
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The objects that the user can see, as far as the filter lets them through.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub async fn objects(&self, filter: &ObjectFilter) -> Result<Vec<OrgObject>, Error> {
        let part = filter.part.as_deref().unwrap_or_default().to_lowercase();
        let found = self.client.describe_global().await?.into_iter().filter(|object| {
            (object.name.to_lowercase().contains(&part) || object.label.to_lowercase().contains(&part))
                && (object.custom || !filter.custom)
                && (object.queryable || !filter.queryable)
        });
        let object = |object: forcepump_salesforce::SObjectSummary| OrgObject {
            namespace: forcepump_salesforce::namespace(&object.name).map(str::to_owned),
            name: object.name,
            label: object.label,
            key_prefix: object.key_prefix,
            custom: object.custom,
            queryable: object.queryable,
        };
        Ok(found.map(object).collect())
    }

    /// The object's fields with the types that a pipeline gives them.
    ///
    /// # Errors
    /// [`Error::Source`], which names the nearest object when there is none of that name.
    pub async fn describe(&self, object: &str) -> Result<OrgDescribe, Error> {
        let describe = self.client.describe(object).await?;
        let everything = Select::from_fields(object, &[] as &[&str], None)?;
        let resolved = forcepump_salesforce::resolve(&self.client, &everything).await.ok();
        let field = |field: &forcepump_salesforce::FieldDescribe| {
            let column = resolved.as_ref().and_then(|query| query.schema.field_with_name(&field.name).ok().cloned());
            let unreadable = forcepump_salesforce::why_not_readable(&describe, field);
            OrgField {
                name: field.name.clone(),
                label: field.label.clone(),
                kind: field.kind.clone(),
                arrow_type: column.map(|column| column.data_type().to_string()),
                parts: unreadable.as_ref().map(|unreadable| unreadable.parts.clone()).unwrap_or_default(),
                part_of: field.compound_field_name.clone().filter(|compound| *compound != field.name),
                namespace: forcepump_salesforce::namespace(&field.name).map(str::to_owned),
                size: size(field),
                nillable: field.nillable,
                custom: field.custom,
                calculated: field.calculated,
                encrypted: field.encrypted,
                reference_to: field.reference_to.clone(),
                note: unreadable.map(|unreadable| unreadable.reason),
            }
        };
        let fields = describe.fields.iter().map(field).collect();
        Ok(OrgDescribe { object: describe.name.clone(), label: describe.label.clone(), fields })
    }

    /// The org's limits, by name.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub async fn limits(&self) -> Result<Vec<OrgLimit>, Error> {
        let limits: Limits = self.client.limits().await?;
        let limit = |(name, limit): (String, forcepump_salesforce::Limit)| OrgLimit {
            name,
            max: limit.max,
            remaining: limit.remaining,
        };
        Ok(limits.into_iter().map(limit).collect())
    }

    /// The org's API calls of 24 hours against the share that runs may use; none before the org told of them.
    #[must_use]
    pub fn calls(&self) -> Option<CallQuota> {
        self.client.daily_share().map(CallQuota::from)
    }

    /// The first `most` rows of a query over REST, their children whole; `all` sees deleted and archived rows too.
    /// `FIELDS()` without a LIMIT, which Salesforce asks for, is filled in from describe.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub async fn query(&self, soql: &str, all: bool, most: usize) -> Result<OrgRows, Error> {
        let filled_in = self.filled_in(soql).await?;
        let soql = filled_in.as_deref().unwrap_or(soql);
        let mut page: RecordPage = self.client.query(soql, all).await?;
        let total = page.total_size;
        let mut records = std::mem::take(&mut page.records);
        while records.len() < most {
            let Some(mut next) = self.client.query_more(&page).await? else { break };
            records.append(&mut next.records);
            page = next;
        }
        records.truncate(most);
        for value in records.iter_mut().flat_map(Map::values_mut) {
            children::complete(&self.client, value).await?;
        }
        let columns = columns(soql, &records);
        Ok(OrgRows { total, columns, records })
    }

    /// The query with the fields that its `FIELDS()` stands for; none where Salesforce takes it as it is.
    async fn filled_in(&self, soql: &str) -> Result<Option<String>, Error> {
        let Ok(select) = Select::parse(soql) else { return Ok(None) };
        if !select.has_group() || select.limit().is_some_and(|rows| rows <= MAX_FIELDS_ROWS) {
            return Ok(None);
        }
        let query = forcepump_salesforce::resolve(&self.client, &select).await?;
        if query.soql.len() <= MAX_SOQL_BYTES {
            return Ok(Some(query.soql));
        }
        let fields = query.schema.fields().len();
        let text = format!(
            "FIELDS() stands for {fields} fields of {}, too many for the address of a request; name fewer fields, or add \
             LIMIT {MAX_FIELDS_ROWS}",
            query.object
        );
        Err(Error::input("soql", text))
    }
}

fn size(field: &forcepump_salesforce::FieldDescribe) -> String {
    match (field.length, field.precision, field.digits) {
        (0, 0, 0) => String::new(),
        (0, 0, digits) => digits.to_string(),
        (0, precision, _) => format!("{precision},{}", field.scale),
        (length, ..) => length.to_string(),
    }
}

/// The names that the query selects; of one that is more than fields (functions, children), what the records have.
fn columns(soql: &str, records: &[Map<String, Value>]) -> Vec<String> {
    if let Ok(select) = Select::parse(soql)
        && let Some(paths) = select.fields.iter().map(Selected::path).collect::<Option<Vec<_>>>()
    {
        return paths.into_iter().map(ToString::to_string).collect();
    }
    let mut found: Vec<String> = Vec::new();
    for record in records {
        names("", record, &mut found);
    }
    found
}

fn names(prefix: &str, record: &Map<String, Value>, found: &mut Vec<String>) {
    for (key, value) in record.iter().filter(|(key, _)| *key != "attributes") {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(parent) if !parent.contains_key("records") => names(&format!("{name}."), parent, found),
            _ if found.contains(&name) => {}
            _ => found.push(name),
        }
    }
}

impl OrgRows {
    /// The text of a cell: null is empty, children are counted.
    #[must_use]
    pub fn cell(&self, row: usize, column: &str) -> String {
        let mut at = self.records.get(row).and_then(|record| path(record, column));
        if at.is_none() {
            // The API may spell a name otherwise than the query did.
            at = self.records.get(row).and_then(|record| path_any_case(record, column));
        }
        match at {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(children)) if children.contains_key("records") => {
                format!("{} rows", children.get("totalSize").and_then(Value::as_u64).unwrap_or(0))
            }
            Some(other) => other.to_string(),
        }
    }
}

fn path<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        None => record.get(name),
        Some((parent, rest)) => path(record.get(parent)?.as_object()?, rest),
    }
}

fn path_any_case<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let value = record.iter().find(|(key, _)| key.eq_ignore_ascii_case(first)).map(|(_, value)| value)?;
    match rest {
        None => Some(value),
        Some(rest) => path_any_case(value.as_object()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(soql: &str, records: &str) -> OrgRows {
        let records: Vec<Map<String, Value>> = serde_json::from_str(records).unwrap();
        OrgRows { total: records.len() as u64, columns: columns(soql, &records), records }
    }

    #[test]
    fn parents_nulls_and_other_spellings_are_found() {
        let rows = rows(
            "SELECT id, Owner.Name, Account.Name FROM Contact",
            r#"[{"attributes": {"type": "Contact"}, "Id": "003", "Owner": {"Name": "Ada"}, "Account": null}]"#,
        );
        assert_eq!(rows.columns, ["id", "Owner.Name", "Account.Name"]);
        let cells: Vec<String> = rows.columns.iter().map(|column| rows.cell(0, column)).collect();
        assert_eq!(cells, ["003", "Ada", ""]);
    }

    #[test]
    fn functions_and_children_take_their_names_from_the_records() {
        let rows = rows(
            "SELECT StageName, COUNT(Id) n FROM Opportunity GROUP BY StageName",
            r#"[{"attributes": {"type": "AggregateResult"}, "StageName": "Won", "n": 7,
                 "Children": {"totalSize": 2, "done": true, "records": []}}]"#,
        );
        assert_eq!(rows.columns, ["StageName", "n", "Children"]);
        assert_eq!((rows.cell(0, "n"), rows.cell(0, "Children")), ("7".to_owned(), "2 rows".to_owned()));
    }
}
