//! Attacks through granted capabilities.

use forcepump_plugin_sdk::PluginError;
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::{clock, files, random, sql};

/// Attacks of `process` by capabilities.
pub const MODES: &[&str] = &[
    "sql-unknown",
    "sql-hoard",
    "sql-foreign-batch",
    "sql-bad-decimal",
    "files-unknown",
    "files-hoard",
    "files-leave-open",
    "random-huge",
    "sql-statement",
    "files-path",
    "handles-without-end",
    "clock",
    "random",
    "scan-memory",
];

fn said<T, E: std::fmt::Debug>(outcome: Result<T, E>) -> Result<(), PluginError> {
    match outcome {
        Ok(_) => Err(PluginError::Data("the host took it".to_owned())),
        Err(error) => Err(PluginError::Data(format!("{error:?}"))),
    }
}

fn create(root: &str) -> Result<files::Sink, files::FileError> {
    files::Sink::create(root, "evil.bin", files::Format::Raw, files::Compression::None)
}

/// Makes the attack, if it is one of [`MODES`].
pub fn attack(mode: &str, text: &str) -> Result<(), PluginError> {
    match mode {
        "sql-unknown" => said(sql::Connection::open("master")),
        "sql-hoard" => {
            let hoard: Result<Vec<_>, _> = (0..2_000).map(|_| sql::Connection::open("db")).collect();
            said(hoard)
        }
        "sql-foreign-batch" => {
            let options = sql::InsertOptions {
                mode: sql::InsertMode::Append,
                columns: Vec::new(),
                keys: Vec::new(),
                collect_rejects: false,
            };
            said(sql::Connection::open("db").and_then(|open| open.bulk_insert("t", 77, &options)))
        }
        "sql-bad-decimal" => {
            let value = sql::Value::Decimal("1; DROP TABLE t".to_owned());
            said(sql::Connection::open("db").and_then(|open| open.execute("x", &[value])))
        }
        "files-unknown" => said(create("etc")),
        "files-hoard" => {
            let hoard: Result<Vec<_>, _> = (0..2_000).map(|_| create("out")).collect();
            said(hoard)
        }
        "files-leave-open" => {
            if let Ok(sink) = create("out") {
                std::mem::forget(sink);
            }
            Ok(())
        }
        "random-huge" => {
            std::hint::black_box(random::bytes(u32::MAX));
            Ok(())
        }
        // What the pipeline's tests choose: a statement, a path.
        "sql-statement" => said(sql::Connection::open("db").and_then(|open| open.execute(text, &[]))),
        "files-path" => {
            let sink = files::Sink::create("out", text, files::Format::Raw, files::Compression::None);
            said(sink.and_then(files::Sink::finish))
        }
        "handles-without-end" => loop {
            if let Ok(open) = sql::Connection::open("db") {
                std::mem::forget(open);
            }
        },
        "scan-memory" => Err(PluginError::Data(format!("{} places", places_of(text)))),
        "clock" => Err(PluginError::Data(clock::now().to_string())),
        "random" => Err(PluginError::Data(format!("{:?}", random::bytes(4)))),
        _ => Ok(()),
    }
}

/// In how many places of the guest's whole memory the text lies, but for the copies that the guest has of its orders.
/// The orders say it backwards, so that they are no such place themselves.
fn places_of(backwards: &str) -> usize {
    let wanted: Vec<u8> = backwards.bytes().rev().collect();
    let memory = whole_memory();
    let own = [wanted.as_ptr() as usize];
    let starts = memory.windows(wanted.len().max(1)).enumerate().filter(|(_, window)| *window == wanted);
    starts.filter(|(place, _)| !own.contains(&(place + FIRST_BYTE))).count()
}

/// A slice cannot begin at address 0.
const FIRST_BYTE: usize = 1;

#[cfg(target_arch = "wasm32")]
fn whole_memory() -> &'static [u8] {
    let bytes = core::arch::wasm32::memory_size(0) * 65_536 - FIRST_BYTE;
    // SAFETY: the linear memory is that long, and nothing else runs while it is read.
    unsafe { std::slice::from_raw_parts(std::ptr::without_provenance(FIRST_BYTE), bytes) }
}

#[cfg(not(target_arch = "wasm32"))]
fn whole_memory() -> &'static [u8] {
    &[]
}
