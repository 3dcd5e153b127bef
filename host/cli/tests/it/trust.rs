//! Looking at a plugin before it is trusted: nothing of it runs but `describe`, and no changed machine code is loaded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use forcepump_plugin_bundle::test_guest;

use crate::harness::Bench;

/// What the evil guest is told by: its name is written over the mark.
const MARK: &str = "describe-mode:honest..............";

fn describing(bench: &Bench, mode: &str) {
    let mut bytes = test_guest("evil").expect("the guest").to_vec();
    let at = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes()).expect("the mark");
    let name = format!("{:.<width$}", format!("describe-mode:{mode}"), width = MARK.len());
    bytes[at..at + MARK.len()].copy_from_slice(name.as_bytes());
    fs::write(bench.path("guest.wasm"), bytes).expect("a file");
}

#[test]
fn a_describe_that_spins_or_calls_the_host_is_reported_and_not_hung() {
    let bench = Bench::new();
    for (mode, says) in [
        ("spin", "longer than 1000 ms"),
        ("call-the-host", "`describe` failed"),
        ("grow-memory", "67108864 bytes of memory"),
        ("trap", "`describe` failed"),
    ] {
        describing(&bench, mode);
        let ran = bench.run(&["plugin", "inspect", "./guest.wasm"]).ends(6);
        assert!(ran.stderr.contains(says), "{mode}: {}", ran.stderr);
        let document = bench.run(&["plugin", "inspect", "./guest.wasm", "--json"]).ends(6).json();
        assert_eq!(document["error"]["class"], "plugin", "{mode}");
    }
}

#[test]
fn a_plugin_is_shown_whole() {
    let bench = Bench::new();
    fs::write(bench.path("guest.wasm"), test_guest("evil").expect("the guest")).expect("a file");
    let said = bench.run(&["plugin", "inspect", "./guest.wasm", "--json"]).ends(0).json();
    let roles = serde_json::json!(["transform", "checkpoint", "destination"]);
    assert_eq!((&said["roles"], &said["built_in"]), (&roles, &false.into()));
    assert_eq!(said["pinned"], serde_json::json!([]));
    for capability in ["clock", "random", "sql", "files"] {
        assert!(said["imports"].as_array().is_some_and(|imports| imports.contains(&capability.into())), "{said}");
    }
    let needs = said["needs"].as_array().expect("needs");
    assert!(needs.iter().all(|need| need["why"].as_str().is_some_and(|why| !why.is_empty())), "{said}");
    let words = bench.run(&["plugin", "inspect", "./guest.wasm"]).ends(0).stdout;
    for word in ["sha256:", "roles", "not by forcepump.lock", "a file", "config schema", "deterministic", "stateful"] {
        assert!(words.contains(word), "`{word}` is not in: {words}");
    }
    let dedupe = bench.run(&["plugin", "inspect", "dedupe", "--json"]).ends(0).json();
    assert_eq!((&dedupe["stateful"], &dedupe["built_in"]), (&true.into(), &true.into()));
}

/// The only compiled component of a cache of its own, made by looking at that plugin.
fn compiled(bench: &Bench, plugin: &str, cache: &str) -> PathBuf {
    look(bench, plugin, cache);
    let files = fs::read_dir(bench.path(cache)).expect("the cache").map(|entry| entry.expect("an entry").path());
    let files: Vec<PathBuf> = files.collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// The plugin says its own name, whatever is in the cache.
fn look(bench: &Bench, plugin: &str, cache: &str) {
    let cache = bench.path(cache);
    let cache = cache.to_str().expect("UTF-8");
    let said = bench.run(&["plugin", "inspect", plugin, "--json", "--cache-dir", cache]).ends(0).json();
    assert_eq!(said["name"], plugin);
}

#[test]
fn a_changed_cache_file_is_not_loaded_and_made_anew() {
    let bench = Bench::new();
    let file = compiled(&bench, "mask", "cache");
    let other = compiled(&bench, "filter", "other");
    let good = fs::read(&file).expect("a file");
    let mode = |path: &PathBuf| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&bench.path("cache"))), (0o600, 0o700));
    let inode = |path: &PathBuf| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).expect("a file"));
    let kept = inode(&file);
    look(&bench, "mask", "cache");
    assert_eq!(inode(&file), kept, "a good file is taken as it is");

    for at in [0, 20, good.len() / 2, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&file, flipped).expect("a file");
        let changed = inode(&file);
        look(&bench, "mask", "cache");
        assert_ne!(inode(&file), changed, "bit {at}: made anew");
    }
    fs::copy(&other, &file).expect("another component's");
    let copied = inode(&file);
    look(&bench, "mask", "cache");
    assert_ne!(inode(&file), copied, "another component's is not taken");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("a mode");
    let open = inode(&file);
    look(&bench, "mask", "cache");
    assert_ne!(inode(&file), open, "what others can write is not taken");
    assert_eq!(mode(&file), 0o600);

    fs::remove_file(&file).expect("it goes");
    std::os::unix::fs::symlink(&other, &file).expect("a link");
    look(&bench, "mask", "cache");
    assert!(!fs::symlink_metadata(&file).expect("a file").file_type().is_symlink(), "a link is not followed");
}
