//! Logins by a person: in the browser with a redirect to this machine, by pasting, or on another device.
//!
//! What they give is kept in a token store; nothing here prints or opens anything.

mod browser;
mod device;
mod listener;
mod page;
mod redirect;
mod revoke;

use std::path::Path;

use reqwest::Url;

pub use browser::{BrowserLogin, Code};
pub use device::DeviceLogin;
pub use revoke::{Revoked, revoke};

use crate::connection::ConnectionConfig;
use crate::credentials::{App, AuthMethod, Credentials};
use crate::error::{Error, Result};
use crate::oauth::{Granted, TokenHttp};
use crate::store::{TokenStore, Vault};

/// What is asked for when the connection does not say: the API, and to be asked only once.
const DEFAULT_SCOPE: &str = "api refresh_token";

/// A connection at which a person logs in.
struct Desk {
    http: TokenHttp,
    login_url: Url,
    app: App,
    vault: Vault,
    /// Empty: everything that the app has.
    scope: String,
}

impl Desk {
    fn of(config: &ConnectionConfig, auth: AuthMethod, name: &str, folder: &Path, store: &TokenStore) -> Result<Self> {
        let resolved = config.resolve_with(name, folder, store)?;
        let Credentials::Stored { app, vault, .. } = resolved.credentials else {
            let auth = auth.as_str();
            return Err(Error::config(format!("connection {name}: nobody logs in there; it has no auth = \"{auth}\"")));
        };
        let options = config.http.options();
        let client = crate::http::build(&resolved.login_url, &options)?;
        let http = TokenHttp { client, timeout: options.first_byte_timeout };
        let scope = config.scope.clone().unwrap_or_else(|| DEFAULT_SCOPE.to_owned());
        Ok(Self { http, login_url: resolved.login_url, app, vault, scope })
    }

    fn host(&self) -> &str {
        self.login_url.host_str().unwrap_or_default()
    }

    /// Keeps the tokens; they take the place of older ones.
    async fn keep(&self, granted: Granted) -> Result<()> {
        let mut locked = self.vault.store.lock(&self.vault.name).await?;
        let mut kept = locked.kept().unwrap_or_default();
        kept.grant(granted.access_token, granted.instance_url, granted.rotated);
        locked.save(&kept)
    }
}
