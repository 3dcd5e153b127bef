//! The fields that the last whole run of a pipeline could see, so that the next one notices what is gone.

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

impl State {
    /// What the last whole run saw; none before the first.
    ///
    /// # Errors
    /// As [`State::read`].
    pub(crate) fn fields_seen(&self, pipeline: &str, org: &str) -> Result<Option<LastSeen>, Error> {
        self.read(|connection| {
            let text = "SELECT object, field, type, seen_at FROM field_seen WHERE pipeline = ?1 AND org = ?2 \
                        ORDER BY object, field";
            let mut statement = connection.prepare(text)?;
            let rows = statement.query_map(params![pipeline, org], |row| {
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
    pub(crate) fn keep_fields_seen(&self, pipeline: &str, org: &str, seen: &LastSeen) -> Result<(), Error> {
        self.transaction(|transaction| {
            transaction.execute("DELETE FROM field_seen WHERE pipeline = ?1 AND org = ?2", params![pipeline, org])?;
            let text = "INSERT OR REPLACE INTO field_seen (pipeline, org, object, field, type, seen_at) \
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut statement = transaction.prepare(text)?;
            for SeenField { object, field, kind } in &seen.fields {
                statement.execute(params![pipeline, org, object, field, kind, seen.at_micros])?;
            }
            Ok(())
        })
    }
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

    #[test]
    fn the_last_run_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        assert_eq!(state.fields_seen("p", "00D").unwrap(), None);
        state.keep_fields_seen("p", "00D", &seen(1, &[("A", "string"), ("B", "double")])).unwrap();
        state.keep_fields_seen("q", "00D", &seen(1, &[("Q", "string")])).unwrap();
        let second = seen(2, &[("B", "currency"), ("C", "string")]);
        state.keep_fields_seen("p", "00D", &second).unwrap();
        assert_eq!(state.fields_seen("p", "00D").unwrap(), Some(second));
        assert_eq!(state.fields_seen("p", "00E").unwrap(), None);
        assert_eq!(state.fields_seen("q", "00D").unwrap().unwrap().fields.len(), 1);
    }
}
