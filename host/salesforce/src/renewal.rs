//! Refresh tokens: where the one to use lies, and that its successor is kept before anything else happens.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::credentials::{App, Home};
use crate::error::{Error, Result};
use crate::oauth::Granted;
use crate::session::Desk;
use crate::store::disk::{self, Aside};
use crate::store::{Kept, Vault};

/// Of a login that ends with its access token.
pub(crate) const NOT_RENEWABLE: &str = "the login gave no refresh token: when the session ends, somebody has to log in \
    again; the app needs the scope \"Perform requests at any time (refresh_token)\"";

/// As the words for OAuth errors have it, which know no connection.
const RECONNECT: &str = "`forcepump connection reconnect NAME`";
/// Of a process that was killed between a token request and its answer; nothing can bring that back.
const AFTER_A_CRASH: &str = "\n  a forcepump that was renewing this token was killed before it could keep the answer: where the app \
    rotates refresh tokens, the org has replaced the one that is kept, and nobody has the new one\n";

/// A grant, and what the user should hear of it.
pub(crate) struct Renewed {
    pub(crate) granted: Granted,
    pub(crate) notice: Option<String>,
}

impl From<Granted> for Renewed {
    fn from(granted: Granted) -> Self {
        Self { granted, notice: None }
    }
}

/// The access token of the store, unless it is the one found `stale`; else a refresh, under the store's lock: whoever
/// comes second finds the tokens of the first.
pub(crate) async fn from_store(
    desk: &Desk,
    app: &App,
    vault: &Vault,
    unsaved: &mut Option<SecretString>,
    stale: Option<&SecretString>,
) -> Result<Renewed> {
    if unsaved.is_none()
        && let Some(granted) = at_hand(vault.store.read(&vault.name)?, stale)
    {
        return Ok(granted.into());
    }
    let mut locked = vault.store.lock(&vault.name).await?;
    let mut kept = locked.kept()?;
    if unsaved.is_none()
        && let Some(granted) = at_hand(kept.clone(), stale)
    {
        return Ok(granted.into());
    }
    let token = unsaved.clone().or_else(|| kept.refresh_token.clone());
    let token = token.ok_or_else(|| no_refresh_token(&vault.name, kept.has_tokens()))?;
    locked.prepare()?;
    let way = format!("`forcepump connection reconnect {}`", vault.name);
    let after_a_crash = locked.is_after_a_crash();
    let granted = desk.refresh(app, &token).await.map_err(|error| log_in_again(error, &way, after_a_crash))?;
    kept.grant(granted.access_token.clone(), granted.instance_url.clone(), granted.rotated.clone());
    let notice = match locked.save(&kept) {
        Ok(()) => {
            *unsaved = None;
            None
        }
        Err(error) => {
            *unsaved = kept.refresh_token;
            granted.rotated.is_some().then(|| lost(&error.to_string()))
        }
    };
    Ok(Renewed { granted, notice })
}

fn at_hand(kept: Kept, stale: Option<&SecretString>) -> Option<Granted> {
    let access_token = kept.access_token?;
    if stale.is_some_and(|stale| stale.expose_secret() == access_token.expose_secret()) {
        return None;
    }
    Some(Granted { access_token, instance_url: kept.instance_url, rotated: None })
}

/// A refresh with the user's own token. Where its home can be locked and read, the newest is used, and a rotated one is
/// written there.
pub(crate) async fn from_home(desk: &Desk, app: &App, token: &mut SecretString, home: &Home) -> Result<Renewed> {
    match home {
        Home::Environment => {
            let way = "put its new refresh token in that environment variable";
            let granted = desk.refresh(app, token).await.map_err(|error| log_in_again(error, way, false))?;
            let place = "an environment variable; use refresh_token = \"file:PATH\" or \"store:refresh_token\" with such an app";
            let notice = rotated(&granted, token).then(|| lost(place));
            Ok(Renewed { granted, notice })
        }
        Home::File(path) => {
            // a folder that cannot be written has no lock, and no rotated token either
            let _lock = disk::lock(&beside(path, ".lock")).await.ok();
            if let Ok(text) = std::fs::read_to_string(path)
                && !text.trim().is_empty()
            {
                *token = SecretString::from(text.trim());
            }
            let aside = Aside::open(path);
            let after_a_crash = aside.as_ref().is_ok_and(|aside| aside.after_a_crash);
            let way = format!("put its new refresh token in {}", path.display());
            let granted = desk.refresh(app, token).await.map_err(|error| log_in_again(error, &way, after_a_crash))?;
            let failed = rotated(&granted, token)
                .then(|| aside.and_then(|aside| aside.replace(token.expose_secret().as_bytes())).err());
            Ok(Renewed {
                granted,
                notice: failed.flatten().map(|error| lost(&format!("{} ({error})", path.display()))),
            })
        }
        Home::Vault(vault, key) => {
            let mut locked = vault.store.lock(&vault.name).await?;
            let mut kept = locked.kept()?;
            if let Some(newest) = kept.secrets.get(key) {
                *token = newest.clone();
            }
            locked.prepare()?;
            let way = format!("`forcepump connection reconnect {}`", vault.name);
            let after_a_crash = locked.is_after_a_crash();
            let granted = desk.refresh(app, token).await.map_err(|error| log_in_again(error, &way, after_a_crash))?;
            let failed = rotated(&granted, token).then(|| {
                kept.secrets.insert(key.clone(), token.clone());
                locked.save(&kept).err()
            });
            Ok(Renewed { granted, notice: failed.flatten().map(|error| lost(&error.to_string())) })
        }
    }
}

/// Takes over a new token, if the grant has one.
fn rotated(granted: &Granted, token: &mut SecretString) -> bool {
    match &granted.rotated {
        Some(new) if new.expose_secret() != token.expose_secret() => {
            *token = new.clone();
            true
        }
        _ => false,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn lost(place: &str) -> String {
    format!(
        "the app rotates refresh tokens and the new one could not be stored in {place}: \
         the next run will not be able to log in"
    )
}

fn no_refresh_token(name: &str, had_access: bool) -> Error {
    let what = if had_access {
        "its access token is dead, and the login gave no refresh token: the app needs the scope \"Perform requests at any time (refresh_token)\""
    } else {
        "it has no tokens yet: nobody has logged in"
    };
    Error::config(format!("connection {name}: {what}\nhint: `forcepump connection reconnect {name}`"))
}

/// What Salesforce refused needs a person, who is told the `way`; what the network did is tried again in the next run.
fn log_in_again(error: Error, way: &str, after_a_crash: bool) -> Error {
    match error {
        Error::Auth { code, message, retryable: false } => {
            let mut message = match message.contains(RECONNECT) {
                true => message.replace(RECONNECT, way),
                false => format!("{message}\nhint: or log in again: {way}"),
            };
            if after_a_crash {
                message = message.replacen("\n", AFTER_A_CRASH, 1);
            }
            Error::Auth { code, message, retryable: false }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(rotated: &str) -> Granted {
        let rotated = Some(SecretString::from(rotated));
        Granted { access_token: SecretString::from("a"), instance_url: None, rotated }
    }

    #[test]
    fn a_new_token_is_taken_over_and_the_same_is_no_rotation() {
        let mut token = SecretString::from("old");
        assert!(!rotated(&granted("old"), &mut token));
        assert!(rotated(&granted("new"), &mut token));
        assert_eq!(token.expose_secret(), "new");
    }

    #[test]
    fn a_stale_token_is_not_at_hand_and_another_is() {
        let mut kept = Kept::default();
        assert!(at_hand(kept.clone(), None).is_none());
        kept.grant(SecretString::from("a"), None, None);
        assert!(at_hand(kept.clone(), None).is_some());
        assert!(at_hand(kept.clone(), Some(&SecretString::from("a"))).is_none());
        assert!(at_hand(kept, Some(&SecretString::from("b"))).is_some());
    }

    #[test]
    fn a_refusal_names_the_way_to_a_new_login_once_and_a_crash_before_it() {
        let refused = |text: &str| crate::words::oauth::explain("acme.my.salesforce.com", "invalid_grant", text);
        for text in ["expired access/refresh token", "inactive user"] {
            let told = log_in_again(refused(text), "`forcepump connection reconnect prod`", false).to_string();
            assert!(told.matches("connection reconnect prod").count() == 1 && !told.contains("NAME"), "{told}");
            assert!(!told.contains("killed"), "{told}");
            let told = log_in_again(refused(text), "put its new refresh token in /x", true).to_string();
            assert!(told.contains("in /x") && told.contains("was killed before") && !told.contains("NAME"), "{told}");
            assert!(told.lines().nth(2).is_some_and(|line| line.starts_with("  the ")), "{told}");
        }
    }

    #[test]
    fn who_has_no_tokens_is_told_the_command() {
        for had_access in [true, false] {
            assert!(no_refresh_token("prod", had_access).to_string().contains("connection reconnect prod"));
        }
    }
}
