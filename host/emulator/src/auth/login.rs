//! The login page and the browser session that it begins.

use http::header::{LOCATION, SET_COOKIE};
use http::{Method, StatusCode};

use super::desk::Person;
use super::form::Fields;
use super::pages;
use crate::server::{Call, Reply, State, lock};

/// Name of the browser session's cookie.
const COOKIE: &str = "sid";
/// The real page's words; it does not tell a wrong name from a wrong password or a locked user.
const WRONG: &str =
    "Please check your username and password. If you still can't log in, contact your Salesforce administrator.";

/// Sends the browser elsewhere.
pub(super) fn redirect(url: &str) -> Reply {
    Reply::empty(StatusCode::FOUND).with(LOCATION, url)
}

/// Who is logged in to this browser, if to an org behind this address.
pub(super) fn person(state: &State, call: &Call) -> Option<Person> {
    let person = lock(&state.desk).browser(call.cookie(COOKIE)?)?;
    let access = person.tenant.access(&person.user);
    (state.serves(&person.tenant) && access.active && !access.locked && !access.password_expired).then_some(person)
}

/// Sends the browser to the login page, from which it comes back to `start_url`.
pub(super) fn ask(start_url: &str, username: Option<&str>, display: Option<&str>) -> Reply {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("ec", "302").append_pair("startURL", start_url);
    for (name, value) in [("un", username), ("display", display)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    redirect(&format!("/?{}", query.finish()))
}

/// `/`: the form by GET, the login by POST.
pub(crate) fn login(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    let start_url = local(fields.get("startURL").unwrap_or("/home/home.jsp"));
    let username = fields.get("username").or_else(|| fields.get("un")).unwrap_or_default().trim();
    if call.method != Method::POST {
        return pages::login(start_url, username, None);
    }
    let password = fields.get("pw").unwrap_or_default();
    match by_password(state, username, password) {
        Some(person) if person.tenant.count_login(&person.user).is_err() => {
            pages::login(start_url, username, Some("Login rate exceeded. Try again later."))
        }
        Some(person) if person.tenant.access(&person.user).password_expired => {
            pages::change_password(start_url, &person.user.username, None)
                .with(SET_COOKIE, &cookie(&lock(&state.desk).enter(person)))
        }
        Some(person) => redirect(start_url).with(SET_COOKIE, &cookie(&lock(&state.desk).enter(person))),
        None => pages::login(start_url, username, Some(WRONG)),
    }
}

/// A person types the password alone; programs add the security token, which does no harm here.
fn by_password(state: &State, username: &str, password: &str) -> Option<Person> {
    state.tenants().iter().find_map(|tenant| {
        let user = tenant.user(username)?;
        let access = tenant.access(&user);
        let right = password == access.password || password == format!("{}{}", access.password, access.security_token);
        let fine = right && access.active && !access.locked;
        fine.then(|| Person { tenant: tenant.clone(), user: user.into() })
    })
}

/// The page on which an expired password is changed.
pub(crate) fn change_password(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    let start_url = local(fields.get("startURL").unwrap_or("/home/home.jsp"));
    let person = call.cookie(COOKIE).and_then(|cookie| lock(&state.desk).browser(cookie));
    let Some(person) = person else { return ask(start_url, None, None) };
    let shown = |error| pages::change_password(start_url, &person.user.username, error);
    if call.method != Method::POST {
        return shown(None);
    }
    let field = |name: &str| fields.get(name).unwrap_or_default();
    if field("currentpassword") != person.tenant.access(&person.user).password {
        return shown(Some("Your current password is not right."));
    }
    if field("newpassword").is_empty() || field("newpassword") != field("confirmpassword") {
        return shown(Some("The two new passwords must be the same and not empty."));
    }
    person.tenant.set_password(&person.user, field("newpassword"));
    redirect(start_url)
}

/// `/home/home.jsp`: where a login without an errand ends.
pub(crate) fn home(state: &State, call: &Call) -> Reply {
    match person(state, call) {
        Some(person) => pages::notice("home", "Home", &format!("You are logged in as {}.", person.user.username)),
        None => ask("/home/home.jsp", None, None),
    }
}

/// `/secur/logout.jsp`: ends the browser session.
pub(crate) fn logout(state: &State, call: &Call) -> Reply {
    if let Some(cookie) = call.cookie(COOKIE) {
        lock(&state.desk).leave(cookie);
    }
    redirect("/").with(SET_COOKIE, &format!("{COOKIE}=; Path=/; Max-Age=0"))
}

fn cookie(value: &str) -> String {
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax")
}

/// Only paths of this server are followed after a login.
fn local(url: &str) -> &str {
    let fine = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
    if fine { url } else { "/home/home.jsp" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_login_does_not_lead_away() {
        assert_eq!(local("/services/oauth2/authorize?x=1"), "/services/oauth2/authorize?x=1");
        for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "", "javascript:x"] {
            assert_eq!(local(elsewhere), "/home/home.jsp");
        }
    }
}
