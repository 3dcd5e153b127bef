//! The contract in `wit/` does not change under a version that was given out.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One line for each version: the version and the digest of its contract. To change the contract,
/// raise the version in every file of `wit/` and in `plugins/sdk/src/bindings.rs`, give what is new
/// an `@since` of that version, and add the line that the failing test shows. Lines that are there
/// stay as they are; only a version that nobody has yet may have its line replaced.
const RECORDED: &str = include_str!("contract.sha256");

fn wit_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let entries = fs::read_dir(folder).expect("wit/ is there");
    let paths = entries.map(|entry| entry.expect("wit/ can be listed").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "wit")).collect();
    files.sort();
    files
}

/// What of a file is contract: no comments, no spacing. Words may get better at any time.
fn essence(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The version that all files agree on, and the digest of what they say.
fn contract() -> (String, String) {
    let mut versions = BTreeSet::new();
    let mut digest = Sha256::new();
    for path in wit_files() {
        let text = essence(&fs::read_to_string(&path).expect("a contract is text"));
        let version = text.split("package forcepump:plugin@").nth(1).and_then(|rest| rest.split(';').next());
        versions.insert(version.map(str::to_owned).unwrap_or_else(|| panic!("{} has no package line", path.display())));
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    assert_eq!(versions.len(), 1, "the files of wit/ disagree on the version: {versions:?}");
    let hex = digest.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    (versions.pop_first().unwrap_or_default(), hex)
}

#[test]
fn a_change_of_the_contract_needs_a_new_version() {
    let (version, digest) = contract();
    let line = format!("{version} {digest}");
    let recorded = RECORDED.lines().find(|line| line.split(' ').next() == Some(&version));
    assert_eq!(
        recorded,
        Some(line.as_str()),
        "wit/ is not what version {version} was recorded as. If it was changed on purpose, raise the version; \
         then add this line to plugins/sdk/tests/it/contract.sha256: {line}"
    );
}

#[test]
fn words_are_no_contract_but_signatures_are() {
    assert_eq!(essence("/// old\n  a: func(); // note\n"), essence("/// new words\na:  func();"));
    assert_ne!(essence("a: func();"), essence("a: func() -> u32;"));
}
