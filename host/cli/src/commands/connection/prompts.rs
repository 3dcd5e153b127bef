//! What is missing of a connection, asked for at a terminal.

use std::io::IsTerminal;

use dialoguer::{Input, Select};

use super::secrets::{Typed, password, stdin_is_terminal};
use crate::exit::Failure;
use crate::output::Output;

/// The logins as people know them, and as the connections file has them.
const LOGINS: [(&str, &str); 7] = [
    ("in the browser, on this machine", "authorization-code"),
    ("in a browser on another device, with a code to type", "device"),
    ("as the app itself, with its consumer secret (client credentials)", "client-credentials"),
    ("with a private key (JWT bearer)", "jwt-bearer"),
    ("with a refresh token that I have", "refresh-token"),
    ("with an access token that I have", "access-token"),
    ("with user name, password and security token (SOAP, retired in 2027)", "soap"),
];

/// Where orgs are.
const PLACES: [(&str, &str); 4] = [
    ("production, Developer Edition or trial (login.salesforce.com)", "production"),
    ("sandbox (test.salesforce.com)", "sandbox"),
    ("My Domain (NAME.my.salesforce.com)", "my_domain"),
    ("another address", "url"),
];

/// Keys that a login cannot do without, and those that it may need.
fn keys(auth: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match auth {
        "authorization-code" | "device" => (&["client_id"], &["client_secret"]),
        "client-credentials" => (&["client_id", "client_secret"], &[]),
        "jwt-bearer" => (&["client_id", "username", "private_key"], &[]),
        "refresh-token" => (&["client_id", "refresh_token"], &["client_secret"]),
        "access-token" => (&["access_token"], &[]),
        _ => (&["username", "password"], &["security_token"]),
    }
}

/// Somebody is there to be asked.
pub fn possible(output: Output) -> bool {
    output.talks() && stdin_is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for what is missing; nothing is asked when nothing is.
pub async fn complete(settings: &mut Vec<(String, String)>, typed: &mut Vec<Typed>) -> Result<(), Failure> {
    let has = |settings: &[(String, String)], key: &str| settings.iter().any(|(given, _)| given == key);
    let mut asked = false;
    if settings.iter().any(|(key, value)| key == "environment" && value == "demo") {
        return Ok(());
    }
    let auth = match settings.iter().find(|(key, _)| key == "auth") {
        Some((_, auth)) => auth.clone(),
        None => {
            asked = true;
            let auth = choice("how to log in", &LOGINS)?.to_owned();
            settings.push(("auth".to_owned(), auth.clone()));
            auth
        }
    };
    if !["environment", "my_domain", "url", "instance_url"].iter().any(|key| has(settings, key)) {
        asked = true;
        settings.insert(0, place(&auth)?);
    }
    let (needed, possible) = keys(&auth);
    for key in needed.iter().filter(|key| !has(settings, key)).copied().collect::<Vec<_>>() {
        asked = true;
        let value = ask(key, settings, typed).await?;
        settings.push((key.to_owned(), value));
    }
    for key in possible.iter().filter(|key| asked && !has(settings, key)).copied().collect::<Vec<_>>() {
        let text = password(key, true).await?;
        if !text.is_empty() {
            typed.push(Typed::given(key, text));
            settings.push((key.to_owned(), format!("store:{key}")));
        }
    }
    Ok(())
}

/// One key that cannot be left out; a secret is kept in the token store.
async fn ask(key: &'static str, settings: &[(String, String)], typed: &mut Vec<Typed>) -> Result<String, Failure> {
    match key {
        "client_id" => text("client_id (the app's consumer key)"),
        "username" => {
            let sandbox = settings.iter().any(|(_, value)| value == "sandbox" || value.contains(".sandbox"));
            let hint = if sandbox { " (of a sandbox: user@acme.com.SANDBOX)" } else { "" };
            text(&format!("username{hint}"))
        }
        "private_key" => text("file of the private key (PEM)").map(|path| format!("file:{path}")),
        secret => {
            typed.push(Typed::given(secret, password(secret, false).await?));
            Ok(format!("store:{secret}"))
        }
    }
}

fn place(auth: &str) -> Result<(String, String), Failure> {
    // client credentials and access tokens are of one org
    let places = if matches!(auth, "client-credentials" | "access-token") { &PLACES[2..] } else { &PLACES[..] };
    let (key, value) = match choice("where the org is", places)? {
        "my_domain" => ("my_domain", text("My Domain (acme, or acme--dev.sandbox)")?),
        "url" => ("url", text("address (https://…)")?),
        environment => ("environment", environment.to_owned()),
    };
    Ok((key.to_owned(), value))
}

fn choice<'a>(prompt: &str, items: &[(&str, &'a str)]) -> Result<&'a str, Failure> {
    let shown = items.iter().map(|(words, _)| *words);
    let picked = Select::new().with_prompt(prompt).items(shown).default(0).interact().map_err(|e| failed(&e))?;
    items.get(picked).map(|(_, value)| *value).ok_or_else(|| Failure::input("nothing was chosen"))
}

fn text(prompt: &str) -> Result<String, Failure> {
    let given: String = Input::new().with_prompt(prompt).interact_text().map_err(|e| failed(&e))?;
    Ok(given.trim().to_owned())
}

/// Ctrl-C at a prompt, or a terminal that went away.
pub fn failed(error: &dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    // a menu hides it; a terminal that is gone needs it no more
    let _ = console::Term::stderr().show_cursor();
    match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::interrupted(),
        _ => Failure::input(format!("nothing could be asked at the terminal: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use forcepump_pipeline::AuthMethod;

    use super::*;

    #[test]
    fn every_login_can_be_chosen_and_asks_for_keys_that_it_uses() {
        for auth in AuthMethod::ALL {
            let (needed, possible) = keys(auth.as_str());
            assert!(LOGINS.iter().any(|(_, value)| *value == auth.as_str()), "{auth:?}");
            assert!(needed.iter().chain(possible).all(|key| auth.settings().contains(key)), "{auth:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_when_nothing_is_missing() {
        let given =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        for settings in [
            given(&[("environment", "demo")]),
            given(&[("auth", "device"), ("environment", "sandbox"), ("client_id", "x")]),
            given(&[("auth", "soap"), ("url", "https://x"), ("username", "u"), ("password", "env:P")]),
        ] {
            let mut asked = settings.clone();
            complete(&mut asked, &mut Vec::new()).await.map_err(|f| f.message).unwrap();
            assert_eq!(asked, settings);
        }
    }
}
