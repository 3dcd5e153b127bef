//! The fault script as it is written, parsed strictly.

use serde::Deserialize;

/// A list of faults; later ones apply beside earlier ones.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// The faults in the order of the file.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// A fault script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault script: {0}")]
pub struct FaultScriptError(String);

impl FaultScript {
    /// Parses the text of a script.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, kind or route, a value that does not fit: named with its line.
    pub fn parse(text: &str) -> Result<FaultScript, FaultScriptError> {
        let script: FaultScript =
            toml::from_str(text).map_err(|e| FaultScriptError(e.to_string().trim_end().to_owned()))?;
        script.check()?;
        Ok(script)
    }

    fn check(&self) -> Result<(), FaultScriptError> {
        for (index, fault) in self.faults.iter().enumerate() {
            let wrong = match (&fault.on, &fault.action) {
                (Match { nth: 0, .. }, _) => "on.nth counts from 1",
                (Match { times: Times::Count(0), .. }, _) => "on.times is at least 1, or \"always\"",
                (_, Action::Status { code, .. }) if !(300..=599).contains(code) => {
                    "do.code is a status from 300 to 599"
                }
                _ => continue,
            };
            return Err(FaultScriptError(format!("fault {}: {wrong}", index + 1)));
        }
        Ok(())
    }
}

/// One fault: which requests, and what happens to them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The requests that it meets.
    #[serde(default)]
    pub on: Match,
    /// What happens.
    #[serde(rename = "do")]
    pub action: Action,
}

/// Which requests a fault meets; all given keys must fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// HTTP method, upper case.
    pub method: Option<String>,
    /// Path pattern; `*` stands for any run of characters.
    pub path: Option<String>,
    /// The resource.
    pub route: Option<RouteName>,
    /// First of the fitting requests that is met, from 1.
    pub nth: u64,
    /// How many are met in a row.
    pub times: Times,
}

impl Default for Match {
    fn default() -> Self {
        Match { method: None, path: None, route: None, nth: 1, times: Times::Count(1) }
    }
}

/// How many requests in a row a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a number of requests or \"always\"")]
pub enum Times {
    /// That many.
    Count(u64),
    /// Every one from the first on.
    Always(Always),
}

/// The word `always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Always {
    /// Every request.
    Always,
}

/// Name of a resource in fault scripts and in the request log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the resource it is named after")]
pub enum RouteName {
    Authorize,
    LoginPage,
    ApprovalPage,
    DevicePage,
    ErrorPage,
    OpenidConfiguration,
    Keys,
    Token,
    Revoke,
    Introspect,
    Userinfo,
    Identity,
    SoapLogin,
    Versions,
    Resources,
    Limits,
    RecordCount,
    Sobjects,
    Sobject,
    Describe,
    Record,
    Changes,
    Query,
    QueryMore,
    ToolingQuery,
    Composite,
    Bulk1Create,
    Bulk1Job,
    Bulk1Close,
    Bulk1Batch,
    Bulk1Batches,
    Bulk1BatchInfo,
    Bulk1Request,
    Bulk1ResultList,
    Bulk1Results,
    Bulk2Create,
    Bulk2List,
    Bulk2Job,
    Bulk2Results,
    Bulk2ResultPages,
    Bulk2Abort,
    Bulk2Delete,
    Unknown,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the module's table describes every kind and key")]
pub enum Action {
    SessionExpired {},
    SessionUnfit {},
    Limit {
        #[serde(default)]
        which: Limit,
    },
    Status {
        code: u16,
        body: Option<StatusBody>,
        error_code: Option<String>,
        message: Option<String>,
    },
    #[serde(rename = "html-503")]
    Html503 {},
    OauthError {
        error: String,
        #[serde(default)]
        description: String,
        #[serde(default)]
        via: Via,
    },
    SoapFault {
        code: String,
        #[serde(default)]
        message: String,
    },
    Cut {
        after_bytes: u64,
        #[serde(default)]
        reset: bool,
    },
    Stall {
        after_bytes: Option<u64>,
    },
    Slow {
        ms: u64,
    },
    NoLocator {},
    EmptyLocator {},
    RepeatLocator {},
    WrongCount {
        by: i64,
    },
    NoCount {},
    ShortPage {
        rows: u64,
    },
    EmptyPage {},
    NoHeaderLine {},
    JobFailed {
        reason: Option<String>,
    },
    JobAborted {},
    JobVanish {},
    JobStuck {},
    ChunkFailed {
        #[serde(default = "first")]
        nth: u64,
        reason: Option<String>,
    },
    LateChunks {
        #[serde(default = "some_looks")]
        looks: u32,
    },
    OriginalFailed {
        reason: Option<String>,
    },
    EmptyChunks {
        #[serde(default = "one")]
        count: u16,
    },
    LargeChunk {},
    CursorExpired {},
}

fn first() -> u64 {
    1
}

fn one() -> u16 {
    1
}

/// Enough looks for a client to see chunks come, and some of them complete, while others are still missing.
fn some_looks() -> u32 {
    3
}

/// Channel of an OAuth error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// The error object of the token endpoint.
    #[default]
    Json,
    /// `error=…&error_description=…` as the body of a 400 without a content type.
    Body,
    /// A redirect to the client's callback.
    Callback,
    /// A redirect to the org's error page; the client hears nothing.
    Page,
}

/// Which limit is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Calls in 24 hours.
    #[default]
    Total,
    /// Calls at the same time.
    Concurrent,
    /// Bulk 2.0 query jobs in 24 hours.
    Jobs,
    /// Bulk 2.0 query results in 24 hours.
    Storage,
}

/// What follows a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusBody {
    /// The JSON error array.
    Json,
    /// An HTML page.
    Html,
    /// Nothing.
    Empty,
}

/// What happens to one result page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageFault {
    /// `Sforce-Locator` is absent.
    NoLocator,
    /// `Sforce-Locator` is empty.
    EmptyLocator,
    /// `Sforce-Locator` is the one that was asked for.
    RepeatLocator,
    /// `Sforce-NumberOfRecords` lies.
    Count(CountLie),
    /// At most that many rows.
    Short(u64),
    /// No rows, then the page that was asked for.
    Empty,
    /// The CSV begins with a data row.
    NoHeaderLine,
}

/// How `Sforce-NumberOfRecords` lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountLie {
    /// By so many.
    By(i64),
    /// The header is absent.
    Absent,
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobFault {
    /// Ends `Failed`, with or without a reason.
    Failed(Option<String>),
    /// Ends `Aborted`.
    Aborted,
    /// Is gone.
    Vanish,
    /// Never advances.
    Stuck,
}

impl Action {
    /// The page fault in this action, if it is one.
    pub fn page_fault(&self) -> Option<PageFault> {
        Some(match self {
            Action::NoLocator {} => PageFault::NoLocator,
            Action::EmptyLocator {} => PageFault::EmptyLocator,
            Action::RepeatLocator {} => PageFault::RepeatLocator,
            Action::WrongCount { by } => PageFault::Count(CountLie::By(*by)),
            Action::NoCount {} => PageFault::Count(CountLie::Absent),
            Action::ShortPage { rows } => PageFault::Short(*rows),
            Action::EmptyPage {} => PageFault::Empty,
            Action::NoHeaderLine {} => PageFault::NoHeaderLine,
            _ => return None,
        })
    }

    /// The job fault in this action, if it is one.
    pub fn job_fault(&self) -> Option<JobFault> {
        Some(match self {
            Action::JobFailed { reason } => JobFault::Failed(reason.clone()),
            Action::JobAborted {} => JobFault::Aborted,
            Action::JobVanish {} => JobFault::Vanish,
            Action::JobStuck {} => JobFault::Stuck,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_example_of_the_module() {
        let script = FaultScript::parse(
            "[[fault]]\non = { route = \"bulk2-results\", nth = 2 }\ndo = { kind = \"session-expired\" }\n\
             [[fault]]\non = { method = \"GET\", path = \"/services/data/*/limits\", times = \"always\" }\n\
             do = { kind = \"status\", code = 503 }\n[[fault]]\ndo = { kind = \"html-503\" }\n",
        )
        .unwrap();
        assert_eq!(script.faults.len(), 3);
        assert_eq!(script.faults[0].on.route, Some(RouteName::Bulk2Results));
        assert_eq!(script.faults[1].on.times, Times::Always(Always::Always));
        assert_eq!(script.faults[2].action, Action::Html503 {});
    }

    #[test]
    fn names_what_it_refuses() {
        for (text, named) in [
            ("[[fault]]\non = { nht = 2 }\ndo = { kind = \"stall\" }", "nht"),
            ("[[fault]]\ndo = { kind = \"cut\", after_byte = 2 }", "after_byte"),
            ("[[fault]]\ndo = { kind = \"explode\" }", "explode"),
            ("[[fault]]\ndo = { kind = \"no-locator\", extra = 1 }", "extra"),
            ("[[fault]]\non = { route = \"bulk3\" }\ndo = { kind = \"stall\" }", "bulk3"),
            ("[[faults]]\ndo = { kind = \"stall\" }", "faults"),
            ("[[fault]]\non = { nth = 0 }\ndo = { kind = \"stall\" }", "on.nth"),
            ("[[fault]]\ndo = { kind = \"status\", code = 200 }", "do.code"),
            ("[[fault]]\non = { times = \"often\" }\ndo = { kind = \"stall\" }", "always"),
        ] {
            let message = FaultScript::parse(text).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
