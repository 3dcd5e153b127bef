//! The fields that the last whole run of a pipeline could see, so that the next one notices what is gone, and the columns
//! that it read, so that those that came later can be filled in.

use rusqlite::params;

use super::State;
use crate::error::Error;

/// A field as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenField {
    /// API name of the object
    pub object: String,
    /// API name
    pub field: String,
    /// Salesforce's word for its type
    pub kind: String,
}

/// What the last whole run of a pipeline saw in an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastSeen {
    /// when that was, in microseconds since the epoch
    pub at_micros: i64,
    pub fields: Vec<SeenField>,
}

/// Who saw the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenKey {
    /// name of the pipeline
    pub pipeline: String,
    /// organization id
    pub org: String,
    /// the object that the feed reads
    pub feed: String,
}

/// Columns that a whole run read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnsRead {
    /// as the query selects them
    pub names: Vec<String>,
    /// of these, the ones that no run before this one can have read
    pub new: Vec<String>,
    /// the run read every row there is, and not only those of a window
    pub every_row: bool,
    /// when, in microseconds since the epoch
    pub at_micros: i64,
}

impl State {
    /// What the last whole run saw; none before the first.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn fields_seen(&self, key: &SeenKey) -> Result<Option<LastSeen>, Error> {
        self.read(|connection| {
            // Older rows name no feed: there was one in a pipeline.
            let text = "SELECT object, field, type, seen_at FROM field_seen WHERE pipeline = ?1 AND org = ?2 \
                        AND feed = (SELECT max(feed) FROM field_seen WHERE pipeline = ?1 AND org = ?2 AND feed IN (?3, '')) \
                        ORDER BY object, field";
            let mut statement = connection.prepare(text)?;
            let rows = statement.query_map(params![key.pipeline, key.org, key.feed], |row| {
                let field = SeenField { object: row.get(0)?, field: row.get(1)?, kind: row.get(2)? };
                Ok((field, row.get::<_, i64>(3)?))
            })?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let at_micros = rows.iter().map(|(_, at)| *at).max();
            let fields = rows.into_iter().map(|(field, _)| field).collect();
            Ok(at_micros.map(|at_micros| LastSeen { at_micros, fields }))
        })
    }

    /// Keeps what a whole run saw, in place of what an earlier one did.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn keep_fields_seen(&self, key: &SeenKey, seen: &LastSeen) -> Result<(), Error> {
        self.transaction(|transaction| {
            let text = "DELETE FROM field_seen WHERE pipeline = ?1 AND org = ?2 AND feed IN (?3, '')";
            transaction.execute(text, params![key.pipeline, key.org, key.feed])?;
            let text = "INSERT OR REPLACE INTO field_seen (pipeline, org, feed, object, field, type, seen_at) \
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let mut statement = transaction.prepare(text)?;
            for SeenField { object, field, kind } in &seen.fields {
                statement.execute(params![key.pipeline, key.org, key.feed, object, field, kind, seen.at_micros])?;
            }
            Ok(())
        })
    }

    /// Keeps which columns a whole run read. One that no run read before has nothing in the rows of former runs, until
    /// a run reads every row, or it is [filled in](State::columns_filled).
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn keep_columns_read(&self, key: &SeenKey, read: &ColumnsRead) -> Result<(), Error> {
        self.transaction(|transaction| {
            let known = known_columns(transaction, key)?;
            let text = "DELETE FROM column_read WHERE pipeline = ?1 AND org = ?2 AND feed = ?3";
            transaction.execute(text, params![key.pipeline, key.org, key.feed])?;
            let text = "INSERT OR REPLACE INTO column_read (pipeline, org, feed, name, since, whole) \
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut statement = transaction.prepare(text)?;
            for name in &read.names {
                let before = known.iter().find(|column| column.name == *name);
                let whole = read.every_row
                    || match before {
                        Some(column) => column.whole,
                        None => known.is_empty() && !read.new.contains(name),
                    };
                let since = before.map_or(read.at_micros, |column| column.since);
                statement.execute(params![key.pipeline, key.org, key.feed, name, since, whole])?;
            }
            Ok(())
        })
    }

    /// Columns that rows of former runs have nothing in.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn columns_to_fill(&self, key: &SeenKey) -> Result<Vec<String>, Error> {
        let known = self.read(|connection| known_columns(connection, key))?;
        Ok(known.into_iter().filter(|column| !column.whole).map(|column| column.name).collect())
    }

    /// The columns have values in the rows of former runs too.
    ///
    /// # Errors
    /// As [`State::transaction`].
    pub(crate) fn columns_filled(&self, key: &SeenKey, names: &[String]) -> Result<(), Error> {
        self.transaction(|transaction| {
            let text = "UPDATE column_read SET whole = 1 \
                        WHERE pipeline = ?1 AND org = ?2 AND feed = ?3 AND name = ?4";
            let mut statement = transaction.prepare(text)?;
            names
                .iter()
                .try_for_each(|name| statement.execute(params![key.pipeline, key.org, key.feed, name]).map(|_| ()))
        })
    }
}

struct KnownColumn {
    name: String,
    since: i64,
    whole: bool,
}

fn known_columns(connection: &rusqlite::Connection, key: &SeenKey) -> rusqlite::Result<Vec<KnownColumn>> {
    let text =
        "SELECT name, since, whole FROM column_read WHERE pipeline = ?1 AND org = ?2 AND feed = ?3 ORDER BY name";
    let mut statement = connection.prepare(text)?;
    let rows = statement.query_map(params![key.pipeline, key.org, key.feed], |row| {
        Ok(KnownColumn { name: row.get(0)?, since: row.get(1)?, whole: row.get(2)? })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at_micros: i64, fields: &[(&str, &str)]) -> LastSeen {
        let field = |(field, kind): &(&str, &str)| SeenField {
            object: "Account".to_owned(),
            field: (*field).to_owned(),
            kind: (*kind).to_owned(),
        };
        LastSeen { at_micros, fields: fields.iter().map(field).collect() }
    }

    fn key(pipeline: &str, org: &str, feed: &str) -> SeenKey {
        SeenKey { pipeline: pipeline.to_owned(), org: org.to_owned(), feed: feed.to_owned() }
    }

    #[test]
    fn the_last_run_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let p = key("p", "00D", "Account");
        assert_eq!(state.fields_seen(&p).unwrap(), None);
        state.keep_fields_seen(&p, &seen(1, &[("A", "string"), ("B", "double")])).unwrap();
        state.keep_fields_seen(&key("q", "00D", "Account"), &seen(1, &[("Q", "string")])).unwrap();
        let second = seen(2, &[("B", "currency"), ("C", "string")]);
        state.keep_fields_seen(&p, &second).unwrap();
        assert_eq!(state.fields_seen(&p).unwrap(), Some(second.clone()));
        assert_eq!(state.fields_seen(&key("p", "00E", "Account")).unwrap(), None);
        assert_eq!(state.fields_seen(&key("q", "00D", "Account")).unwrap().unwrap().fields.len(), 1);
        assert_eq!(state.fields_seen(&key("p", "00D", "Contact")).unwrap(), None);
        state.keep_fields_seen(&key("p", "00D", "Contact"), &seen(3, &[("X", "string")])).unwrap();
        assert_eq!(state.fields_seen(&p).unwrap(), Some(second), "feeds do not touch each other");
    }

    #[test]
    fn what_an_older_program_saw_is_compared_with_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let old = seen(1, &[("A", "string")]);
        state.keep_fields_seen(&key("p", "00D", ""), &old).unwrap();
        let p = key("p", "00D", "Account");
        assert_eq!(state.fields_seen(&p).unwrap(), Some(old));
        let new = seen(2, &[("B", "string")]);
        state.keep_fields_seen(&p, &new).unwrap();
        assert_eq!(state.fields_seen(&p).unwrap(), Some(new));
    }

    #[test]
    fn columns_wait_for_their_old_rows() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let p = key("p", "00D", "Account");
        let read = |names: &[&str], new: &[&str], every_row| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let read = ColumnsRead { names: owned(names), new: owned(new), every_row, at_micros: 1 };
            state.keep_columns_read(&p, &read).unwrap();
            state.columns_to_fill(&p).unwrap()
        };
        assert!(read(&["Id", "A"], &[], true).is_empty());
        assert_eq!(read(&["Id", "A", "B"], &[], false), ["B"]);
        assert_eq!(read(&["Id", "A", "B", "C"], &[], false), ["B", "C"]);
        state.columns_filled(&p, &["B".to_owned()]).unwrap();
        assert_eq!(state.columns_to_fill(&p).unwrap(), ["C"]);
        assert!(read(&["Id", "B"], &[], false).is_empty(), "what is not read is not waited for");
        assert_eq!(read(&["Id", "A", "B"], &[], false), ["A"], "and has missed rows when it comes back");
        assert!(read(&["Id", "A", "B"], &[], true).is_empty(), "a run over every row fills all in");
        let q = key("q", "00D", "Account");
        let first = ColumnsRead {
            names: vec!["Id".to_owned(), "New".to_owned()],
            new: vec!["New".to_owned()],
            every_row: false,
            at_micros: 1,
        };
        state.keep_columns_read(&q, &first).unwrap();
        assert_eq!(state.columns_to_fill(&q).unwrap(), ["New"], "an older program's runs read the others");
    }
}
