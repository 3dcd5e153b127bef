//! Secrets on their way in: by reference, typed at a terminal, or on standard input; never as an argument.

use std::io::IsTerminal;

use dialoguer::Password;

use crate::exit::Failure;
use crate::output::Output;
use crate::terminal::Kept;

/// Keys of a connection that hold secrets.
const SECRETS: [&str; 6] =
    ["client_secret", "password", "security_token", "private_key", "refresh_token", "access_token"];

/// A secret that is typed, or already was.
pub struct Typed {
    key: String,
    text: Option<String>,
}

impl Typed {
    /// To be asked for.
    pub fn asked(key: String) -> Self {
        Self { key, text: None }
    }

    /// Typed already.
    pub fn given(key: &str, text: String) -> Self {
        Self { key: key.to_owned(), text: Some(text) }
    }

    /// Key and text; asks for it at the terminal, else takes the next line of standard input.
    pub async fn text(self, output: Output) -> Result<(String, String), Failure> {
        let text = match self.text {
            Some(text) => text,
            None if stdin_is_terminal() => password(&self.key, false).await?,
            None => {
                output.note(&format!("reading {} from standard input", self.key));
                line().await.unwrap_or_default()
            }
        };
        if text.trim().is_empty() {
            return Err(Failure::input(format!(
                "{} is empty: expected a line on standard input, or a terminal to type it at",
                self.key
            )));
        }
        Ok((self.key, text))
    }
}

/// Reads a secret without showing it. On a thread of its own: whoever interrupts the program must not have to press
/// Enter first, and finds the terminal as it was.
pub async fn password(key: &str, may_be_empty: bool) -> Result<String, Failure> {
    let prompt = if may_be_empty { format!("{key} (empty for none)") } else { key.to_owned() };
    let shown = Kept::now();
    let (told, typed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let typed = Password::new().with_prompt(prompt).allow_empty_password(may_be_empty).interact();
        // nobody waits any more: it is of no use
        let _ = told.send(typed);
    });
    let typed = typed.await;
    drop(shown);
    match typed {
        Ok(typed) => typed.map_err(|error| super::prompts::failed(&error)),
        Err(_) => Err(Failure::host("the prompt broke off; this is a fault of forcepump")),
    }
}

/// Keys of a connection with their values.
type Settings = Vec<(String, String)>;

/// Settings whose secrets are references: a `-` becomes one into the token store, and a secret itself is refused, for
/// other users can see the arguments of a program.
pub fn by_reference(settings: Settings) -> Result<(Settings, Vec<Typed>), Failure> {
    let mut typed = Vec::new();
    let mut referred = Vec::with_capacity(settings.len());
    for (key, value) in settings {
        let option = key.replace('_', "-");
        let is_secret = SECRETS.contains(&key.as_str());
        let value = match value.as_str() {
            "-" if is_secret => {
                typed.push(Typed::asked(key.clone()));
                format!("store:{key}")
            }
            text if is_secret && !["env:", "file:"].iter().any(|kind| text.starts_with(kind)) => {
                return Err(Failure::input(format!(
                    "--{option} holds plain text, which others can see in the list of processes and in the shell's history\n\
                     hint: `--{option} -` asks for it, or reads a line of standard input; or give env:NAME or file:PATH"
                )));
            }
            _ => value,
        };
        referred.push((key, value));
    }
    Ok((referred, typed))
}

/// Whether a person types on standard input.
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// The next line of standard input; none at its end. A thread of its own: the process must be able to end while nobody
/// types.
pub async fn line() -> Option<String> {
    let (told, line) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = std::io::stdin().read_line(&mut text);
        // nobody waits any more: the line is of no use
        let _ = told.send(read.ok().filter(|bytes| *bytes > 0).map(|_| text.trim_end_matches(['\r', '\n']).to_owned()));
    });
    line.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_references_and_plain_text_is_refused_unseen() {
        let given = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let (settings, typed) = by_reference(given("client_secret", "-")).map_err(|f| f.message).unwrap();
        assert_eq!((settings, typed.len()), (given("client_secret", "store:client_secret"), 1));
        for plain in ["s3cr3t", "store:other", ""] {
            let refused = by_reference(given("password", plain)).map(|_| ()).unwrap_err().message;
            assert!(refused.contains("--password -") && !refused.contains("s3cr3t"), "{refused}");
        }
        for fine in [given("client_secret", "env:X"), given("private_key", "file:key.pem"), given("client_id", "-")] {
            assert_eq!(by_reference(fine.clone()).map_err(|f| f.message).unwrap().0, fine);
        }
    }
}
