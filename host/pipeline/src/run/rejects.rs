//! The dead letter: every refused row with its reason, as JSON lines beside the pipeline file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use forcepump_transfer::folder;
use serde::Serialize;
use tempfile::SpooledTempFile;

use super::reject_lines::{self, RejectCounts, path_of};
use crate::error::{Error, ErrorClass};
use crate::state::UnitRow;

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

/// The rejects file of one run; made when the first row is refused. The feeds of a run share it.
pub struct RejectsFile {
    path: PathBuf,
    /// object or query
    feed: String,
    counted: RejectCounts,
    /// of units that are run again: lines that an earlier process left
    waiting: BTreeMap<String, RejectCounts>,
}

impl RejectsFile {
    /// The file of a run below the pipeline's folder: `.forcepump/runs/RUN/rejects.jsonl`. Of one that goes on, what the
    /// file holds of the committed units of the feed counts. `destination`: name of its plugin.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub(crate) fn going_on(
        (folder, run_id): (&Path, &str),
        feed: &str,
        destination: &str,
        committed: &[UnitRow],
    ) -> Result<Self, Error> {
        let path = path_of(folder, run_id);
        let found = reject_lines::count(&path, feed, destination);
        let mut waiting = found.map_err(|error| Error::Host { what: format!("reading {}", path.display()), error })?;
        let mut counted = RejectCounts::default();
        for unit in committed {
            if let Some(counts) = waiting.remove(&unit.unit) {
                counted.add(&counts);
            }
        }
        Ok(Self { path, feed: feed.to_owned(), counted, waiting })
    }

    /// Writes the rows of one unit, in the place of those that an earlier process wrote of it, and makes them durable;
    /// called before the unit's commit, so that a committed unit never lacks its rejects.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub(crate) fn put(&mut self, unit: &mut UnitRejects) -> Result<(), Error> {
        let is_there = self.waiting.contains_key(&unit.id) && self.path.exists();
        if unit.counts.by_code.is_empty() && !is_there {
            return Ok(());
        }
        let written = if is_there { self.replace(unit) } else { self.append(unit) };
        written.map_err(|error| Error::Host {
            what: format!("cannot write the rejects file {}", self.path.display()),
            error,
        })?;
        self.waiting.remove(&unit.id);
        self.counted.add(&unit.counts);
        Ok(())
    }

    /// The lines that an earlier process wrote of a unit stand.
    pub(crate) fn stand(&mut self, unit: &str) {
        if let Some(counts) = self.waiting.remove(unit) {
            self.counted.add(&counts);
        }
    }

    /// Salesforce ids of the rows of a unit that the file holds.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub(crate) fn ids_of(&self, unit: &str) -> Result<Vec<String>, Error> {
        let found = reject_lines::ids(&self.path, &self.feed, unit);
        found.map_err(|error| Error::Host { what: format!("reading {}", self.path.display()), error })
    }

    /// Writes the rows of a unit that will not be committed; where an earlier process may have done so, its lines stay.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub(crate) fn show(&mut self, unit: &mut UnitRejects) -> Result<(), Error> {
        if self.waiting.contains_key(&unit.id) { Ok(()) } else { self.put(unit) }
    }

    fn append(&self, unit: &mut UnitRejects) -> std::io::Result<()> {
        let text = unit.text()?;
        let within = self.path.parent().unwrap_or(Path::new(""));
        folder::make(within)?;
        // The lines of one unit stay together. Another feed may have put another file here.
        let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !self.path.exists();
        let mut file = private_append(&self.path)?;
        std::io::copy(text, &mut file)?;
        file.sync_data()?;
        if is_new { folder::sync(within) } else { Ok(()) }
    }

    fn replace(&self, unit: &mut UnitRejects) -> std::io::Result<()> {
        let id = unit.id.clone();
        let text = unit.text()?;
        let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        reject_lines::sift(&self.path, |seen| seen.feed != self.feed || seen.unit != id, text)
    }

    /// Its length so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.path().and_then(|path| fs::metadata(path).ok()).map_or(0, |found| found.len())
    }

    /// The file's path, when a row was refused.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        let has_lines = !self.counted.by_code.is_empty() || !self.waiting.is_empty();
        has_lines.then_some(self.path.as_path())
    }

    /// Where the file is, or would be.
    #[must_use]
    pub fn intended_path(&self) -> &Path {
        &self.path
    }

    /// Who refused the most rows, those of a unit that is not counted yet included.
    #[must_use]
    pub fn mostly_by(&self, unit: &UnitRejects) -> ErrorClass {
        let of_unit = self.waiting.get(&unit.id).unwrap_or(&unit.counts);
        let parties = [
            (Party::Source, ErrorClass::Source),
            (Party::Destination, ErrorClass::Destination),
            (Party::Transform, ErrorClass::Plugin),
        ];
        let most = parties.into_iter().max_by_key(|(party, _)| self.counted.of(*party) + of_unit.of(*party));
        most.map_or(ErrorClass::Plugin, |(_, class)| class)
    }

    /// How often each code occurred.
    #[must_use]
    pub fn by_code(&self) -> &BTreeMap<String, u64> {
        &self.counted.by_code
    }
}

/// Takes the lines of a feed, by its object, out of the rejects file of a run: the feed is begun anew, while others go on.
///
/// # Errors
/// [`Error::Host`] with the path.
pub(super) fn forget_feed(folder: &Path, run_id: &str, object: &str) -> Result<(), Error> {
    let path = path_of(folder, run_id);
    let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = reject_lines::sift(&path, |seen| seen.feed != object, &mut std::io::empty());
    kept.map_err(|error| Error::Host { what: format!("tidying {}", path.display()), error })
}

/// The refused rows of a unit that is not committed yet: in memory while they are few, in a nameless file beyond.
pub struct UnitRejects {
    id: String,
    text: SpooledTempFile,
    counts: RejectCounts,
    failed: Option<std::io::Error>,
}

impl UnitRejects {
    /// None yet of that unit.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let text = SpooledTempFile::new(UNIT_MEMORY_BYTES);
        Self { id: id.to_owned(), text, counts: RejectCounts::default(), failed: None }
    }

    /// Adds a row. A disk that fails is told when the unit's rows are written.
    pub fn push(&mut self, line: &RejectLine, party: Party) {
        self.counts.count(&line.code, party);
        let written = serde_json::to_writer(&mut self.text, line).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|()| self.text.write_all(b"\n")) {
            self.failed.get_or_insert(error);
        }
    }

    fn text(&mut self) -> std::io::Result<&mut SpooledTempFile> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.text.rewind()?;
        Ok(&mut self.text)
    }
}

/// Refused rows are customer data: only the user may read them.
pub(super) fn private_append(path: &Path) -> std::io::Result<File> {
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
    use std::collections::BTreeSet;

    use super::super::reject_lines::keep_units;
    use super::super::tally::UnitTally;
    use super::*;
    use crate::state::IdRange;

    fn line(unit: &str, stage: &str, row: u64) -> RejectLine {
        RejectLine {
            run: "r1".into(),
            feed: "Account".into(),
            unit: unit.into(),
            row,
            stage: stage.into(),
            plugin: None,
            id: Some("001".into()),
            code: format!("bad_{stage}"),
            reason: "x".into(),
            column: Some("CloseDate".into()),
            values: BTreeMap::from([("CloseDate".into(), Some("x".into()))]),
        }
    }

    /// Refused rows of a unit: so many by the decoder, so many by the destination.
    fn unit(id: &str, decoded: u64, refused: u64) -> UnitRejects {
        let mut unit = UnitRejects::new(id);
        (0..decoded).for_each(|row| unit.push(&line(id, "decode", row), Party::Source));
        (0..refused).for_each(|row| unit.push(&line(id, "csv", row), Party::Destination));
        unit
    }

    fn committed(unit: &str) -> UnitRow {
        UnitRow {
            feed: "Account".into(),
            pass: String::new(),
            unit: unit.into(),
            number: 0,
            tally: UnitTally::default(),
            token: String::new(),
            part: None,
            rejects_bytes: 0,
            ids: IdRange::default(),
            files: Vec::new(),
            read_hash: None,
            written_hash: None,
            committed_at: 0,
        }
    }

    fn open(folder: &tempfile::TempDir, feed: &str, units: &[&str]) -> RejectsFile {
        let units: Vec<UnitRow> = units.iter().map(|unit| committed(unit)).collect();
        RejectsFile::going_on((folder.path(), "r1"), feed, "csv", &units).unwrap()
    }

    fn counts(file: &RejectsFile) -> (u64, u64) {
        let count = |code: &str| file.by_code().get(code).copied().unwrap_or(0);
        (count("bad_decode"), count("bad_csv"))
    }

    fn units_in(file: &RejectsFile) -> String {
        let text = fs::read_to_string(file.intended_path()).unwrap_or_default();
        let unit = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["unit"].clone();
        text.lines().map(|line| unit(line).as_str().unwrap().to_owned() + " ").collect()
    }

    #[test]
    fn no_reject_leaves_no_file_and_each_reject_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = open(&folder, "Account", &[]);
        file.put(&mut UnitRejects::new("p1")).unwrap();
        assert!(file.path().is_none() && !file.intended_path().exists() && file.bytes() == 0);
        let mut first = unit("p1", 2, 0);
        assert_eq!(file.mostly_by(&first), ErrorClass::Source);
        file.put(&mut first).unwrap();
        file.put(&mut unit("p2", 0, 1)).unwrap();
        assert_eq!((counts(&file), units_in(&file).as_str()), ((2, 1), "p1 p1 p2 "));
        let path = file.path().unwrap().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().len(), file.bytes());
    }

    #[test]
    fn only_lines_of_noted_units_outlive_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = open(&folder, "Account", &[]);
        file.put(&mut unit("p1", 2, 0)).unwrap();
        file.put(&mut unit("p2", 0, 1)).unwrap();
        let path = file.path().unwrap().to_owned();
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"run\": \"cut").unwrap();
        keep_units(folder.path(), "r1", &BTreeSet::from([("Account".into(), "p1".into())])).unwrap();
        assert_eq!(units_in(&file), "p1 p1 ");
        assert_eq!(counts(&open(&folder, "Account", &["p1"])), (2, 0));
        keep_units(folder.path(), "r1", &BTreeSet::from([("Contact".into(), "p1".into())])).unwrap();
        assert!(!path.exists() && open(&folder, "Account", &["p1"]).path().is_none());
    }

    #[test]
    fn lines_of_a_unit_that_is_run_again_count_when_they_stand_or_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = open(&folder, "Account", &[]);
        for (id, refused) in [("p1", 1), ("p2", 4), ("p3", 2)] {
            file.put(&mut unit(id, 0, refused)).unwrap();
        }
        let mut again = open(&folder, "Account", &["p1"]);
        let mut other = open(&folder, "Contact", &["p2"]);
        assert_eq!((counts(&again), counts(&other)), ((0, 1), (0, 0)));
        assert!(again.path().is_some() && other.path().is_none(), "the lines are of another feed");
        assert_eq!(again.mostly_by(&unit("p2", 1, 0)), ErrorClass::Destination, "by what stands");
        again.show(&mut unit("p2", 1, 0)).unwrap();
        again.stand("p2");
        assert_eq!(counts(&again), (0, 5));
        again.put(&mut unit("p3", 3, 0)).unwrap();
        assert_eq!((counts(&again), units_in(&again).as_str()), ((3, 5), "p1 p2 p2 p2 p2 p3 p3 p3 "));
        // The file is another one now.
        let mut contact = UnitRejects::new("p3");
        contact.push(&RejectLine { feed: "Contact".into(), ..line("p3", "csv", 0) }, Party::Destination);
        other.put(&mut contact).unwrap();
        assert_eq!(units_in(&again), "p1 p2 p2 p2 p2 p3 p3 p3 p3 ");
        let mut third = open(&folder, "Account", &["p1", "p2"]);
        third.put(&mut UnitRejects::new("p3")).unwrap();
        assert_eq!((counts(&third), units_in(&third).as_str()), ((0, 5), "p1 p2 p2 p2 p2 p3 "));
    }
}
