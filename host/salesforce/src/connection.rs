//! Connections as the user writes them, and as the client needs them: resolved, with secrets read.

use std::path::Path;

use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::credentials::{AuthMethod, Credentials};
use crate::error::{Error, Result};
use crate::options::{ClientOptions, HttpSettings};
use crate::place::{environment_url, my_domain_url, parse_url};
use crate::resolved::{ResolvedConnection, check_api_version};
use crate::secret::SecretRef;
use crate::store::{TokenStore, Vault};
use crate::throttle::LimitSettings;

/// API version used when the connection names none (Summer '24; result pages need 58.0, see the Bulk API 2.0 guide).
pub const DEFAULT_API_VERSION: &str = "62.0";

/// One connection, as written in the connections file.
///
/// Exactly one of `environment`, `my_domain` and `url` says where the org is; `auth` says how to log in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// `production` (login.salesforce.com), `sandbox` (test.salesforce.com) or `demo` (the embedded emulator)
    #[serde(default)]
    pub environment: Option<Environment>,
    /// My Domain name: `acme` for acme.my.salesforce.com, `acme--dev.sandbox` for a sandbox
    #[serde(default)]
    pub my_domain: Option<String>,
    /// any other Salesforce host, for example <https://acme.my.salesforce.com>; http only on loopback
    #[serde(default)]
    pub url: Option<String>,
    /// how to log in
    #[serde(default)]
    pub auth: Option<AuthMethod>,
    /// consumer key of the external client app or connected app, as it is or by reference
    #[serde(default)]
    pub client_id: Option<String>,
    /// consumer secret, by reference
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// what the login asks for, with `auth = "authorization-code"` and `"device"`, default "api refresh_token"; empty: all
    /// that the app has
    #[serde(default)]
    pub scope: Option<String>,
    /// callback URL of the app, with `auth = "authorization-code"`, default "http://localhost:1717/OauthRedirect"; port 0
    /// takes a free one
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// proof key for the code exchange (PKCE, S256) with `auth = "authorization-code"`, default true
    #[serde(default)]
    pub pkce: Option<bool>,
    /// user name, for `auth = "jwt-bearer"` and `"soap"`
    #[serde(default)]
    pub username: Option<String>,
    /// password, by reference, for `auth = "soap"`
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// security token, by reference, for `auth = "soap"` from an address that the org does not trust
    #[serde(default)]
    pub security_token: Option<SecretRef>,
    /// RSA private key in PEM form, by reference, for `auth = "jwt-bearer"`; its certificate belongs to the app
    #[serde(default)]
    pub private_key: Option<SecretRef>,
    /// `aud` of the assertion with `auth = "jwt-bearer"`; default: the login host of production or of sandboxes
    #[serde(default)]
    pub audience: Option<String>,
    /// refresh token, by reference; `file:` is rewritten when the app rotates refresh tokens
    #[serde(default)]
    pub refresh_token: Option<SecretRef>,
    /// access token, by reference
    #[serde(default)]
    pub access_token: Option<SecretRef>,
    /// host of the org, only with `auth = "access-token"`
    #[serde(default)]
    pub instance_url: Option<String>,
    /// API version, default "62.0"
    #[serde(default)]
    pub api_version: Option<String>,
    /// time-outs, retries and packing of the requests
    #[serde(default)]
    pub http: HttpSettings,
    /// how hard the org is asked, and how much of its daily API calls runs may use
    #[serde(default)]
    pub limits: LimitSettings,
}

/// Well-known places of orgs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// login.salesforce.com
    Production,
    /// test.salesforce.com
    Sandbox,
    /// The emulator inside the `forcepump` binary; the command line swaps it for a real address.
    Demo,
}

impl ConnectionConfig {
    /// The options of a client that follows these settings.
    #[must_use]
    pub fn options(&self) -> ClientOptions {
        self.http.options().limited(&self.limits)
    }

    /// The connection is served by the emulator inside the binary.
    pub fn is_demo(&self) -> bool {
        self.environment == Some(Environment::Demo)
    }

    /// Where the org is, in words.
    pub fn place(&self) -> String {
        let environment = self.environment.map(|environment| match environment {
            Environment::Production => "production".to_owned(),
            Environment::Sandbox => "sandbox".to_owned(),
            Environment::Demo => "demo (the embedded emulator)".to_owned(),
        });
        let domain = self.my_domain.as_ref().map(|domain| format!("{domain}.my.salesforce.com"));
        let places = [environment, domain, self.url.clone(), self.instance_url.clone()];
        places.into_iter().flatten().next().unwrap_or_else(|| "not named".to_owned())
    }

    /// What the login is given: key and value; of a secret its reference twice, to show and to resolve.
    pub fn settings(&self) -> Vec<(&'static str, String, Option<&SecretRef>)> {
        let pkce = self.pkce.map(|on| on.to_string());
        let plain = [
            ("client_id", &self.client_id),
            ("scope", &self.scope),
            ("redirect_uri", &self.redirect_uri),
            ("pkce", &pkce),
            ("username", &self.username),
            ("audience", &self.audience),
        ];
        let secrets = [
            ("client_secret", &self.client_secret),
            ("password", &self.password),
            ("security_token", &self.security_token),
            ("private_key", &self.private_key),
            ("refresh_token", &self.refresh_token),
            ("access_token", &self.access_token),
        ];
        let plain = plain.into_iter().filter_map(|(key, value)| Some((key, value.clone()?, None)));
        let secrets = secrets.into_iter().filter_map(|(key, secret)| {
            let secret = secret.as_ref()?;
            Some((key, secret.to_string(), Some(secret)))
        });
        plain.chain(secrets).collect()
    }

    /// Keys in the token store that the connection refers to.
    pub fn store_keys(&self) -> Vec<String> {
        let settings = self.settings();
        settings.iter().filter_map(|(.., secret)| secret.and_then(|s| s.store_key()).map(str::to_owned)).collect()
    }

    /// Whether something can be read where the secret lies.
    pub fn finds(&self, key: &str, secret: &SecretRef, name: &str, folder: &Path, store: &TokenStore) -> bool {
        let vault = Vault { store: store.clone(), name: name.to_owned() };
        secret.resolve_with(key, folder, Some(&vault)).is_ok()
    }

    /// Checks the settings and reads the secrets. `name` is the connection's name, `folder` that of its file.
    pub fn resolve(&self, name: &str, folder: &Path) -> Result<ResolvedConnection> {
        self.resolve_with(name, folder, &TokenStore::beside(folder))
    }

    /// As [`ConnectionConfig::resolve`], with a token store that is not the file's own.
    pub fn resolve_with(&self, name: &str, folder: &Path, store: &TokenStore) -> Result<ResolvedConnection> {
        let vault = Vault { store: store.clone(), name: name.to_owned() };
        self.resolve_inner(folder, &vault)
            .map(|mut resolved| {
                resolved.name = name.to_owned();
                resolved
            })
            .map_err(|error| in_connection(name, error))
    }

    fn resolve_inner(&self, folder: &Path, vault: &Vault) -> Result<ResolvedConnection> {
        let (auth, login_url) = self.check()?;
        let credentials = Credentials::read(self, auth, &login_url, folder, vault)?;
        let api_version = check_api_version(self.api_version.as_deref().unwrap_or(DEFAULT_API_VERSION))?;
        Ok(ResolvedConnection { name: String::new(), login_url, credentials, api_version })
    }

    /// Everything but the secrets: which login, and where.
    pub(crate) fn check(&self) -> Result<(AuthMethod, Url)> {
        self.check_references()?;
        if self.is_demo() {
            return Err(Error::config(
                "environment = \"demo\" is the emulator inside forcepump; it has no address of its own",
            ));
        }
        let auth = self.auth.ok_or_else(|| {
            let known: Vec<String> = AuthMethod::ALL.iter().map(|auth| format!("\"{}\"", auth.as_str())).collect();
            Error::config(format!("auth is missing: {}", known.join(", ")))
        })?;
        self.refuse_unused(auth)?;
        if auth.is_interactive() && self.client_id.is_none() {
            return Err(Error::config(format!(
                "auth = \"{}\" needs client_id (the app's consumer key)",
                auth.as_str()
            )));
        }
        check_api_version(self.api_version.as_deref().unwrap_or(DEFAULT_API_VERSION))?;
        Ok((auth, self.login_url(auth)?))
    }

    fn check_references(&self) -> Result<()> {
        let secrets = [
            ("client_secret", &self.client_secret),
            ("password", &self.password),
            ("security_token", &self.security_token),
            ("private_key", &self.private_key),
            ("refresh_token", &self.refresh_token),
            ("access_token", &self.access_token),
        ];
        secrets.iter().try_for_each(|(name, secret)| secret.as_ref().map_or(Ok(()), |s| s.check(name)))
    }

    /// A setting that the chosen login does not use is a misunderstanding, not a detail.
    fn refuse_unused(&self, auth: AuthMethod) -> Result<()> {
        let used = auth.settings();
        let given = [
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("scope", self.scope.is_some()),
            ("redirect_uri", self.redirect_uri.is_some()),
            ("pkce", self.pkce.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("security_token", self.security_token.is_some()),
            ("private_key", self.private_key.is_some()),
            ("audience", self.audience.is_some()),
            ("refresh_token", self.refresh_token.is_some()),
            ("access_token", self.access_token.is_some()),
            ("instance_url", self.instance_url.is_some()),
        ];
        match given.iter().find(|(name, is_given)| *is_given && !used.contains(name)) {
            Some((name, _)) => Err(Error::config(format!(
                "{name} has no use with auth = \"{}\": remove it or choose the auth that takes it",
                auth.as_str()
            ))),
            None => Ok(()),
        }
    }

    fn login_url(&self, auth: AuthMethod) -> Result<Url> {
        if let (AuthMethod::AccessToken, Some(instance)) = (auth, &self.instance_url) {
            return self.only_place(&[]).and_then(|()| parse_url("instance_url", instance));
        }
        match (self.environment, &self.my_domain, &self.url) {
            (Some(environment), None, None) => environment_url(environment, auth),
            (None, Some(domain), None) => my_domain_url(domain),
            (None, None, Some(url)) => parse_url("url", url),
            (None, None, None) => Err(Error::config(
                "no org named: give my_domain = \"acme\", url = \"https://…\" or environment = \"production\"",
            )),
            _ => self.only_place(&["one"]).and(Err(Error::config("no org named"))),
        }
    }

    /// Refuses more places than `allowed` names.
    fn only_place(&self, allowed: &[&str]) -> Result<()> {
        let named = [
            ("environment", self.environment.is_some()),
            ("my_domain", self.my_domain.is_some()),
            ("url", self.url.is_some()),
        ];
        let named: Vec<&str> = named.iter().filter(|(_, is_some)| *is_some).map(|(name, _)| *name).collect();
        if named.len() <= allowed.len() {
            return Ok(());
        }
        let also = if allowed.is_empty() { " beside instance_url" } else { "" };
        Err(Error::config(format!("{}{also}: exactly one says where the org is, keep one", named.join(" and "))))
    }
}

fn in_connection(name: &str, error: Error) -> Error {
    Error::config(format!("connection {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ConnectionConfig {
        toml::from_str(text).unwrap()
    }

    fn refusal(text: &str) -> String {
        config(text).resolve("prod", Path::new("/nowhere")).unwrap_err().to_string()
    }

    #[test]
    fn refused_settings_say_the_way_out() {
        let table = [
            ("auth = 'client-credentials'\nenvironment = 'production'\nclient_id = 'x'", "my_domain"),
            ("auth = 'client-credentials'\nmy_domain = 'a'\nurl = 'https://b'", "keep one"),
            ("auth = 'client-credentials'\nmy_domain = 'a'", "needs client_id"),
            ("auth = 'client-credentials'\nmy_domain = 'a'\nclient_id = 'x'", "needs client_secret"),
            (
                "auth = 'client-credentials'\nmy_domain = 'a'\nclient_id = 'env:FORCEPUMP_NO_SUCH'",
                "client_id refers to the environment variable FORCEPUMP_NO_SUCH, which is not set",
            ),
            ("auth = 'client-credentials'\nmy_domain = 'a'\nclient_id = 'x'\nclient_secret = 's3cr3t'", "plain text"),
            ("auth = 'access-token'\nmy_domain = 'a'\nclient_id = 'x'", "no use"),
            ("auth = 'access-token'\nmy_domain = 'a'\ninstance_url = 'https://b'\naccess_token = 'env:X'", "beside"),
            ("my_domain = 'a'", "auth is missing"),
            ("auth = 'refresh-token'", "no org named"),
            ("environment = 'demo'", "emulator"),
        ];
        for (text, expected) in table {
            let error = refusal(text);
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.starts_with("connection prod: ") && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn environments_are_for_refresh_tokens() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("r"), "x").unwrap();
        for (environment, host) in [("production", "login.salesforce.com"), ("sandbox", "test.salesforce.com")] {
            let text = format!(
                "auth = 'refresh-token'\nenvironment = '{environment}'\nclient_id = 'x'\nrefresh_token = 'file:r'"
            );
            assert_eq!(config(&text).resolve("prod", folder.path()).unwrap().host(), host);
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<ConnectionConfig>("clientid = 'x'").unwrap_err().to_string();
        assert!(error.contains("clientid") && error.contains("client_id"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "s3cr3t").unwrap();
        let text = "auth = 'client-credentials'\nmy_domain = 'a'\nclient_id = 'x'\nclient_secret = 'file:s'";
        let config = config(text);
        let resolved = config.resolve("prod", folder.path()).unwrap();
        assert!(!format!("{resolved:?} {config:?}").contains("s3cr3t"));
    }
}
