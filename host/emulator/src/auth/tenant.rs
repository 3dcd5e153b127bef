//! One org as its login side knows it: users, apps, permissions, approvals, sessions.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::denied::Denied;
use super::sessions::Sessions;
use super::user::{USER_FIELDS, User, first, quoted};
use crate::access::{App, Flow, Installation, Profile, UserAccess};
use crate::data::Org;
use crate::ids::id18;
use crate::options::{Account, Options};
use crate::server::lock;

/// Standard profile that may approve uninstalled apps by default (knowledge article 005132365).
const ADMINISTRATOR: &str = "System Administrator";
/// Window of the login rate.
const HOUR: Duration = Duration::from_secs(3_600);

/// What a user may do.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) password: String,
    pub(crate) security_token: String,
    pub(crate) active: bool,
    pub(crate) locked: bool,
    pub(crate) password_expired: bool,
    pub(crate) ip_restricted: bool,
    pub(crate) api_enabled: bool,
    pub(crate) rest_allowed: bool,
    pub(crate) approve_uninstalled: bool,
    pub(crate) any_api_auth: bool,
    hidden: BTreeSet<String>,
}

/// The org behind a login.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) org: Arc<Org>,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) options: Arc<Options>,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    apps: Mutex<Vec<Arc<App>>>,
    users: Mutex<Vec<UserAccess>>,
    /// Scopes that users approved, by user id and client id.
    approvals: Mutex<HashMap<(String, String), BTreeSet<String>>>,
    logins: Mutex<HashMap<String, Vec<Instant>>>,
    /// The org as users see it who do not see all, by what is hidden.
    views: Mutex<HashMap<BTreeSet<String>, Arc<Org>>>,
    /// Instance addresses, the first at the start.
    addresses: Vec<String>,
    refreshes: AtomicU64,
}

impl Tenant {
    pub(crate) fn new(options: Arc<Options>, org: Org, addresses: Vec<String>) -> Tenant {
        let organization = first(&org, "SELECT Id, Name FROM Organization");
        let text = |key: &str| organization.as_ref()?.get(key)?.as_str().map(str::to_owned);
        let id = text("Id").unwrap_or_else(|| id18(*b"00D", 1));
        let name = text("Name").or_else(|| options.name.clone()).unwrap_or_else(|| "Forcepump Emulator".to_owned());
        let mut tenant = Tenant {
            sessions: Arc::new(Mutex::new(Sessions::new(options.seed, &id, options.policy.session_seconds))),
            apps: Mutex::default(),
            users: Mutex::new(options.users.clone()),
            approvals: Mutex::default(),
            logins: Mutex::default(),
            views: Mutex::default(),
            org: Arc::new(org),
            refreshes: AtomicU64::new(0),
            id,
            name,
            options,
            addresses,
        };
        tenant.apps = Mutex::new(apps(&tenant.options, &tenant.default_user()));
        tenant
    }

    /// The instance address that tokens name now; it changes once when the org moves.
    pub(crate) fn instance_url(&self) -> &str {
        let address = if self.has_moved() { self.addresses.last() } else { self.addresses.first() };
        address.map(String::as_str).unwrap_or_default()
    }

    /// Whether the org is a sandbox, as its row says.
    pub(crate) fn is_sandbox(&self) -> bool {
        let row = first(&self.org, "SELECT IsSandbox FROM Organization");
        row.and_then(|row| row.get("IsSandbox")?.as_bool()).unwrap_or(false)
    }

    /// Whether the org has left this address for another.
    pub(crate) fn has_left(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| own == address) && self.instance_url() != address && self.has_moved()
    }

    fn has_moved(&self) -> bool {
        self.options.policy.moves_after_refreshes.is_some_and(|most| self.refreshes.load(Ordering::Relaxed) > most)
    }

    /// Counts a refresh, after which the org may move; the sessions of the old address end then.
    pub(crate) fn count_refresh(&self) {
        let before = self.refreshes.fetch_add(1, Ordering::Relaxed);
        if self.options.policy.moves_after_refreshes == Some(before) {
            lock(&self.sessions).expire_all();
        }
    }

    /// The user that the account names, else the org's first; one without a row where the org has none.
    pub(crate) fn default_user(&self) -> Arc<User> {
        let account = &self.options.account;
        let named = account.username.as_deref().map(|name| self.user(name).unwrap_or_else(|| self.without_row(name)));
        let user = named.or_else(|| first(&self.org, &format!("{USER_FIELDS} LIMIT 1")).map(|row| self.of_row(&row)));
        Arc::new(user.unwrap_or_else(|| self.without_row("admin@forcepump.example")))
    }

    /// The user of that login name, case ignored.
    pub(crate) fn user(&self, username: &str) -> Option<User> {
        let row = first(&self.org, &format!("{USER_FIELDS} WHERE Username = '{}' LIMIT 1", quoted(username)));
        if let Some(row) = row {
            return Some(self.of_row(&row));
        }
        let is = |name: &str| name.eq_ignore_ascii_case(username);
        let known = self.options.account.username.as_deref().filter(|name| is(name)).map(str::to_owned);
        let known = known.or_else(|| self.given(username).map(|given| given.username));
        known.map(|name| self.without_row(&name))
    }

    /// The user of that login name who may log in and whose password it is, followed by the security token.
    pub(crate) fn by_password(&self, username: &str, password: &str) -> Option<User> {
        let user = self.user(username)?;
        let access = self.access(&user);
        let rest = password.strip_prefix(access.password.as_str())?;
        let fits = rest == access.security_token || (rest.is_empty() && self.options.policy.trusted_network);
        (fits && access.active && !access.locked).then_some(user)
    }

    fn of_row(&self, row: &Value) -> User {
        let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        User {
            id: text("/Id"),
            organization_id: self.id.clone(),
            organization_name: self.name.clone(),
            username: text("/Username"),
            first_name: text("/FirstName"),
            last_name: text("/LastName"),
            email: text("/Email"),
            profile: text("/Profile/Name"),
            active: row.get("IsActive").and_then(Value::as_bool).unwrap_or(true),
        }
    }

    fn without_row(&self, username: &str) -> User {
        /// Serial numbers of users without a row begin here, far above those of rows.
        const FIRST_SERIAL: u64 = 1_000_000_000;
        let place = lock(&self.users).iter().position(|user| user.username.eq_ignore_ascii_case(username));
        let serial = place.map_or(0, |place| place as u64 + 1);
        User {
            id: id18(*b"005", FIRST_SERIAL + serial),
            organization_id: self.id.clone(),
            organization_name: self.name.clone(),
            username: username.to_owned(),
            first_name: String::new(),
            last_name: "Admin".to_owned(),
            email: "admin@example.com".to_owned(),
            profile: ADMINISTRATOR.to_owned(),
            active: true,
        }
    }

    fn given(&self, username: &str) -> Option<UserAccess> {
        lock(&self.users).iter().find(|given| given.username.eq_ignore_ascii_case(username)).cloned()
    }

    /// What a user may do: as his own entry says, else his profile's, else as usual.
    pub(crate) fn access(&self, user: &User) -> Access {
        let given = self.given(&user.username).unwrap_or_default();
        let name = given.profile.as_deref().unwrap_or(&user.profile);
        let profile = self.options.profiles.iter().find(|profile| profile.name == name);
        let usual = Profile::default();
        let account = &self.options.account;
        Access {
            password: given.password.unwrap_or_else(|| account.password.clone()),
            security_token: given.security_token.unwrap_or_else(|| account.security_token.clone()),
            active: given.active.unwrap_or(user.active),
            locked: given.locked,
            password_expired: given.password_expired,
            ip_restricted: given.ip_restricted,
            api_enabled: given.api_enabled.unwrap_or(profile.unwrap_or(&usual).api_enabled),
            rest_allowed: given.rest_allowed,
            approve_uninstalled: given
                .approve_uninstalled
                .or(profile.and_then(|profile| profile.approve_uninstalled))
                .unwrap_or(name == ADMINISTRATOR),
            any_api_auth: given.any_api_auth,
            hidden: given.hidden.iter().chain(profile.iter().flat_map(|profile| &profile.hidden)).cloned().collect(),
        }
    }

    /// The org as this user sees it.
    pub(crate) fn view(&self, user: &User) -> Arc<Org> {
        let hidden = self.access(user).hidden;
        if hidden.is_empty() {
            return self.org.clone();
        }
        let mut views = lock(&self.views);
        views.entry(hidden).or_insert_with_key(|hidden| Arc::new(self.org.hiding(hidden))).clone()
    }

    /// Replaces what is particular about a user, as an administrator does.
    pub(crate) fn change_user(&self, changed: UserAccess) {
        let mut users = lock(&self.users);
        match users.iter_mut().find(|user| user.username.eq_ignore_ascii_case(&changed.username)) {
            Some(user) => *user = changed,
            None => users.push(changed),
        }
    }

    /// Gives a user a new password, which ends its expiry.
    pub(crate) fn set_password(&self, user: &User, password: &str) {
        let mut given = self.given(&user.username).unwrap_or_default();
        given.username.clone_from(&user.username);
        given.password = Some(password.to_owned());
        given.password_expired = false;
        self.change_user(given);
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<Arc<App>> {
        lock(&self.apps).iter().find(|app| app.client_id == client_id).cloned()
    }

    /// Adds an app, or replaces the one with its client id.
    pub(crate) fn change_app(&self, changed: App) {
        let mut apps = lock(&self.apps);
        apps.retain(|app| app.client_id != changed.client_id);
        apps.push(Arc::new(changed));
    }

    /// Counts a login; too many in an hour are refused.
    pub(crate) fn count_login(&self, user: &User) -> Result<(), Denied> {
        let mut logins = lock(&self.logins);
        let times = logins.entry(user.id.clone()).or_default();
        times.retain(|time| time.elapsed() < HOUR);
        times.push(Instant::now());
        let most = usize::try_from(self.options.policy.logins_per_hour).unwrap_or(usize::MAX);
        if times.len() > most { Err(Denied::TooManyLogins) } else { Ok(()) }
    }

    pub(crate) fn approve(&self, user: &User, client_id: &str, scopes: &[String]) {
        let key = (user.id.clone(), client_id.to_owned());
        lock(&self.approvals).entry(key).or_default().extend(scopes.iter().cloned());
    }

    /// The scopes that the user has approved for the app; none when he never approved it.
    pub(crate) fn approved(&self, user: &User, client_id: &str) -> Option<BTreeSet<String>> {
        lock(&self.approvals).get(&(user.id.clone(), client_id.to_owned())).cloned()
    }

    /// Whether an administrator approved the app for the user.
    pub(crate) fn is_admin_approved(&self, user: &User, app: &App) -> bool {
        let profile = self.given(&user.username).and_then(|given| given.profile);
        let profile = profile.as_deref().unwrap_or(&user.profile);
        app.approved.iter().any(|name| name == "*" || name == profile || name.eq_ignore_ascii_case(&user.username))
    }

    /// Whether the user may come in through the app by this flow.
    pub(crate) fn admit(&self, user: &User, app: &App, flow: Flow) -> Result<(), Denied> {
        let access = self.access(user);
        self.may_log_in(&access)?;
        if app.flows_off.contains(&flow) {
            return Err(Denied::FlowOff);
        }
        let approved_before = self.approved(user, &app.client_id).is_some() && flow != Flow::Device;
        match app.installation {
            Installation::Installed => {}
            Installation::Blocked => return Err(Denied::Blocked),
            Installation::Uninstalled if approved_before || access.approve_uninstalled => {}
            Installation::Uninstalled => return Err(Denied::NotInstalled),
        }
        if app.admin_approved_only && !self.is_admin_approved(user, app) {
            return Err(Denied::NotApproved);
        }
        Ok(())
    }

    fn may_log_in(&self, access: &Access) -> Result<(), Denied> {
        if !self.options.policy.active {
            return Err(Denied::InactiveOrg);
        }
        if !access.active {
            return Err(Denied::InactiveUser);
        }
        if access.ip_restricted { Err(Denied::IpRestricted) } else { Ok(()) }
    }
}

/// The apps of an org: the account's, Salesforce's own command line, and those of the options.
fn apps(options: &Options, user: &User) -> Vec<Arc<App>> {
    let mut apps = vec![account_app(&options.account, user), platform_cli()];
    for app in &options.apps {
        apps.retain(|known| known.client_id != app.client_id);
        apps.push(app.clone());
    }
    apps.into_iter().map(Arc::new).collect()
}

/// The account's app takes callbacks on any loopback port and every flow.
fn account_app(account: &Account, user: &User) -> App {
    App {
        client_id: account.client_id.clone(),
        client_secret: Some(account.client_secret.clone()),
        name: "Forcepump".to_owned(),
        callbacks: ["http://localhost:*", "http://127.0.0.1:*"].map(str::to_owned).to_vec(),
        scopes: ["refresh_token", "id", "openid", "web", "api", "full"].map(str::to_owned).to_vec(),
        jwt_certificate: account.jwt_certificate.clone(),
        jwt_without_approval: true,
        run_as: Some(user.username.clone()),
        ..App::default()
    }
}

/// The app that Salesforce's own command line brings; it has no secret.
fn platform_cli() -> App {
    App {
        client_id: "PlatformCLI".to_owned(),
        name: "Salesforce CLI".to_owned(),
        callbacks: ["http://localhost:1717/OauthRedirect", "http://localhost:*/OauthRedirect"]
            .map(str::to_owned)
            .to_vec(),
        scopes: ["refresh_token", "web", "api"].map(str::to_owned).to_vec(),
        secret_required: false,
        refresh_secret_required: false,
        ..App::default()
    }
}
