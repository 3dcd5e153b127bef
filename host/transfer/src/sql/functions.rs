//! Functions that SQLite computes in one step and in quadratic time, computed in linear time instead.
//!
//! The clock of a call is looked at between two steps of SQLite's virtual machine. `instr`, `replace` and `trim` compare
//! every place of one value with all of another within a single step: with two values of some megabytes that takes hours, in
//! which nothing could end the call. These do the same work in time that grows with the values' length.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::memmem;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

use super::connection::VALUE_MAX_BYTES;

/// Registers the functions in the place of SQLite's own.
pub(crate) fn register(db: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("instr", 2, flags, instr)?;
    db.create_scalar_function("replace", 3, flags, replace)?;
    db.create_scalar_function("trim", 2, flags, |context| trim(context, true, true))?;
    db.create_scalar_function("ltrim", 2, flags, |context| trim(context, true, false))?;
    db.create_scalar_function("rtrim", 2, flags, |context| trim(context, false, true))?;
    db.create_scalar_function("unhex", 2, flags, |_| -> Result<Option<i64>> {
        Err(refused("unhex takes one value here"))
    })
}

/// The place of the second value in the first, from 1 on; 0 when it is not there.
fn instr(context: &Context<'_>) -> Result<Option<i64>> {
    let (within, wanted) = (context.get_raw(0), context.get_raw(1));
    let are_blobs = matches!((within, wanted), (ValueRef::Blob(_), ValueRef::Blob(_)));
    let (Some(within), Some(wanted)) = (bytes(within)?, bytes(wanted)?) else { return Ok(None) };
    let Some(at) = memmem::find(&within, &wanted) else { return Ok(Some(0)) };
    let before = within.get(..at).unwrap_or_default();
    let places = if are_blobs { before.len() } else { before.iter().filter(|b| **b & 0xc0 != 0x80).count() };
    Ok(Some(i64::try_from(places).unwrap_or(i64::MAX - 1) + 1))
}

/// The first value with the third for each second one in it.
fn replace(context: &Context<'_>) -> Result<Option<String>> {
    let (Some(text), Some(old)) = (bytes(context.get_raw(0))?, bytes(context.get_raw(1))?) else { return Ok(None) };
    if old.is_empty() {
        return Ok(Some(lossy(&text)));
    }
    let Some(new) = bytes(context.get_raw(2))? else { return Ok(None) };
    let finder = memmem::Finder::new(&*old);
    let count = finder.find_iter(&text).count();
    let size = (text.len() - count * old.len()) as u64 + count as u64 * new.len() as u64;
    if size > VALUE_MAX_BYTES {
        return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
    }
    let mut replaced = Vec::with_capacity(size as usize);
    let mut rest = 0;
    for at in finder.find_iter(&text) {
        replaced.extend_from_slice(text.get(rest..at).unwrap_or_default());
        replaced.extend_from_slice(&new);
        rest = at + old.len();
    }
    replaced.extend_from_slice(text.get(rest..).unwrap_or_default());
    Ok(Some(lossy(&replaced)))
}

/// The first value without the letters of the second at its ends.
fn trim(context: &Context<'_>, start: bool, end: bool) -> Result<Option<String>> {
    let (Some(text), Some(letters)) = (bytes(context.get_raw(0))?, bytes(context.get_raw(1))?) else {
        return Ok(None);
    };
    let (text, letters) = (lossy(&text), lossy(&letters));
    let letters: HashSet<char> = letters.chars().collect();
    let mut rest = text.as_str();
    if start {
        rest = rest.trim_start_matches(|letter| letters.contains(&letter));
    }
    if end {
        rest = rest.trim_end_matches(|letter| letters.contains(&letter));
    }
    Ok(Some(rest.to_owned()))
}

/// A value as SQLite's text functions see it; none for null.
fn bytes(value: ValueRef<'_>) -> Result<Option<Cow<'_, [u8]>>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(Cow::Owned(number.to_string().into_bytes()))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(Cow::Borrowed(bytes))),
        // SQLite has its own way to write these
        ValueRef::Real(_) => Err(refused("a floating-point number is no text here; write CAST(… AS TEXT)")),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn refused(text: &str) -> Error {
    Error::UserFunctionError(text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::types::Value;

    use super::*;

    fn ask(db: &Connection, statement: &str, params: &[Value]) -> Option<Value> {
        db.query_row(statement, rusqlite::params_from_iter(params), |row| row.get(0)).ok()
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            (-20i64..200).prop_map(Value::Integer),
            "[abé🦀]{0,6}".prop_map(Value::Text),
            "[ab]{0,3}".prop_map(|text| Value::Blob(text.into_bytes())),
        ]
    }

    proptest! {
        #[test]
        fn they_answer_as_sqlite_s_own(one in values(), two in values(), three in values()) {
            let theirs = Connection::open_in_memory().expect("open");
            let ours = Connection::open_in_memory().expect("open");
            register(&ours).expect("register");
            let params = [one, two, three];
            for (call, count) in [
                ("instr(?1, ?2)", 2), ("trim(?1, ?2)", 2), ("ltrim(?1, ?2)", 2), ("rtrim(?1, ?2)", 2),
                ("CAST(replace(?1, ?2, ?3) AS TEXT)", 3),
            ] {
                let statement = format!("SELECT {call}");
                prop_assert_eq!(ask(&ours, &statement, &params[..count]), ask(&theirs, &statement, &params[..count]), "{}", call);
            }
        }
    }
}
