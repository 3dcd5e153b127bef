//! The faults of the source, one table: what happens, and what becomes of a run that meets it.

use crate::orgs::SMALL_ROWS;

/// Rows of one page of the small org.
const PAGE_ROWS: usize = 15;

/// One fault and what becomes of a run that meets it.
pub struct Case {
    /// what happens
    pub name: &'static str,
    /// the fault's `on` and `do`
    pub fault: &'static str,
    /// pages are found one after the other, not listed
    pub chained: bool,
    /// lines of the connection's `http` table
    pub http: &'static str,
    /// words of the error; none for a run that ends well
    pub says: &'static [&'static str],
    /// rows in the destination
    pub rows: usize,
}

impl Case {
    /// Something is committed, and the run can go on: the counts of a whole run that differ are for good.
    pub fn is_partial(&self) -> bool {
        self.rows > 0 && !self.says.is_empty() && self.name != "a listed page that is short"
    }
}

const OK: Case = Case { name: "", fault: "", chained: false, http: "", says: &[], rows: SMALL_ROWS };
const CHAINED: Case = Case { chained: true, ..OK };
const FAILS: Case = Case { rows: 0, ..OK };

/// Retries cost half a second each: tests that need the last one to fail ask for few.
const FEW: &str = "max_attempts = 1";
/// Time-outs that a fault runs into soon, and a busy machine does not.
const IMPATIENT: &str = "stall_timeout_ms = 700\nfirst_byte_timeout_ms = 2500\nmax_attempts = 2";

/// Faults that a run survives.
pub const SURVIVED: &[Case] = &[
    Case {
        name: "session ends before describe",
        fault: r#"on = { route = "describe" }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "session ends before create",
        fault: r#"on = { route = "bulk2-create" }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "session ends before a poll",
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "session ends before the list",
        fault: r#"on = { route = "bulk2-result-pages" }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "session ends between pages",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "session ends between chained pages",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "session-expired" }"#,
        ..CHAINED
    },
    Case {
        name: "session ends before delete",
        fault: r#"on = { route = "bulk2-delete" }
do = { kind = "session-expired" }"#,
        ..OK
    },
    Case {
        name: "500 on a poll",
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "status", code = 500 }"#,
        ..OK
    },
    Case {
        name: "500 on a page",
        fault: r#"on = { route = "bulk2-results", nth = 3 }
do = { kind = "status", code = 500 }"#,
        ..OK
    },
    Case {
        name: "HTML page on create",
        fault: r#"on = { route = "bulk2-create" }
do = { kind = "html-503" }"#,
        ..OK
    },
    Case {
        name: "HTML page on a page",
        fault: r#"on = { route = "bulk2-results" }
do = { kind = "html-503" }"#,
        ..CHAINED
    },
    Case {
        name: "406 on a page",
        fault: r#"on = { route = "bulk2-results" }
do = { kind = "status", code = 406 }"#,
        ..OK
    },
    Case {
        name: "403 on the list",
        fault: r#"on = { route = "bulk2-result-pages", times = "always" }
do = { kind = "status", code = 403 }"#,
        ..OK
    },
    Case {
        name: "describe cut",
        fault: r#"on = { route = "describe" }
do = { kind = "cut", after_bytes = 100 }"#,
        ..OK
    },
    Case {
        name: "cut in the middle of a row",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 300 }"#,
        ..OK
    },
    Case {
        name: "reset in the middle of a row",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 300, reset = true }"#,
        ..CHAINED
    },
    Case {
        name: "cut in the middle of gzip",
        http: "gzip = true",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "cut", after_bytes = 100 }"#,
        ..OK
    },
    Case {
        name: "a stall within a page",
        http: IMPATIENT,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "stall", after_bytes = 200 }"#,
        ..OK
    },
    Case {
        name: "a stall before an answer",
        http: IMPATIENT,
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "stall" }"#,
        ..OK
    },
    Case {
        name: "a short page",
        fault: r#"on = { route = "bulk2-results" }
do = { kind = "short-page", rows = 4 }"#,
        ..CHAINED
    },
    Case {
        name: "an empty page",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "empty-page" }"#,
        ..CHAINED
    },
    Case {
        name: "no count",
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "no-count" }"#,
        ..OK
    },
    Case {
        name: "a count that lies once",
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "wrong-count", by = 3 }"#,
        ..OK
    },
    Case {
        name: "the delete is refused",
        fault: r#"on = { route = "bulk2-delete", times = "always" }
do = { kind = "status", code = 400 }"#,
        ..OK
    },
];

/// Faults that end a run.
pub const FATAL: &[Case] = &[
    Case {
        name: "no calls left",
        says: &["REQUEST_LIMIT_EXCEEDED", "403"],
        fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit" }"#,
        ..FAILS
    },
    Case {
        name: "no calls left for describe",
        says: &["REQUEST_LIMIT_EXCEEDED"],
        fault: r#"on = { route = "describe" }
do = { kind = "limit" }"#,
        ..FAILS
    },
    Case {
        name: "no jobs left",
        says: &["LIMIT_EXCEEDED", "10000"],
        fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit", which = "jobs" }"#,
        ..FAILS
    },
    Case {
        name: "no storage left",
        says: &["LIMIT_EXCEEDED", "stored"],
        fault: r#"on = { route = "bulk2-create" }
do = { kind = "limit", which = "storage" }"#,
        ..FAILS
    },
    Case {
        name: "no calls left between pages",
        says: &["REQUEST_LIMIT_EXCEEDED"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "limit" }"#,
        ..FAILS
    },
    Case {
        name: "the login is refused",
        says: &["invalid_client"],
        fault: r#"on = { route = "token", times = "always" }
do = { kind = "oauth-error", error = "invalid_client", description = "invalid client credentials" }"#,
        ..FAILS
    },
    Case {
        name: "HTML pages without end",
        http: FEW,
        says: &["503"],
        fault: r#"on = { route = "describe", times = "always" }
do = { kind = "html-503" }"#,
        ..FAILS
    },
    Case {
        name: "500 without end on a page",
        http: FEW,
        says: &["500"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "status", code = 500 }"#,
        ..FAILS
    },
    Case {
        name: "406 without end",
        http: FEW,
        says: &["406"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "status", code = 406 }"#,
        ..FAILS
    },
    Case {
        name: "cut without end",
        http: FEW,
        says: &["ended early", "300 bytes"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "cut", after_bytes = 300 }"#,
        ..FAILS
    },
    Case {
        name: "gzip cut without end",
        http: "gzip = true\nmax_attempts = 1",
        says: &["ended early"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "cut", after_bytes = 100, reset = true }"#,
        ..FAILS
    },
    Case {
        name: "a stall without end",
        http: IMPATIENT,
        says: &["nothing received", "http"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "stall", after_bytes = 200 }"#,
        ..FAILS
    },
    Case {
        name: "no locator",
        chained: true,
        says: &["Sforce-Locator"],
        fault: r#"on = { route = "bulk2-results" }
do = { kind = "no-locator" }"#,
        ..FAILS
    },
    Case {
        name: "no locator on a listed page",
        says: &["Sforce-Locator"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "no-locator" }"#,
        ..FAILS
    },
    Case {
        name: "an empty locator",
        chained: true,
        says: &["Sforce-Locator"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "empty-locator" }"#,
        ..FAILS
    },
    Case {
        name: "a repeated locator",
        chained: true,
        says: &["endless loop"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "repeat-locator" }"#,
        ..FAILS
    },
    Case {
        name: "a count that always lies",
        says: &["Sforce-NumberOfRecords", "16", "15"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "wrong-count", by = 1 }"#,
        ..FAILS
    },
    Case {
        name: "a listed page that is short",
        says: &["announced 40 rows", "31"],
        rows: 31,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "short-page", rows = 6 }"#,
        ..FAILS
    },
    Case {
        name: "no header line",
        says: &["page"],
        fault: r#"on = { route = "bulk2-results", times = "always" }
do = { kind = "no-header-line" }"#,
        ..FAILS
    },
    Case {
        name: "job failed with a reason",
        says: &["Failed", "UNKNOWN_EXCEPTION: no way"],
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-failed", reason = "UNKNOWN_EXCEPTION: no way" }"#,
        ..FAILS
    },
    Case {
        name: "job failed without a reason",
        says: &["Failed"],
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-failed" }"#,
        ..FAILS
    },
    Case {
        name: "job aborted by somebody",
        says: &["Aborted"],
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-aborted" }"#,
        ..FAILS
    },
    Case {
        name: "job gone before a poll",
        says: &["404"],
        fault: r#"on = { route = "bulk2-job" }
do = { kind = "job-vanish" }"#,
        ..FAILS
    },
    Case {
        name: "job gone between pages",
        says: &["404"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2 }
do = { kind = "job-vanish" }"#,
        ..FAILS
    },
    Case {
        name: "session of no use",
        says: &["session"],
        fault: r#"on = { route = "describe", times = "always" }
do = { kind = "session-unfit" }"#,
        ..FAILS
    },
    Case {
        name: "sessions end at once",
        says: &["session"],
        rows: PAGE_ROWS,
        fault: r#"on = { route = "bulk2-results", nth = 2, times = "always" }
do = { kind = "session-expired" }"#,
        ..FAILS
    },
];
