//! What comes back from the browser: by the redirect, by a person who pastes it, or not at all.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::error::{Error, Result};

/// A pasted address is shorter than this.
const MAX_PASTED_BYTES: usize = 16 * 1024;

/// The end of the person's part.
#[derive(Debug)]
pub(super) enum Answer {
    Code(SecretString),
    Refused { error: String, description: String },
}

/// Reads the query of the redirect; none when it is of another login, or of something else altogether. An error may
/// come without `state`, a code may not.
pub(super) fn read_query(query: &str, state: &str) -> Option<Answer> {
    let url = Url::parse(&format!("http://localhost/?{query}")).ok()?;
    let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value.into_owned());
    let given = value("state");
    if given.as_deref().is_some_and(|given| given != state) {
        return None;
    }
    if let Some(refused) = refused(query) {
        return Some(refused);
    }
    let code = value("code").filter(|code| !code.is_empty() && given.is_some())?;
    Some(Answer::Code(SecretString::from(code)))
}

/// An error, of whatever login: a person who pastes it wants it explained.
fn refused(query: &str) -> Option<Answer> {
    let url = Url::parse(&format!("http://localhost/?{query}")).ok()?;
    let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value.into_owned());
    let error = value("error").filter(|error| !error.is_empty())?;
    Some(Answer::Refused { error, description: value("error_description").unwrap_or_default() })
}

/// Reads what a person pasted.
pub(super) fn read_pasted(text: &str, state: &str) -> Result<Answer> {
    let text = text.trim().trim_matches(['"', '\'', '<', '>']);
    if text.is_empty() || text.len() > MAX_PASTED_BYTES {
        return Err(useless());
    }
    if let Some(generic) = page_text(text) {
        return Ok(generic);
    }
    let query = match text.split_once(['?', '#']) {
        Some((_, query)) => query,
        None if text.contains("error=") || text.starts_with("code=") || text.contains("&code=") => text,
        None => return bare_code(text),
    };
    let query = query.split('#').next().unwrap_or_default();
    if let Some(answer) = read_query(query, state).or_else(|| refused(query)) {
        return Ok(answer);
    }
    // the code alone, cut out of the address together with its name
    let without_state = query.contains("code=") && !query.contains("state=");
    match without_state.then(|| read_query(&format!("{query}&state={state}"), state)).flatten() {
        Some(answer) => Ok(answer),
        None if query.contains("state=") => Err(Error::config(
            "the pasted address is of another login: open the page that was shown last, and paste the address that it ends at",
        )),
        None => Err(useless()),
    }
}

/// Salesforce's error page shows its code as text.
fn page_text(text: &str) -> Option<Answer> {
    const GENERIC: &str = "OAUTH_APPROVAL_ERROR_GENERIC";
    let (_, rest) = text.split_once(GENERIC).filter(|(before, _)| !before.contains('='))?;
    let description = rest.trim_start_matches([' ', ':']).to_owned();
    Some(Answer::Refused { error: GENERIC.to_owned(), description })
}

fn bare_code(text: &str) -> Result<Answer> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-=%!~".contains(c);
    if !text.chars().all(plain) || text.len() < 8 {
        return Err(useless());
    }
    // the address has it percent-encoded, once
    let decoded = Url::parse(&format!("http://localhost/?code={text}")).ok();
    let decoded = decoded.and_then(|url| url.query_pairs().next().map(|(_, code)| code.into_owned()));
    Ok(Answer::Code(SecretString::from(decoded.unwrap_or_else(|| text.to_owned()))))
}

fn useless() -> Error {
    Error::config(
        "that is neither the address that the browser ended at nor a code: expected something like \
         http://localhost:1717/OauthRedirect?code=aPrx…&state=…",
    )
}

/// Salesforce shows most errors in the browser and redirects nowhere: which page it may be, and who does what then.
pub(super) fn nothing_came(host: &str, redirect_uri: &str, waited: Duration) -> Error {
    Error::Auth {
        code: "no_callback".into(),
        message: format!(
            "login at {host}: nothing came to {redirect_uri} within {} s; the browser shows why:\n\
             - a page for user name and password, a new password, or \"Allow access?\": finish it, sooner\n\
             - \"Please check your username and password\" though they are right: it is the login page of another place; \
             users of a sandbox log in at test.salesforce.com, or at the org's My Domain\n\
             - \"OAUTH_APPROVAL_ERROR_GENERIC\" or \"app must be installed into org\": the app is not installed there; an \
             admin installs it in Setup > Connected Apps OAuth Usage > Install, or gives the user the permission \"Approve \
             Uninstalled Connected Apps\" (\"Use Any API Client\" where API Access Control is on); also when the app lacks a \
             scope that is asked for, or the user may use the API only\n\
             - \"OAUTH_EC_APP_NOT_FOUND\": the external client app is not of this org; check url or my_domain\n\
             - a line `error=invalid_client_id…`, or a file \"authorize\" to download: client_id is wrong, or younger than 10 \
             minutes\n\
             - `error=redirect_uri_mismatch`: add {redirect_uri} to the app's callback URLs, letter by letter\n\
             - \"missing required code challenge\": the app asks for PKCE; remove pkce = false\n\
             - \"this site can't be reached\" at {redirect_uri}: the browser is on another machine; use --paste\n\
             hint: `--paste` takes the address or the text of that page and explains it",
            waited.as_secs()
        ),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn code(answer: Option<Answer>) -> Option<String> {
        match answer? {
            Answer::Code(code) => Some(code.expose_secret().to_owned()),
            Answer::Refused { .. } => None,
        }
    }

    #[test]
    fn a_code_counts_with_the_right_state_only() {
        assert_eq!(code(read_query("code=aPrx.1%3D%3D&state=s", "s")).as_deref(), Some("aPrx.1=="));
        for stray in ["code=x", "code=x&state=other", "state=s", "", "code=&state=s", "error=x&state=other"] {
            assert!(read_query(stray, "s").is_none(), "{stray}");
        }
    }

    #[test]
    fn an_error_counts_without_state() {
        let Some(Answer::Refused { error, description }) =
            read_query("error=access_denied&error_description=end-user+denied+authorization", "s")
        else {
            panic!("no error")
        };
        assert_eq!((error.as_str(), description.as_str()), ("access_denied", "end-user denied authorization"));
    }

    #[test]
    fn whatever_a_person_pastes() {
        for text in [
            "http://localhost:1717/OauthRedirect?code=aPrx.1%3D%3D&state=s",
            " \"http://localhost:1717/OauthRedirect?state=s&code=aPrx.1%3D%3D#_\"\n",
            "aPrx.1%3D%3D",
            "aPrx.1==",
            "code=aPrx.1%3D%3D",
        ] {
            assert_eq!(code(read_pasted(text, "s").ok()).as_deref(), Some("aPrx.1=="), "{text}");
        }
        for (text, expected) in [
            ("error=invalid_client_id&error_description=client%20identifier%20invalid", "invalid_client_id"),
            (
                "https://a.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&error_description=app+must+be+installed+into+org&state=other",
                "invalid_client",
            ),
            ("OAUTH_APPROVAL_ERROR_GENERIC : An unexpected error has occurred", "OAUTH_APPROVAL_ERROR_GENERIC"),
        ] {
            let Ok(Answer::Refused { error, .. }) = read_pasted(text, "s") else { panic!("{text}") };
            assert_eq!(error, expected);
        }
        for text in ["", "hello world", "http://localhost/?code=x&state=other", "https://example.com", "x"] {
            assert!(read_pasted(text, "s").is_err(), "{text}");
        }
    }

    #[test]
    fn silence_is_explained() {
        let text = nothing_came("h", "http://localhost:1717/OauthRedirect", Duration::from_secs(3)).to_string();
        for word in ["within 3 s", "Connected Apps OAuth Usage", "invalid_client_id", "--paste"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
