//! Living access tokens and refresh tokens.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha512};

/// Length of the secret part of an access token, as seen: about 96 characters after the organization.
const TOKEN_CHARS: usize = 96;
/// Session timeout that introspection and the SOAP login report, in seconds.
pub(crate) const SESSION_SECONDS: i64 = 7_200;

/// One access token's session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) issued: DateTime<Utc>,
    /// The refresh-token family that it came from.
    family: Option<u64>,
}

impl Session {
    pub(crate) fn expires(&self) -> DateTime<Utc> {
        self.issued + TimeDelta::seconds(SESSION_SECONDS)
    }
}

#[derive(Debug, Clone, Copy)]
struct RefreshToken {
    family: u64,
    used_up: bool,
}

/// Every token of the org.
#[derive(Debug)]
pub(crate) struct Sessions {
    seed: u64,
    organization: String,
    made: u64,
    live: HashMap<String, Session>,
    refresh: HashMap<String, RefreshToken>,
}

impl Sessions {
    pub(crate) fn new(seed: u64, organization_id: &str) -> Sessions {
        let organization = organization_id.chars().take(15).collect();
        Sessions { seed, organization, made: 0, live: HashMap::new(), refresh: HashMap::new() }
    }

    /// A new access token outside any refresh-token family.
    pub(crate) fn issue(&mut self) -> String {
        self.issue_in(None)
    }

    /// A new refresh token with a family of its own, as the browser flow hands it out.
    pub(crate) fn issue_refresh(&mut self) -> String {
        let family = self.made;
        self.refresh_in(family)
    }

    /// A new access token, and with `rotation` a new refresh token, for a refresh token.
    ///
    /// `None` when it is unknown, revoked or used up; a used-up one revokes its whole family.
    pub(crate) fn refresh(&mut self, token: &str, rotation: bool) -> Option<(String, Option<String>)> {
        let found = *self.refresh.get(token)?;
        if found.used_up {
            self.revoke_family(found.family);
            return None;
        }
        let access = self.issue_in(Some(found.family));
        if !rotation {
            return Some((access, None));
        }
        if let Some(old) = self.refresh.get_mut(token) {
            old.used_up = true;
        }
        Some((access, Some(self.refresh_in(found.family))))
    }

    pub(crate) fn is_live(&self, token: &str) -> bool {
        self.live.contains_key(token)
    }

    pub(crate) fn get(&self, token: &str) -> Option<&Session> {
        self.live.get(token)
    }

    pub(crate) fn is_refresh_live(&self, token: &str) -> bool {
        self.refresh.get(token).is_some_and(|found| !found.used_up)
    }

    /// Ends the session of an access token, or a refresh token with all its sessions; `false` when it is unknown.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(found) = self.refresh.get(token).copied() {
            self.revoke_family(found.family);
            return true;
        }
        self.live.remove(token).is_some()
    }

    /// Ends every session; refresh tokens live on.
    pub(crate) fn expire_all(&mut self) {
        self.live.clear();
    }

    fn revoke_family(&mut self, family: u64) {
        self.refresh.retain(|_, token| token.family != family);
        self.live.retain(|_, session| session.family != Some(family));
    }

    fn issue_in(&mut self, family: Option<u64>) -> String {
        let secret = self.secret();
        let token = format!("{}!{secret}", self.organization);
        self.live.insert(token.clone(), Session { issued: Utc::now(), family });
        token
    }

    fn refresh_in(&mut self, family: u64) -> String {
        let token = format!("5Aep861{}", self.secret());
        self.refresh.insert(token.clone(), RefreshToken { family, used_up: false });
        token
    }

    /// Characters that follow from the seed; real tokens hold `.` and `_` too.
    fn secret(&mut self) -> String {
        self.made += 1;
        let hash = |part: u8| {
            let mut hash = Sha512::new();
            hash.update(self.seed.to_le_bytes());
            hash.update(self.made.to_le_bytes());
            hash.update([part]);
            STANDARD_NO_PAD.encode(hash.finalize())
        };
        let text = hash(0) + &hash(1);
        text.replace('+', ".").replace('/', "_").chars().take(TOKEN_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(1, "00Dxx0000001gPLEAY")
    }

    #[test]
    fn access_tokens_begin_with_the_organization() {
        let mut sessions = sessions();
        let (one, two) = (sessions.issue(), sessions.issue());
        assert!(one.starts_with("00Dxx0000001gPL!"));
        assert_eq!(one.len(), 16 + TOKEN_CHARS);
        assert_ne!(one, two);
        assert!(sessions.is_live(&one) && sessions.revoke(&one) && !sessions.is_live(&one));
    }

    #[test]
    fn replaying_a_rotated_token_revokes_the_family() {
        let mut sessions = sessions();
        let first = sessions.issue_refresh();
        let other = sessions.issue();
        let (access, second) = sessions.refresh(&first, true).unwrap();
        let second = second.unwrap();
        assert!(sessions.is_live(&access));
        assert_eq!(sessions.refresh(&first, true), None);
        assert!(!sessions.is_live(&access));
        assert_eq!(sessions.refresh(&second, true), None);
        assert!(sessions.is_live(&other));
    }

    #[test]
    fn without_rotation_the_token_stays() {
        let mut sessions = sessions();
        let token = sessions.issue_refresh();
        for _ in 0..2 {
            assert!(sessions.refresh(&token, false).unwrap().1.is_none());
        }
    }
}
