//! Who may call: tokens, the OAuth endpoints and their pages, the SOAP login, the user behind a session.

mod authorize;
mod client;
mod denied;
mod desk;
mod device;
mod form;
mod gate;
mod grants;
mod identity;
mod jwt;
mod login;
mod openid;
mod pages;
mod registry;
mod scopes;
mod secrets;
mod sessions;
mod soap;
mod soap_xml;
mod tenant;
mod token;
mod user;
mod wording;

pub(crate) use authorize::{approval, authorize, error_page};
pub(crate) use desk::Desk;
pub(crate) use device::connect;
pub(crate) use gate::{Shut, enter, session_expired};
pub(crate) use grants::first_grant;
pub(crate) use identity::{identity, introspect, revoke, userinfo};
pub(crate) use login::{change_password, home, login, logout};
pub(crate) use openid::{configuration, keys};
pub(crate) use sessions::Sessions;
pub(crate) use soap::{soap, soap_fault};
pub(crate) use tenant::Tenant;
pub(crate) use token::token;
pub(crate) use user::User;
