//! Logins under way: browser sessions, authorizations that wait for an answer, codes, device codes.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::secrets::Secrets;
use super::tenant::Tenant;
use super::user::User;

/// Length of authorization and device codes, as seen.
const CODE_CHARS: usize = 84;
/// Length of the cookie of a browser session.
const COOKIE_CHARS: usize = 64;
/// Length of the code that a user types (recorded: `3E159D06`).
const USER_CODE_CHARS: usize = 8;

/// A user of one of the orgs.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) user: Arc<User>,
}

/// What the client will prove with its verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) value: String,
    /// The verifier itself instead of its SHA-256.
    pub(crate) plain: bool,
}

/// How an authorization is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `code` in the query of the callback.
    Code,
    /// Tokens in the fragment of the callback.
    Token { id_token: bool },
    /// The device that polls with this code.
    Device(String),
}

/// What a client asks a user for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) client_id: String,
    /// Empty for a device.
    pub(crate) redirect_uri: String,
    pub(crate) answer: Answer,
    pub(crate) scope: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
}

/// An authorization code until it is taken.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) person: Person,
    pub(crate) ask: Ask,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued: DateTime<Utc>,
}

/// What became of a device code.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    Pending,
    Denied,
    Allowed { person: Person, scopes: Vec<String> },
}

/// A device that waits.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) client_id: String,
    pub(crate) scope: Option<String>,
    pub(crate) user_code: String,
    pub(crate) issued: DateTime<Utc>,
    pub(crate) polled: Option<DateTime<Utc>>,
    pub(crate) verdict: Verdict,
}

impl Device {
    pub(crate) fn is_over(&self, seconds: u64) -> bool {
        is_over(self.issued, seconds)
    }
}

/// Whether that many seconds have passed.
pub(crate) fn is_over(since: DateTime<Utc>, seconds: u64) -> bool {
    let limit = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds);
    limit.is_some_and(|limit| Utc::now() - since >= limit)
}

/// Everything between the first redirect and the token; shared by all addresses of one emulator.
#[derive(Debug)]
pub(crate) struct Desk {
    cookies: Secrets,
    codes_made: Secrets,
    browsers: HashMap<String, Person>,
    waiting: HashMap<String, (Person, Ask, Vec<String>)>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    assertions: HashMap<String, i64>,
}

impl Desk {
    pub(crate) fn new(seed: u64) -> Desk {
        Desk {
            cookies: Secrets::new(seed, "cookies"),
            codes_made: Secrets::new(seed, "codes"),
            browsers: HashMap::new(),
            waiting: HashMap::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            assertions: HashMap::new(),
        }
    }

    /// Begins a browser session; gives its cookie.
    pub(crate) fn enter(&mut self, person: Person) -> String {
        let cookie = self.cookies.next(COOKIE_CHARS);
        self.browsers.insert(cookie.clone(), person);
        cookie
    }

    pub(crate) fn browser(&self, cookie: &str) -> Option<Person> {
        self.browsers.get(cookie).cloned()
    }

    pub(crate) fn leave(&mut self, cookie: &str) {
        self.browsers.remove(cookie);
    }

    /// Keeps an authorization until the user answers it; gives the name of its page.
    pub(crate) fn wait(&mut self, person: Person, ask: Ask, scopes: Vec<String>) -> String {
        let source = self.codes_made.next(CODE_CHARS);
        self.waiting.insert(source.clone(), (person, ask, scopes));
        source
    }

    pub(crate) fn waiting(&self, source: &str) -> Option<&(Person, Ask, Vec<String>)> {
        self.waiting.get(source)
    }

    pub(crate) fn answered(&mut self, source: &str) -> Option<(Person, Ask, Vec<String>)> {
        self.waiting.remove(source)
    }

    /// Keeps what a code stands for; real codes begin and end so.
    pub(crate) fn issue_code(&mut self, person: Person, ask: Ask, scopes: Vec<String>) -> String {
        let code = format!("aPrx{}==", self.codes_made.next(CODE_CHARS - 6));
        self.codes.insert(code.clone(), Code { person, ask, scopes, issued: Utc::now() });
        code
    }

    pub(crate) fn code(&self, code: &str) -> Option<&Code> {
        self.codes.get(code)
    }

    /// Takes a code, which is good once.
    pub(crate) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code)
    }

    /// Registers a device; gives the code that it polls with.
    pub(crate) fn add_device(&mut self, client_id: &str, scope: Option<&str>) -> (String, Device) {
        let code = self.codes_made.next(CODE_CHARS);
        let device = Device {
            client_id: client_id.to_owned(),
            scope: scope.map(str::to_owned),
            user_code: self.codes_made.next_hex(USER_CODE_CHARS),
            issued: Utc::now(),
            polled: None,
            verdict: Verdict::Pending,
        };
        self.devices.insert(code.clone(), device.clone());
        (code, device)
    }

    pub(crate) fn device(&mut self, code: &str) -> Option<&mut Device> {
        self.devices.get_mut(code)
    }

    pub(crate) fn forget_device(&mut self, code: &str) {
        self.devices.remove(code);
    }

    /// The device whose user code somebody typed; case, spaces and hyphens do not count.
    pub(crate) fn device_of(&self, typed: &str) -> Option<(String, Device)> {
        let typed: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
        let found = self.devices.iter().find(|(_, device)| device.user_code.eq_ignore_ascii_case(&typed))?;
        Some((found.0.clone(), found.1.clone()))
    }

    /// Remembers the `jti` of an assertion; `false` when it was seen before.
    pub(crate) fn is_new_assertion(&mut self, jti: &str, expiry: i64) -> bool {
        let now = Utc::now().timestamp();
        self.assertions.retain(|_, expiry| *expiry > now);
        self.assertions.insert(jti.to_owned(), expiry).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Org;
    use crate::options::Options;

    fn person() -> Person {
        let tenant = Tenant::new(Arc::new(Options::default()), Org::empty(), vec!["http://x".to_owned()]);
        Person { user: tenant.default_user(), tenant: Arc::new(tenant) }
    }

    fn ask() -> Ask {
        Ask {
            client_id: "app".to_owned(),
            redirect_uri: "http://localhost/".to_owned(),
            answer: Answer::Code,
            scope: None,
            state: None,
            nonce: None,
            challenge: None,
        }
    }

    #[test]
    fn a_code_is_taken_once() {
        let mut desk = Desk::new(1);
        let code = desk.issue_code(person(), ask(), Vec::new());
        assert!(code.starts_with("aPrx") && code.ends_with("=="));
        assert!(desk.code(&code).is_some() && desk.take_code(&code).is_some());
        assert!(desk.code(&code).is_none() && desk.take_code(&code).is_none());
    }

    #[test]
    fn an_authorization_is_answered_once() {
        let mut desk = Desk::new(1);
        let source = desk.wait(person(), ask(), Vec::new());
        assert!(desk.waiting(&source).is_some());
        assert!(desk.answered(&source).is_some() && desk.answered(&source).is_none());
    }

    #[test]
    fn people_type_codes_in_their_own_way() {
        let mut desk = Desk::new(1);
        let (code, device) = desk.add_device("app", None);
        let (head, tail) = device.user_code.split_at(4);
        for typed in [device.user_code.to_lowercase(), format!(" {head}-{tail} ")] {
            assert_eq!(desk.device_of(&typed).map(|(found, _)| found).as_ref(), Some(&code));
        }
        assert!(desk.device_of(head).is_none());
        desk.forget_device(&code);
        assert!(desk.device(&code).is_none());
    }

    #[test]
    fn browsers_come_and_go_and_assertions_are_new_once() {
        let mut desk = Desk::new(1);
        let cookie = desk.enter(person());
        assert!(desk.browser(&cookie).is_some());
        desk.leave(&cookie);
        assert!(desk.browser(&cookie).is_none());
        assert!(desk.is_new_assertion("a", i64::MAX) && !desk.is_new_assertion("a", i64::MAX));
        // One that is over may come again; its time says that it is over.
        assert!(desk.is_new_assertion("b", 0) && desk.is_new_assertion("b", 0));
    }
}
