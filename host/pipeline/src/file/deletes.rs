//! `source.incremental.deletes`: what becomes of rows that were deleted in the org.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Mode, PipelineFile, Problem, Source};

/// What becomes of deleted rows. Salesforce shows a deleted row for as long as it is in the recycle bin (15 days, or until
/// somebody empties it); a row that was deleted past it, or went before a run saw it, is not found by any window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deletes {
    /// They stay in the destination as they were.
    #[default]
    Ignore,
    /// A pass of its own reads the rows deleted within the window, whatever `where` says, and deletes them in the
    /// destination by its keys; then the changed ones are read. A row that was undeleted comes back with those. Goes with
    /// `mode = "merge"` or `"update"`. Only transforms that make a key see deleted rows.
    Delete,
    /// Deleted rows are read with the others (`query-all`, archived ones too), and `IsDeleted`, which is always selected,
    /// tells them apart. `where` and the transforms see them as any other row.
    Flag,
}

impl Deletes {
    /// Whether nothing becomes of them.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        *self == Self::Ignore
    }
}

impl Source {
    /// Which rows the query sees: those that are flagged as deleted are read too.
    pub(crate) fn sees(&self) -> Action {
        match &self.incremental {
            Some(incremental) if incremental.deletes == Deletes::Flag => Action::QueryAll,
            _ => self.action,
        }
    }
}

/// Fields that Salesforce changes when it deletes a row.
pub(crate) const CHANGED_BY_DELETION: [&str; 2] = ["SystemModstamp", "LastModifiedDate"];
/// First-party destinations that only add.
pub(crate) const ADDING_ONLY: [&str; 4] = ["csv", "jsonl", "parquet", "http"];

/// What `deletes` needs of the rest of the file.
pub(super) fn check_deletes(file: &PipelineFile, problems: &mut Vec<Problem>) {
    let Some(incremental) = &file.source.incremental else { return };
    let mut found = |message: String| problems.push(Problem::new("source.incremental.deletes", message));
    if incremental.deletes.is_ignored() {
        return;
    }
    let cursor = incremental.cursor.as_deref();
    if let Some(cursor) =
        cursor.filter(|name| !CHANGED_BY_DELETION.iter().any(|field| field.eq_ignore_ascii_case(name)))
    {
        found(format!(
            "does not go with cursor = \"{cursor}\", which stays as it is when a row is deleted; leave the cursor to the program, or set deletes = \"ignore\""
        ));
    }
    if incremental.deletes == Deletes::Flag {
        return;
    }
    let step = &file.destination;
    if ADDING_ONLY.contains(&step.plugin.as_str()) {
        found(format!(
            "`delete` needs a destination that can delete, and {} only adds; use a database such as sqlite with mode = \"merge\" and keys, or deletes = \"flag\", which adds deleted rows with IsDeleted = true",
            step.plugin
        ));
    } else if !matches!(step.mode, Mode::Merge | Mode::Update) {
        found(
            "`delete` needs keys to find the rows by: set destination.mode = \"merge\" and destination.keys, for example keys = [\"Id\"], or deletes = \"flag\""
                .to_owned(),
        );
    }
    if file.source.action == Action::QueryAll {
        found(
            "`delete` goes with action = \"query\": with query-all the deleted rows would be written again; leave `action` out, or set deletes = \"flag\""
                .to_owned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse_pipeline, validate};

    fn problems(source: &str, deletes: &str, destination: &str) -> String {
        let text = format!(
            "name='a'\n[source]\nconnection='d'\nobject='A'\n{source}\n[source.incremental]\n{deletes}\n[destination]\n{destination}\n"
        );
        let found = validate(&parse_pipeline(&text, Path::new("p.toml")).unwrap());
        found.into_iter().map(|problem| format!("{} {}\n", problem.key, problem.message)).collect()
    }

    #[test]
    fn deletes_need_a_destination_and_a_cursor_that_can() {
        const MERGE: &str = "plugin='sqlite'\nmode='merge'\nkeys=['Id']";
        assert_eq!(problems("", "deletes='delete'", MERGE), "");
        assert_eq!(problems("", "deletes='flag'", "plugin='csv'"), "");
        assert_eq!(problems("", "deletes='delete'\ncursor='lastmodifieddate'", MERGE), "");
        assert!(problems("", "deletes='delete'", "plugin='sqlite'").contains("mode = \"merge\""));
        assert!(problems("", "deletes='delete'", "plugin='parquet'").contains("parquet only adds"));
        assert!(problems("", "deletes='delete'\ncursor='CreatedDate'", MERGE).contains("stays as it is"));
        assert!(problems("action='query-all'", "deletes='delete'", MERGE).contains("written again"));
        assert!(problems("action='query-all'", "deletes='flag'", MERGE).is_empty());
    }
}
