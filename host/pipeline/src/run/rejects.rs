//! The dead letter: every refused row with its reason, as JSON lines beside the pipeline file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use crate::error::{Error, ErrorClass};

/// Bytes of a unit's refused rows that are held in memory; a plugin that refuses everything must not fill it.
const UNIT_MEMORY_BYTES: usize = 1 << 20;

/// The stage of rows that could not be decoded.
pub(crate) const DECODE_STAGE: &str = "decode";

/// Held while the rows of a unit are appended.
static WRITING: Mutex<()> = Mutex::new(());

/// One refused row as a line of the rejects file.
#[derive(Debug, Clone, Serialize)]
pub struct RejectLine {
    /// the run
    pub run: String,
    /// object or query
    pub feed: String,
    /// the unit
    pub unit: String,
    /// row number within the stage's batch stream of the unit, from 0
    pub row: u64,
    /// `decode`, or the plugin that refused it
    pub stage: String,
    /// the plugin's version and digest; absent for the decoder
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginIdentity>,
    /// the row's Salesforce id, when the query has one
    pub id: Option<String>,
    /// machine word
    pub code: String,
    /// for people
    pub reason: String,
    /// the column at fault
    pub column: Option<String>,
    /// the row: column name to canonical text
    pub values: BTreeMap<String, Option<String>>,
}

/// Who refused a row, and so who has to act when there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The decoder: the source's data.
    Source,
    /// A transform.
    Transform,
    /// The destination.
    Destination,
}

/// Which build of a plugin refused a row.
#[derive(Debug, Clone, Serialize)]
pub struct PluginIdentity {
    /// as the plugin says
    pub version: String,
    /// sha256 of the component, hex
    pub digest: String,
}

/// The rejects file of one run; made when the first row is refused.
pub struct RejectsFile {
    path: PathBuf,
    file: Option<File>,
    by_code: BTreeMap<String, u64>,
    by_party: BTreeMap<Party, u64>,
}

/// What is read of a line that is there already.
#[derive(Debug, Deserialize)]
struct Seen {
    feed: String,
    unit: String,
    stage: String,
    code: String,
}

/// Leaves only the lines of the units, each with the object of its feed, in the rejects file of a run: those of a unit
/// that was not committed will come again.
///
/// # Errors
/// [`Error::Host`] with the path.
pub(super) fn keep_units(folder: &Path, run_id: &str, units: &BTreeSet<(String, String)>) -> Result<(), Error> {
    let path = path_of(folder, run_id);
    keep(&path, units).map_err(|error| Error::Host { what: format!("tidying {}", path.display()), error })
}

fn keep(path: &Path, units: &BTreeSet<(String, String)>) -> std::io::Result<()> {
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
        if seen.is_some_and(|seen| units.contains(&(seen.feed, seen.unit))) {
            out.write_all(&line)?;
            kept += 1;
        } else {
            dropped += 1;
        }
        line.clear();
    }
    let out = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    out.sync_all()?;
    match (dropped, kept) {
        (0, _) => fs::remove_file(&aside),
        (_, 0) => fs::remove_file(&aside).and_then(|()| fs::remove_file(path)),
        _ => fs::rename(&aside, path),
    }
}

fn path_of(folder: &Path, run_id: &str) -> PathBuf {
    folder.join(".forcepump").join("runs").join(run_id).join("rejects.jsonl")
}

impl RejectsFile {
    /// The file of the run `run_id` below the pipeline's folder: `.forcepump/runs/RUN/rejects.jsonl`.
    #[must_use]
    pub fn new(folder: &Path, run_id: &str) -> Self {
        let path = path_of(folder, run_id);
        Self { path, file: None, by_code: BTreeMap::new(), by_party: BTreeMap::new() }
    }

    /// The same of a run that goes on: what the file holds of the object counts. `destination`: name of its plugin.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub fn going_on(folder: &Path, run_id: &str, object: &str, destination: &str) -> Result<Self, Error> {
        let mut this = Self::new(folder, run_id);
        let what = format!("reading {}", this.path.display());
        this.count(object, destination).map_err(|error| Error::Host { what, error })?;
        Ok(this)
    }

    fn count(&mut self, object: &str, destination: &str) -> std::io::Result<()> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        for line in BufReader::new(file).lines() {
            let Ok(seen) = serde_json::from_str::<Seen>(&line?) else { continue };
            if seen.feed != object {
                continue;
            }
            let party = match seen.stage.as_str() {
                DECODE_STAGE => Party::Source,
                stage if stage == destination => Party::Destination,
                _ => Party::Transform,
            };
            *self.by_code.entry(seen.code).or_default() += 1;
            *self.by_party.entry(party).or_default() += 1;
        }
        if !self.by_code.is_empty() {
            self.file = Some(private_append(&self.path)?);
        }
        Ok(())
    }

    /// Writes the rows of one unit and makes them durable; called before the unit's commit, so that a committed
    /// unit never lacks its rejects.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub fn append(&mut self, unit: &mut UnitRejects) -> Result<(), Error> {
        if unit.by_code.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        self.write(unit).map_err(|error| Error::Host {
            what: format!("cannot write the rejects file {}", path.display()),
            error,
        })?;
        for (code, count) in &unit.by_code {
            *self.by_code.entry(code.clone()).or_default() += count;
        }
        for (party, count) in &unit.by_party {
            *self.by_party.entry(*party).or_default() += count;
        }
        Ok(())
    }

    fn write(&mut self, unit: &mut UnitRejects) -> std::io::Result<()> {
        if let Some(error) = unit.failed.take() {
            return Err(error);
        }
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            self.file = Some(private_append(&self.path)?);
        }
        if let Some(file) = self.file.as_mut() {
            // The feeds of a run share the file: the lines of one unit stay together.
            let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
            unit.text.rewind()?;
            std::io::copy(&mut unit.text, file)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// Its length so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |found| found.len())
    }

    /// The file's path, when a row was refused.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.is_some().then_some(self.path.as_path())
    }

    /// Where the file is, or would be.
    #[must_use]
    pub fn intended_path(&self) -> &Path {
        &self.path
    }

    /// Who refused the most rows, those of a unit that is not in the file yet included.
    #[must_use]
    pub fn mostly_by(&self, unit: &UnitRejects) -> ErrorClass {
        let count = |party: Party| {
            self.by_party.get(&party).copied().unwrap_or(0) + unit.by_party.get(&party).copied().unwrap_or(0)
        };
        let parties = [
            (Party::Source, ErrorClass::Source),
            (Party::Destination, ErrorClass::Destination),
            (Party::Transform, ErrorClass::Plugin),
        ];
        let most = parties.into_iter().max_by_key(|(party, _)| count(*party));
        most.map_or(ErrorClass::Plugin, |(_, class)| class)
    }

    /// How often each code occurred.
    #[must_use]
    pub fn by_code(&self) -> &BTreeMap<String, u64> {
        &self.by_code
    }
}

/// The refused rows of a unit that is not committed yet: in memory while they are few, in a nameless file beyond.
pub struct UnitRejects {
    text: SpooledTempFile,
    by_code: BTreeMap<String, u64>,
    by_party: BTreeMap<Party, u64>,
    failed: Option<std::io::Error>,
}

impl UnitRejects {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            text: SpooledTempFile::new(UNIT_MEMORY_BYTES),
            by_code: BTreeMap::new(),
            by_party: BTreeMap::new(),
            failed: None,
        }
    }

    /// Adds a row. A disk that fails is told when the unit's rows are appended.
    pub fn push(&mut self, line: &RejectLine, party: Party) {
        *self.by_party.entry(party).or_default() += 1;
        *self.by_code.entry(line.code.clone()).or_default() += 1;
        let written = serde_json::to_writer(&mut self.text, line).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|()| self.text.write_all(b"\n")) {
            self.failed.get_or_insert(error);
        }
    }
}

/// Refused rows are customer data: only the user may read them.
fn private_append(path: &Path) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reject_leaves_no_file_and_each_reject_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RejectsFile::new(folder.path(), "r1");
        file.append(&mut UnitRejects::new()).unwrap();
        assert!(file.path().is_none());
        let line = RejectLine {
            run: "r1".into(),
            feed: "Account".into(),
            unit: "p1".into(),
            row: 3,
            stage: "decode".into(),
            plugin: None,
            id: Some("001".into()),
            code: "bad_date".into(),
            reason: "x".into(),
            column: Some("CloseDate".into()),
            values: BTreeMap::from([("CloseDate".into(), Some("x".into()))]),
        };
        let mut unit = UnitRejects::new();
        unit.push(&line, Party::Source);
        unit.push(&line, Party::Source);
        assert_eq!(file.mostly_by(&unit), ErrorClass::Source);
        file.append(&mut unit).unwrap();
        let mut other = UnitRejects::new();
        other.push(&RejectLine { unit: "p2".into(), stage: "csv".into(), ..line.clone() }, Party::Destination);
        file.append(&mut other).unwrap();
        let path = file.path().unwrap().to_owned();
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"run\": \"cut").unwrap();
        let again = RejectsFile::going_on(folder.path(), "r1", "Account", "csv").unwrap();
        assert_eq!((again.by_code()["bad_date"], again.mostly_by(&UnitRejects::new())), (3, ErrorClass::Source));
        keep_units(folder.path(), "r1", &BTreeSet::from([("Account".into(), "p1".into())])).unwrap();
        let again = RejectsFile::going_on(folder.path(), "r1", "Account", "csv").unwrap();
        assert_eq!(again.by_code()["bad_date"], 2);
        let text = std::fs::read_to_string(file.path().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2);
        keep_units(folder.path(), "r1", &BTreeSet::new()).unwrap();
        assert!(
            !path.exists() && RejectsFile::going_on(folder.path(), "r1", "Account", "csv").unwrap().path().is_none()
        );
    }
}
