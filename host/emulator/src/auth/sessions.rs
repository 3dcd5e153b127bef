//! Living access tokens and refresh tokens of one org.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::secrets::Secrets;
use super::user::User;

/// Length of the secret part of an access token, as seen: about 96 characters after the organization.
const TOKEN_CHARS: usize = 96;
/// Refresh tokens that one user holds for one app; a further authorization ends the oldest.
const APPROVALS_LIMIT: usize = 5;

/// What a session may do, and for whom.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) user: Arc<User>,
    /// The app; none: a SOAP login.
    pub(crate) client_id: Option<String>,
    /// Scopes in the order in which answers list them.
    pub(crate) scopes: Vec<String>,
    /// The password has expired: good for `setPassword` alone.
    pub(crate) restricted: bool,
}

impl Grant {
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// Whether the REST API may be used.
    pub(crate) fn has_api(&self) -> bool {
        self.client_id.is_none() || ["api", "full", "web"].iter().any(|scope| self.has(scope))
    }
}

/// One access token's session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) issued: DateTime<Utc>,
    pub(crate) grant: Arc<Grant>,
    used: DateTime<Utc>,
    /// The refresh-token family that it came from.
    family: Option<u64>,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Arc<Grant>,
    issued: DateTime<Utc>,
    family: u64,
    used_up: bool,
}

/// What a refresh gives.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) grant: Arc<Grant>,
    pub(crate) family: u64,
    /// The next refresh token, with rotation.
    pub(crate) next: Option<String>,
}

/// Every token of the org.
#[derive(Debug)]
pub(crate) struct Sessions {
    organization: String,
    timeout: TimeDelta,
    secrets: Secrets,
    live: HashMap<String, Session>,
    refresh: HashMap<String, RefreshToken>,
}

impl Sessions {
    pub(crate) fn new(seed: u64, organization_id: &str, timeout_seconds: u64) -> Sessions {
        Sessions {
            organization: organization_id.chars().take(15).collect(),
            timeout: seconds(timeout_seconds),
            secrets: Secrets::new(seed, &format!("sessions of {organization_id}")),
            live: HashMap::new(),
            refresh: HashMap::new(),
        }
    }

    /// A new access token, inside a refresh-token family or outside any.
    pub(crate) fn issue(&mut self, grant: &Arc<Grant>, family: Option<u64>) -> String {
        let token = format!("{}!{}", self.organization, self.secrets.next(TOKEN_CHARS));
        self.insert(token, grant, family)
    }

    /// A number that no other token of the org has, for tokens that are made elsewhere.
    pub(crate) fn token_id(&mut self) -> String {
        self.secrets.next(32)
    }

    /// Begins the session of a token.
    pub(crate) fn insert(&mut self, token: String, grant: &Arc<Grant>, family: Option<u64>) -> String {
        let now = Utc::now();
        self.live.insert(token.clone(), Session { issued: now, used: now, grant: grant.clone(), family });
        token
    }

    /// A new refresh token with a family of its own.
    pub(crate) fn issue_refresh(&mut self, grant: &Arc<Grant>) -> (String, u64) {
        self.drop_oldest(grant);
        let family = self.secrets.made();
        (self.refresh_in(grant, family), family)
    }

    /// Takes a refresh token of the app; with `rotation` it is used up and a new one follows.
    ///
    /// `None` when it is unknown, revoked, too old, of another app or used up; a used-up one revokes its family.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        rotation: bool,
        lifetime_seconds: Option<u64>,
    ) -> Option<Refreshed> {
        let found = self.refresh.get(token)?.clone();
        if found.used_up {
            self.revoke_family(found.family);
            return None;
        }
        let own = found.grant.client_id.as_deref() == Some(client_id);
        let old = lifetime_seconds.is_some_and(|lifetime| found.issued + seconds(lifetime) <= Utc::now());
        if !own || old {
            return None;
        }
        let next = rotation.then(|| {
            if let Some(old) = self.refresh.get_mut(token) {
                old.used_up = true;
            }
            self.refresh_in(&found.grant, found.family)
        });
        Some(Refreshed { grant: found.grant, family: found.family, next })
    }

    /// The session of a living token; using it keeps it alive.
    pub(crate) fn touch(&mut self, token: &str) -> Option<Session> {
        let now = Utc::now();
        if self.get(token).is_none() {
            self.live.remove(token);
            return None;
        }
        let session = self.live.get_mut(token)?;
        session.used = now;
        Some(session.clone())
    }

    /// The session of a living token.
    pub(crate) fn get(&self, token: &str) -> Option<&Session> {
        self.live.get(token).filter(|session| self.expires(session) > Utc::now())
    }

    /// When a session ends if nobody uses it.
    pub(crate) fn expires(&self, session: &Session) -> DateTime<Utc> {
        session.used + self.timeout
    }

    /// Whether the org gave out this token and did not revoke it.
    pub(crate) fn knows(&self, token: &str) -> bool {
        self.live.contains_key(token) || self.refresh.contains_key(token)
    }

    /// Whether a refresh token was ever given out and not revoked; it may be used up.
    pub(crate) fn knows_refresh(&self, token: &str) -> bool {
        self.refresh.contains_key(token)
    }

    /// A refresh token that is neither revoked nor used up.
    pub(crate) fn refresh_token(&self, token: &str) -> Option<&RefreshToken> {
        self.refresh.get(token).filter(|found| !found.used_up)
    }

    /// Ends the session of an access token, or a refresh token with all its sessions; `false` when it is unknown.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(found) = self.refresh.get(token) {
            self.revoke_family(found.family);
            return true;
        }
        self.live.remove(token).is_some()
    }

    /// Ends every session; refresh tokens live on.
    pub(crate) fn expire_all(&mut self) {
        self.live.clear();
    }

    /// Ends every refresh token and its sessions, as an administrator does who revokes all approvals.
    pub(crate) fn revoke_refresh_tokens(&mut self) {
        let families: Vec<u64> = self.refresh.values().map(|token| token.family).collect();
        families.into_iter().for_each(|family| self.revoke_family(family));
    }

    fn revoke_family(&mut self, family: u64) {
        self.refresh.retain(|_, token| token.family != family);
        self.live.retain(|_, session| session.family != Some(family));
    }

    /// Makes room for one more refresh token of the same user and app.
    fn drop_oldest(&mut self, grant: &Grant) {
        let same = |token: &&RefreshToken| {
            token.grant.user.id == grant.user.id && token.grant.client_id == grant.client_id && !token.used_up
        };
        let mut families: Vec<u64> = self.refresh.values().filter(same).map(|token| token.family).collect();
        families.sort_unstable();
        families.dedup();
        if families.len() >= APPROVALS_LIMIT
            && let Some(oldest) = families.first().copied()
        {
            self.refresh.retain(|_, token| token.family != oldest);
        }
    }

    fn refresh_in(&mut self, grant: &Arc<Grant>, family: u64) -> String {
        let token = format!("5Aep861{}", self.secrets.next(TOKEN_CHARS));
        let made = RefreshToken { grant: grant.clone(), issued: Utc::now(), family, used_up: false };
        self.refresh.insert(token.clone(), made);
        token
    }
}

fn seconds(count: u64) -> TimeDelta {
    i64::try_from(count).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "3MVG9";

    fn sessions() -> Sessions {
        Sessions::new(1, "00Dxx0000001gPLEAY", 7_200)
    }

    fn grant() -> Arc<Grant> {
        let user = Arc::new(User::example());
        Arc::new(Grant { user, client_id: Some(APP.to_owned()), scopes: vec!["api".to_owned()], restricted: false })
    }

    #[test]
    fn access_tokens_begin_with_the_organization() {
        let mut sessions = sessions();
        let (one, two) = (sessions.issue(&grant(), None), sessions.issue(&grant(), None));
        assert!(one.starts_with("00Dxx0000001gPL!"));
        assert_eq!(one.len(), 16 + TOKEN_CHARS);
        assert_ne!(one, two);
        assert!(sessions.touch(&one).is_some() && sessions.revoke(&one) && sessions.touch(&one).is_none());
    }

    #[test]
    fn replaying_a_rotated_token_revokes_the_family() {
        let mut sessions = sessions();
        let (first, family) = sessions.issue_refresh(&grant());
        let other = sessions.issue(&grant(), None);
        let refreshed = sessions.refresh(&first, APP, true, None).unwrap();
        assert_eq!(refreshed.family, family);
        let access = sessions.issue(&refreshed.grant, Some(family));
        assert!(sessions.refresh(&first, APP, true, None).is_none());
        assert!(sessions.get(&access).is_none());
        assert!(sessions.refresh(&refreshed.next.unwrap(), APP, true, None).is_none());
        assert!(sessions.get(&other).is_some());
    }

    #[test]
    fn without_rotation_the_token_stays_but_only_for_its_app_and_its_time() {
        let mut sessions = sessions();
        let (token, _) = sessions.issue_refresh(&grant());
        for _ in 0..2 {
            assert!(sessions.refresh(&token, APP, false, Some(60)).unwrap().next.is_none());
        }
        assert!(sessions.refresh(&token, "other", false, None).is_none());
        assert!(sessions.refresh(&token, APP, false, Some(0)).is_none());
    }

    #[test]
    fn a_sixth_authorization_ends_the_first() {
        let mut sessions = sessions();
        let tokens: Vec<String> = (0..6).map(|_| sessions.issue_refresh(&grant()).0).collect();
        let live: Vec<bool> = tokens.iter().map(|token| sessions.refresh_token(token).is_some()).collect();
        assert_eq!(live, [false, true, true, true, true, true]);
    }

    #[test]
    fn an_unused_session_ends() {
        let mut sessions = Sessions::new(1, "00Dxx0000001gPLEAY", 0);
        let token = sessions.issue(&grant(), None);
        assert!(sessions.get(&token).is_none() && sessions.touch(&token).is_none());
    }
}
