//! One guest, many attacks; for tests of the sandbox, never shipped.
//!
//! The configuration names the call in which to attack and the attack: `{"call": "process", "mode":
//! "spin"}`. Without them the guest is honest. [`MODES`] lists every attack, so that a test can see
//! to it that each is tried. `describe` has no configuration; a test writes the attack's name over
//! [`DESCRIBE_MARK`] in the component.

mod anywhere;
mod capabilities;
mod lies;
mod opened;
mod requests;
mod results;
mod stale;
mod system;
mod units;
mod withheld;
mod writes;

use std::cell::RefCell;

use forcepump_plugin_sdk::bindings::checkpoint::exports::forcepump::plugin::checkpoint;
use forcepump_plugin_sdk::bindings::destination::exports::forcepump::plugin::destination;
use forcepump_plugin_sdk::bindings::metadata::exports::forcepump::plugin::metadata;
use forcepump_plugin_sdk::bindings::transform::exports::forcepump::plugin::transform;
use forcepump_plugin_sdk::{Description, Emitted, OpenRequest, Opened, Outcome, PluginError, parse_config};

/// Every attack, by the call in which it is made; `*` stands for any call, `http` and `wasi` for those of `process`
/// that only the guests `evil-http` and `evil-wasi` have.
pub const MODES: &[(&str, &[&str])] = &[
    ("describe", anywhere::DESCRIBE_MODES),
    ("*", anywhere::MODES),
    ("open", opened::MODES),
    ("process", results::MODES),
    ("process", writes::MODES),
    ("process", capabilities::MODES),
    ("process", lies::MODES),
    ("stale", stale::MODES),
    ("withheld", withheld::MODES),
    ("http", requests::MODES),
    ("wasi", system::MODES),
    ("finish", results::FINISH_MODES),
    ("save", &["huge-checkpoint", "save-stale-batch"]),
    ("destination", units::MODES),
];

/// Whether the guest has the attacks through capabilities, and so imports them.
const CAPABLE: bool = !cfg!(feature = "modest");

/// What a test writes over to choose an attack in `describe`: the name, padded with dots.
pub const DESCRIBE_MARK: &str = "describe-mode:honest..............";

static MARK: [u8; DESCRIBE_MARK.len()] = {
    let mut mark = [0; DESCRIBE_MARK.len()];
    mark.copy_from_slice(DESCRIBE_MARK.as_bytes());
    mark
};

/// What the instance was told.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Orders {
    /// Name of the export.
    call: String,
    /// Name of the attack.
    mode: String,
    /// What the attack is to use: a path, a statement, a URL, a secret.
    text: String,
}

thread_local! {
    static ORDERS: RefCell<Orders> = RefCell::default();
}

/// The mode, when the orders are for this call.
fn orders(call: &str) -> String {
    ORDERS.with_borrow(|orders| if orders.call == call { orders.mode.clone() } else { String::new() })
}

/// What the attack is to use.
fn text() -> String {
    ORDERS.with_borrow(|orders| orders.text.clone())
}

/// Takes the orders of a call that carries the configuration, and attacks if told to.
fn enlist(call: &str, config: &str) -> Result<String, PluginError> {
    ORDERS.set(parse_config(config)?);
    attack(call)
}

/// Attacks if told to; gives the mode for attacks that need the call's own result.
fn attack(call: &str) -> Result<String, PluginError> {
    let mode = orders(call);
    anywhere::attack(&mode)?;
    Ok(mode)
}

/// The guest.
#[derive(Debug)]
pub struct Evil;

impl metadata::Guest for Evil {
    fn describe() -> Description {
        // Without the black box the compiler would read the mark when it compiles.
        let mark = std::hint::black_box(&MARK);
        let mode = std::str::from_utf8(mark).unwrap_or_default();
        anywhere::describe(mode.trim_start_matches("describe-mode:").trim_end_matches('.'))
    }
}

impl transform::Guest for Evil {
    fn open(request: OpenRequest) -> Result<Opened, PluginError> {
        let mode = enlist("open", &request.config)?;
        opened::open(&mode, &request)
    }

    fn process(batch: transform::Input) -> Result<Outcome, PluginError> {
        let mode = attack("process")?;
        if CAPABLE {
            capabilities::attack(&mode, &text())?;
        }
        writes::attack(&mode, batch.rows)?;
        stale::attack(&mode, batch.rows)?;
        if cfg!(feature = "http") {
            requests::attack(&mode, &text())?;
        }
        if cfg!(target_os = "wasi") {
            system::attack(&mode)?;
        }
        let withheld = if CAPABLE { withheld::attack(&mode, batch.rows)? } else { None };
        if let Some(outcome) = withheld.or(lies::attack(&mode, batch.rows)?) {
            return Ok(outcome);
        }
        results::process(&mode, batch.rows)
    }

    fn finish(max_rows: u32) -> Result<Option<Emitted>, PluginError> {
        let mode = attack("finish")?;
        results::finish(&mode, max_rows)
    }
}

impl checkpoint::Guest for Evil {
    fn save() -> Result<Vec<u8>, PluginError> {
        let mode = attack("save")?;
        if mode == "save-stale-batch" {
            results::old_batch()?;
        }
        Ok(vec![0; if mode == "huge-checkpoint" { 17 << 20 } else { 4 }])
    }
}

impl destination::Guest for Evil {
    fn prepare(of: destination::Target) -> Result<destination::Prepared, PluginError> {
        let mode = enlist("prepare", &of.config)?;
        Ok(units::prepare(&mode, &of))
    }

    fn begin(of: destination::Target, unit: String) -> Result<(), PluginError> {
        enlist("begin", &of.config)?;
        if CAPABLE {
            units::begin(&unit);
        }
        Ok(())
    }

    fn write(rows: u32) -> Result<destination::WriteOutcome, PluginError> {
        let mode = attack("write")?;
        if CAPABLE {
            units::keep(&mode);
        }
        Ok(units::write(&mode, rows))
    }

    fn commit() -> Result<String, PluginError> {
        let mode = attack("commit")?;
        if mode == "commit-stale-batch" {
            results::old_batch()?;
        }
        if CAPABLE {
            units::close(&mode);
        }
        Ok(units::token(&mode))
    }

    fn abandon() -> Result<(), PluginError> {
        attack("abandon")?;
        if CAPABLE {
            units::close("unfinished-file");
        }
        Ok(())
    }

    fn conclude(of: destination::Target, _how: destination::Ending, _tokens: Vec<String>) -> Result<(), PluginError> {
        enlist("conclude", &of.config).map(drop)
    }
}

#[cfg(target_arch = "wasm32")]
const _: () = {
    use forcepump_plugin_sdk::bindings;
    bindings::metadata::export_metadata!(Evil with_types_in bindings::metadata);
    bindings::transform::export_transform_part!(Evil with_types_in bindings::transform);
    bindings::checkpoint::export_checkpoint_part!(Evil with_types_in bindings::checkpoint);
    bindings::destination::export_destination_part!(Evil with_types_in bindings::destination);
};
