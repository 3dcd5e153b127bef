//! TOML text to a pipeline file, with errors that name the place and the nearest known key.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{PipelineFile, Problem};

/// Why a pipeline or connections file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be read.
    #[error("cannot read {}: {error}{}", path.display(), read_hint(error))]
    Read {
        /// the file
        path: PathBuf,
        /// what the operating system said
        error: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// the file
        path: PathBuf,
        /// what the operating system said
        error: std::io::Error,
    },
    /// The text is not TOML of the expected form.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// the file
        path: PathBuf,
        /// line, from 1
        line: usize,
        /// column, from 1
        column: usize,
        /// what is wrong, and the way out
        message: String,
    },
    /// The parts are well-formed, but do not fit together.
    #[error("{} cannot be used: {}", path.display(), join(problems))]
    Invalid {
        /// the file
        path: PathBuf,
        /// every fault found
        problems: Vec<Problem>,
    },
    /// No connections file was found.
    #[error("no connections file: looked for {}\nhint: make one with `forcepump connection add NAME`, or name a file with --connections FILE", looked_for.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    NoConnections {
        /// the places looked at, in order
        looked_for: Vec<PathBuf>,
    },
    /// The connections file has no such connection.
    #[error("connection `{name}` is not in {}; it has{}", path.display(), named(known))]
    UnknownConnection {
        /// the name asked for
        name: String,
        /// the connections file
        path: PathBuf,
        /// the names it has
        known: String,
    },
    /// A connection cannot be written like that.
    #[error("connection `{name}`: {message}")]
    Connection {
        /// its name
        name: String,
        /// what is wrong, and the way out
        message: String,
    },
    /// No connection is named, and the file does not have exactly one.
    #[error("{}", which(path, known))]
    WhichConnection {
        /// the connections file
        path: PathBuf,
        /// the names it has; empty: it has none
        known: String,
    },
}

/// The way to a first connection.
const ADD: &str = "hint: make one with `forcepump connection add NAME`";

fn read_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::IsADirectory => "\nhint: expected a file; move the folder away, or name another file",
        std::io::ErrorKind::InvalidData => "\nhint: expected TOML, which is text in UTF-8",
        _ => "",
    }
}

fn named(known: &str) -> String {
    if known.is_empty() { format!(" none\n{ADD}") } else { format!(": {known}") }
}

fn which(path: &Path, known: &str) -> String {
    let path = path.display();
    if known.is_empty() {
        return format!("{path} has no connection\n{ADD}");
    }
    let first = known.split(", ").next().unwrap_or_default();
    format!(
        "which connection? {path} has: {known}\n\
         hint: name it, as in `forcepump connection test {first}`, `forcepump doctor {first}` or \
         `forcepump org objects --connection {first}`"
    )
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("\n  {}: {}", p.key, p.message)).collect()
}

/// Parses a pipeline file's text; `path` is only named in errors.
///
/// # Errors
/// [`FileError::Syntax`] with line and column.
pub fn parse_pipeline(text: &str, path: &Path) -> Result<PipelineFile, FileError> {
    parse_toml(text, path)
}

/// Parses any of our TOML files; unknown keys are answered with the nearest known one.
pub(crate) fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = position(text, start);
        FileError::Syntax { path: path.to_owned(), line, column, message: explain(error.message()) }
    })
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// What serde calls things, and what they are in TOML.
const TOML_WORDS: [(&str, &str); 5] = [
    (
        "data did not match any variant of untagged enum Drift",
        "expected \"add\", \"ignore\" or \"fail\", or a table with one of them for each kind of change, for example { new = \"add\", gone = \"ignore\", type = \"fail\" }",
    ),
    (
        "data did not match any variant of untagged enum RejectLimit",
        "expected a number of rows, for example 100, or a share of the rows read, for example \"0.5%\"",
    ),
    ("expected a sequence", "expected a list, for example [\"Id\", \"Name\"]"),
    ("expected a map", "expected a table, for example { name = \"value\" }"),
    ("missing field ", "missing key "),
];

/// Turns serde's words into TOML's, and an unknown name into a sentence with the nearest one.
fn explain(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown("key", "keys", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown("value", "values", rest);
    }
    TOML_WORDS.iter().fold(message.trim_end().to_owned(), |text, (serde, toml)| text.replace(serde, toml))
}

/// From "`x`, expected one of `a`, `b`".
fn unknown(one: &str, many: &str, rest: &str) -> String {
    let mut names = rest.split('`').skip(1).step_by(2);
    let wrong = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let list = known.join(", ");
    match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("unknown {one} `{wrong}`; did you mean `{near}`? known {many} here: {list}"),
        None => format!("unknown {one} `{wrong}`; known {many} here: {list}"),
    }
}

/// The known name nearest to a misspelt one, when it is near enough to be meant.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR_ENOUGH: f64 = 0.6;
    let lower = unknown.to_lowercase();
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = 'a'\n[source]\nconnection = 'demo'\nobject = 'Account'\n[destination]\nplugin = 'csv'\n";

    #[test]
    fn a_small_file_parses_with_defaults() {
        let file = parse_pipeline(GOOD, Path::new("p.toml")).unwrap();
        assert_eq!(file.source.object.as_deref(), Some("Account"));
        assert!(file.transform.is_empty());
        assert_eq!(file.destination.mode, super::super::Mode::Append);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one_and_its_place() {
        let text = GOOD.replace("object =", "objetc =");
        let error = parse_pipeline(&text, Path::new("p.toml")).unwrap_err().to_string();
        assert!(error.starts_with("p.toml:4:1: unknown key `objetc`; did you mean `object`?"), "{error}");
    }

    #[test]
    fn a_missing_table_is_named() {
        let error = parse_pipeline("name = 'a'\n", Path::new("p.toml")).unwrap_err().to_string();
        assert!(error.contains("missing key `source`"), "{error}");
    }

    #[test]
    fn a_wrong_value_of_a_choice_lists_the_choices() {
        let text = GOOD.replace("plugin = 'csv'", "plugin = 'csv'\nmode = 'replace'");
        let error = parse_pipeline(&text, Path::new("p.toml")).unwrap_err().to_string();
        assert!(error.contains("unknown value `replace`; known values here: append, overwrite"), "{error}");
    }

    #[test]
    fn a_value_of_another_type_is_told_in_words_of_toml() {
        let text = GOOD.replace("object = 'Account'", "object = 'Account'\nfields = 'Id'");
        let error = parse_pipeline(&text, Path::new("p.toml")).unwrap_err().to_string();
        assert!(error.contains("expected a list, for example"), "{error}");
    }

    #[test]
    fn far_names_are_not_suggested() {
        assert_eq!(nearest("zzz", ["object", "query"].into_iter()), None);
        assert_eq!(nearest("feilds", ["fields", "query"].into_iter()), Some("fields"));
    }
}
