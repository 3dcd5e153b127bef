//! The dead letter: every refused row with its reason, as JSON lines beside the pipeline file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Error;

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
}

impl RejectsFile {
    /// The file of the run `run_id` below the pipeline's folder: `.forcepump/runs/RUN/rejects.jsonl`.
    #[must_use]
    pub fn new(folder: &Path, run_id: &str) -> Self {
        let path = folder.join(".forcepump").join("runs").join(run_id).join("rejects.jsonl");
        Self { path, file: None, by_code: BTreeMap::new() }
    }

    /// Writes the rows of one unit and makes them durable; called before the unit's commit, so that a committed
    /// unit never lacks its rejects.
    ///
    /// # Errors
    /// [`Error::Host`] with the path.
    pub fn append(&mut self, lines: &[RejectLine]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        self.write(lines).map_err(|error| Error::Host {
            what: format!("cannot write the rejects file {}", path.display()),
            error,
        })?;
        for line in lines {
            *self.by_code.entry(line.code.clone()).or_default() += 1;
        }
        Ok(())
    }

    fn write(&mut self, lines: &[RejectLine]) -> std::io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            self.file = Some(private_append(&self.path)?);
        }
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        if let Some(file) = self.file.as_mut() {
            file.write_all(&text)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// The file's path, when a row was refused.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.is_some().then_some(self.path.as_path())
    }

    /// How often each code occurred.
    #[must_use]
    pub fn by_code(&self) -> &BTreeMap<String, u64> {
        &self.by_code
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
        file.append(&[]).unwrap();
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
        file.append(&[line.clone(), line]).unwrap();
        let text = std::fs::read_to_string(file.path().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(file.by_code()["bad_date"], 2);
    }
}
