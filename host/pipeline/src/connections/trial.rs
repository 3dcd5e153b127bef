//! A connection tried: who, where, which versions, and what is left of the limits.

use forcepump_salesforce::{ErrorKind, Identity};
use serde::Serialize;

use crate::error::Error;
use crate::org::{ObjectFilter, Org, OrgLimit};

/// Limits that decide whether a run fits into the day.
const SHOWN_LIMITS: [&str; 4] =
    ["DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyBulkApiBatches"];

/// What a login found.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionTest {
    /// the connection's name
    pub name: String,
    /// how it logged in
    pub auth: String,
    /// host of the instance
    pub instance: String,
    /// API version that runs will use
    pub api_version: String,
    /// the newest that the org offers
    pub newest_version: String,
    /// login name of the user
    pub username: String,
    /// first and last name of the user
    pub user: String,
    /// id of the user
    pub user_id: String,
    /// id of the org
    pub organization_id: String,
    /// name, edition and kind of the org, as far as the user may see it
    pub organization: String,
    /// objects that the user can query
    pub objects: usize,
    /// the limits that matter to runs
    pub limits: Vec<OrgLimit>,
    /// what else the user should hear of
    pub notes: Vec<String>,
}

impl Org {
    /// Logs in and looks around: who, where, which versions, what is left of the limits.
    ///
    /// # Errors
    /// [`Error::Source`] when the login or the first look fails. A permission that is missing is a note.
    pub async fn test(&self) -> Result<ConnectionTest, Error> {
        let client = self.client();
        client.prove_login().await?;
        let instance = client.instance_host().await?;
        let versions = client.versions().await?;
        let newest_version = versions.last().map(|version| version.version.clone()).unwrap_or_default();
        let mut notes = client.notices().await;
        if !versions.iter().any(|version| version.version == client.api_version()) {
            notes.push(format!("api_version {} is not offered; the newest is {newest_version}", client.api_version()));
        }
        let Identity { username, display_name, user_id, organization_id, .. } = self.who(&mut notes).await?;
        let organization = self.organization_words().await;
        let queryable = ObjectFilter { queryable: true, ..ObjectFilter::default() };
        let objects = self.objects(&queryable).await?.len();
        let limits = match self.limits().await {
            Ok(limits) => limits.into_iter().filter(|limit| SHOWN_LIMITS.contains(&limit.name.as_str())).collect(),
            Err(error) => {
                notes.push(format!("the limits cannot be read: {error}"));
                Vec::new()
            }
        };
        Ok(ConnectionTest {
            name: client.name().to_owned(),
            auth: self.auth().to_owned(),
            instance,
            api_version: client.api_version().to_owned(),
            newest_version,
            username,
            user: display_name,
            user_id,
            organization_id,
            organization,
            objects,
            limits,
            notes,
        })
    }
    /// A login without the scope `id` may be kept from saying who it is; all else works.
    async fn who(&self, notes: &mut Vec<String>) -> Result<Identity, Error> {
        match self.client().identity().await {
            Ok(identity) => Ok(identity),
            Err(error) if matches!(error.kind(), ErrorKind::Auth | ErrorKind::Api) => {
                notes.push(format!("who is logged in cannot be read: {error}"));
                Ok(Identity::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Empty when the user may not see it: it is only for the eye.
    async fn organization_words(&self) -> String {
        const QUERY: &str = "SELECT Name, OrganizationType, InstanceName, IsSandbox FROM Organization";
        let Ok(rows) = self.query(QUERY, false, 1).await else { return String::new() };
        let cell = |column: &str| rows.cell(0, column);
        let kind = if cell("IsSandbox") == "true" { "sandbox" } else { "" };
        let parts = [cell("Name"), cell("OrganizationType"), cell("InstanceName"), kind.to_owned()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}
