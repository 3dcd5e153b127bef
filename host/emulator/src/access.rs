//! Who and what may log in to an emulated org: its connected apps, users, profiles and login policies.
//!
//! All of it can stand in the file that `forcepump emulator --org FILE.toml` reads, beside the other
//! [`Options`](crate::Options):
//!
//! ```toml
//! name = "Acme Production"
//!
//! [[app]]
//! client_id = "3MVG9.partner"
//! client_secret = "s3cret"
//! callbacks = ["http://localhost:1717/OauthRedirect"]
//! scopes = ["api", "refresh_token"]
//! installation = "uninstalled"
//!
//! [[profile]]
//! name = "Standard User"
//! hidden = ["Account.AnnualRevenue", "Case"]
//!
//! [[user]]
//! username = "luis.ortega@forcepump.example"
//! password_expired = true
//!
//! [policy]
//! soap_login = false
//! ```

use serde::Deserialize;

/// Lifetime of an authorization code in seconds (help, "OAuth 2.0 Web Server Flow").
pub const CODE_SECONDS: u64 = 900;
/// Time in which a device code must be approved, in seconds (messages of Salesforce's own CLI).
pub const DEVICE_SECONDS: u64 = 600;
/// Pause between two polls of the device flow, in seconds, as recorded.
pub const DEVICE_INTERVAL_SECONDS: u64 = 5;
/// Session timeout that introspection and the SOAP login report, in seconds.
pub const SESSION_SECONDS: u64 = 7_200;
/// Login requests of one user in an hour (knowledge article 000381578).
pub const LOGINS_PER_HOUR: u64 = 3_600;

/// A connected app or external client app as one org knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret; none: a public client, and any secret that is sent is wrong.
    pub client_secret: Option<String>,
    /// Name on the approval page.
    pub name: String,
    /// Which of the two kinds of apps it is.
    pub kind: AppKind,
    /// Whether the org's administrator installed or blocked it.
    pub installation: Installation,
    /// Callback URLs, compared byte by byte; `*` stands for any run of characters, which Salesforce does not have.
    pub callbacks: Vec<String>,
    /// Scopes that the app may be given.
    pub scopes: Vec<String>,
    /// "Require Secret for Web Server Flow"; a secret that is sent is checked in any case.
    pub secret_required: bool,
    /// "Require Secret for Refresh Token Flow".
    pub refresh_secret_required: bool,
    /// "Require Proof Key for Code Exchange".
    pub pkce_required: bool,
    /// "Admin approved users are pre-authorized" in place of "All users may self-authorize".
    pub admin_approved_only: bool,
    /// User names and profile names that the administrator approved; `*` is everybody.
    pub approved: Vec<String>,
    /// User that client credentials act as; none: the flow has no user and is refused.
    pub run_as: Option<String>,
    /// Certificate or public key (PEM) that the app holds for the JWT bearer flow; none: every assertion is refused.
    pub jwt_certificate: Option<String>,
    /// Assertions need no earlier approval by the user, which makes a test shorter.
    pub jwt_without_approval: bool,
    /// Flows that the app does not take.
    pub flows_off: Vec<Flow>,
    /// Form of its access tokens.
    pub token_format: TokenFormat,
    /// Refresh-token rotation for this app alone.
    pub rotation: bool,
    /// Seconds after which a refresh token ends; none: valid until revoked.
    pub refresh_seconds: Option<u64>,
}

impl Default for App {
    fn default() -> Self {
        App {
            client_id: String::new(),
            client_secret: None,
            name: "Connected App".to_owned(),
            kind: AppKind::Connected,
            installation: Installation::Installed,
            callbacks: Vec::new(),
            scopes: ["refresh_token", "api", "full"].map(str::to_owned).to_vec(),
            secret_required: true,
            refresh_secret_required: true,
            pkce_required: false,
            admin_approved_only: false,
            approved: Vec::new(),
            run_as: None,
            jwt_certificate: None,
            jwt_without_approval: false,
            flows_off: Vec::new(),
            token_format: TokenFormat::Opaque,
            rotation: false,
            refresh_seconds: None,
        }
    }
}

/// The two kinds of apps; they differ in how an org that does not have them refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    /// Known to every org, and "uninstalled" where no administrator installed it.
    #[default]
    Connected,
    /// Local to its org: `app_not_found` elsewhere.
    External,
}

/// What the org's administrator did with an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Installation {
    /// Installed.
    #[default]
    Installed,
    /// Not installed: since September 2025 refused to users without a bypass permission.
    Uninstalled,
    /// Blocked.
    Blocked,
}

/// The OAuth flows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// Authorization code in a browser.
    WebServer,
    /// Token in the fragment.
    UserAgent,
    /// Device code.
    Device,
    /// JWT bearer assertion.
    JwtBearer,
    /// Client credentials.
    ClientCredentials,
    /// User name and password.
    Password,
    /// Refresh token.
    RefreshToken,
}

/// The two forms of access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenFormat {
    /// Organization, `!`, secret: good for every API.
    #[default]
    Opaque,
    /// A signed JWT: good for REST and Bulk 2.0, refused by SOAP.
    Jwt,
}

/// What is particular about one user; everything else is as the org's `User` row says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserAccess {
    /// Login name; one that no `User` row has makes a user of its own.
    pub username: String,
    /// Password without the security token; none: that of the account.
    pub password: Option<String>,
    /// Security token; none: that of the account.
    pub security_token: Option<String>,
    /// Profile name; none: that of the row.
    pub profile: Option<String>,
    /// Whether the user is active; none: as the row says.
    pub active: Option<bool>,
    /// Locked out after too many wrong passwords.
    pub locked: bool,
    /// The password has expired: a login gives a session that is good for `setPassword` alone.
    pub password_expired: bool,
    /// Outside the profile's login hours or IP ranges.
    pub ip_restricted: bool,
    /// The permission "API Enabled"; none: as the profile says.
    pub api_enabled: Option<bool>,
    /// Whether sessions may be used with the REST API: a session policy or API Access Control may forbid it.
    pub rest_allowed: bool,
    /// The permission "Approve Uninstalled Connected Apps"; none: as the profile says.
    pub approve_uninstalled: Option<bool>,
    /// The permission "Use Any API Client", which passes uninstalled apps and API Access Control; none: as the profile
    /// says.
    pub any_api_client: Option<bool>,
    /// The permission "Api Only User", which keeps out of browsers; none: as the profile says.
    pub api_only: Option<bool>,
    /// The permission "Use Any API Auth" that the SOAP login asks for in new orgs.
    pub any_api_auth: bool,
    /// Objects (`Case`) and fields (`Account.Phone`) that the user does not see, beside those of the profile.
    pub hidden: Vec<String>,
}

impl Default for UserAccess {
    fn default() -> Self {
        UserAccess {
            username: String::new(),
            password: None,
            security_token: None,
            profile: None,
            active: None,
            locked: false,
            password_expired: false,
            ip_restricted: false,
            api_enabled: None,
            rest_allowed: true,
            approve_uninstalled: None,
            any_api_client: None,
            api_only: None,
            any_api_auth: true,
            hidden: Vec::new(),
        }
    }
}

/// What is particular about the users of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Name, as in `Profile.Name`.
    pub name: String,
    /// The permission "API Enabled".
    pub api_enabled: bool,
    /// The permission "Approve Uninstalled Connected Apps"; none: only for `System Administrator`, as by default.
    pub approve_uninstalled: Option<bool>,
    /// The permission "Use Any API Client".
    pub any_api_client: bool,
    /// The permission "Api Only User"; none: only for `Minimum Access - API Only Integrations`.
    pub api_only: Option<bool>,
    /// Objects (`Case`) and fields (`Account.Phone`) that its users do not see.
    pub hidden: Vec<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            name: String::new(),
            api_enabled: true,
            approve_uninstalled: None,
            any_api_client: false,
            api_only: None,
            hidden: Vec::new(),
        }
    }
}

/// The org's own settings around login.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Not locked, closed or suspended.
    pub active: bool,
    /// The edition has the API.
    pub api_enabled: bool,
    /// "SOAP API login()" is switched on; it ends with version 65.0 in any case.
    pub soap_login: bool,
    /// "Allow OAuth Username-Password Flows".
    pub password_flow: bool,
    /// "Require Proof Key for Code Exchange" for every app.
    pub pkce_required: bool,
    /// "API Access Control": sessions are for installed apps, and for users with "Use Any API Client".
    pub api_access_control: bool,
    /// The caller's network is trusted: a password needs no security token.
    pub trusted_network: bool,
    /// The address is the org's My Domain; otherwise it is a login host and takes no client credentials.
    pub my_domain: bool,
    /// Logins of one user within an hour before they are refused.
    pub logins_per_hour: u64,
    /// Seconds until an unused session ends.
    pub session_seconds: u64,
    /// Seconds until an authorization code ends.
    pub code_seconds: u64,
    /// Seconds until a device code ends.
    pub device_seconds: u64,
    /// Seconds between two polls of the device flow.
    pub device_interval_seconds: u64,
    /// Refreshes after which the org moves to another instance address; none: it stays.
    pub moves_after_refreshes: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            active: true,
            api_enabled: true,
            soap_login: true,
            password_flow: true,
            pkce_required: false,
            api_access_control: false,
            trusted_network: false,
            my_domain: true,
            logins_per_hour: LOGINS_PER_HOUR,
            session_seconds: SESSION_SECONDS,
            code_seconds: CODE_SECONDS,
            device_seconds: DEVICE_SECONDS,
            device_interval_seconds: DEVICE_INTERVAL_SECONDS,
            moves_after_refreshes: None,
        }
    }
}
