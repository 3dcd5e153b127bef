//! What can be examined without the network: the file, its secrets, its tokens.

use std::path::Path;

use super::{Check, CheckState};
use crate::connections::{ConnectionSetting, ConnectionSummary, show_connection};
use crate::error::Error;
use crate::file::{Connections, find_connections_file};

/// The connection's name, and what was found.
pub(super) fn examine(
    connections: Option<&Path>,
    name: Option<&str>,
    demo: bool,
) -> Result<(String, Vec<Check>), Error> {
    let path = find_connections_file(connections, Path::new("."))?;
    let known = Connections::load(&path)?;
    let name = known.choose(name)?;
    known.get(name)?;
    let summary = show_connection(Some(&path), Some(name))?;
    let mut checks = vec![file(&path)];
    if demo {
        checks.push(Check::ok("secrets", "none: the emulator inside forcepump"));
        return Ok((name.to_owned(), checks));
    }
    checks.extend(secrets(&summary, known.folder()));
    checks.extend(tokens(&summary));
    checks.extend(retired_login(&summary.auth));
    Ok((name.to_owned(), checks))
}

/// Whoever can change the file can send the secrets elsewhere.
fn file(path: &Path) -> Check {
    let shown = path.display().to_string();
    match others(path, OTHERS_WRITE) {
        true => Check::warning(
            "connections file",
            format!("{shown} can be changed by other users of this machine, who could send the secrets elsewhere"),
            format!("chmod go-w {shown}"),
        ),
        false => Check::ok("connections file", shown),
    }
}

fn secrets(summary: &ConnectionSummary, folder: &Path) -> Vec<Check> {
    let references: Vec<&ConnectionSetting> = summary.settings.iter().filter(|one| one.found.is_some()).collect();
    let missing: Vec<String> = references
        .iter()
        .filter(|setting| setting.found == Some(false))
        .map(|setting| format!("{} = {}", setting.key, setting.value))
        .collect();
    if !missing.is_empty() {
        let way = "set the variable, write the file, or `forcepump connection edit` the reference";
        return vec![Check::failed("secrets", format!("not found: {}", missing.join(", ")), way)];
    }
    let open: Vec<String> = references
        .iter()
        .filter_map(|setting| setting.value.strip_prefix("file:"))
        .map(|path| folder.join(path))
        .filter(|path| others(path, OTHERS_READ))
        .map(|path| path.display().to_string())
        .collect();
    if !open.is_empty() {
        let found = format!("other users of this machine can read {}", open.join(", "));
        return vec![Check::warning("secrets", found, format!("chmod 600 {}", open.join(" ")))];
    }
    match references.len() {
        0 => Vec::new(),
        count => vec![Check::ok("secrets", format!("{count} found"))],
    }
}

fn tokens(summary: &ConnectionSummary) -> Option<Check> {
    let tokens = summary.tokens.as_ref()?;
    let again = format!("log in again: forcepump connection reconnect {}", summary.name);
    Some(match (&tokens.problem, tokens.status.access_token || tokens.status.refresh_token) {
        (Some(problem), _) => Check::of_error("token store", CheckState::Failed, problem, &again),
        (None, false) => Check::failed("token store", "no token is kept for this connection", again),
        (None, true) if !tokens.status.refresh_token => {
            Check::warning("token store", "no refresh token is kept: the login ends with its session", again)
        }
        (None, true) => Check::ok("token store", "readable, with a refresh token"),
    })
}

/// SOAP API Developer Guide, "End of life": `login()` ends with versions 31.0 to 64.0.
fn retired_login(auth: &str) -> Option<Check> {
    (auth == "soap").then(|| {
        Check::warning(
            "kind of login",
            "Salesforce retires the SOAP login in Summer '27",
            "make an external client app, and choose another `auth`, for example client-credentials",
        )
    })
}

const OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o044;

/// Whether group or others have one of these permissions; what cannot be told is no reason to warn.
#[cfg(unix)]
fn others(path: &Path, permissions: u32) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & permissions != 0)
}

#[cfg(not(unix))]
fn others(_path: &Path, _permissions: u32) -> bool {
    false
}
