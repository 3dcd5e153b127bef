//! The device flow: a code to type on another device. Salesforce's own form of it, which is not that of RFC 8628.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::Desk;
use crate::connection::ConnectionConfig;
use crate::credentials::AuthMethod;
use crate::error::{Error, Result};
use crate::oauth::{Granted, form_answer, form_grant};
use crate::place::parse_url;
use crate::store::TokenStore;

/// How long Salesforce waits for the person.
const WINDOW: Duration = Duration::from_secs(600);
/// When the answer names no pause between two looks; and what `slow_down` adds (RFC 8628, 3.5).
const DEFAULT_PAUSE_SECONDS: u64 = 5;
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// No pause is longer than this, whatever the answer says.
const MAX_PAUSE_SECONDS: u64 = 60;

/// A login on another device that has begun.
pub struct DeviceLogin {
    desk: Desk,
    device_code: SecretString,
    user_code: String,
    url: String,
    pause: Duration,
    deadline: Instant,
}

#[derive(Deserialize)]
struct Begun {
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    interval: Option<u64>,
}

impl DeviceLogin {
    /// Asks for the code that the person will type.
    ///
    /// # Errors
    /// [`Error::Auth`] when Salesforce refuses, [`Error::Config`] when the connection is not of this kind.
    pub async fn start(config: &ConnectionConfig, name: &str, folder: &Path, store: &TokenStore) -> Result<Self> {
        let desk = Desk::of(config, AuthMethod::Device, name, folder, store)?;
        let mut form = vec![("response_type", "device_code"), ("client_id", desk.app.client_id.as_str())];
        let scope = desk.scope.trim().to_owned();
        if !scope.is_empty() {
            form.push(("scope", &scope));
        }
        let begun: Begun = form_answer(&desk.http, &desk.login_url, &form).await?;
        parse_url("verification_uri of the answer", &begun.verification_uri)?;
        let pause = begun.interval.unwrap_or(DEFAULT_PAUSE_SECONDS).clamp(1, MAX_PAUSE_SECONDS);
        Ok(Self {
            desk,
            device_code: begun.device_code,
            user_code: begun.user_code,
            url: begun.verification_uri,
            pause: Duration::from_secs(pause),
            deadline: Instant::now() + WINDOW,
        })
    }

    /// What the person types.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// The page where it is typed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks again and again until the person is done, then keeps the tokens.
    ///
    /// # Errors
    /// [`Error::Auth`] when the person refused or took too long, [`Error::Config`] when the tokens cannot be kept.
    pub async fn finish(mut self) -> Result<()> {
        loop {
            tokio::time::sleep(self.pause).await;
            match self.look().await {
                Ok(granted) => return self.desk.keep(granted).await,
                Err(error) if Instant::now() >= self.deadline => return Err(self.too_late(&error)),
                Err(Error::Auth { code, .. }) if code == "authorization_pending" => {}
                Err(Error::Auth { code, .. }) if code == "slow_down" => self.pause += SLOW_DOWN,
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn look(&self) -> Result<Granted> {
        let app = &self.desk.app;
        let mut form = vec![
            ("grant_type", "device"),
            ("client_id", app.client_id.as_str()),
            ("code", self.device_code.expose_secret()),
        ];
        if let Some(secret) = &app.client_secret {
            form.push(("client_secret", secret.expose_secret()));
        }
        form_grant(&self.desk.http, &self.desk.login_url, &form).await
    }

    fn too_late(&self, last: &Error) -> Error {
        let pending = matches!(last, Error::Auth { code, .. } if code == "authorization_pending");
        let last = if pending { "nobody typed the code".to_owned() } else { last.to_string() };
        Error::Auth {
            code: "expired_device_code".into(),
            message: format!(
                "login at {}: the code {} is no longer good: {last} within {} minutes\n\
                 hint: begin again; if the page refused the app, an admin installs it: Setup > Connected Apps OAuth Usage > \
                 Install (the device flow is closed to uninstalled apps since September 2025)",
                self.desk.host(),
                self.user_code,
                WINDOW.as_secs() / 60
            ),
            retryable: false,
        }
    }
}
