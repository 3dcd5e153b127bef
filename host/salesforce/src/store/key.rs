//! The key of the token store: from the environment, from a key file, or from the keychain of the operating system.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::seal::{KEY_BYTES, Key};
use crate::error::{Error, Result};

/// The key itself.
const VARIABLE: &str = "FORCEPUMP_KEY";
/// The path of a file that holds it.
const FILE_VARIABLE: &str = "FORCEPUMP_KEY_FILE";
/// The key file that is used when neither variable is set, below the user's configuration folder.
const FILE_NAME: &str = "forcepump/key";
/// Names of the entry in the keychain.
const SERVICE: &str = "forcepump";
const ENTRY: &str = "token store key";
/// A key file has one line.
const MAX_FILE_BYTES: u64 = 4096;

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Variable,
    File(PathBuf),
    Keychain,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable => write!(f, "the environment variable {VARIABLE}"),
            Self::File(path) => write!(f, "the key file {}", path.display()),
            Self::Keychain => f.write_str("the system's keychain"),
        }
    }
}

/// The key, by the first of: `FORCEPUMP_KEY`, `FORCEPUMP_KEY_FILE`, the user's key file, the keychain (which is given
/// one when it has none). What is set but wrong is an error, never a reason to look further.
pub(super) fn find() -> Result<(Key, Origin)> {
    if let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
        let text = Zeroizing::new(text.into_string().unwrap_or_default());
        return Ok((parse(&text).ok_or_else(|| unusable(VARIABLE))?, Origin::Variable));
    }
    if let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return from_file(Path::new(&path));
    }
    match user_file() {
        Some(path) if path.exists() => from_file(&path),
        _ => keychain().map(|key| (key, Origin::Keychain)),
    }
}

/// 32 bytes as 64 hexadecimal digits, or in base64 of either alphabet, padded or not.
fn parse(text: &str) -> Option<Key> {
    let text = text.trim();
    let mut bytes = [0; KEY_BYTES];
    if text.len() == 2 * KEY_BYTES && text.is_ascii() {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        return Some(Key::new(bytes));
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = [&STANDARD, &URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok().map(Zeroizing::new))?;
    bytes = decoded.as_slice().try_into().ok()?;
    Some(Key::new(bytes))
}

fn from_file(path: &Path) -> Result<(Key, Origin)> {
    let refuse = |why: &str| Error::config(format!("the key file {}: {why}", path.display()));
    let meta = std::fs::metadata(path).map_err(|error| refuse(&error.to_string()))?;
    if !meta.is_file() || meta.len() > MAX_FILE_BYTES {
        return Err(refuse("is not a key file, which has one line"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 {
        return Err(refuse(&format!("others may read or write it\nhint: `chmod 600 {}`", path.display())));
    }
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| refuse(&error.to_string()))?;
    let key = parse(&text).ok_or_else(|| unusable(&format!("the key file {}", path.display())))?;
    Ok((key, Origin::File(path.to_owned())))
}

fn unusable(place: &str) -> Error {
    Error::config(format!(
        "{place} holds no key: expected 32 bytes in base64 or as 64 hexadecimal digits\n\
         hint: `head -c 32 /dev/urandom | base64` makes one"
    ))
}

fn user_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join(FILE_NAME))
}

/// The keychain's key; a keychain without one is given one.
fn keychain() -> Result<Key> {
    let entry = open_keychain().map_err(|error| no_keychain(&error))?;
    match entry.get_password() {
        Ok(text) => parse(&Zeroizing::new(text)).ok_or_else(|| unusable("the entry of forcepump in the keychain")),
        Err(keyring_core::Error::NoEntry) => {
            let key = Key::random().ok_or_else(|| Error::config("this system has no random bytes for a key"))?;
            let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(key.bytes()));
            entry.set_password(&text).map_err(|error| no_keychain(&error))?;
            // read back: another process may have been faster, and the keychain may have kept nothing
            let kept = entry.get_password().map(Zeroizing::new).map_err(|error| no_keychain(&error))?;
            parse(&kept).ok_or_else(|| unusable("the entry of forcepump in the keychain"))
        }
        Err(error) => Err(no_keychain(&error)),
    }
}

#[cfg(any(all(unix, not(target_os = "macos")), target_os = "macos", windows))]
fn open_keychain() -> keyring_core::Result<keyring_core::Entry> {
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(windows)]
    let store = windows_native_keyring_store::Store::new()?;
    #[cfg(all(unix, not(target_os = "macos")))]
    let store = dbus_secret_service_keyring_store::Store::new()?;
    let store: std::sync::Arc<keyring_core::CredentialStore> = store;
    store.build(SERVICE, ENTRY, None)
}

/// A locked keychain may hold the key that everything is sealed with: no other one is made then.
fn no_keychain(error: &keyring_core::Error) -> Error {
    let file = user_file().map_or_else(|| "KEY_FILE".to_owned(), |path| path.display().to_string());
    let folder = Path::new(&file).parent().map_or_else(|| ".".to_owned(), |folder| folder.display().to_string());
    let server = format!(
        "on a server make a key file, once: (umask 077; mkdir -p {folder} && head -c 32 /dev/urandom | base64 > {file}); \
         or give the key in {VARIABLE}, or the path of its file in {FILE_VARIABLE}"
    );
    Error::config(match error {
        keyring_core::Error::NoStorageAccess(_) => format!(
            "the system's keychain gives no key for the token store ({error}): it is locked, or was never set up\n\
             hint: unlock it, as a login at the desktop does, and run again; {server}"
        ),
        _ => format!("there is no key for the token store, and no keychain to keep one in ({error})\nhint: {server}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_every_spelling() {
        let bytes: [u8; 32] = std::array::from_fn(|i| 251u8.wrapping_mul(u8::try_from(i).unwrap()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let padded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        for text in [hex.clone(), hex.to_lowercase(), format!("{padded}\n"), url] {
            assert_eq!(parse(&text).unwrap().bytes(), &bytes, "{text}");
        }
        for wrong in ["", "short", &hex[1..], &format!("{hex}00"), &padded[4..], &"é".repeat(32)] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "ab".repeat(32)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = from_file(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("others may read") && error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(from_file(&path).unwrap().1, Origin::File(path.clone()));
        std::fs::write(&path, "s3cr3t").unwrap();
        let error = from_file(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("32 bytes") && !error.contains("s3cr3t"), "{error}");
        assert!(from_file(folder.path()).is_err());
    }
}
