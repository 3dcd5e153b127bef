//! The demo's folder: its files are written once, kept when edited, and never overwritten unasked.

use std::path::{Path, PathBuf};

use super::story::{STEPS, Swap};
use crate::exit::Failure;

/// The connections file's name.
pub const CONNECTIONS: &str = "connections.toml";

/// Every file of the folder, as it is first written.
const FILES: [(&str, &str); 6] = [
    ("accounts.toml", include_str!("accounts.toml")),
    ("contacts.toml", include_str!("contacts.toml")),
    ("opportunities.toml", include_str!("opportunities.toml")),
    (CONNECTIONS, include_str!("connections.toml")),
    ("mask-salt.txt", include_str!("mask-salt.txt")),
    ("README.md", include_str!("README.md")),
];

/// The folder, with its files in place.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder and writes its files; files edited by hand stop it unless `force`.
    pub fn prepare(dir: &Path, force: bool) -> Result<Self, Failure> {
        let folder = Self(dir.to_owned());
        let edited = folder.edited_files()?;
        if !edited.is_empty() && !force {
            return Err(Failure::input(refusal(dir, &edited)));
        }
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::host(format!("cannot make {}: {error}", dir.display())))?;
        for (name, text) in FILES {
            folder.write(name, text)?;
        }
        Ok(folder)
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Changes the one line of the file.
    pub fn swap(&self, name: &str, swap: &Swap) -> Result<(), Failure> {
        let text = self.read(name)?.unwrap_or_default();
        self.write(name, &swapped(&text, swap))
    }

    fn edited_files(&self) -> Result<Vec<&'static str>, Failure> {
        let mut edited = Vec::new();
        for (name, original) in FILES {
            if let Some(text) = self.read(name)? {
                let swaps = STEPS.iter().filter(|step| step.file == name).filter_map(|step| step.swap.as_ref());
                let is_ours = text == original || swaps.into_iter().any(|swap| text == swapped(original, swap));
                if !is_ours {
                    edited.push(name);
                }
            }
        }
        Ok(edited)
    }

    fn read(&self, name: &str) -> Result<Option<String>, Failure> {
        let path = self.path(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::host(format!("cannot read {}: {error}", path.display()))),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path(name);
        std::fs::write(&path, text).map_err(|error| Failure::host(format!("cannot write {}: {error}", path.display())))
    }
}

fn swapped(text: &str, swap: &Swap) -> String {
    text.replacen(swap.from, swap.to, 1)
}

fn refusal(dir: &Path, edited: &[&str]) -> String {
    let (files, were) = (edited.join(", "), if edited.len() == 1 { "was" } else { "were" });
    format!(
        "{files} in {dir} {were} edited, and the demo would overwrite your changes\n\
         hint: run your version with `forcepump run {first}`, take another folder with --dir, or overwrite with --force",
        dir = dir.display(),
        first = dir.join(edited.first().unwrap_or(&"")).display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_swap_changes_exactly_one_line() {
        for step in &STEPS {
            let Some(swap) = &step.swap else { continue };
            let (_, text) = FILES.iter().find(|(name, _)| *name == step.file).expect("a file of the demo");
            let after = swapped(text, swap);
            let changed = text.lines().zip(after.lines()).filter(|(a, b)| a != b).count();
            assert_eq!((changed, text.lines().count()), (1, after.lines().count()), "{}", step.file);
        }
    }

    #[test]
    fn a_second_demo_may_follow_the_first_but_not_an_edit() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::prepare(dir.path(), false).expect("first");
        let swap = STEPS.iter().find_map(|step| step.swap.as_ref().map(|swap| (step.file, swap))).expect("a swap");
        folder.swap(swap.0, swap.1).expect("swapped");
        Folder::prepare(dir.path(), false).expect("second");
        std::fs::write(folder.path("accounts.toml"), "name = 'mine'").expect("edited");
        let refused = Folder::prepare(dir.path(), false).err().expect("refused");
        assert!(refused.message.contains("accounts.toml in ") && refused.message.contains("--force"));
        Folder::prepare(dir.path(), true).expect("forced");
        assert_eq!(folder.read("accounts.toml").expect("read").as_deref(), Some(FILES[0].1));
    }
}
