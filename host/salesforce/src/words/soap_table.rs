//! The list of SOAP faults that a login can meet: Partner WSDL `ExceptionCode`, and recorded faults.

use super::{Words, entry};

/// Faults of the server, not of the credentials.
pub(super) const RETRYABLE: [&str; 4] =
    ["SERVER_UNAVAILABLE", "ORG_IN_MAINTENANCE", "API_CURRENTLY_DISABLED", "REQUEST_RUNNING_TOO_LONG"];

const OTHER_WAY: &str = "use auth = \"jwt-bearer\" or \"client-credentials\" instead";

/// Codes in the order in which they are compared.
pub(super) const SOAP: &[Words] = &[
    entry(
        "INVALID_LOGIN",
        "",
        "user name, password or security token is wrong, or the user is locked: all give this answer",
        "from an address that the org does not trust the security token is needed too, and a new password makes a new token",
        "check username and password, and give security_token: Settings > My Personal Information > Reset My Security Token mails it; the reason is in Setup > Login History",
    ),
    entry(
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "",
        "the org does not trust this machine's address and wants the security token too",
        "",
        "give the user's security token (security_token = \"env:NAME\"): Settings > My Personal Information > Reset My Security Token; or add this address to Setup > Network Access",
    ),
    entry(
        "INVALID_OPERATION",
        "disabled by default",
        "the org has the SOAP login switched off, as all orgs made since Winter '26",
        "",
        "use auth = \"jwt-bearer\" or \"client-credentials\", or ask the admin: Setup > User Interface > API login",
    ),
    entry(
        "INVALID_OPERATION",
        "",
        "the SOAP login does not exist in this version: Salesforce retires it (gone from API 65.0 on, everywhere in Summer '27)",
        "",
        OTHER_WAY,
    ),
    entry(
        "INSUFFICIENT_ACCESS",
        "",
        "the user may not log in by SOAP",
        "the permission \"Use Any API Auth\" is missing",
        "Setup > Permission Sets > System Permissions > Use Any API Auth; or use auth = \"jwt-bearer\"",
    ),
    entry(
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "",
        "the user's password has expired",
        "",
        "log in with a browser and choose a new password; for a user of integrations: Setup > Profiles > Password Never Expires",
    ),
    entry(
        "INVALID_SESSION_ID",
        "",
        "the session is dead or not allowed here",
        "it expired, somebody logged out, or the token is a JWT, which SOAP does not take",
        "log in again",
    ),
    entry(
        "LOGIN_DURING_RESTRICTED_TIME",
        "",
        "the profile's login hours forbid it now",
        "",
        "Setup > Profiles > the user's profile > Login Hours",
    ),
    entry(
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "",
        "the profile's login addresses do not hold this machine's",
        "",
        "Setup > Profiles > the user's profile > Login IP Ranges",
    ),
    entry(
        "PASSWORD_LOCKOUT",
        "",
        "too many wrong passwords",
        "",
        "Setup > Users > the user > Unlock, or wait as long as the org's lockout lasts",
    ),
    entry(
        "LOGIN_CHALLENGE_ISSUED",
        "",
        "the org wants this computer verified",
        "",
        "give the security token instead: Settings > My Personal Information > Reset My Security Token",
    ),
    entry(
        "LOGIN_CHALLENGE_PENDING",
        "",
        "the org wants this computer verified, and that is not done",
        "",
        "give the security token instead: Settings > My Personal Information > Reset My Security Token",
    ),
    entry("ORG_LOCKED", "", "the org is locked", "", "ask Salesforce, or the org's account executive"),
    entry("TRIAL_EXPIRED", "", "the org's trial is over", "", "ask Salesforce, or the org's account executive"),
    entry("INACTIVE_PORTAL", "", "the portal is switched off", "", "Setup > Digital Experiences > Settings"),
    entry(
        "API_DISABLED_FOR_ORG",
        "",
        "the API is not enabled for the org or the user",
        "the edition has no API (Enterprise, Unlimited, Performance and Developer Edition do), or the user lacks \"API Enabled\"",
        "Setup > Company Information shows the edition; Setup > Permission Sets > System Permissions > API Enabled",
    ),
    entry(
        "API_CURRENTLY_DISABLED",
        "",
        "the API is switched off for the user or the org at the moment",
        "",
        "Setup > Permission Sets > System Permissions > API Enabled; else try again later",
    ),
    entry(
        "UNSUPPORTED_API_VERSION",
        "",
        "this host does not serve the version of the SOAP API that has the login",
        "versions up to 30.0 are retired",
        OTHER_WAY,
    ),
    entry(
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "",
        "the user may not use API clients",
        "API Access Control is on, or the user lacks \"API Enabled\"",
        "Setup > Permission Sets > System Permissions > API Enabled, and \"Use Any API Client\" with API Access Control",
    ),
    entry(
        "CLIENT_REQUIRE_UPDATE_FOR_USER",
        "",
        "the org wants a newer client",
        "",
        "update forcepump; or give the user \"Use Any API Client\": Setup > Permission Sets > System Permissions",
    ),
    entry(
        "REQUEST_LIMIT_EXCEEDED",
        "concurrent",
        "too many long requests run at once in the org",
        "",
        "run again in a minute, or at another hour",
    ),
    entry(
        "REQUEST_LIMIT_EXCEEDED",
        "",
        "the org's API calls of 24 hours are used up",
        "",
        "wait until the window frees some: Setup > Company Information > API Requests, Last 24 Hours",
    ),
    entry(
        "REQUEST_RUNNING_TOO_LONG",
        "",
        "the login took Salesforce too long",
        "",
        "try again later; see https://status.salesforce.com",
    ),
    entry(
        "EXCEEDED_QUOTA",
        "",
        "too many logins",
        "a user may log in 3600 times an hour",
        "wait an hour, and log in less often",
    ),
    entry(
        "ORG_IN_MAINTENANCE",
        "",
        "the org is in maintenance",
        "",
        "see https://status.salesforce.com, and try again later",
    ),
    entry(
        "SERVER_UNAVAILABLE",
        "",
        "Salesforce is not available",
        "",
        "see https://status.salesforce.com, and try again later",
    ),
    entry(
        "SSO_SERVICE_DOWN",
        "",
        "the org's single sign-on does not answer",
        "",
        "ask its administrator, or use auth = \"jwt-bearer\"",
    ),
    entry(
        "INVALID_SSO_GATEWAY_URL",
        "",
        "the org's delegated authentication has no usable address",
        "",
        "Setup > Single Sign-On Settings > Delegated Gateway URL; or use auth = \"jwt-bearer\"",
    ),
    entry(
        "TXN_SECURITY_*",
        "",
        "a transaction security policy of the org stopped the login",
        "",
        "Setup > Transaction Security Policies",
    ),
];
