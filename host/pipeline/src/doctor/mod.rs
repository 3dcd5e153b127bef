//! A connection examined from its file to its org: each check says what it found, and the way out when that is bad.

mod fields;
mod local;
mod remote;

use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::session::DemoAccess;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Runs work, but something is to be looked at.
    Warning,
    /// Runs will fail.
    Failed,
    /// Not looked at, because a check before it failed.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// what was looked at
    pub name: &'static str,
    /// how it ended
    pub state: CheckState,
    /// what was found
    pub found: String,
    /// what to do about it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

/// All checks of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// name of the connection
    pub connection: String,
    /// in the order in which a run would meet them
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// Whether runs will fail.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| check.state == CheckState::Failed)
    }
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: CheckState::Ok, found: found.into(), way_out: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { name, state: CheckState::Warning, found: found.into(), way_out: Some(way_out.into()) }
    }

    fn failed(name: &'static str, found: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { name, state: CheckState::Failed, found: found.into(), way_out: Some(way_out.into()) }
    }

    fn skipped(name: &'static str, why: &str) -> Self {
        Self { name, state: CheckState::Skipped, found: why.to_owned(), way_out: None }
    }

    /// An error with its hint as the way out; `otherwise` where it has none.
    fn of_error(name: &'static str, state: CheckState, error: &impl ToString, otherwise: &str) -> Self {
        let text = error.to_string();
        let (found, hint) = match text.split_once("hint:") {
            Some((found, hint)) => (found.trim().to_owned(), hint.trim().to_owned()),
            None => (text.trim().to_owned(), otherwise.to_owned()),
        };
        Self { name, state, found, way_out: Some(hint).filter(|hint| !hint.is_empty()) }
    }
}

/// Examines the connection of that name; without a name, the only one there is. With `object`, also what of it the user
/// cannot see.
///
/// # Errors
/// [`Error::File`] when there is no connections file or it has no such connection: then there is nothing to examine.
pub async fn diagnose(
    connections: Option<&Path>,
    name: Option<&str>,
    object: Option<&str>,
    demo: Option<&DemoAccess>,
    listener: forcepump_salesforce::Listener,
) -> Result<Diagnosis, Error> {
    let (connection, mut checks) = local::examine(connections, name, demo.is_some())?;
    match crate::org::Org::open(connections, Some(&connection), demo) {
        Ok(org) => {
            org.listen(listener);
            remote::examine(&org, object, &mut checks).await;
        }
        Err(error) => {
            let otherwise = format!("forcepump connection edit {connection}");
            checks.push(Check::of_error("settings", CheckState::Failed, &error, &otherwise));
            checks.extend(remote::NAMES.map(|name| Check::skipped(name, "the connection cannot be used")));
        }
    }
    Ok(Diagnosis { connection, checks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_becomes_the_way_out() {
        let check = Check::of_error("login", CheckState::Failed, &"no\n  more\n  hint: ask", "-");
        assert_eq!((check.found.as_str(), check.way_out.as_deref()), ("no\n  more", Some("ask")));
        let check = Check::of_error("login", CheckState::Failed, &"no", "look");
        assert_eq!((check.found.as_str(), check.way_out.as_deref()), ("no", Some("look")));
    }
}
