//! The list of versions, and the list of resources of one.

use serde::Serialize;
use serde_json::json;

use crate::server::{ApiVersion, NEWEST_VERSION, OLDEST_VERSION, Reply, State};

#[derive(Serialize)]
struct Version {
    label: String,
    url: String,
    version: String,
}

/// `GET /services/data`, oldest first; needs no session.
pub(crate) fn versions() -> Reply {
    let list: Vec<Version> = (OLDEST_VERSION..=NEWEST_VERSION)
        .map(|number| {
            let version = ApiVersion(number).to_string();
            Version { label: label(number), url: format!("/services/data/v{version}"), version }
        })
        .collect();
    Reply::ok(&list)
}

/// Three releases a year: 33.0 was Spring '15. Spring '18 alone is written with a typographic apostrophe.
fn label(number: u16) -> String {
    const FIRST_SPRING: u16 = 33;
    const FIRST_YEAR: u16 = 15;
    let since = number + 3 - FIRST_SPRING;
    let year = FIRST_YEAR - 1 + since / 3;
    match since % 3 {
        0 if year == 18 => format!("Spring \u{2019}{year}"),
        0 => format!("Spring '{year}"),
        1 => format!("Summer '{year}"),
        _ => format!("Winter '{}", year + 1),
    }
}

/// `GET /services/data/vNN.N`: what this emulator has, and the identity URL.
pub(crate) fn resources(state: &State, version: ApiVersion) -> Reply {
    let path = |name: &str| format!("/services/data/v{version}/{name}");
    Reply::ok(&json!({
        "tooling": path("tooling"),
        "queryAll": path("queryAll"),
        "identity": state.user.identity_url(&state.login_url),
        "composite": path("composite"),
        "limits": path("limits"),
        "query": path("query"),
        "jobs": path("jobs"),
        "sobjects": path("sobjects"),
    }))
}

/// `GET /services/data/vNN.N/tooling`: what this emulator has of the Tooling API.
pub(crate) fn tooling_resources(version: ApiVersion) -> Reply {
    Reply::ok(&json!({"query": format!("/services/data/v{version}/tooling/query")}))
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels() {
        for (number, name) in [
            (31, "Summer '14"),
            (32, "Winter '15"),
            (33, "Spring '15"),
            (42, "Spring \u{2019}18"),
            (60, "Spring '24"),
            (62, "Winter '25"),
            (65, "Winter '26"),
            (67, "Summer '26"),
        ] {
            assert_eq!(label(number), name, "{number}");
        }
    }
}
