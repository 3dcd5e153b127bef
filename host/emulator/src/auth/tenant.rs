//! One org as its login side knows it: users, apps, permissions, approvals, sessions.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::denied::Denied;
use super::rights::ADMINISTRATOR;
use super::sessions::Sessions;
use super::user::{USER_FIELDS, User, first, quoted};
use crate::access::{App, UserAccess};
use crate::data::Org;
use crate::ids::id18;
use crate::options::{Account, Options};
use crate::server::lock;

/// Window of the login rate.
const HOUR: Duration = Duration::from_secs(3_600);

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

    pub(super) fn given(&self, username: &str) -> Option<UserAccess> {
        lock(&self.users).iter().find(|given| given.username.eq_ignore_ascii_case(username)).cloned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Profile;

    fn tenant(options: Options) -> Tenant {
        let addresses = vec!["http://old".to_owned(), "http://new".to_owned()];
        Tenant::new(Arc::new(options), Org::empty(), addresses)
    }

    #[test]
    fn an_org_without_rows_has_its_account_and_the_users_of_its_options() {
        let users = vec![UserAccess { username: "Ida@x.y".to_owned(), locked: true, ..UserAccess::default() }];
        let tenant = tenant(Options { users, ..Options::default() });
        assert_eq!(tenant.default_user().username, "admin@forcepump.example");
        let ida = tenant.user("ida@X.Y").unwrap();
        assert_eq!(ida.username, "Ida@x.y");
        assert_ne!(ida.id, tenant.default_user().id);
        assert!(tenant.access(&ida).locked && tenant.user("nobody@x.y").is_none());
    }

    #[test]
    fn own_entry_then_profile_then_default() {
        let profiles = vec![Profile {
            name: "Few".to_owned(),
            api_enabled: false,
            hidden: vec!["Case".to_owned()],
            ..Profile::default()
        }];
        let ida =
            UserAccess { username: "ida@x.y".to_owned(), profile: Some("Few".to_owned()), ..UserAccess::default() };
        let tenant = tenant(Options { users: vec![ida.clone()], profiles, ..Options::default() });
        let user = tenant.user("ida@x.y").unwrap();
        let access = tenant.access(&user);
        assert!(!access.api_enabled && !access.approve_uninstalled && access.hidden.contains("Case"));
        tenant.change_user(UserAccess { api_enabled: Some(true), hidden: vec!["Lead".to_owned()], ..ida });
        let access = tenant.access(&user);
        assert!(access.api_enabled && access.hidden.len() == 2);
        tenant.set_password(&user, "new");
        assert!(tenant.by_password("ida@x.y", &format!("new{}", access.security_token)).is_some());
    }

    #[test]
    fn an_org_moves_once() {
        let policy = crate::access::Policy { moves_after_refreshes: Some(1), ..Default::default() };
        let tenant = tenant(Options { policy, ..Options::default() });
        assert!(!tenant.has_left("http://old") && !tenant.has_left("http://new"));
        tenant.count_refresh();
        assert_eq!(tenant.instance_url(), "http://old");
        tenant.count_refresh();
        assert_eq!(tenant.instance_url(), "http://new");
        assert!(tenant.has_left("http://old") && !tenant.has_left("http://new"));
    }

    #[test]
    fn logins_are_counted_by_user() {
        let policy = crate::access::Policy { logins_per_hour: 1, ..Default::default() };
        let tenant = tenant(Options { policy, ..Options::default() });
        let (one, other) = (tenant.default_user(), User::example());
        assert_eq!(tenant.count_login(&one), Ok(()));
        assert_eq!(tenant.count_login(&one), Err(Denied::TooManyLogins));
        assert_eq!(tenant.count_login(&other), Ok(()));
    }
}
