//! Files: there, unchanged, and their rows counted anew.

use std::path::{Path, PathBuf};

use forcepump_transfer::files::{self, Compression, Format};

use super::{Facts, VerifyCheck, VerifyState};
use crate::state::{PlaceKind, PlaceRow};

/// What to say of a file that is not as it was.
const CHANGED: &str = "its bytes are not those that were committed: its SHA-256 differs";

/// A file, as its row has it.
pub(super) struct Filed {
    pub path: PathBuf,
    pub format: Format,
    pub compression: Compression,
}

/// The file of a row; none when the row is no file, or of a format that this version does not know.
pub(super) fn filed(facts: &Facts, row: &PlaceRow) -> Option<Filed> {
    let PlaceKind::File { folder, path, format, compression, .. } = &row.place else { return None };
    let format = match format.as_str() {
        "raw" => Format::Raw,
        "csv" => Format::Csv,
        "json-lines" => Format::JsonLines,
        "arrow" => Format::Arrow,
        "parquet" => Format::Parquet,
        _ => return None,
    };
    let compression = match compression.as_str() {
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
        _ => Compression::None,
    };
    Some(Filed { path: facts.folder.join(folder).join(path), format, compression })
}

/// One file.
pub(super) fn check(facts: &Facts, row: &PlaceRow) -> VerifyCheck {
    let PlaceKind::File { path: name, bytes, sha256, .. } = &row.place else {
        return VerifyCheck::unknown(&row.feed, "a place", "it is no file");
    };
    let (feed, what) = (&row.feed, format!("rows of {name}"));
    let Some(Filed { path, format, compression }) = filed(facts, row) else {
        return VerifyCheck::unknown(feed, what, "its format is not known to this version");
    };
    let now = match files::bytes_of(&path) {
        Ok(now) => now,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return VerifyCheck::differs(feed, what, row.rows, gone(facts, &path));
        }
        Err(error) => return VerifyCheck::differs(feed, what, row.rows, format!("it cannot be read: {error}")),
    };
    let counted = match files::rows_of(&path, format, compression, None) {
        Ok(Some(rows)) => VerifyCheck::counts(feed, what, row.rows, rows),
        Ok(None) => VerifyCheck::counts(feed, format!("bytes of {name}"), *bytes, now.bytes),
        Err(error) => VerifyCheck::differs(feed, what, row.rows, format!("it cannot be read to its end: {error}")),
    };
    if now.bytes == *bytes && now.sha256 == *sha256 {
        return counted;
    }
    let note = match now.bytes == *bytes {
        true => CHANGED.to_owned(),
        false => format!("it has {} bytes, and {bytes} were committed", now.bytes),
    };
    let note = counted.note.as_ref().map_or_else(|| note.clone(), |first| format!("{note}; {first}"));
    VerifyCheck { state: VerifyState::Differs, note: Some(note), ..counted }
}

fn gone(facts: &Facts, path: &Path) -> String {
    let run = &facts.run;
    format!(
        "{} is gone: it was removed, moved, or replaced by a later run in the mode overwrite (this one began at {})",
        path.display(),
        chrono::DateTime::from_timestamp_micros(run.started_at).unwrap_or_default().format("%Y-%m-%d %H:%M UTC")
    )
}
