//! The lines that a rejects file has already: whose they are, and which of them stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use forcepump_transfer::folder;
use serde::Deserialize;

use super::rejects::{DECODE_STAGE, Party, private_append};
use crate::error::Error;

/// What is read of a line that is there already.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    /// object or query
    pub feed: String,
    pub unit: String,
    stage: String,
    code: String,
    #[serde(default)]
    id: Option<String>,
}

/// How many rows were refused, and by whom.
#[derive(Debug, Clone, Default)]
pub(super) struct RejectCounts {
    pub by_code: BTreeMap<String, u64>,
    pub by_party: BTreeMap<Party, u64>,
}

impl RejectCounts {
    pub(super) fn count(&mut self, code: &str, party: Party) {
        *self.by_party.entry(party).or_default() += 1;
        match self.by_code.get_mut(code) {
            Some(count) => *count += 1,
            None => _ = self.by_code.insert(code.to_owned(), 1),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (code, count) in &other.by_code {
            *self.by_code.entry(code.clone()).or_default() += count;
        }
        for (party, count) in &other.by_party {
            *self.by_party.entry(*party).or_default() += count;
        }
    }

    /// How many rows a party refused.
    pub(super) fn of(&self, party: Party) -> u64 {
        self.by_party.get(&party).copied().unwrap_or(0)
    }
}

pub(super) fn path_of(folder: &Path, run_id: &str) -> PathBuf {
    folder.join(".forcepump").join("runs").join(run_id).join("rejects.jsonl")
}

/// Leaves only the lines of the units, each with the object of its feed, in the rejects file of a run: those of a unit
/// that was not committed will come again.
///
/// # Errors
/// [`Error::Host`] with the path.
pub(super) fn keep_units(folder: &Path, run_id: &str, units: &BTreeSet<(String, String)>) -> Result<(), Error> {
    let path = path_of(folder, run_id);
    let kept = sift(&path, |seen| units.contains(&(seen.feed, seen.unit)), &mut std::io::empty());
    kept.map_err(|error| Error::Host { what: format!("tidying {}", path.display()), error })
}

/// Counts the lines of a feed, unit by unit. `destination`: name of its plugin.
pub(super) fn count(path: &Path, feed: &str, destination: &str) -> std::io::Result<BTreeMap<String, RejectCounts>> {
    let mut units: BTreeMap<String, RejectCounts> = BTreeMap::new();
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(units),
        opened => opened?,
    };
    for line in BufReader::new(file).lines() {
        let Ok(seen) = serde_json::from_str::<Seen>(&line?) else { continue };
        if seen.feed != feed {
            continue;
        }
        let party = match seen.stage.as_str() {
            DECODE_STAGE => Party::Source,
            stage if stage == destination => Party::Destination,
            _ => Party::Transform,
        };
        units.entry(seen.unit).or_default().count(&seen.code, party);
    }
    Ok(units)
}

/// Salesforce ids in the lines of a unit.
pub(super) fn ids(path: &Path, feed: &str, unit: &str) -> std::io::Result<Vec<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut ids = Vec::new();
    for line in BufReader::new(file).lines() {
        let Ok(seen) = serde_json::from_str::<Seen>(&line?) else { continue };
        ids.extend(seen.id.filter(|_| seen.feed == feed && seen.unit == unit));
    }
    Ok(ids)
}

/// Puts a file in the place of this one that has the lines which are kept, and then those of `more`; one without a line
/// goes.
pub(super) fn sift(path: &Path, keep: impl Fn(Seen) -> bool, more: &mut impl Read) -> std::io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let aside = path.with_extension("jsonl.part");
    // What an earlier try left here is of no use, and would be appended to.
    let _ = fs::remove_file(&aside);
    let mut out = BufWriter::new(private_append(&aside)?);
    let mut lines = BufReader::new(file);
    let (mut line, mut dropped, mut kept) = (Vec::new(), 0_u64, 0_u64);
    while lines.read_until(b'\n', &mut line)? > 0 {
        // A line that a kill has cut is none.
        let seen = serde_json::from_slice::<Seen>(&line).ok().filter(|_| line.ends_with(b"\n"));
        if seen.is_some_and(&keep) {
            out.write_all(&line)?;
            kept += 1;
        } else {
            dropped += 1;
        }
        line.clear();
    }
    let added = std::io::copy(more, &mut out)?;
    let out = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    out.sync_all()?;
    match (dropped, kept, added) {
        (0, _, 0) => return fs::remove_file(&aside),
        (_, 0, 0) => fs::remove_file(&aside).and_then(|()| fs::remove_file(path))?,
        _ => fs::rename(&aside, path)?,
    }
    path.parent().map_or(Ok(()), folder::sync)
}
