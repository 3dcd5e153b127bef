//! A guest that means harm: statements and paths that reach for what is not granted, or that never end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use forcepump_transfer::files::{Compression, FileError, Format, Root};
use forcepump_transfer::sql::{Connection, InsertOptions, SqlError};
use tempfile::TempDir;

use super::rows::plain;

/// Far above the limit of a call, far below what an attack would take.
const SOON: Duration = Duration::from_secs(20);

struct Place {
    folder: TempDir,
    connection: Connection,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        fs::create_dir(folder.path().join("sub")).expect("folder");
        let other = rusqlite::Connection::open(folder.path().join("other.db")).expect("open");
        other.execute_batch("CREATE TABLE secret (word); INSERT INTO secret VALUES ('hidden')").expect("other");
        let dsn = format!("sqlite:{}", folder.path().join("sub/granted.db").display());
        let mut connection = Connection::open(&dsn).expect("open");
        connection.execute("CREATE TABLE t (a)", &[]).expect("table");
        Self { folder, connection }
    }

    fn other(&self) -> PathBuf {
        self.folder.path().join("other.db")
    }

    fn below(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("sub")).expect("folder");
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[test]
fn no_statement_reaches_another_file() {
    let mut place = Place::new();
    let before = fs::read(place.other()).expect("file");
    let other = place.other().display().to_string();
    for statement in [
        format!("ATTACH '{other}' AS o"),
        format!("attach database 'file:{other}?mode=ro' as o"),
        format!("ATTACH X'{}' AS o", other.bytes().map(|b| format!("{b:02X}")).collect::<String>()),
        "ATTACH '' AS o".to_owned(),
        "ATTACH 'file:x?mode=memory&cache=shared' AS o".to_owned(),
        format!("VACUUM main INTO '{other}'"),
        format!("VACUUM INTO ('{}' || '.copy')", other),
        format!("SELECT * FROM \"{other}\".secret"),
        "SELECT load_extension('/lib/x86_64-linux-gnu/libc.so.6')".to_owned(),
        "SELECT LOAD_EXTENSION('x', 'y')".to_owned(),
        "SELECT readfile('/etc/passwd')".to_owned(),
        format!("SELECT writefile('{other}', 'x')"),
        "SELECT edit('x')".to_owned(),
        "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')".to_owned(),
        "CREATE VIRTUAL TABLE v USING fts4(x)".to_owned(),
        "CREATE VIRTUAL TABLE v USING rtree(a, b, c)".to_owned(),
        "SELECT * FROM sqlite_dbpage".to_owned(),
        "SELECT * FROM fsdir('/')".to_owned(),
        "SELECT * FROM o.secret".to_owned(),
        "CREATE TABLE temp.x (a)".to_owned(),
        "INSERT INTO sqlite_temp_schema VALUES (1)".to_owned(),
    ] {
        assert!(place.connection.execute(&statement, &[]).is_err(), "{statement}");
        assert!(place.connection.query(&statement, &[], 1).is_err(), "{statement}");
    }
    assert_eq!(fs::read(place.other()).expect("file"), before);
    assert_eq!(place.below(), ["granted.db"]);
}

#[test]
fn no_statement_turns_a_safeguard_off() {
    let mut place = Place::new();
    for statement in [
        "PRAGMA writable_schema = ON",
        "PRAGMA main.writable_schema = 1",
        "PRAGMA \"writable_schema\"(1)",
        "PrAgMa WRITABLE_SCHEMA=RESET",
        "PRAGMA schema_version = 9",
        "PRAGMA trusted_schema = ON",
        "PRAGMA journal_mode = WAL",
        "PRAGMA journal_mode = OFF",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA mmap_size = 1000000000",
        "PRAGMA cache_size = 1000000",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA soft_heap_limit = 0",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA data_store_directory = '/tmp'",
        "PRAGMA max_page_count = 1",
        "PRAGMA busy_timeout = 100000000",
        "PRAGMA ignore_check_constraints = 1",
        "PRAGMA wal_checkpoint",
        "PRAGMA incremental_vacuum",
        "PRAGMA optimize",
        "PRAGMA user_version(5)",
        "PRAGMA application_id = 5",
        "PRAGMA function_list",
        "PRAGMA module_list",
        "PRAGMA compile_options",
        "SELECT * FROM pragma_writable_schema(1)",
        "SELECT * FROM pragma_database_list()",
    ] {
        assert!(place.connection.execute(statement, &[]).is_err(), "{statement}");
        assert!(place.connection.query(statement, &[], 1).is_err(), "{statement}");
    }
    for statement in [
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, '')",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t (b)'",
        "CREATE TABLE sqlite_mine (a)",
        "ALTER TABLE sqlite_schema ADD COLUMN x",
    ] {
        assert!(place.connection.execute(statement, &[]).is_err(), "{statement}");
    }
    place.connection.query("SELECT a FROM t", &[], 1).expect("as it was");
}

#[test]
fn two_statements_are_none() {
    let mut place = Place::new();
    for statement in
        ["SELECT 1; DROP TABLE t", "INSERT INTO t VALUES (1); COMMIT", "SELECT 1;;SELECT 2", "", ";", "-- x"]
    {
        assert!(place.connection.execute(statement, &[]).is_err(), "{statement}");
    }
    place.connection.query("SELECT a FROM t", &[], 1).expect("still there");
}

/// Each of these would run for minutes to ages; the progress handler ends it at the call's limit.
#[test]
fn statements_that_would_not_end_are_ended() {
    let place = Place::new();
    let mut connection = place.connection.with_call_limit(Duration::from_millis(50));
    for statement in [
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n ORDER BY 1) SELECT x FROM n WHERE x < 0",
        "WITH n(x) AS (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)) SELECT count(*) FROM n a, n b, n c, n d, n e, n f, \
         n g, n h, n i, n j",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(hex(zeroblob(1000000))) FROM n",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n WHERE \
         hex(zeroblob(100000 + x % 2)) LIKE '%000000000000000000000000000000000000000000000000000000000000001'",
    ] {
        let begun = Instant::now();
        let ended = connection.query(statement, &[], 1);
        assert!(matches!(&ended, Err(SqlError::Database { state, .. }) if state == "57014"), "{statement}: {ended:?}");
        assert!(begun.elapsed() < SOON, "{statement}");
    }
    let filling = "INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
    assert!(matches!(connection.execute(filling, &[]), Err(SqlError::Database { state, .. }) if state == "57014"));
    let rows = connection.query("SELECT a FROM t", &[], 1).expect("usable again");
    assert_eq!(rows.batch.num_rows(), 0, "nothing of the insert that was ended");
}

/// One step each, so that no clock would end it: SQLite's own functions take hours for these.
#[test]
fn single_steps_that_would_not_end_are_fast_or_refused() {
    let place = Place::new();
    let mut connection = place.connection.with_call_limit(Duration::from_secs(5));
    let many = "replace(hex(zeroblob(4000000)), '0', 'a')";
    let half = "replace(hex(zeroblob(2000000)), '0', 'a')";
    for (expression, expected) in [
        (format!("instr({many}, {half} || 'b')"), Some("0")),
        (format!("length(replace({many}, {half} || 'b', 'c'))"), Some("8000000")),
        (format!("length(trim({many}, 'b' || {half}))"), Some("0")),
        (format!("length(replace({many}, 'a', {half}))"), None),
        (format!("unhex({many}, {half})"), None),
        (format!("{many} LIKE '%' || {half} || 'b'"), None),
        (format!("{many} GLOB '*' || {half} || 'b'"), None),
    ] {
        let begun = Instant::now();
        let answer = connection.query(&format!("SELECT CAST({expression} AS TEXT)"), &[], 1);
        assert!(begun.elapsed() < SOON, "{expression}");
        let text = answer
            .ok()
            .map(|rows| arrow_array::cast::AsArray::as_string::<i32>(rows.batch.column(0)).value(0).to_owned());
        assert_eq!(text.as_deref(), expected, "{expression}");
    }
}

#[test]
fn long_patterns_are_refused() {
    let mut place = Place::new();
    let statement = format!("SELECT hex(zeroblob(1000)) LIKE '%{}1'", "0".repeat(1000));
    assert!(place.connection.query(&statement, &[], 1).is_err());
}

/// The wait for another writer is part of the call's time.
#[test]
fn a_held_lock_does_not_hold_the_call() {
    let place = Place::new();
    let holder = rusqlite::Connection::open(place.folder.path().join("sub/granted.db")).expect("open");
    holder.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let mut connection = place.connection.with_call_limit(Duration::from_millis(60));
    let begun = Instant::now();
    assert!(matches!(connection.begin(), Err(SqlError::Retryable(_))));
    let inserted = connection.bulk_insert("t", &plain(0, 1), &InsertOptions::default());
    assert!(inserted.is_err(), "{inserted:?}");
    assert!(begun.elapsed() < SOON);
    holder.execute_batch("ROLLBACK").expect("unlock");
    connection.begin().expect("free");
}

fn root() -> (TempDir, Root, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let granted = folder.path().join("granted");
    let root = Root::open(&granted).expect("root");
    (folder, root, granted)
}

fn put(root: &Root, path: &str, text: &str) -> Result<(), FileError> {
    let mut sink = root.create(path, Format::Raw, Compression::None)?;
    sink.write(text.as_bytes())?;
    sink.finish().map(drop)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).expect("folder").flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[test]
fn paths_of_every_bad_kind_are_denied() {
    let (folder, root, granted) = root();
    let long = format!("{}/x", "y".repeat(255));
    for path in [
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "/x",
        "/etc/passwd",
        "//x",
        "./x",
        "a//x",
        "a/",
        "",
        "a\0/x",
        "x\0.csv",
        "C:\\x",
        "C:/x",
        "\\\\host\\share",
        "a\\..\\x",
        "~/../x\u{7f}",
        "a\nb",
        "nul",
        "COM1.csv",
        "con/x",
        "aux",
        "x.",
        "x ",
        ".x",
        ".x.csv.0123456789abcdef.part",
        "a/.git/config",
        &long,
    ] {
        let refused = put(&root, path, "x");
        assert!(matches!(refused, Err(FileError::Denied(_))), "{path:?}: {refused:?}");
    }
    assert_eq!(names(&granted), [""; 0]);
    assert_eq!(names(folder.path()), ["granted"]);
}

/// The folder that was checked is the one that is written to, whatever stands under its name later.
#[cfg(unix)]
#[test]
fn a_folder_changed_for_a_link_after_the_check_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let (folder, root, granted) = root();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("folder");
    let mut sink = root.create("sub/x", Format::Raw, Compression::None).expect("create");
    fs::rename(granted.join("sub"), granted.join("moved")).expect("rename");
    symlink(&outside, granted.join("sub")).expect("link");
    sink.write(b"text").expect("write");
    sink.finish().expect("finish");
    assert_eq!(names(&outside), [""; 0]);
    assert_eq!(fs::read_to_string(granted.join("moved/x")).expect("file"), "text");
    let refused = put(&root, "sub/y", "x");
    assert!(matches!(refused, Err(FileError::Denied(_))), "{refused:?}");
    assert_eq!(names(&outside), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_link_made_under_the_final_name_is_replaced_and_not_followed() {
    use std::os::unix::fs::symlink;
    let (folder, root, granted) = root();
    let outside = folder.path().join("outside");
    fs::write(&outside, "keep").expect("file");
    let mut sink = root.create("x", Format::Raw, Compression::None).expect("create");
    sink.write(b"text").expect("write");
    symlink(&outside, granted.join("x")).expect("link");
    sink.finish().expect("finish");
    assert_eq!(fs::read_to_string(&outside).expect("file"), "keep");
    assert_eq!(fs::read_to_string(granted.join("x")).expect("file"), "text");
}

/// A manifest can only take away what lies below its own granted folder.
#[cfg(unix)]
#[test]
fn a_manifest_removes_nothing_outside() {
    use std::os::unix::fs::symlink;
    let (folder, root, granted) = root();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("folder");
    fs::write(outside.join("keep.csv"), "keep").expect("file");
    symlink(&outside, granted.join("link")).expect("link");
    let list = |path: &str| format!("{{\"feed\":\"x\",\"files\":[{{\"path\":\"{path}\"}}]}}");
    for path in ["../outside/keep.csv", "link/keep.csv", "/etc/hostname", "..\\\\outside\\\\keep.csv"] {
        put(&root, "manifest-old.json", &list(path)).expect("old");
        // whether the sweep is refused or has nothing to do, the file stays
        let _ = put(&root, "manifest.json", &list("new.csv"));
        assert_eq!(names(&outside), ["keep.csv"], "{path}");
    }
}

#[test]
fn names_of_the_host_s_own_files_gain_nothing() {
    let (_folder, root, granted) = root();
    let list = "{\"feed\":\"x\",\"files\":[]}";
    put(&root, "manifest.json", list).expect("first");
    let holder = root.create("manifest-replaced.json", Format::Raw, Compression::None).expect("create");
    assert!(matches!(put(&root, "manifest.json", list), Err(FileError::Exists(_))), "the host's copy has no place");
    drop(holder);
    put(&root, "manifest.json", list).expect("again");
    for name in ["MANIFEST.JSON", "Manifest.json", "manifest.json.part", "manifest-.json"] {
        put(&root, name, list).expect(name);
    }
    assert!(names(&granted).iter().all(|name| !name.starts_with('.')), "{:?}", names(&granted));
}

fn on_disk(folder: &Path) -> u64 {
    fs::read_dir(folder).expect("folder").flatten().map(|entry| entry.metadata().expect("file").len()).sum()
}

#[test]
fn the_quota_holds_while_bytes_are_written_and_over_all_sinks() {
    const QUOTA: u64 = 1_000_000;
    let (_folder, root, granted) = root();
    let root = root.with_quota(QUOTA);
    let mut one = root.create("one", Format::Raw, Compression::None).expect("create");
    let mut two = root.clone().create("two", Format::Csv, Compression::None).expect("create");
    let mut given = 0;
    let refusal = loop {
        let wrote = one.write(&[b'x'; 50_000]).and_then(|()| two.write_batch(&plain(0, 1_000)));
        given += 50_000;
        let on_disk = on_disk(&granted);
        assert!(on_disk <= QUOTA && given <= 2 * QUOTA, "{on_disk} of {given}");
        if let Err(error) = wrote {
            break error;
        }
    };
    assert_eq!(refusal, FileError::Quota(QUOTA));
    drop((one, two));
    assert_eq!(root.used_bytes(), 0);
    assert_eq!(names(&granted), [""; 0]);
}

/// A file of a few bytes that decodes to much is much for its reader, but not for the folder: what counts is the disk.
#[test]
fn the_quota_counts_what_reaches_the_disk_and_the_host_s_copies_too() {
    let (_folder, root, _granted) = root();
    let root = root.with_quota(3_000);
    let mut sink = root.create("zeros.gz", Format::Raw, Compression::Gzip).expect("create");
    sink.write(&[0; 1 << 20]).expect("write");
    sink.finish().expect("finish");
    let used = root.used_bytes();
    assert!(used < 2_000, "{used}");
    let list = format!("{{\"feed\":\"x\",\"files\":[],\"note\":\"{}\"}}", "n".repeat(600));
    put(&root, "manifest.json", &list).expect("first");
    let end = (0..3).map(|_| put(&root, "manifest.json", &list)).find_map(Result::err);
    assert_eq!(end, Some(FileError::Quota(3_000)));
}
