//! Reading the dead letters of former runs: found by run id, read line by line, never held whole.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::state::State;

/// Stands for the newest run.
const LATEST: &str = "latest";
/// Runs that are named when there is none of the name that was asked for.
const NAMED_RUNS: usize = 5;

/// The rejects file of one run.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// the run
    pub run: String,
    /// its file
    pub path: PathBuf,
    /// rows that a retry wrote, by feed and id: the run that did
    mended: HashMap<(String, String), String>,
}

/// One refused row, as the file has it.
#[derive(Debug, Clone)]
pub struct DeadRow {
    /// the line as it is, without its end
    pub line: String,
    /// what it says
    pub refusal: Refusal,
}

/// What a line of a rejects file says. What is absent is empty: an older program may have written it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// the run
    pub run: String,
    /// object or query
    pub feed: String,
    /// the unit
    pub unit: String,
    /// row number within the stage's rows of the unit, from 0
    pub row: u64,
    /// `decode`, or the plugin that refused it
    pub stage: String,
    /// which build of the plugin
    pub plugin: Option<RefusalPlugin>,
    /// the row's Salesforce id
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

/// Which build of a plugin refused a row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RefusalPlugin {
    /// as the plugin says
    pub version: String,
    /// sha256 of the component, hex
    pub digest: String,
}

impl DeadLetter {
    /// The rejects of a run below a pipeline's folder; `latest` is the newest run that refused rows.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`] that names the nearest runs when there is no such one, [`Error::Host`] when the state cannot be
    /// read.
    pub fn find(folder: &Path, run: &str) -> Result<Self, Error> {
        let runs = folder.join(".forcepump").join("runs");
        let known = runs_in(&runs)?;
        let found = if run == LATEST { known.last() } else { known.iter().find(|known| *known == run) };
        match found {
            Some(run) => {
                let mended = match State::open_existing(folder)? {
                    Some(state) => state.mended(&state.first_of(run)?)?,
                    None => HashMap::new(),
                };
                Ok(Self { run: run.clone(), path: rejects_of(&runs, run), mended })
            }
            None => Err(Error::NoSuchRun(unknown(run, &known, &runs))),
        }
    }

    /// The run that read the row again and wrote it; none: the row is open.
    #[must_use]
    pub fn mended_by(&self, refusal: &Refusal) -> Option<&str> {
        let id = refusal.id.clone()?;
        self.mended.get(&(refusal.feed.clone(), id)).map(String::as_str)
    }

    /// The rows, one after the other; a line that is no reject is its number.
    ///
    /// # Errors
    /// [`Error::Host`] when the file cannot be read, at once or on the way.
    pub fn rows(&self) -> Result<impl Iterator<Item = Result<Result<DeadRow, u64>, Error>> + use<>, Error> {
        let path = self.path.clone();
        let failed = move |error| Error::Host { what: format!("cannot read {}", path.display()), error };
        let file = File::open(&self.path).map_err(&failed)?;
        let lines = BufReader::new(file).split(b'\n').zip(1..);
        Ok(lines.map(move |(line, number)| {
            let line = String::from_utf8_lossy(&line.map_err(&failed)?).into_owned();
            Ok(serde_json::from_str(&line).map(|refusal| DeadRow { line, refusal }).map_err(|_| number))
        }))
    }
}

fn rejects_of(runs: &Path, run: &str) -> PathBuf {
    runs.join(run).join("rejects.jsonl")
}

/// Ids of the runs that refused rows, oldest first: an id begins with its time.
fn runs_in(runs: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| Error::Host { what: format!("cannot read {}", runs.display()), error };
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut known = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if rejects_of(runs, &name).is_file() {
            known.push(name);
        }
    }
    known.sort();
    Ok(known)
}

fn unknown(run: &str, known: &[String], runs: &Path) -> String {
    if known.is_empty() {
        return format!(
            "no run refused a row: there is nothing in {}\nhint: name the pipeline's folder with --pipeline-folder",
            runs.display()
        );
    }
    let mut near: Vec<&String> = known.iter().rev().collect();
    // Stable: among equals the newest comes first.
    near.sort_by(|a, b| strsim::normalized_levenshtein(run, b).total_cmp(&strsim::normalized_levenshtein(run, a)));
    let near: Vec<&str> = near.into_iter().take(NAMED_RUNS).map(String::as_str).collect();
    format!("no run `{run}` refused a row here; the nearest are {}; `latest` is the newest", near.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(runs: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (run, text) in runs {
            let path = folder.path().join(".forcepump/runs").join(run);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("rejects.jsonl"), text).unwrap();
        }
        folder
    }

    #[test]
    fn runs_are_found_by_id_and_the_newest_by_its_word() {
        let folder = folder(&[("20240101T000000000Z-0001", ""), ("20250101T000000000Z-0002", "")]);
        fs::create_dir_all(folder.path().join(".forcepump/runs/20260101T000000000Z-0003")).unwrap();
        let find = |run: &str| DeadLetter::find(folder.path(), run).map(|letter| letter.run);
        assert_eq!(find("latest").unwrap(), "20250101T000000000Z-0002", "a run without rejects has none to show");
        assert_eq!(find("20240101T000000000Z-0001").unwrap(), "20240101T000000000Z-0001");
        let error = find("20240101T000000000Z-0009").unwrap_err().to_string();
        let near = error.find("20240101T000000000Z-0001").zip(error.find("20250101T000000000Z-0002"));
        assert!(near.is_some_and(|(first, second)| first < second), "{error}");
        assert!(find("../runs/20240101T000000000Z-0001").is_err(), "no path is a run");
        assert!(
            DeadLetter::find(Path::new("/nowhere"), "latest").unwrap_err().to_string().contains("--pipeline-folder")
        );
    }

    #[test]
    fn lines_that_are_no_rejects_are_told_by_number() {
        let text = "{\"row\": 7, \"code\": \"x\"}\nno JSON\n{\"row\": 8, \"new_key\": [1]}\n";
        let folder = folder(&[("r", text)]);
        let letter = DeadLetter::find(folder.path(), "r").unwrap();
        let rows: Vec<Result<u64, u64>> =
            letter.rows().unwrap().map(|row| row.unwrap().map(|row| row.refusal.row)).collect();
        assert_eq!(rows, [Ok(7), Err(2), Ok(8)]);
    }
}
