//! Secrets in a plugin's configuration: `{ secret = "env:NAME" }` stands for the value, which no plan ever shows.

use std::path::Path;

use forcepump_salesforce::SecretRef;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The key that marks a reference: a table with this key alone.
const MARK: &str = "secret";

/// Why a secret of a configuration could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct SecretError {
    /// JSON pointer into the configuration
    pub pointer: String,
    /// what is wrong; never the secret
    pub message: String,
}

/// A plugin's configuration as written (references and all), and how to resolve it.
pub struct ConfigSecrets;

impl ConfigSecrets {
    /// The configuration with every `{ secret = "…" }` replaced by its value; `file:` paths start at `folder`.
    ///
    /// # Errors
    /// The pointer of the reference and why it cannot be resolved.
    pub fn resolve(config: &Value, folder: &Path) -> Result<Value, SecretError> {
        resolve_at(config, folder, "")
    }
}

fn resolve_at(value: &Value, folder: &Path, pointer: &str) -> Result<Value, SecretError> {
    match value {
        Value::Object(map) => match (map.len(), map.get(MARK)) {
            (1, Some(Value::String(reference))) => resolve_one(reference, folder, pointer),
            _ => map
                .iter()
                .map(|(key, item)| Ok((key.clone(), resolve_at(item, folder, &format!("{pointer}/{key}"))?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object),
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| resolve_at(item, folder, &format!("{pointer}/{index}")))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        other => Ok(other.clone()),
    }
}

fn resolve_one(reference: &str, folder: &Path, pointer: &str) -> Result<Value, SecretError> {
    let secret = resolve_secret(reference, folder);
    let secret = secret.map_err(|error| SecretError { pointer: pointer.to_owned(), ..error })?;
    Ok(Value::String(secret.expose_secret().to_owned()))
}

/// The secret of one reference; `file:` paths start at `folder`.
///
/// # Errors
/// Why there is none, never with the text of what is no reference.
pub(crate) fn resolve_secret(reference: &str, folder: &Path) -> Result<SecretString, SecretError> {
    check_secret(reference)?;
    SecretRef::parse(reference).resolve(MARK, folder).map_err(|error| fault(&error))
}

/// Refuses what is no reference.
///
/// # Errors
/// The expected form, without the text: it may be a secret.
pub(crate) fn check_secret(reference: &str) -> Result<(), SecretError> {
    SecretRef::parse(reference).check(MARK).map_err(|error| fault(&error))
}

fn fault(error: &forcepump_salesforce::Error) -> SecretError {
    SecretError { pointer: String::new(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_is_replaced_and_all_else_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("salt"), "pepper\n").unwrap();
        let config = json!({"columns": [{"salt": {"secret": "file:salt"}}], "n": 1});
        let resolved = ConfigSecrets::resolve(&config, folder.path()).unwrap();
        assert_eq!(resolved, json!({"columns": [{"salt": "pepper"}], "n": 1}));
    }

    #[test]
    fn a_missing_secret_is_named_by_its_place() {
        let config = json!({"salt": {"secret": "env:FORCEPUMP_NO_SUCH_NAME"}});
        let error = ConfigSecrets::resolve(&config, Path::new(".")).unwrap_err();
        assert_eq!(error.pointer, "/salt");
        assert!(error.message.contains("FORCEPUMP_NO_SUCH_NAME"));
    }
}
