//! The rules for a path that a guest names, before any file system sees it.

use super::FileError;

/// Longest path in bytes: far above any sane layout, far below any system's limit.
const PATH_MAX_BYTES: usize = 1024;
/// Longest name of one file or folder in bytes: leaves room for the temporary name (255 on most systems).
const NAME_MAX_BYTES: usize = 200;
/// Deepest nesting of folders plus the file.
const DEPTH_MAX_NAMES: usize = 16;
/// Names that stand for devices on Windows, with whatever extension.
const DEVICE_NAMES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// A path that keeps the rules: folders below the root, then the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuestPath {
    folders: Vec<String>,
    name: String,
}

impl GuestPath {
    /// Checks `text` against the rules.
    pub(crate) fn parse(text: &str) -> Result<Self, FileError> {
        let denied = |why: &str| {
            FileError::Denied(format!(
                "path \"{}\" {why}; name a file below the granted folder, such as \"account/p0001.csv\"",
                shown(text)
            ))
        };
        if text.is_empty() {
            return Err(denied("is empty"));
        }
        if text.len() > PATH_MAX_BYTES {
            return Err(denied(&format!("is longer than {PATH_MAX_BYTES} bytes")));
        }
        if text.starts_with('/') {
            return Err(denied("is absolute"));
        }
        let mut folders = Vec::new();
        for name in text.split('/') {
            check_name(name).map_err(|why| denied(&why))?;
            folders.push(name.to_owned());
        }
        if folders.len() > DEPTH_MAX_NAMES {
            return Err(denied(&format!("is nested deeper than {DEPTH_MAX_NAMES} names")));
        }
        let name = folders.pop().ok_or_else(|| denied("is empty"))?;
        Ok(Self { folders, name })
    }

    /// The same folder with `relative` below it.
    pub(crate) fn beside(&self, relative: &str) -> Result<Self, FileError> {
        let mut path = Self::parse(relative)?;
        path.folders.splice(0..0, self.folders.iter().cloned());
        Ok(path)
    }

    /// Folders from the root down.
    pub(crate) fn folders(&self) -> &[String] {
        &self.folders
    }

    /// The file's own name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The path below the root, with `/`.
    pub(crate) fn text(&self) -> String {
        let mut text = self.folders.join("/");
        if !text.is_empty() {
            text.push('/');
        }
        text + &self.name
    }
}

/// Why `name` cannot be a file's or a folder's name on every system that Forcepump runs on.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("has an empty name in it (a double or a trailing \"/\")".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!("has \"{name}\" in it"));
    }
    if name.starts_with('.') {
        return Err(format!("has the hidden name \"{}\" in it", shown(name)));
    }
    if name.len() > NAME_MAX_BYTES {
        return Err(format!("has a name longer than {NAME_MAX_BYTES} bytes in it"));
    }
    if let Some(bad) = name.chars().find(|c| c.is_control() || "\\:*?\"<>|".contains(*c)) {
        return Err(format!("has the character {bad:?} in it"));
    }
    if name.ends_with(['.', ' ']) {
        return Err("has a name in it that ends with a dot or a space".to_owned());
    }
    if is_device(name) {
        return Err(format!("has the device name \"{name}\" in it"));
    }
    Ok(())
}

/// Windows keeps these names for devices in every folder: `CON`, `nul.txt`, `COM1`.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    DEVICE_NAMES.contains(&stem.as_str())
        || port.is_some_and(|n| {
            n.chars().count() == 1 && n.contains(['1', '2', '3', '4', '5', '6', '7', '8', '9', '¹', '²', '³'])
        })
}

/// A guest's text, cut and without control characters, fit for a message.
fn shown(text: &str) -> String {
    const SHOWN_MAX_CHARS: usize = 80;
    let mut shown: String = text.chars().take(SHOWN_MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_plain_paths() {
        for good in
            ["a", "account/p0001.csv", "a b/Ünï-1.parquet", "x/y/z/manifest.json", "comma.csv", "com10", "nullable"]
        {
            let path = GuestPath::parse(good).expect(good);
            assert_eq!(path.text(), good);
        }
    }

    #[test]
    fn refuses_whatever_could_escape_or_surprise() {
        let long = "x".repeat(NAME_MAX_BYTES + 1);
        let very_long = "x/".repeat(PATH_MAX_BYTES);
        let deep = "d/".repeat(DEPTH_MAX_NAMES) + "f";
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            ".hidden",
            "a/.ssh/x",
            "a\0b",
            "a\nb",
            "C:\\x",
            "C:x",
            "a\\b",
            "a:stream",
            "con",
            "NUL",
            "nul.txt",
            "a/Com1",
            "lpt9.csv",
            "aux .x",
            "trailing.",
            "trailing ",
            "what?",
            "a|b",
            "\u{85}",
            &long,
            &very_long,
            &deep,
        ] {
            let error = GuestPath::parse(bad).expect_err(bad);
            assert!(matches!(&error, FileError::Denied(_)), "{bad}: {error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let error = GuestPath::parse("a/../b").expect_err("dots").to_string();
        assert_eq!(
            error,
            "path \"a/../b\" has \"..\" in it; name a file below the granted folder, such as \"account/p0001.csv\""
        );
    }

    #[test]
    fn resolves_beside() {
        let manifest = GuestPath::parse("feed/manifest.json").expect("path");
        assert_eq!(manifest.beside("p/1.csv").expect("beside").text(), "feed/p/1.csv");
        assert!(manifest.beside("../x").is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_never_lets_dots_through(text in "\\PC*|[./a\\\\]{0,12}") {
            if let Ok(path) = GuestPath::parse(&text) {
                prop_assert_eq!(path.text(), text.clone());
                prop_assert!(text.split('/').all(|name| !name.starts_with('.') && !name.is_empty()));
            }
        }
    }
}
