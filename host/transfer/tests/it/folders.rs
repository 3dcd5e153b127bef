//! Where files may appear, when they do, and what is left when they do not.

use std::fs;
use std::path::Path;

use forcepump_transfer::files::{Compression, FileError, Format, Root};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::rows::plain;

fn root() -> (TempDir, Root) {
    let folder = tempfile::tempdir().expect("folder");
    let root = Root::open(&folder.path().join("granted/deep")).expect("root");
    (folder, root)
}

fn granted(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("granted/deep")
}

/// Every file below, hidden ones too, as paths with `/`.
fn all_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().into_string().expect("utf-8");
        if path.is_dir() {
            found.extend(all_files(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn put(root: &Root, path: &str, text: &str) -> forcepump_transfer::files::Written {
    let mut sink = root.create(path, Format::Raw, Compression::None).expect(path);
    sink.write(text.as_bytes()).expect("write");
    sink.finish().expect("finish")
}

#[test]
fn a_file_appears_on_finish_with_its_digest() {
    let (folder, root) = root();
    let mut sink = root.create("feed/p1.csv", Format::Csv, Compression::None).expect("create");
    sink.write_batch(&plain(1, 2)).expect("write");
    assert!(!granted(&folder).join("feed/p1.csv").exists());
    let written = sink.finish().expect("finish");
    let bytes = fs::read(granted(&folder).join("feed/p1.csv")).expect("file");
    assert_eq!(bytes, b"id,name\n1,name 1\n2,name 2\n");
    let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((written.bytes, written.rows, written.sha256), (bytes.len() as u64, 2, digest));
    assert_eq!(written.path, "feed/p1.csv");
    assert_eq!(all_files(&granted(&folder)), ["feed/p1.csv"]);
}

#[test]
fn dropped_before_finish_leaves_nothing() {
    let (folder, root) = root();
    for format in [Format::Raw, Format::Csv, Format::JsonLines, Format::Arrow, Format::Parquet] {
        let mut sink = root.create("a", format, Compression::None).expect("create");
        if format == Format::Raw {
            sink.write(&[7; 300_000]).expect("write");
        } else {
            sink.write_batch(&plain(0, 20_000)).expect("write");
        }
        drop(sink);
        assert_eq!(all_files(&granted(&folder)), [""; 0], "{format:?}");
    }
    assert_eq!(root.used_bytes(), 0);
}

#[test]
fn the_same_unit_twice_has_the_effect_of_once() {
    let (folder, root) = root();
    put(&root, "u", "first, longer");
    put(&root, "u", "second");
    assert_eq!(fs::read_to_string(granted(&folder).join("u")).expect("file"), "second");
    assert_eq!(all_files(&granted(&folder)), ["u"]);
}

#[test]
fn one_path_is_written_by_one_sink() {
    let (_folder, root) = root();
    let first = root.create("u", Format::Raw, Compression::None).expect("create");
    let second = root.clone().create("u", Format::Raw, Compression::None);
    assert!(matches!(second, Err(FileError::Exists(path)) if path == "u"));
    drop(first);
    root.create("u", Format::Raw, Compression::None).expect("free again");
}

#[test]
fn a_folder_is_not_replaced() {
    let (folder, root) = root();
    fs::create_dir(granted(&folder).join("taken")).expect("folder");
    assert!(matches!(root.create("taken", Format::Raw, Compression::None), Err(FileError::Exists(_))));
    let sink = root.create("late", Format::Raw, Compression::None).expect("create");
    fs::create_dir(granted(&folder).join("late")).expect("folder");
    assert!(matches!(sink.finish(), Err(FileError::Exists(_))));
    put(&root, "file", "");
    assert!(matches!(root.create("file/below", Format::Raw, Compression::None), Err(FileError::Io(_))));
}

#[test]
fn paths_do_not_escape() {
    let (folder, root) = root();
    for path in ["../x", "/tmp/x", "a/../../x", "a\0b", "..", "nul", &"x".repeat(5000)] {
        assert!(matches!(root.create(path, Format::Raw, Compression::None), Err(FileError::Denied(_))), "{path}");
    }
    assert_eq!(all_files(folder.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn symbolic_links_do_not_escape() {
    use std::os::unix::fs::symlink;
    let (folder, root) = root();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("folder");
    fs::write(outside.join("secret"), "keep").expect("file");
    symlink(&outside, granted(&folder).join("absolute")).expect("link");
    symlink("../../outside", granted(&folder).join("relative")).expect("link");
    for path in ["absolute/x", "relative/x", "absolute/new/x", "relative/secret"] {
        let refused = root.create(path, Format::Raw, Compression::None);
        assert!(
            matches!(&refused, Err(FileError::Denied(text)) if text.contains("symbolic link")),
            "{path}: {refused:?}"
        );
    }
    symlink(outside.join("secret"), granted(&folder).join("file")).expect("link");
    put(&root, "file", "replaces the link, not what it points to");
    assert_eq!(fs::read_to_string(outside.join("secret")).expect("file"), "keep");
    assert_eq!(all_files(&outside), ["secret"]);
}

#[test]
fn leftovers_of_a_crash_are_swept_and_living_files_are_not() {
    let (folder, root) = root();
    let dead = granted(&folder).join("feed/.p1.csv.0123456789abcdef.part");
    fs::create_dir(granted(&folder).join("feed")).expect("folder");
    fs::write(&dead, "half").expect("file");
    fs::write(granted(&folder).join("feed/.keep"), "").expect("file");
    let living = root.create("feed/p1.csv", Format::Raw, Compression::None).expect("create");
    assert!(!dead.exists());
    let other = Root::open(&granted(&folder)).expect("root");
    put(&other, "feed/p2.csv", "");
    living.finish().expect("not swept by the other root");
    assert_eq!(all_files(&granted(&folder)), ["feed/.keep", "feed/p1.csv", "feed/p2.csv"]);
}

#[test]
fn the_quota_counts_all_files_of_a_root() {
    let (folder, root) = root();
    let root = root.with_quota(100);
    put(&root, "a", &"x".repeat(60));
    for format in [Format::Raw, Format::Csv, Format::JsonLines, Format::Arrow, Format::Parquet] {
        let mut sink = root.create("b", format, Compression::None).expect("create");
        let wrote = match format {
            Format::Raw => sink.write(&[1; 50]),
            _ => sink.write_batch(&plain(0, 50)),
        };
        let end = wrote.and_then(|()| sink.finish().map(drop));
        assert_eq!(end, Err(FileError::Quota(100)), "{format:?}");
    }
    put(&root.clone(), "c", &"x".repeat(40));
    assert_eq!(root.used_bytes(), 100);
    assert_eq!(all_files(&granted(&folder)), ["a", "c"]);
}

#[test]
fn a_failed_sink_cannot_be_finished() {
    let (folder, root) = root();
    let root = root.with_quota(200_000);
    let mut sink = root.create("a", Format::Raw, Compression::None).expect("create");
    assert_eq!(sink.write(&[1; 300_000]), Err(FileError::Quota(200_000)));
    assert_eq!(sink.write(b"x"), Err(FileError::Quota(200_000)));
    assert_eq!(sink.finish(), Err(FileError::Quota(200_000)));
    assert_eq!(all_files(&granted(&folder)), [""; 0]);
}

fn manifest(files: &[&str]) -> String {
    let list: Vec<String> = files.iter().map(|file| format!("{{\"path\":\"{file}\",\"rows\":1}}")).collect();
    format!("{{\"feed\":\"x\",\"files\":[{}]}}", list.join(","))
}

#[test]
fn an_overwriting_manifest_sweeps_what_older_ones_named() {
    let (folder, root) = root();
    for name in ["feed/r1-p1.csv", "feed/r1-p2.csv", "feed/sub/r2-p1.csv", "feed/mine.txt", "top.csv"] {
        put(&root, name, name);
    }
    put(&root, "feed/manifest.json", &manifest(&["r1-p1.csv", "r1-p2.csv", "../top.csv", "gone.csv"]));
    put(&root, "feed/manifest-r2.json", &manifest(&["sub/r2-p1.csv"]));
    assert_eq!(all_files(&granted(&folder)).len(), 7);
    put(&root, "feed/r3-p1.csv", "new");
    put(&root, "feed/manifest.json", &manifest(&["r1-p2.csv", "r3-p1.csv"]));
    let left = ["feed/manifest.json", "feed/mine.txt", "feed/r1-p2.csv", "feed/r3-p1.csv", "top.csv"];
    assert_eq!(all_files(&granted(&folder)), left);
}

#[test]
fn another_feeds_files_in_the_folder_are_not_swept() {
    let (folder, root) = root();
    for name in ["a.csv", "b.csv", "c.csv"] {
        put(&root, name, name);
    }
    put(&root, "manifest.json", &manifest(&["a.csv"]).replace("\"x\"", "\"y\""));
    put(&root, "manifest-r2.json", &manifest(&["b.csv"]).replace("\"x\"", "\"z\""));
    put(&root, "manifest.json", &manifest(&["c.csv"]));
    let left = ["a.csv", "b.csv", "c.csv", "manifest-r2.json", "manifest-replaced.json", "manifest.json"];
    assert_eq!(all_files(&granted(&folder)), left);
}

#[test]
fn a_sweep_cut_short_is_taken_up_again() {
    let (folder, root) = root();
    put(&root, "old.csv", "old");
    put(&root, "new.csv", "new");
    fs::write(granted(&folder).join("manifest-replaced.json"), manifest(&["old.csv"])).expect("file");
    put(&root, "manifest.json", &manifest(&["new.csv"]));
    assert_eq!(all_files(&granted(&folder)), ["manifest.json", "new.csv"]);
}

#[test]
fn a_file_that_only_looks_like_a_manifest_sweeps_nothing() {
    let (folder, root) = root();
    put(&root, "a.csv", "a");
    put(&root, "manifest.json", &manifest(&["a.csv"]));
    for text in ["", "no json", "{}", "{\"files\":{}}", "[]"] {
        put(&root, "manifest.json", text);
        assert_eq!(all_files(&granted(&folder)), ["a.csv", "manifest.json"], "{text}");
    }
}
