//! What `connection` takes.

use clap::{Args, Subcommand};

/// Seconds that a login in the browser is waited for.
const DEFAULT_WAIT_SECONDS: u64 = 300;
/// The logins, as the connections file has them.
const METHODS: [&str; 7] =
    ["authorization-code", "device", "client-credentials", "jwt-bearer", "refresh-token", "access-token", "soap"];

/// What can be done with connections.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Make a connection: log in, try it, and save it when it works; at a terminal what is missing is asked for
    Add(Box<AddArgs>),
    /// List the connections of the connections file
    List,
    /// Show one connection: for each secret where it lies, for tokens whether they are there and how old; never a secret
    Show {
        /// Name of the connection [default: the only one of the connections file]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Log in and say who, where, which versions, and what is left of the limits
    Test {
        /// Name of the connection [default: the only one of the connections file]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Change keys of a connection, try it, and save it when it works; comments and order of the file stay
    Edit(Box<EditArgs>),
    /// Log in again, or type its secrets again
    Reconnect(ReconnectArgs),
    /// Revoke the connection's tokens at the org and delete them here
    Reset {
        /// Name of the connection [default: the only one of the connections file]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove a connection and all that the token store keeps of it
    Remove {
        /// Name of the connection
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Arguments of `connection add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Name of the connection: letters, digits, - and _
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub login: LoginArgs,
    /// Save it even if it does not work
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `connection edit`.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Name of the connection
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub settings: SettingArgs,
    /// Remove this key of the connection; can be repeated
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
    #[command(flatten)]
    pub login: LoginArgs,
    /// Save it even if it does not work
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `connection reconnect`.
#[derive(Debug, Args)]
pub struct ReconnectArgs {
    /// Name of the connection [default: the only one of the connections file]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub login: LoginArgs,
    /// Keep the new tokens even if they do not work
    #[arg(long)]
    pub force: bool,
}

/// The keys of a connection.
#[derive(Debug, Args)]
pub struct SettingArgs {
    /// How to log in
    #[arg(long, value_name = "METHOD", value_parser = METHODS)]
    pub auth: Option<String>,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Consumer key of the external client app or connected app
    #[arg(long, value_name = "KEY")]
    pub client_id: Option<String>,
    /// Consumer secret: env:NAME, file:PATH, or - to type it; typed secrets are encrypted in the token store
    #[arg(long, value_name = "REF")]
    pub client_secret: Option<String>,
    /// User name, for jwt-bearer and soap; of a sandbox it ends with the sandbox's name: user@acme.com.dev
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Password, for soap: env:NAME, file:PATH, or - to type it
    #[arg(long, value_name = "REF")]
    pub password: Option<String>,
    /// Security token, for soap from addresses that the org does not trust: env:NAME, file:PATH, or - to type it
    #[arg(long, value_name = "REF")]
    pub security_token: Option<String>,
    /// RSA private key in PEM form, for jwt-bearer: env:NAME or file:PATH
    #[arg(long, value_name = "REF")]
    pub private_key: Option<String>,
    /// Audience of the assertion, for jwt-bearer
    #[arg(long, value_name = "URL")]
    pub audience: Option<String>,
    /// Refresh token: env:NAME, file:PATH, or - to type it
    #[arg(long, value_name = "REF")]
    pub refresh_token: Option<String>,
    /// Access token: env:NAME, file:PATH, or - to type it
    #[arg(long, value_name = "REF")]
    pub access_token: Option<String>,
    /// What a login by a person asks for; empty: all that the app has [default: "api refresh_token"]
    #[arg(long, value_name = "SCOPES")]
    pub scope: Option<String>,
    /// Callback URL of the app; port 0 takes a free one [default: http://localhost:1717/OauthRedirect]
    #[arg(long, value_name = "URL")]
    pub redirect_uri: Option<String>,
    /// Leave out the proof key for the code exchange (PKCE), for apps that do not know it
    #[arg(long)]
    pub no_pkce: bool,
    /// API version [default: 62.0]
    #[arg(long, value_name = "VERSION")]
    pub api_version: Option<String>,
}

/// Where the org is.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct PlaceArgs {
    /// login.salesforce.com: production, Developer Edition, trials
    #[arg(long)]
    pub production: bool,
    /// test.salesforce.com: sandboxes
    #[arg(long)]
    pub sandbox: bool,
    /// My Domain: acme for acme.my.salesforce.com, acme--dev.sandbox for a sandbox
    #[arg(long, value_name = "NAME")]
    pub my_domain: Option<String>,
    /// Any other host of Salesforce
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Host of the org, for access-token
    #[arg(long, value_name = "URL")]
    pub instance_url: Option<String>,
    /// The emulator inside forcepump
    #[arg(long)]
    pub demo: bool,
}

/// How a person logs in.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Read the address that the browser ended at from standard input, instead of waiting for the browser
    #[arg(long)]
    pub paste: bool,
    /// Only print the address of the login page
    #[arg(long)]
    pub no_browser: bool,
    /// Longest wait for the browser
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_WAIT_SECONDS)]
    pub wait: u64,
}

impl SettingArgs {
    /// Keys and values as the connections file has them, in the order that people read them.
    pub fn settings(&self) -> Vec<(String, String)> {
        let flag = |on: bool, value: &str| on.then(|| value.to_owned());
        let place = &self.place;
        let environment = flag(place.production, "production")
            .or_else(|| flag(place.sandbox, "sandbox"))
            .or_else(|| flag(place.demo, "demo"));
        let all = [
            ("environment", environment),
            ("my_domain", place.my_domain.clone()),
            ("url", place.url.clone()),
            ("instance_url", place.instance_url.clone()),
            ("auth", self.auth.clone()),
            ("client_id", self.client_id.clone()),
            ("client_secret", self.client_secret.clone()),
            ("username", self.username.clone()),
            ("password", self.password.clone()),
            ("security_token", self.security_token.clone()),
            ("private_key", self.private_key.clone()),
            ("audience", self.audience.clone()),
            ("refresh_token", self.refresh_token.clone()),
            ("access_token", self.access_token.clone()),
            ("scope", self.scope.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("pkce", flag(self.no_pkce, "false")),
            ("api_version", self.api_version.clone()),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}
