//! The one user and the organization that every session belongs to.

use serde_json::Value;

use crate::data::{Org, QueryMode};
use crate::ids::id18;
use crate::options::Account;

/// Who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) organization_id: String,
    pub(crate) organization_name: String,
    pub(crate) username: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
}

impl User {
    /// The user named by the account, else the org's first one; words of our own where the org has no such objects.
    pub(crate) fn of(org: &Org, account: &Account) -> User {
        let organization = first(org, "SELECT Id, Name FROM Organization");
        let record = account
            .username
            .as_deref()
            .and_then(|name| first(org, &format!("{USER_FIELDS} WHERE Username = '{}' LIMIT 1", quoted(name))))
            .or_else(|| first(org, &format!("{USER_FIELDS} LIMIT 1")));
        let text = |record: &Option<Value>, key: &str| {
            record.as_ref().and_then(|r| r.get(key)).and_then(Value::as_str).map(str::to_owned)
        };
        let username = account.username.clone().or_else(|| text(&record, "Username"));
        User {
            id: text(&record, "Id").unwrap_or_else(|| id18(*b"005", 1)),
            organization_id: text(&organization, "Id").unwrap_or_else(|| id18(*b"00D", 1)),
            organization_name: text(&organization, "Name").unwrap_or_else(|| "Forcepump Emulator".to_owned()),
            username: username.unwrap_or_else(|| "admin@forcepump.example".to_owned()),
            first_name: text(&record, "FirstName").unwrap_or_default(),
            last_name: text(&record, "LastName").unwrap_or_else(|| "Admin".to_owned()),
            email: text(&record, "Email").unwrap_or_else(|| "admin@example.com".to_owned()),
        }
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// The identity URL of this user on the server at `base_url`.
    pub(crate) fn identity_url(&self, base_url: &str) -> String {
        format!("{base_url}/id/{}/{}", self.organization_id, self.id)
    }
}

const USER_FIELDS: &str = "SELECT Id, Username, FirstName, LastName, Email FROM User";

fn first(org: &Org, soql: &str) -> Option<Value> {
    let mut rows = Vec::new();
    org.prepare(soql, QueryMode::Rest).ok()?.json_rows(0..1, "62.0", &mut rows);
    rows.into_iter().next()
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
