//! The pages that people see: plain forms with the field names of the real ones, which work without scripts.

use http::StatusCode;

use super::soap_xml::escape;
use crate::server::Reply;

const HTML: &str = "text/html;charset=UTF-8";

fn page(status: StatusCode, title: &str, body: &str) -> Reply {
    let title = escape(title);
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <style>body{{font-family:sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}}\
         label,input{{display:block;margin:.4rem 0}}.error{{color:#b00}}</style>\n\
         </head>\n<body>\n{body}\n</body>\n</html>\n"
    );
    Reply::text(status, HTML, text)
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
}

fn complaint(text: Option<&str>) -> String {
    text.map(|text| format!("<div id=\"error\" class=\"error\" role=\"alert\">{}</div>\n", escape(text)))
        .unwrap_or_default()
}

/// The login page; `start_url` is where a good login leads.
pub(super) fn login(start_url: &str, username: &str, error: Option<&str>) -> Reply {
    let body = format!(
        "<h1>Log in to the Salesforce emulator</h1>\n{}\
         <form id=\"login_form\" name=\"login\" method=\"post\" action=\"/\">\n{}\
         <label for=\"username\">Username</label>\n\
         <input id=\"username\" name=\"username\" type=\"text\" autocomplete=\"username\" value=\"{}\">\n\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"pw\" type=\"password\" autocomplete=\"current-password\">\n\
         <input id=\"Login\" name=\"Login\" type=\"submit\" value=\"Log In\">\n</form>",
        complaint(error),
        hidden("startURL", start_url),
        escape(username),
    );
    page(StatusCode::OK, "Login | Salesforce", &body)
}

/// The page after a login with an expired password.
pub(super) fn change_password(start_url: &str, username: &str, error: Option<&str>) -> Reply {
    let body = format!(
        "<h1>Change Your Password</h1>\n{}\
         <p>The password of {} has expired.</p>\n\
         <form id=\"change_password_form\" method=\"post\" action=\"{CHANGE_PASSWORD}\">\n{}\
         <label for=\"currentpassword\">Current Password</label>\n\
         <input id=\"currentpassword\" name=\"currentpassword\" type=\"password\">\n\
         <label for=\"newpassword\">New Password</label>\n\
         <input id=\"newpassword\" name=\"newpassword\" type=\"password\">\n\
         <label for=\"confirmpassword\">Confirm New Password</label>\n\
         <input id=\"confirmpassword\" name=\"confirmpassword\" type=\"password\">\n\
         <input id=\"password-button\" name=\"save\" type=\"submit\" value=\"Change Password\">\n</form>",
        complaint(error),
        escape(username),
        hidden("startURL", start_url),
    );
    page(StatusCode::OK, "Change Your Password | Salesforce", &body)
}

/// Where an expired password is changed.
pub(super) const CHANGE_PASSWORD: &str = "/_ui/system/security/ChangePassword";
/// Where an app is allowed or denied.
pub(super) const APPROVAL: &str = "/setup/secur/RemoteAccessAuthorizationPage.apexp";
/// Where apps end that may not come in.
pub(super) const ERROR: &str = "/setup/secur/RemoteAccessErrorPage.apexp";
/// Where a device's code is typed.
pub(super) const CONNECT: &str = "/setup/connect";

/// The page on which a user allows an app or denies it.
pub(super) fn approval(source: &str, app: &str, username: &str, scopes: &[String]) -> Reply {
    let rows: String = scopes.iter().map(|scope| format!("<li>{}</li>\n", escape(meaning(scope)))).collect();
    let body = format!(
        "<h1>Allow Access?</h1>\n<p id=\"app_name\">{} is asking to:</p>\n<ul id=\"scopes\">\n{rows}</ul>\n\
         <p id=\"user_name\">Do you want to allow access for {}?</p>\n\
         <form id=\"editPage\" name=\"editPage\" method=\"post\" action=\"{APPROVAL}\">\n{}\
         <input id=\"oaapprove\" name=\"save\" type=\"submit\" value=\" Allow \">\n\
         <input id=\"oadeny\" name=\"cancel\" type=\"submit\" value=\" Deny \">\n</form>",
        escape(app),
        escape(username),
        hidden("source", source),
    );
    page(StatusCode::OK, "Allow Access? | Salesforce", &body)
}

/// What the approval page calls a scope.
fn meaning(scope: &str) -> &str {
    match scope {
        "api" => "Manage user data via APIs",
        "full" => "Full access",
        "id" => "Access the identity URL service",
        "openid" => "Access unique user identifiers",
        "refresh_token" => "Perform requests at any time",
        "web" => "Manage user data via Web browsers",
        other => other,
    }
}

/// The page on which the code of a device is typed.
pub(super) fn connect(user_code: &str, error: Option<&str>) -> Reply {
    let body = format!(
        "<h1>Connect Your Device</h1>\n{}\
         <form id=\"connect_form\" method=\"post\" action=\"{CONNECT}\">\n\
         <label for=\"user_code\">Code shown on your device</label>\n\
         <input id=\"user_code\" name=\"user_code\" type=\"text\" autocomplete=\"off\" value=\"{}\">\n\
         <input id=\"Connect\" name=\"connect\" type=\"submit\" value=\"Connect\">\n</form>",
        complaint(error),
        escape(user_code),
    );
    page(StatusCode::OK, "Connect | Salesforce", &body)
}

/// A page that only says something.
pub(super) fn notice(id: &str, title: &str, text: &str) -> Reply {
    page(StatusCode::OK, title, &format!("<h1>{}</h1>\n<p id=\"{id}\">{}</p>", escape(title), escape(text)))
}

/// The page at [`ERROR`], on which a login ends without a callback.
pub(super) fn error(code: &str) -> Reply {
    let text = match code {
        "app_not_found" => {
            "OAUTH_EC_APP_NOT_FOUND : The external client app is not installed in this org. Contact your administrator."
        }
        _ => "OAUTH_APPROVAL_ERROR_GENERIC : An unexpected error has occurred during authentication. Please try again.",
    };
    notice("error", "We can't authorize you because of an OAuth error", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Content;

    fn text(reply: Reply) -> String {
        let Content::Bytes(bytes) = reply.content else { panic!("no page") };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_comes_from_outside_is_text_on_every_page() {
        let evil = "\"><script>alert(1)</script>";
        for reply in [
            login(evil, evil, Some(evil)),
            change_password(evil, evil, Some(evil)),
            approval(evil, evil, evil, &[evil.to_owned()]),
            connect(evil, Some(evil)),
            error(evil),
        ] {
            let text = text(reply);
            assert!(!text.contains("<script>"), "{text}");
        }
    }
}
