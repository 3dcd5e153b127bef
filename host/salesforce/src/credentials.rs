//! Ways to log in, and what each needs, with its secrets read.

use std::path::{Path, PathBuf};

use reqwest::Url;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::connection::ConnectionConfig;
use crate::error::{Error, Result};
use crate::jwt;
use crate::secret::SecretRef;
use crate::store::Vault;

/// Ways to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMethod {
    /// `client_id` (+ `client_secret`): a person logs in with the browser, the tokens are kept in the token store
    AuthorizationCode,
    /// `client_id` (+ `client_secret`): a person logs in with a browser on any machine and types a code there
    Device,
    /// `client_id` + `client_secret`, as the app's run-as user; My Domain only
    ClientCredentials,
    /// `client_id` + `username` + `private_key`: an assertion signed by us, as that user
    JwtBearer,
    /// `client_id` + `refresh_token` (+ `client_secret` unless the app does not require it)
    RefreshToken,
    /// a token that exists already; it cannot be renewed
    AccessToken,
    /// `username` + `password` (+ `security_token`): the SOAP login, which new orgs have switched off
    Soap,
}

impl AuthMethod {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AuthorizationCode,
        Self::Device,
        Self::ClientCredentials,
        Self::JwtBearer,
        Self::RefreshToken,
        Self::AccessToken,
        Self::Soap,
    ];

    /// As written in the connections file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization-code",
            Self::Device => "device",
            Self::ClientCredentials => "client-credentials",
            Self::RefreshToken => "refresh-token",
            Self::AccessToken => "access-token",
            Self::JwtBearer => "jwt-bearer",
            Self::Soap => "soap",
        }
    }

    /// The settings of a connection that this login uses, beside those that say where the org is.
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::AuthorizationCode => &["client_id", "client_secret", "scope", "redirect_uri", "pkce"],
            Self::Device => &["client_id", "client_secret", "scope"],
            Self::ClientCredentials => &["client_id", "client_secret"],
            Self::JwtBearer => &["client_id", "username", "private_key", "audience"],
            Self::RefreshToken => &["client_id", "client_secret", "refresh_token"],
            Self::AccessToken => &["access_token", "instance_url"],
            Self::Soap => &["username", "password", "security_token"],
        }
    }

    /// A person logs in, once; what the login gives is kept in the token store.
    pub fn is_interactive(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Device)
    }

    /// Whether login.salesforce.com and test.salesforce.com take it; client credentials are refused there with
    /// `request not supported on this domain`.
    pub(crate) fn works_on_login_hosts(self) -> bool {
        !matches!(self, Self::ClientCredentials | Self::AccessToken)
    }
}

/// How to get a token. `Debug` of the secrets is redacted by their type.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    ClientPair {
        client_id: String,
        client_secret: SecretString,
    },
    RefreshToken {
        app: App,
        refresh_token: SecretString,
        /// Where it was read, and a rotated one is written.
        home: Home,
    },
    /// Tokens of the token store, of a login by a person.
    Stored {
        app: App,
        vault: Vault,
        /// A rotated token that could not be kept: the store's is dead.
        unsaved: Option<SecretString>,
    },
    AccessToken {
        token: SecretString,
    },
    JwtBearer {
        client_id: String,
        username: String,
        audience: String,
        private_key: SecretString,
    },
    Soap {
        username: String,
        password: SecretString,
        security_token: Option<SecretString>,
    },
}

/// The app that a person logs in through.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) client_id: String,
    /// None: the app does not require it. One that is sent is checked, even so.
    pub(crate) client_secret: Option<SecretString>,
}

/// Where a refresh token of the user's own lies.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// In the environment: a rotated one is lost with the process.
    Environment,
    File(PathBuf),
    /// In the token store, under this key.
    Vault(Vault, String),
}

impl Credentials {
    /// Reads what the login needs; `folder` is that of the connections file.
    pub(crate) fn read(
        config: &ConnectionConfig,
        auth: AuthMethod,
        login_url: &Url,
        folder: &Path,
        vault: &Vault,
    ) -> Result<Self> {
        let needs = |name: &str, form: &str| Error::config(format!("auth = \"{}\" needs {name}{form}", auth.as_str()));
        let need = |name: &str, secret: &Option<SecretRef>| -> Result<SecretString> {
            secret.as_ref().ok_or_else(|| needs(name, " = \"env:NAME\""))?.resolve_with(name, folder, Some(vault))
        };
        let may = |name: &str, secret: &Option<SecretRef>| {
            secret.as_ref().map(|s| s.resolve_with(name, folder, Some(vault))).transpose()
        };
        let client_id = || {
            plain("client_id", &config.client_id, folder)?
                .ok_or_else(|| needs("client_id", " (the app's consumer key)"))
        };
        let username = || plain("username", &config.username, folder)?.ok_or_else(|| needs("username", ""));
        let app = || -> Result<App> {
            Ok(App { client_id: client_id()?, client_secret: may("client_secret", &config.client_secret)? })
        };
        Ok(match auth {
            AuthMethod::AuthorizationCode | AuthMethod::Device => {
                Self::Stored { app: app()?, vault: vault.clone(), unsaved: None }
            }
            AuthMethod::ClientCredentials => Self::ClientPair {
                client_id: client_id()?,
                client_secret: need("client_secret", &config.client_secret)?,
            },
            AuthMethod::JwtBearer => Self::JwtBearer {
                client_id: client_id()?,
                username: username()?,
                audience: config.audience.clone().unwrap_or_else(|| jwt::audience(login_url)),
                private_key: need("private_key", &config.private_key)?,
            },
            AuthMethod::RefreshToken => Self::RefreshToken {
                app: app()?,
                refresh_token: need("refresh_token", &config.refresh_token)?,
                home: home(config.refresh_token.as_ref(), folder, vault),
            },
            AuthMethod::AccessToken => Self::AccessToken { token: need("access_token", &config.access_token)? },
            AuthMethod::Soap => Self::Soap {
                username: username()?,
                password: need("password", &config.password)?,
                security_token: may("security_token", &config.security_token)?,
            },
        })
    }
}

fn home(refresh_token: Option<&SecretRef>, folder: &Path, vault: &Vault) -> Home {
    let Some(reference) = refresh_token else { return Home::Environment };
    match (reference.file(folder), reference.store_key()) {
        (Some(path), _) => Home::File(path),
        (None, Some(key)) => Home::Vault(vault.clone(), key.to_owned()),
        (None, None) => Home::Environment,
    }
}

/// A setting that is no secret: it may stand there as it is; a reference is followed all the same.
fn plain(name: &str, given: &Option<String>, folder: &Path) -> Result<Option<String>> {
    let given = given.as_deref().unwrap_or_default().trim();
    match given {
        "" => Ok(None),
        _ if given.starts_with("env:") || given.starts_with("file:") => {
            Ok(Some(SecretRef::parse(given).resolve(name, folder)?.expose_secret().to_owned()))
        }
        _ => Ok(Some(given.to_owned())),
    }
}
