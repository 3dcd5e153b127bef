//! The ways to break on a row.

use std::hint::black_box;

use forcepump_plugin_sdk::PluginError;
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::data;
use forcepump_plugin_sdk::{Buffers, DataType};

/// Breaks in that way; an unknown word does nothing. `contract`, a wrong answer, is the caller's to give.
pub fn breaks(mode: &str) -> Result<(), PluginError> {
    match mode {
        "trap" => trap(),
        "spin" => spin(),
        "memory" => grow(),
        "output" => hand_over(),
        "data" => return Err(PluginError::data("this row is not to my taste")),
        "fatal" => return Err(PluginError::fatal("enough")),
        _ => {}
    }
    Ok(())
}

fn trap() {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}

fn spin() {
    let mut count = 0u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

fn grow() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1u8; 1 << 20]));
    }
}

/// Hands over more at once than the host takes, which ends the instance.
fn hand_over() {
    const BYTES: u32 = 32 << 20;
    let block = Buffers { validity: None, offsets: Vec::new(), values: vec![0; BYTES as usize] };
    let _ = black_box(data::write(&DataType::Int8, BYTES, &block));
}
