//! What is loaded and what is not, and the compile cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use forcepump_plugin_evil::DESCRIBE_MARK;
use forcepump_sandbox::{Capability, Engine, EngineOptions, LoadError};

use crate::support::{assert_host_still_works, component, engine, evil};

/// A component with one imported instance and nothing else.
fn importing(name: &str) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // Type section: one instance type without declarations.
    bytes.extend([7, 3, 1, 0x42, 0]);
    let name_length = u8::try_from(name.len()).expect("short");
    // Import section: a plain name, and an instance of type 0.
    bytes.extend([10, name_length + 5, 1, 0, name_length]);
    bytes.extend(name.bytes());
    bytes.extend([5, 0]);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    engine().load("guest", bytes).expect_err("refused").to_string()
}

#[test]
fn what_this_version_cannot_give_is_refused_by_name() {
    let text = refusal(&importing("forcepump:plugin/salesforce@0.1.0"));
    assert_eq!(text, "plugin guest: it asks for the capability `salesforce`, which is not in this version");
}

#[test]
fn imports_from_elsewhere_are_refused() {
    for import in [
        "wasi:http/types@0.2.6",
        "wasi:cli/environment@0.3.0",
        "wasi:nn/tensor@0.2.0",
        "forcepump:plugin/data@0.2.0",
        "forcepump:plugin/ipc@0.1.0",
        "env",
    ] {
        let error = engine().load("guest", &importing(import)).expect_err("refused");
        assert!(matches!(&error, LoadError::UnknownImport { import: named, .. } if named == import), "{error}");
    }
}

#[test]
fn what_is_no_plugin_is_refused() {
    assert!(refusal(b"\0asm\x0d\0\x01\0").contains("does not export `metadata`"));
    assert!(refusal(b"\0asm\x01\0\0\0").contains("`forcepump plugin pack FILE`"));
    assert!(refusal(b"\0asm\x0d\0\x01\0\xff\xff").contains("does not compile"));
    assert!(refusal(&component("evil")[..5_000]).contains("does not compile"));
    assert!(refusal(b"plain text").contains("is not a WebAssembly component"));
}

#[test]
fn a_plugin_tells_what_it_is() {
    let plugin = evil();
    assert_eq!(plugin.name(), "evil");
    assert_eq!(plugin.digest().len(), 64);
    assert_eq!(plugin.description().name, "evil");
    assert_eq!(plugin.size_bytes(), component("evil").len());
    let asked: Vec<Capability> = plugin.imports().iter().copied().collect();
    assert_eq!(asked, [Capability::Clock, Capability::Random, Capability::Sql, Capability::Files]);
}

/// The evil guest with another attack in `describe`.
fn describing(mode: &str) -> Vec<u8> {
    let mut bytes = component("evil").to_vec();
    let mark = DESCRIBE_MARK.as_bytes();
    let places: Vec<usize> = (0..bytes.len() - mark.len()).filter(|at| &bytes[*at..*at + mark.len()] == mark).collect();
    assert_eq!(places.len(), 1, "the mark is there once");
    let name = format!("{:.<width$}", format!("describe-mode:{mode}"), width = mark.len());
    bytes[places[0]..places[0] + mark.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// The attacks of `describe`, and what the refusal says.
pub const DESCRIBE: [(&str, &str); 14] = [
    ("trap", "`describe` failed"),
    ("spin", "it took longer than 1000 ms"),
    ("grow-memory", "it needed more than 67108864 bytes of memory"),
    ("recurse", "`describe` failed"),
    ("call-the-host", "`describe` failed"),
    ("huge-schema", "config-schema has more than 262144 bytes"),
    ("no-name", "name must have 1 to 255 bytes"),
    ("steer-name", "no control character"),
    ("bad-schema", "config-schema is no JSON Schema"),
    ("circle-schema", "config-schema refers to itself in a circle"),
    ("remote-schema", "only `#/$defs/NAME` is taken"),
    ("unknown-need", "the need `root` is no capability"),
    ("many-metrics", "more than 256 metrics or needs"),
    ("same-metric", "the metric `same` is declared twice"),
];

#[tokio::test(flavor = "multi_thread")]
async fn attacks_of_describe() {
    for (mode, expected) in DESCRIBE {
        let text = refusal(&describing(mode));
        assert!(text.contains(expected) && !text.contains('\u{1b}'), "{mode}: {text}");
    }
    assert_host_still_works().await;
}

fn cached_engine(dir: &Path) -> Engine {
    Engine::new(EngineOptions { cache_dir: Some(dir.to_owned()), ..EngineOptions::default() }).expect("an engine")
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let files: Vec<_> = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn the_cache_is_private_and_a_changed_file_is_compiled_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().join("cache");
    cached_engine(&dir).load("bench", component("bench")).expect("loads");
    assert_eq!(fs::metadata(&dir).expect("made").permissions().mode() & 0o777, 0o700);
    let file = only_file(&dir);
    let good = fs::read(&file).expect("written");
    assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o077, 0);

    // Machine code that was tampered with must not even be looked at: it would crash.
    let mut tampered = good.clone();
    for byte in &mut tampered[good.len() / 2..] {
        *byte ^= 0x5a;
    }
    fs::write(&file, &tampered).expect("writes");
    cached_engine(&dir).load("bench", component("bench")).expect("loads all the same");
    assert_eq!(fs::read(&file).expect("written").len(), good.len());
    assert_ne!(fs::read(&file).expect("written"), tampered, "it was written anew");

    // A file that others could have written is not taken, though its content is good.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("chmod");
    cached_engine(&dir).load("bench", component("bench")).expect("loads");
    assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o077, 0, "it was written anew");
}

#[test]
fn an_engine_with_repeatable_floats_keeps_its_own_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().join("cache");
    cached_engine(&dir).load("bench", component("bench")).expect("loads");
    let repeatable = EngineOptions { cache_dir: Some(dir.clone()), repeatable: true, ..EngineOptions::default() };
    Engine::new(repeatable).expect("an engine").load("bench", component("bench")).expect("loads");
    assert_eq!(fs::read_dir(&dir).expect("a folder").count(), 2);
}
