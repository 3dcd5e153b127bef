//! What else can go wrong in the middle: a full disk, a state that is locked, a second process, a network that is cut.
//! Whatever it is, the run says so, and the next one completes what it began.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forcepump_emulator::Options;
use forcepump_emulator::data::QueryMode;

use crate::harness::{Bench, Org, Ran};
use crate::held::{self, Rows};
use crate::orgs::{script_of, wait_until};
use crate::process::Running;
use crate::receiver::Receiver;

const ROWS: u64 = 400;
const PAGE_ROWS: u64 = 20;
const COLUMNS: [&str; 4] = ["Id", "Name", "AnnualRevenue", "Description"];
const RUN: [&str; 3] = ["run", "p.toml", "--json"];
/// The run failed, or stands and can go on.
const NOT_DONE: [i32; 4] = [1, 4, 5, 7];
/// Time-outs that a fault runs into soon.
const SOON: &str = "[org.http]\nstall_timeout_ms = 800\nfirst_byte_timeout_ms = 2500\nmax_attempts = 3\n";
/// The fifth page says nothing more after some bytes; asked for again, it comes.
const STALLED: &str =
    "[[fault]]\non = { route = \"bulk2-results\", nth = 5 }\ndo = { kind = \"stall\", after_bytes = 300 }\n";

fn org(faults: &str) -> Org {
    Org::with(Options {
        generate: vec![("Account".to_owned(), ROWS)],
        page_size: PAGE_ROWS,
        faults: script_of(faults),
        ..Options::default()
    })
}

fn bench(org: &Org, destination: &str) -> Bench {
    let bench = Bench::on(org);
    bench.write("connections.toml", &format!("{}{SOON}", bench.read("connections.toml")));
    let fields = COLUMNS.map(|name| format!("\"{name}\"")).join(", ");
    bench.write(
        "p.toml",
        &format!("name = \"hit\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [{fields}]\napi = \"bulk2\"\n{destination}"),
    );
    bench
}

fn sqlite(database: &str) -> String {
    format!(
        "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\nconfig = {{ table = \"account\" }}\ngrant = {{ sql = {{ db = \"sqlite:{database}\" }} }}\n"
    )
}

fn csv(folder: &str) -> String {
    format!("[destination]\nplugin = \"csv\"\nmode = \"append\"\ngrant = {{ files = {{ out = \"{folder}\" }} }}\n")
}

fn expected(org: &Org) -> Rows {
    held::of_org(org, &format!("SELECT {} FROM Account", COLUMNS.join(", ")), QueryMode::Bulk2)
}

#[track_caller]
fn table_is_whole(bench: &Bench, org: &Org) {
    let table = held::in_sqlite(bench).expect("a table");
    let rows = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
    held::same(&expected(org), &rows).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[track_caller]
fn failed(ran: &Ran) {
    assert!(NOT_DONE.contains(&ran.code) && !ran.stderr.contains("panicked"), "{ran:?}");
}

/// How a disk is too small for a run.
enum Disk {
    /// A file system of its own, gone when this is dropped.
    Small(PathBuf),
    /// No file of the process may grow beyond so many KiB: `EFBIG`, where nothing may be mounted too.
    Files(u32),
}

/// What the system, or SQLite, says of a write that has no room.
const NO_ROOM: [&str; 4] = ["no space", "full", "file too large", "disk i/o error"];
/// KiB of a disk on which nothing ends; no file of a run is larger.
const NARROW_KIB: u32 = 64;
/// Rows of a unit that is larger than [`WIDE_KIB`], in the database and as a file.
const MANY_ROWS: u64 = 5_000;
/// KiB that the state does not come up to in a run of two units.
const WIDE_KIB: u32 = 768;

impl Disk {
    /// None where nothing may be mounted, as in containers.
    fn small(at: &Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self::Small(at.to_owned()))
    }

    /// The run, with as much room as there is.
    fn run(&self, bench: &Bench) -> Ran {
        let Self::Files(kib) = self else { return bench.run(&RUN) };
        let plain = bench.command(&RUN);
        let mut limited = Command::new("/bin/sh");
        // In blocks of 512 bytes. Without the trap the signal would end the process instead of the write.
        limited.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {} || exit 99; exec \"$@\"", kib * 2)).arg("sh");
        limited.arg(plain.get_program()).args(plain.get_args());
        limited.current_dir(bench.path("")).env_clear().stdin(std::process::Stdio::null());
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ran::of(limited.output().expect("a shell"))
    }

    fn grows(self) -> Self {
        if let Self::Small(at) = &self {
            let status = Command::new("mount").args(["-o", "remount,size=65536k"]).arg(at).status().expect("mount");
            assert!(status.success());
        }
        self
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small(at) = self {
            let _ = Command::new("umount").arg("-l").arg(at).status();
        }
    }
}

/// What a run on a full disk says, and that the next one completes when there is room: on a disk of its own where that
/// can be had, and everywhere with files that cannot grow beyond `kib`.
fn full_disk(at: &str, destination: &str, kib: u32, check: impl Fn(&Bench, &Org)) {
    let small_units = org("");
    let bench = bench(&small_units, destination);
    if let Some(disk) = Disk::small(&bench.path(at), NARROW_KIB) {
        on_disk(disk, (&bench, &small_units), &check);
    }
    let large_units = Org::with(Options {
        generate: vec![("Account".to_owned(), 2 * MANY_ROWS)],
        page_size: MANY_ROWS,
        ..Options::default()
    });
    let bench = self::bench(&large_units, destination);
    std::fs::create_dir_all(bench.path(at)).expect("a folder");
    on_disk(Disk::Files(kib), (&bench, &large_units), &check);
}

fn on_disk(disk: Disk, (bench, org): (&Bench, &Org), check: &impl Fn(&Bench, &Org)) {
    let ran = disk.run(bench);
    failed(&ran);
    let said = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    assert!(NO_ROOM.iter().any(|word| said.contains(word)), "{ran:?}");
    let _roomy = disk.grows();
    bench.run(&RUN).ends(0);
    check(bench, org);
}

#[test]
fn a_full_disk_under_the_database_is_said_and_the_next_run_completes() {
    full_disk("small", &sqlite("small/out.db"), WIDE_KIB, |bench, org| {
        let table = crate::tables::sqlite(&bench.path("small/out.db"), held::TABLE);
        let rows = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
        held::same(&expected(org), &rows).unwrap_or_else(|wrong| panic!("{wrong}"));
    });
}

#[test]
fn a_full_disk_under_the_files_is_said_and_the_next_run_completes() {
    full_disk("out", &csv("out"), WIDE_KIB, |bench, org| {
        let (table, other) = held::in_files(bench, "csv");
        let rows = held::keyed(&table, &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
        held::same(&expected(org), &rows).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(other.is_empty(), "{other:?}");
    });
}

#[test]
fn a_full_disk_under_the_state_is_said_and_the_next_run_completes() {
    full_disk(".forcepump", &sqlite("out.db"), NARROW_KIB, table_is_whole);
}

/// Holds the state as another process does, until it is dropped.
struct Locked(rusqlite::Connection);

impl Locked {
    fn of(bench: &Bench) -> Self {
        let db = rusqlite::Connection::open(bench.path(".forcepump/state.db")).expect("the state");
        db.busy_timeout(std::time::Duration::from_secs(30)).expect("a time");
        db.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
        Self(db)
    }

    fn released(self) {
        self.0.execute_batch("ROLLBACK").expect("the end");
    }
}

#[test]
fn a_locked_state_is_said_before_and_within_a_run() {
    let org = org(STALLED);
    let bench = bench(&org, &sqlite("out.db"));
    // A plan makes no state; a list of runs neither. The first run does, and it is held up in its fifth page.
    let running = Running::start(&bench, &RUN);
    wait_until("the fifth page is asked for", || org.asked("/results") >= 5);
    let locked = Locked::of(&bench);
    let within = running.in_time().unwrap_or_else(|wrong| panic!("{wrong}"));
    failed(&within);
    let said = |ran: &Ran| format!("{}{}", ran.stdout, ran.stderr).contains("another forcepump is writing");
    assert!(said(&within), "{within:?}");
    let before = bench.run(&RUN);
    assert!(before.code != 0 && said(&before), "{before:?}");
    locked.released();
    bench.run(&RUN).ends(0);
    table_is_whole(&bench, &org);
}

#[test]
fn a_second_process_is_refused_and_the_first_one_goes_on() {
    let org = org(STALLED);
    let bench = bench(&org, &sqlite("out.db"));
    let first = Running::start(&bench, &RUN);
    wait_until("the fifth page is asked for", || org.asked("/results") >= 5);
    let second = bench.run(&["run", "p.toml"]).ends(2);
    assert!(second.stderr.contains("hit"), "{}", second.stderr);
    first.in_time().unwrap_or_else(|wrong| panic!("{wrong}")).ends(0);
    table_is_whole(&bench, &org);
}

#[test]
fn two_processes_at_the_same_instant_make_one_run() {
    // Neither is done before the other has begun: a page makes it wait.
    let org = org(STALLED);
    let bench = bench(&org, &sqlite("out.db"));
    let spawn = || bench.command(&RUN).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
    let both = [spawn().expect("one"), spawn().expect("the other")];
    let mut codes = both.map(|mut child| child.wait().expect("an end").code().unwrap_or(-1));
    codes.sort_unstable();
    assert_eq!(codes, [0, 2]);
    table_is_whole(&bench, &org);
}

#[test]
fn a_source_that_is_cut_again_and_again_is_read_to_its_end() {
    let org = org(
        "[[fault]]\non = { route = \"bulk2-results\", nth = 4, times = 24 }\ndo = { kind = \"cut\", after_bytes = 200, reset = true }\n",
    );
    let bench = bench(&org, &sqlite("out.db"));
    const MOST_RUNS: usize = 12;
    let mut runs = 0;
    while bench.run(&RUN).code != 0 {
        runs += 1;
        assert!(runs < MOST_RUNS, "it never completes");
        let found = held::keyed(&held::in_sqlite(&bench).unwrap_or_default(), &COLUMNS);
        if let Ok(found) = found {
            held::part_of(&expected(&org), &found).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }
    assert!(runs > 0, "it was cut");
    table_is_whole(&bench, &org);
}

#[test]
fn a_server_that_is_cut_while_a_unit_is_committed_gets_every_row_once() {
    let open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&open);
    // Takes what is sent, and answers nothing after the third request.
    let server = Receiver::start(move |_, before| {
        let cut = before >= 3 && !opened.load(Ordering::SeqCst);
        (if cut { 0 } else { 200 }, String::new(), String::new())
    });
    let org = org("");
    let origin = format!("http://{}", server.address);
    let bench = bench(
        &org,
        &format!(
            "[destination]\nplugin = \"http\"\nmode = \"append\"\n[destination.config]\nurl = \"{origin}/v1/rows\"\nrows_per_request = 20\n\
             [destination.grant.http.api]\norigin = \"{origin}\"\nmethods = [\"post\"]\npaths = [\"/v1\"]\nprivate_addresses = true\n"
        ),
    );
    let ran = bench.run(&RUN);
    failed(&ran);
    open.store(true, Ordering::SeqCst);
    bench.run(&RUN).ends(0);
    // A server that knows keys takes each request once.
    let mut bodies = std::collections::BTreeMap::new();
    for request in server.received() {
        let (key, body) = (request.header("idempotency-key"), request.body.clone());
        assert_eq!(bodies.entry(key.clone()).or_insert_with(|| body.clone()), &body, "{key} says two things");
    }
    let text: String = bodies
        .into_values()
        .flat_map(|body| body.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .collect();
    let rows = held::keyed(&crate::tables::jsonl(&text), &COLUMNS).unwrap_or_else(|wrong| panic!("{wrong}"));
    held::same(&expected(&org), &rows).unwrap_or_else(|wrong| panic!("{wrong}"));
}
