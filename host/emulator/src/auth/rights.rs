//! What a user may do, and whether he may come in through an app.

use std::collections::BTreeSet;

use super::denied::Denied;
use super::tenant::Tenant;
use super::user::User;
use crate::access::{App, Flow, Installation, Profile};

/// Standard profile that may approve uninstalled apps by default (knowledge article 005132365).
pub(super) const ADMINISTRATOR: &str = "System Administrator";
/// Standard profile whose users never see a page.
const API_ONLY: &str = "Minimum Access - API Only Integrations";

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
    pub(crate) any_api_client: bool,
    pub(crate) api_only: bool,
    pub(crate) any_api_auth: bool,
    pub(super) hidden: BTreeSet<String>,
}

impl Tenant {
    /// What a user may do: as his own entry says, else his profile's, else as usual.
    pub(crate) fn access(&self, user: &User) -> Access {
        let given = self.given(&user.username).unwrap_or_default();
        let name = given.profile.as_deref().unwrap_or(&user.profile);
        let profile = self.options.profiles.iter().find(|profile| profile.name == name);
        let usual = Profile::default();
        let settings = profile.unwrap_or(&usual);
        let account = &self.options.account;
        Access {
            password: given.password.unwrap_or_else(|| account.password.clone()),
            security_token: given.security_token.unwrap_or_else(|| account.security_token.clone()),
            active: given.active.unwrap_or(user.active),
            locked: given.locked,
            password_expired: given.password_expired,
            ip_restricted: given.ip_restricted,
            api_enabled: given.api_enabled.unwrap_or(settings.api_enabled),
            rest_allowed: given.rest_allowed,
            approve_uninstalled: given
                .approve_uninstalled
                .or(settings.approve_uninstalled)
                .unwrap_or(name == ADMINISTRATOR),
            any_api_client: given.any_api_client.unwrap_or(settings.any_api_client),
            api_only: given.api_only.or(settings.api_only).unwrap_or(name == API_ONLY),
            any_api_auth: given.any_api_auth,
            hidden: given.hidden.iter().chain(&settings.hidden).cloned().collect(),
        }
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
        if access.api_only && matches!(flow, Flow::WebServer | Flow::UserAgent | Flow::Device) {
            return Err(Denied::ApiOnly);
        }
        let approved_before = self.approved(user, &app.client_id).is_some() && flow != Flow::Device;
        let controlled = self.options.policy.api_access_control;
        match app.installation {
            Installation::Installed => {}
            Installation::Blocked => return Err(Denied::Blocked),
            Installation::Uninstalled if access.any_api_client => {}
            Installation::Uninstalled if !controlled && (approved_before || access.approve_uninstalled) => {}
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
