//! Connections looked at and tried, apart from any pipeline.

use std::path::{Path, PathBuf};

use forcepump_salesforce::{ConnectionConfig, Identity};
use serde::Serialize;

use crate::error::Error;
use crate::file::{Connections, find_connections_file};
use crate::org::{Org, OrgLimit};

/// Limits that decide whether a run fits into the day.
const SHOWN_LIMITS: [&str; 4] =
    ["DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyBulkApiBatches"];

/// One connection of the file, without any secret.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionSummary {
    /// its name
    pub name: String,
    /// where the org is
    pub place: String,
    /// how it logs in
    pub auth: String,
    /// API version
    pub api_version: String,
    /// settings that hold no secret, and for the others where the secret lies and whether it is there
    pub settings: Vec<ConnectionSetting>,
}

/// One setting of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionSetting {
    /// its key in the file
    pub key: String,
    /// the value, or the reference of a secret
    pub value: String,
    /// for references: whether something can be read there
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<bool>,
}

/// What a login found.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionTest {
    /// the connection's name
    pub name: String,
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
    /// objects that the user can query
    pub objects: usize,
    /// the limits that matter to runs
    pub limits: Vec<OrgLimit>,
    /// what else the user should hear of
    pub notes: Vec<String>,
}

/// The connections of the file, by name.
///
/// # Errors
/// [`Error::File`] when the file is missing or malformed.
pub fn list_connections(connections: Option<&Path>) -> Result<(PathBuf, Vec<ConnectionSummary>), Error> {
    let path = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&path)?;
    let summaries = known.iter().map(|(name, config)| summary(name, config, known.folder())).collect();
    Ok((path, summaries))
}

/// One connection of the file; without a name, the only one there is.
///
/// # Errors
/// As [`list_connections`], and for a name that the file does not have.
pub fn show_connection(connections: Option<&Path>, name: Option<&str>) -> Result<ConnectionSummary, Error> {
    let path = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&path)?;
    let name = known.choose(name)?;
    Ok(summary(name, known.get(name)?, known.folder()))
}

fn summary(name: &str, config: &ConnectionConfig, folder: &Path) -> ConnectionSummary {
    let settings = config.settings().into_iter().map(|(key, value, secret)| ConnectionSetting {
        key: key.to_owned(),
        value,
        found: secret.map(|secret| secret.resolve(key, folder).is_ok()),
    });
    ConnectionSummary {
        name: name.to_owned(),
        place: config.place(),
        auth: config.auth.map_or_else(|| "none".to_owned(), |auth| auth.as_str().to_owned()),
        api_version: config.api_version.clone().unwrap_or_else(|| forcepump_salesforce::DEFAULT_API_VERSION.to_owned()),
        settings: settings.collect(),
    }
}

impl Org {
    /// Logs in and looks around: who, where, which versions, what is left of the limits.
    ///
    /// # Errors
    /// [`Error::Source`] when the login or the first look fails. A permission that is missing is a note.
    pub async fn test(&self) -> Result<ConnectionTest, Error> {
        let client = self.client();
        client.login().await?;
        let instance = client.instance_host().await?;
        let versions = client.versions().await?;
        let newest_version = versions.last().map(|version| version.version.clone()).unwrap_or_default();
        let mut notes = client.notices().await;
        if !versions.iter().any(|version| version.version == client.api_version()) {
            notes.push(format!("api_version {} is not offered; the newest is {newest_version}", client.api_version()));
        }
        let Identity { username, display_name, user_id, organization_id, .. } = client.identity().await?;
        let objects = self.objects(None).await?.iter().filter(|object| object.queryable).count();
        let limits = match self.limits().await {
            Ok(limits) => limits.into_iter().filter(|limit| SHOWN_LIMITS.contains(&limit.name.as_str())).collect(),
            Err(error) => {
                notes.push(format!("the limits cannot be read: {error}"));
                Vec::new()
            }
        };
        Ok(ConnectionTest {
            name: client.name().to_owned(),
            instance,
            api_version: client.api_version().to_owned(),
            newest_version,
            username,
            user: display_name,
            user_id,
            organization_id,
            objects,
            limits,
            notes,
        })
    }
}
