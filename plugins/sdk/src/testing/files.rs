//! File sinks in memory.

use super::{Table, store};
use crate::Schema;
use crate::files::{Compression, FileError, Format, Written};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A file that is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Who made the bytes.
    pub format: Format,
    /// How they are packed.
    pub compression: Compression,
    /// The batches of a file that the host encodes.
    pub tables: Vec<Table>,
    /// The bytes of a raw file.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    roots: BTreeMap<String, BTreeMap<String, File>>,
    schema: Option<Schema>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Grants an empty root of that name, in place of an older one.
pub fn grant(root: &str) {
    STATE.with_borrow_mut(|state| state.roots.insert(root.to_owned(), BTreeMap::new()));
}

/// The files below a granted root, by path.
pub fn under(root: &str) -> BTreeMap<String, File> {
    STATE.with_borrow(|state| state.roots.get(root).cloned().unwrap_or_default())
}

pub(super) fn set_schema(schema: &Schema) {
    STATE.with_borrow_mut(|state| state.schema = Some(schema.clone()));
}

/// A file in the making.
#[derive(Debug)]
pub struct Sink {
    root: String,
    path: String,
    // The generated binding writes through a shared reference, and so does this.
    file: RefCell<File>,
}

impl Sink {
    /// As the contract's `files.sink.create`.
    ///
    /// # Errors
    /// When the root is not granted, or the path leaves it.
    pub fn create(root: &str, path: &str, format: Format, compression: Compression) -> Result<Sink, FileError> {
        if !STATE.with_borrow(|state| state.roots.contains_key(root)) {
            return Err(FileError::Denied(format!("root \"{root}\" is not granted")));
        }
        if path.split('/').any(|part| part.is_empty() || part == "..") {
            return Err(FileError::Denied(format!("path \"{path}\" leaves the root")));
        }
        let file = File { format, compression, tables: Vec::new(), bytes: Vec::new() };
        Ok(Sink { root: root.to_owned(), path: path.to_owned(), file: RefCell::new(file) })
    }

    /// As the contract's `files.sink.write`.
    ///
    /// # Errors
    /// When the format is not raw.
    pub fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = self.file.borrow_mut();
        if file.format != Format::Raw {
            return Err(FileError::WrongFormat("bytes go into raw sinks only".to_owned()));
        }
        file.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// As the contract's `files.sink.write-batch`.
    ///
    /// # Errors
    /// When the format is raw, or there is no such batch.
    pub fn write_batch(&self, batch: u32) -> Result<(), FileError> {
        let mut file = self.file.borrow_mut();
        if file.format == Format::Raw {
            return Err(FileError::WrongFormat("batches go into encoded sinks only".to_owned()));
        }
        let columns = store::batch(batch).map_err(FileError::Io)?;
        let schema = STATE.with_borrow(|state| state.schema.clone()).unwrap_or_else(|| Schema::new(Vec::new()));
        file.tables.push(Table::from_stored(schema, columns));
        Ok(())
    }

    /// As the contract's `files.sink.finish`; the digest is not real.
    ///
    /// # Errors
    /// Never, here.
    pub fn finish(sink: Sink) -> Result<Written, FileError> {
        let file = sink.file.into_inner();
        let rows = file.tables.iter().map(Table::rows).sum::<usize>() as u64;
        let bytes = file.bytes.len() as u64;
        let written = Written { path: sink.path.clone(), bytes, rows, sha256: format!("{bytes:064x}") };
        STATE.with_borrow_mut(|state| state.roots.entry(sink.root).or_default().insert(sink.path, file));
        Ok(written)
    }
}
