//! A user of an org, as its `User` row has him.

use serde_json::Value;

use crate::data::{Org, QueryMode};

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) organization_id: String,
    pub(crate) organization_name: String,
    pub(crate) username: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    /// Profile name.
    pub(crate) profile: String,
    /// What the row says; an administrator may have said otherwise.
    pub(crate) active: bool,
}

impl User {
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// The identity URL of this user on the server at `base_url`.
    pub(crate) fn identity_url(&self, base_url: &str) -> String {
        format!("{base_url}/id/{}/{}", self.organization_id, self.id)
    }

    /// In place of a user where no org is.
    pub(crate) fn nobody() -> User {
        User {
            id: String::new(),
            organization_id: String::new(),
            organization_name: String::new(),
            username: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            profile: String::new(),
            active: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn example() -> User {
        User {
            id: "005xx000001SwiUAAS".to_owned(),
            organization_id: "00Dxx0000001gPLEAY".to_owned(),
            organization_name: "Example".to_owned(),
            username: "ada@example.com".to_owned(),
            first_name: "Ada".to_owned(),
            last_name: "Admin".to_owned(),
            email: "ada@example.com".to_owned(),
            profile: "System Administrator".to_owned(),
            active: true,
        }
    }
}

/// The fields of a `User` row that matter here.
pub(super) const USER_FIELDS: &str =
    "SELECT Id, Username, FirstName, LastName, Email, IsActive, Profile.Name FROM User";

/// The first record that a statement gives.
pub(super) fn first(org: &Org, soql: &str) -> Option<Value> {
    let mut rows = Vec::new();
    org.prepare(soql, QueryMode::Rest).ok()?.json_rows(0..1, "62.0", &mut rows);
    rows.into_iter().next()
}

/// Text for a SOQL literal.
pub(super) fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
