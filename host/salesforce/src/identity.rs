//! Who is logged in: the identity behind a session.
//!
//! REST API guide, "Resources by Version": the answer names the identity URL (`/id/ORGANIZATION/USER`).

use reqwest::Url;
use serde::{Deserialize, Deserializer};

use crate::client::{Call, Client};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    identity: Option<String>,
}

/// The logged-in user, from the identity URL. Unknown keys are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// Login name.
    pub username: String,
    /// First and last name.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub display_name: String,
    /// E-mail address.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub email: String,
    /// 18 characters.
    pub user_id: String,
    /// 18 characters.
    pub organization_id: String,
    /// For example `STANDARD`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub user_type: String,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Client {
    /// The user that the connection logs in as.
    ///
    /// # Errors
    /// As any call; [`Error::Protocol`] when the org does not say who it is.
    pub async fn identity(&self) -> Result<Identity> {
        let what = "identity of the user";
        let resources: Resources = self.json(&Call::get(what, self.path("/"))).await?;
        let url = resources.identity.as_deref().and_then(|url| Url::parse(url).ok());
        // Only the path is taken: the token goes to the instance, whatever host the answer names.
        let path = url.as_ref().map(Url::path).filter(|path| path.starts_with("/id/"));
        let path = path.ok_or_else(|| Error::protocol(what, "the list of resources has no identity URL"))?;
        self.json(&Call::get(what, path.to_owned())).await
    }
}
