//! From a path to the resource behind it.

use http::Method;

use super::call::{segments, split_form};
use crate::bulk1;
use crate::faults::RouteName;

/// Oldest version that still answers (21.0 to 30.0 were retired in Summer '25).
pub(crate) const OLDEST_VERSION: u16 = 31;
/// Newest version, Summer '26.
pub(crate) const NEWEST_VERSION: u16 = 67;

/// A version such as 62.0; the part after the point is always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(pub(crate) u16);

impl ApiVersion {
    /// From `62.0`.
    pub(crate) fn parse(text: &str) -> Option<ApiVersion> {
        text.strip_suffix(".0")?.parse().ok().map(ApiVersion)
    }

    /// Whether it is neither retired nor yet to come.
    pub(crate) fn is_served(&self) -> bool {
        (OLDEST_VERSION..=NEWEST_VERSION).contains(&self.0)
    }

    /// As the number that job JSON carries.
    pub(crate) fn number(self) -> f32 {
        f32::from(self.0)
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Authorize,
    Login,
    Home,
    Logout,
    ChangePassword,
    Approval,
    Connect,
    ErrorPage,
    OpenidConfiguration,
    Keys,
    Token,
    Revoke,
    Introspect,
    Userinfo,
    Identity {
        organization: String,
        user: String,
    },
    Soap {
        version: String,
        enterprise: bool,
    },
    Versions,
    /// Not of Salesforce.
    Control,
    Data {
        version: ApiVersion,
        resource: Resource,
    },
    Async {
        version: String,
        resource: bulk1::Resource,
    },
    Unknown,
}

/// What a path below `/services/data/vNN.0` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Root,
    Limits,
    RecordCount,
    Sobjects,
    Sobject(String),
    Describe(String),
    Record {
        object: String,
        id: String,
    },
    RecordByKey {
        object: String,
        field: String,
        value: String,
    },
    Changes {
        object: String,
        deleted: bool,
    },
    Query {
        all: bool,
    },
    QueryMore {
        locator: String,
    },
    Tooling,
    ToolingQuery,
    Composite,
    CompositeBatch,
    CompositeTree(String),
    /// `composite/sobjects`, with the object and the external id field where they are named.
    Collections {
        object: Option<String>,
        key: Option<String>,
    },
    Jobs,
    Ingest,
    Job(String),
    JobResults(String),
    JobResultPages(String),
    Unknown,
}

impl Route {
    pub(crate) fn parse(path: &str) -> Route {
        if path == "/" {
            return Route::Login;
        }
        // Only REST has answers in two forms.
        let plain = if path.starts_with("/services/data") { split_form(path).0 } else { path };
        let Some(parts) = segments(plain) else {
            return Route::Unknown;
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["login"] => Route::Login,
            ["home", "home.jsp"] => Route::Home,
            ["secur", "logout.jsp"] => Route::Logout,
            ["_ui", "system", "security", "ChangePassword"] => Route::ChangePassword,
            ["setup", "secur", "RemoteAccessAuthorizationPage.apexp"] => Route::Approval,
            ["setup", "secur", "RemoteAccessErrorPage.apexp"] => Route::ErrorPage,
            ["setup", "connect"] => Route::Connect,
            [".well-known", "openid-configuration"] => Route::OpenidConfiguration,
            ["id", "keys"] => Route::Keys,
            ["services", "oauth2", "authorize"] => Route::Authorize,
            ["services", "oauth2", "token"] => Route::Token,
            ["services", "oauth2", "revoke"] => Route::Revoke,
            ["services", "oauth2", "introspect"] => Route::Introspect,
            ["services", "oauth2", "userinfo"] => Route::Userinfo,
            ["id", organization, user] => {
                Route::Identity { organization: (*organization).to_owned(), user: (*user).to_owned() }
            }
            // Clients that were given a serverUrl post to it with the organization at the end.
            ["services", "Soap", kind @ ("u" | "c"), version]
            | ["services", "Soap", kind @ ("u" | "c"), version, _] => {
                Route::Soap { version: (*version).to_owned(), enterprise: *kind == "c" }
            }
            ["emulator", "control"] => Route::Control,
            ["services", "data"] => Route::Versions,
            ["services", "data", version, rest @ ..] => match version.strip_prefix('v').and_then(ApiVersion::parse) {
                Some(version) => Route::Data { version, resource: Resource::parse(rest) },
                None => Route::Unknown,
            },
            ["services", "async", version, rest @ ..] => {
                Route::Async { version: (*version).to_owned(), resource: bulk1::Resource::parse(rest) }
            }
            _ => Route::Unknown,
        }
    }

    /// The name in fault scripts.
    pub(crate) fn name(&self, method: &Method) -> RouteName {
        match self {
            Route::Authorize => RouteName::Authorize,
            Route::Login | Route::Home | Route::Logout | Route::ChangePassword => RouteName::LoginPage,
            Route::Approval => RouteName::ApprovalPage,
            Route::Connect => RouteName::DevicePage,
            Route::ErrorPage => RouteName::ErrorPage,
            Route::OpenidConfiguration => RouteName::OpenidConfiguration,
            Route::Keys => RouteName::Keys,
            Route::Token => RouteName::Token,
            Route::Revoke => RouteName::Revoke,
            Route::Introspect => RouteName::Introspect,
            Route::Userinfo => RouteName::Userinfo,
            Route::Identity { .. } => RouteName::Identity,
            Route::Soap { .. } => RouteName::SoapLogin,
            Route::Versions => RouteName::Versions,
            Route::Data { resource, .. } => resource.name(method),
            Route::Async { resource, .. } => resource.name(method),
            Route::Control | Route::Unknown => RouteName::Unknown,
        }
    }

    /// The methods that the resource takes, as the 405 message lists them.
    pub(crate) fn methods(&self) -> &'static [&'static str] {
        match self {
            Route::Token | Route::Soap { .. } | Route::Introspect => &["POST"],
            Route::Revoke
            | Route::Userinfo
            | Route::Authorize
            | Route::Login
            | Route::Logout
            | Route::ChangePassword
            | Route::Approval
            | Route::Connect => &["GET", "HEAD", "POST"],
            Route::Home
            | Route::ErrorPage
            | Route::OpenidConfiguration
            | Route::Keys
            | Route::Identity { .. }
            | Route::Versions => &["HEAD", "GET"],
            Route::Data { resource, .. } => resource.methods(),
            // Bulk 1.0 has errors of its own shape.
            Route::Async { .. } | Route::Control | Route::Unknown => &[],
        }
    }
}

impl Resource {
    /// Whether it may stand inside a composite request.
    pub(crate) fn is_plain(&self) -> bool {
        !matches!(
            self,
            Resource::Composite
                | Resource::CompositeBatch
                | Resource::Jobs
                | Resource::Ingest
                | Resource::Job(_)
                | Resource::JobResults(_)
                | Resource::JobResultPages(_)
                | Resource::Unknown
        )
    }

    fn parse(parts: &[&str]) -> Resource {
        let own = |text: &str| text.to_owned();
        match parts {
            [] => Resource::Root,
            ["composite"] => Resource::Composite,
            ["composite", "batch"] => Resource::CompositeBatch,
            ["composite", "tree", object] => Resource::CompositeTree(own(object)),
            ["composite", "sobjects"] => Resource::Collections { object: None, key: None },
            ["composite", "sobjects", object] => Resource::Collections { object: Some(own(object)), key: None },
            ["composite", "sobjects", object, key] => {
                Resource::Collections { object: Some(own(object)), key: Some(own(key)) }
            }
            ["limits"] => Resource::Limits,
            ["limits", "recordCount"] => Resource::RecordCount,
            ["sobjects"] => Resource::Sobjects,
            ["sobjects", object] => Resource::Sobject(own(object)),
            ["sobjects", object, "describe"] => Resource::Describe(own(object)),
            ["sobjects", object, list @ ("updated" | "deleted")] => {
                Resource::Changes { object: own(object), deleted: *list == "deleted" }
            }
            ["sobjects", object, id] => Resource::Record { object: own(object), id: own(id) },
            ["sobjects", object, field, value] => {
                Resource::RecordByKey { object: own(object), field: own(field), value: own(value) }
            }
            ["query"] => Resource::Query { all: false },
            ["queryAll"] => Resource::Query { all: true },
            ["query" | "queryAll", locator] | ["tooling", "query", locator] => {
                Resource::QueryMore { locator: own(locator) }
            }
            ["tooling"] => Resource::Tooling,
            ["tooling", "query"] => Resource::ToolingQuery,
            // The same tree of jobs is below the Tooling API.
            ["tooling", jobs @ ..] if matches!(jobs, ["jobs", "query", ..]) => Resource::parse(jobs),
            ["jobs", "query"] => Resource::Jobs,
            ["jobs", "ingest"] => Resource::Ingest,
            ["jobs", "query", id] => Resource::Job(own(id)),
            ["jobs", "query", id, "results"] => Resource::JobResults(own(id)),
            // The guide's own next link is written in lower case.
            ["jobs", "query", id, pages] if pages.eq_ignore_ascii_case("resultPages") => {
                Resource::JobResultPages(own(id))
            }
            _ => Resource::Unknown,
        }
    }

    fn name(&self, method: &Method) -> RouteName {
        match self {
            Resource::Root | Resource::Tooling => RouteName::Resources,
            Resource::Limits => RouteName::Limits,
            Resource::RecordCount => RouteName::RecordCount,
            Resource::Sobjects => RouteName::Sobjects,
            Resource::Sobject(_) => RouteName::Sobject,
            Resource::Describe(_) => RouteName::Describe,
            Resource::Record { .. } | Resource::RecordByKey { .. } => RouteName::Record,
            Resource::Changes { .. } => RouteName::Changes,
            Resource::Query { .. } => RouteName::Query,
            Resource::ToolingQuery => RouteName::ToolingQuery,
            Resource::Composite
            | Resource::CompositeBatch
            | Resource::CompositeTree(_)
            | Resource::Collections { .. } => RouteName::Composite,
            Resource::QueryMore { .. } => RouteName::QueryMore,
            Resource::Jobs if *method == Method::POST => RouteName::Bulk2Create,
            Resource::Jobs | Resource::Ingest => RouteName::Bulk2List,
            Resource::Job(_) if *method == Method::PATCH => RouteName::Bulk2Abort,
            Resource::Job(_) if *method == Method::DELETE => RouteName::Bulk2Delete,
            Resource::Job(_) => RouteName::Bulk2Job,
            Resource::JobResults(_) => RouteName::Bulk2Results,
            Resource::JobResultPages(_) => RouteName::Bulk2ResultPages,
            Resource::Unknown => RouteName::Unknown,
        }
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Resource::Jobs | Resource::Ingest => &["HEAD", "GET", "POST"],
            Resource::Job(_) => &["HEAD", "GET", "PATCH", "DELETE"],
            Resource::Composite | Resource::CompositeBatch | Resource::CompositeTree(_) => &["POST"],
            Resource::Collections { key: Some(_), .. } => &["PATCH"],
            Resource::Collections { object: Some(_), .. } => &["HEAD", "GET", "POST"],
            Resource::Collections { .. } => &["POST", "PATCH", "DELETE"],
            Resource::Sobject(_) => &["HEAD", "GET", "POST"],
            // A plain insert in the form of an upsert.
            Resource::Record { id, .. } if id.eq_ignore_ascii_case("Id") => &["POST"],
            Resource::Record { .. } | Resource::RecordByKey { .. } => &["HEAD", "GET", "PATCH", "DELETE"],
            Resource::Unknown => &[],
            _ => &["HEAD", "GET"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_path_names_something(path in "(/|services|data|v62\\.0|jobs|query|%|%2F|é|.){0,20}") {
            let _ = Route::parse(&path).methods();
        }
    }

    #[test]
    fn paths_name_resources() {
        for (path, name) in [
            ("/services/data", RouteName::Versions),
            ("/services/data/", RouteName::Versions),
            ("/services/data/v62.0/query/", RouteName::Query),
            ("/services/data/v62.0/queryAll/01g000000000001AAA-2000", RouteName::QueryMore),
            ("/services/data/v62.0/jobs/query/750/resultpages", RouteName::Bulk2ResultPages),
            ("/services/data/v62.0/jobs/query//750", RouteName::Unknown),
            ("/services/data/v62.0/tooling/jobs/query/750/results", RouteName::Bulk2Results),
            ("/services/data/v62.0/tooling/jobs", RouteName::Unknown),
            ("/services/data/v62.0/query.xml", RouteName::Query),
            ("/services/data/v62.0/composite/sobjects/Account/Ext__c/", RouteName::Composite),
            ("/services/data/62.0/query", RouteName::Unknown),
            ("/services/Soap/u/62.0/00Dxx", RouteName::SoapLogin),
            ("/services/async/62.0/job/", RouteName::Bulk1Create),
            ("/services/async/62.0/job/750/batch/751/result/752", RouteName::Bulk1Results),
        ] {
            assert_eq!(Route::parse(path).name(&Method::GET), name, "{path}");
        }
    }

    #[test]
    fn a_version_ends_in_point_zero() {
        assert_eq!(ApiVersion::parse("62.0"), Some(ApiVersion(62)));
        assert_eq!(ApiVersion::parse("62"), None);
        assert_eq!(ApiVersion(62).to_string(), "62.0");
    }
}
