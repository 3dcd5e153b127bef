//! What an org refused to give by an API, so that the next run does not ask in vain.

use rusqlite::OptionalExtension;

use super::State;
use crate::error::Error;

/// How long a refusal is believed: orgs change, and are asked again.
const BELIEVED_MICROS: i64 = 30 * 24 * 3_600 * 1_000_000;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// what Salesforce said
    pub reason: String,
    /// microseconds since the epoch
    pub seen_at: i64,
}

impl State {
    /// Whether the org refused that object by that API, not too long ago.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be read.
    pub(crate) fn refusal(&self, org: &str, object: &str, api: &str, now: i64) -> Result<Option<Refusal>, Error> {
        let since = now.saturating_sub(BELIEVED_MICROS);
        self.read(|c| {
            c.query_row(
                "SELECT reason, seen_at FROM org_refusal WHERE org = ?1 AND object = ?2 AND api = ?3 AND seen_at > ?4",
                (org, object, api, since),
                |row| Ok(Refusal { reason: row.get(0)?, seen_at: row.get(1)? }),
            )
            .optional()
        })
    }

    /// Remembers a refusal, in the place of an older one.
    ///
    /// # Errors
    /// [`Error::Host`] when the state cannot be written.
    pub(crate) fn refused(&self, org: &str, object: &str, api: &str, refusal: &Refusal) -> Result<(), Error> {
        self.transaction(|t| {
            t.execute(
                "INSERT OR REPLACE INTO org_refusal (org, object, api, reason, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (org, object, api, &refusal.reason, refusal.seen_at),
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_for_its_org_object_and_api_until_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let refusal = |reason: &str, seen_at| Refusal { reason: reason.to_owned(), seen_at };
        let now = BELIEVED_MICROS * 2;
        state.refused("00D1", "TaskStatus", "bulk2", &refusal("no", now - BELIEVED_MICROS - 1)).unwrap();
        assert_eq!(state.refusal("00D1", "TaskStatus", "bulk2", now).unwrap(), None);
        state.refused("00D1", "TaskStatus", "bulk2", &refusal("still no", now)).unwrap();
        assert_eq!(state.refusal("00D1", "TaskStatus", "bulk2", now).unwrap(), Some(refusal("still no", now)));
        for (org, object, api) in
            [("00D2", "TaskStatus", "bulk2"), ("00D1", "Task", "bulk2"), ("00D1", "TaskStatus", "rest")]
        {
            assert_eq!(state.refusal(org, object, api, now).unwrap(), None);
        }
    }
}
