//! Buffers that break the rules of `data.write`, and wrong numbers in the other `data` calls.

use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::data;
use forcepump_plugin_sdk::bindings::imports::forcepump::plugin::types::RowRange;
use forcepump_plugin_sdk::{Buffers, Column, DataType, Field, OnCastError, PluginError, Schema, Selection, TimeUnit};

/// Attacks of `process` by `data` calls. Each answers with what the host said.
pub const MODES: &[&str] = &[
    "write-validity-length",
    "write-validity-padding",
    "write-width",
    "write-offsets-count",
    "write-offsets-first",
    "write-offsets-shrink",
    "write-offsets-last",
    "write-offsets-negative",
    "write-not-utf8",
    "write-split-character",
    "write-decimal-range",
    "write-date-range",
    "write-time-range",
    "write-timestamp-range",
    "write-opaque",
    "write-many-rows",
    "write-null-with-values",
    "write-huge",
    "write-much",
    "write-many-columns",
    "read-unknown",
    "read-out-of-range",
    "null-count-unknown",
    "cast-unknown",
    "cast-to-opaque",
    "select-unknown",
    "select-bomb",
    "assemble-unknown",
    "assemble-misfit",
    "retain-unknown",
    "retain-hoard",
    "columns-unknown",
];

fn write(
    data_type: &DataType,
    rows: u32,
    validity: Option<&[u8]>,
    offsets: &[i32],
    values: &[u8],
) -> Result<(), String> {
    let offsets = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    let parts = Buffers { validity: validity.map(<[u8]>::to_vec), offsets, values: values.to_vec() };
    data::write(data_type, rows, &parts).map(drop)
}

/// Makes the attack, if it is one of [`MODES`]; the error is what the host said.
pub fn attack(mode: &str, rows: u32) -> Result<(), PluginError> {
    let said = match mode.split_once('-') {
        Some(("write", _)) => bad_write(mode),
        Some(("read" | "null" | "cast" | "select" | "assemble" | "retain" | "columns", _)) => bad_call(mode, rows),
        _ => return Ok(()),
    };
    match said {
        Ok(()) => Err(PluginError::Data("the host took it".to_owned())),
        Err(rule) => Err(PluginError::Data(rule)),
    }
}

fn bad_write(mode: &str) -> Result<(), String> {
    let text = DataType::Utf8;
    match mode {
        "write-validity-length" => write(&DataType::Int8, 9, Some(&[0xff]), &[], &[0; 9]),
        "write-validity-padding" => write(&DataType::Int8, 1, Some(&[0xff]), &[], &[0]),
        "write-width" => write(&DataType::Int64, 2, None, &[], &[0; 15]),
        "write-offsets-count" => write(&text, 2, None, &[0, 1], b"a"),
        "write-offsets-first" => write(&text, 1, None, &[1, 2], b"ab"),
        "write-offsets-shrink" => write(&text, 2, None, &[0, 2, 1], b"a"),
        "write-offsets-last" => write(&text, 1, None, &[0, i32::MAX], b"ab"),
        "write-offsets-negative" => write(&text, 1, None, &[0, -1], b""),
        "write-not-utf8" => write(&text, 1, None, &[0, 2], &[b'a', 0xff]),
        "write-split-character" => write(&text, 2, None, &[0, 1, 2], "é".as_bytes()),
        "write-decimal-range" => write(&DataType::decimal(5, 2), 1, None, &[], &100_000i128.to_le_bytes()),
        "write-date-range" => write(&DataType::Date32, 1, None, &[], &i32::MIN.to_le_bytes()),
        "write-time-range" => {
            write(&DataType::Time64(TimeUnit::Microsecond), 1, None, &[], &86_400_000_000i64.to_le_bytes())
        }
        "write-timestamp-range" => {
            let shape = forcepump_plugin_sdk::TimestampShape { unit: TimeUnit::Second, zone: None };
            write(&DataType::Timestamp(shape), 1, None, &[], &i64::MAX.to_le_bytes())
        }
        "write-opaque" => write(&DataType::Opaque("List".to_owned()), 1, None, &[], &[]),
        "write-many-rows" => write(&DataType::Null, u32::MAX, None, &[], &[]),
        "write-null-with-values" => write(&DataType::Null, 1, None, &[], &[1]),
        "write-huge" => write(&DataType::Int8, 100 << 20, None, &[], &vec![0; 100 << 20]),
        "write-much" => (0..100).try_for_each(|_| write(&DataType::Int8, 1 << 20, None, &[], &vec![0; 1 << 20])),
        "write-many-columns" => (0..10_000).try_for_each(|_| write(&DataType::Null, 1, None, &[], &[])),
        _ => Ok(()),
    }
}

/// A number that no call was given.
const UNKNOWN: Column = 3_000_000_000;

fn bad_call(mode: &str, rows: u32) -> Result<(), String> {
    match mode {
        "read-unknown" => data::read(UNKNOWN, None).map(drop),
        "read-out-of-range" => data::read(0, Some(RowRange { offset: rows, len: u32::MAX })).map(drop),
        "null-count-unknown" => data::null_count(UNKNOWN).map(drop),
        "cast-unknown" => data::cast(UNKNOWN, &DataType::Utf8, OnCastError::Fail).map(drop),
        "cast-to-opaque" => data::cast(0, &DataType::Opaque("List".to_owned()), OnCastError::Fail).map(drop),
        "select-unknown" => data::select(UNKNOWN, &Selection::All).map(drop),
        "select-bomb" => {
            // Each selection is as long as the cap allows, from the last one's result.
            let mut column = 1;
            for _ in 0..10 {
                column = data::select(column, &Selection::Take(vec![0; rows as usize * 60]))?;
            }
            (0..100_000).try_for_each(|_| data::select(column, &Selection::Take(vec![0; 500])).map(drop))
        }
        "assemble-unknown" => data::assemble(&shape(DataType::Int32), &[UNKNOWN]).map(drop),
        "assemble-misfit" => data::assemble(&shape(DataType::Utf8), &[0]).map(drop),
        "retain-unknown" => data::retain(UNKNOWN).map(drop),
        "retain-hoard" => (0..10_000).try_for_each(|_| data::retain(0).map(drop)),
        "columns-unknown" => data::columns(UNKNOWN).map(drop),
        _ => Ok(()),
    }
}

fn shape(data_type: DataType) -> Schema {
    Schema { fields: vec![Field::new("a", data_type, true)], metadata: Vec::new() }
}
