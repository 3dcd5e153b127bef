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
    "clock",
    "random",
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
pub fn attack(mode: &str) -> Result<(), PluginError> {
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
        "clock" => Err(PluginError::Data(clock::now().to_string())),
        "random" => Err(PluginError::Data(format!("{:?}", random::bytes(4)))),
        _ => Ok(()),
    }
}
