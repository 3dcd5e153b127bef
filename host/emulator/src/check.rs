//! Org files: reading them, and refusing what does not fit together.

use std::collections::HashSet;
use std::path::Path;

use crate::access::App;
use crate::data::Org;
use crate::options::Options;

/// An org file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OrgFileError(String);

impl Options {
    /// The options in the text of an org file; a relative `data` folder is one beside the file.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value that does not fit: named with its line.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Options, OrgFileError> {
        let mut options: Options =
            toml::from_str(text).map_err(|error| OrgFileError(error.to_string().trim_end().to_owned()))?;
        options.data = options.data.map(|data| folder.join(data));
        options.check()?;
        Ok(options)
    }

    /// Whether apps, users and profiles are named, and none twice.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), OrgFileError> {
        let lower = |names: Vec<&str>| names.into_iter().map(str::to_lowercase).collect();
        distinct("app", "client_id", self.apps.iter().map(|app| app.client_id.clone()).collect())?;
        distinct("user", "username", lower(self.users.iter().map(|user| user.username.as_str()).collect()))?;
        distinct("profile", "name", self.profiles.iter().map(|profile| profile.name.clone()).collect())?;
        self.apps.iter().try_for_each(check_app)
    }

    /// Whether everything that is hidden is there and can be hidden.
    pub(crate) fn check_hidden(&self, org: &Org) -> Result<(), OrgFileError> {
        let hidden = self.users.iter().flat_map(|user| &user.hidden);
        for name in hidden.chain(self.profiles.iter().flat_map(|profile| &profile.hidden)) {
            org.check_hidden(name).map_err(OrgFileError)?;
        }
        Ok(())
    }
}

fn distinct(table: &str, key: &str, names: Vec<String>) -> Result<(), OrgFileError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(OrgFileError(format!("a [[{table}]] has no {key}; every one needs it")));
        }
        if !seen.insert(name.clone()) {
            return Err(OrgFileError(format!("two [[{table}]] have the {key} '{name}'; give each its own")));
        }
    }
    Ok(())
}

fn check_app(app: &App) -> Result<(), OrgFileError> {
    let unknown = app.scopes.iter().find(|scope| !crate::auth::SCOPES.contains(&scope.as_str()));
    match unknown {
        Some(scope) => {
            let known = "expected those of the discovery document, such as api, refresh_token, openid, id, full";
            Err(OrgFileError(format!("the app '{}' has the unknown scope '{scope}'; {known}", app.client_id)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Options::from_toml(text, Path::new("/orgs")).unwrap_err().to_string()
    }

    #[test]
    fn the_example_of_the_module_parses() {
        let text = include_str!("access.rs");
        let lines = text.lines().skip_while(|line| !line.contains("```toml")).skip(1);
        let lines = lines.take_while(|line| !line.contains("```"));
        let example: Vec<&str> = lines.map(|line| line.trim_start_matches("//!")).collect();
        let options = Options::from_toml(&example.join("\n"), Path::new("/orgs")).unwrap();
        assert_eq!((options.apps.len(), options.users.len(), options.profiles.len()), (1, 1, 1));
        assert!(!options.policy.soap_login && options.policy.active);
    }

    #[test]
    fn folders_are_beside_the_file() {
        let options = Options::from_toml("data = \"acme\"", Path::new("/orgs")).unwrap();
        assert_eq!(options.data.as_deref(), Some(Path::new("/orgs/acme")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("naem = \"x\"", "naem"),
            ("[[app]]\nname = \"x\"", "[[app]] has no client_id"),
            ("[[app]]\nclient_id = \"x\"\n[[app]]\nclient_id = \"x\"", "two [[app]] have the client_id 'x'"),
            ("[[app]]\nclient_id = \"x\"\nscopes = [\"apis\"]", "unknown scope 'apis'"),
            ("[[user]]\nusername = \"A@b.c\"\n[[user]]\nusername = \"a@B.c\"", "two [[user]]"),
            ("[[profile]]\nhidden = [\"Case\"]", "[[profile]] has no name"),
            ("[[app]]\nclient_id = \"x\"\ninstallation = \"maybe\"", "maybe"),
            ("[policy]\nsoap = true", "soap"),
        ] {
            let message = refusal(text);
            assert!(message.contains(named), "{message}");
        }
    }
}
