//! Draws runs and faults by a seed: the source's rows, where they go, how the org answers, and what goes wrong.

use std::collections::BTreeMap;
use std::fmt;

use forcepump_emulator::options::ResultPagesShape;

use crate::dice::Dice;
use crate::tables::Cell;

/// Columns of every run; the first is the key.
pub const COLUMNS: [&str; 4] = ["Ext_Id__c", "Name", "AnnualRevenue", "Description"];
/// A message that holds none of these words does not say what failed.
pub const NAMED: [&str; 14] = [
    "login",
    "logged in",
    "session",
    "describe",
    "query",
    "job",
    "page",
    "batch",
    "result",
    "limit",
    "token",
    "body",
    "rows",
    "destination",
];

/// Where the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// Files, a unit each.
    Csv,
    /// A table that rows are added to: a row that is written twice is there twice.
    Sqlite,
    /// A table that is merged into.
    SqliteMerge,
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    /// its kind, as in scripts
    pub kind: &'static str,
    /// the entry of the script
    text: String,
}

/// A drawn run.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// draws this run again
    pub seed: u64,
    /// which API reads, and how
    pub api: &'static str,
    /// the lines of the source that say so
    way: &'static str,
    /// rows of the source
    pub rows: usize,
    /// rows of a page
    pub page_rows: u64,
    /// how result pages are listed, if they are
    pub shape: ResultPagesShape,
    /// polls until the job is complete
    pub polls: u32,
    /// the destination
    pub into: Into,
    /// one worker
    pub single: bool,
    /// pages fetched at a time, if the pipeline says so
    parallel: Option<u64>,
    /// lines of the connection's `http` table
    pub http: String,
    /// what goes wrong
    pub faults: Vec<Fault>,
}

/// The run of that seed.
pub fn draw(seed: u64) -> Drawn {
    use ResultPagesShape::{Chunks, Guide, NotFound, Postman};
    let dice = &mut Dice::new(seed);
    let (api, way) = dice.of(&WAYS);
    let faults = (0..1 + dice.below(4)).map(|_| fault(dice, api)).collect();
    let rows = match dice.below(12) {
        0 => 0,
        // REST has pages of 2,000 rows.
        1..=5 if is_rest(api) => 2_001 + dice.below(3_000) as usize,
        _ => 1 + dice.below(120) as usize,
    };
    let gzip = if dice.one_in(2) { "gzip = true\n" } else { "" };
    Drawn {
        seed,
        api,
        way,
        rows,
        page_rows: 5 + dice.below(60),
        shape: dice.of(&[Guide, Guide, Postman, Chunks, NotFound, NotFound]),
        polls: 1 + dice.below(4) as u32,
        into: dice.of(&[Into::Csv, Into::Sqlite, Into::SqliteMerge]),
        single: dice.one_in(3),
        parallel: dice.of(&[None, None, Some(1), Some(3), Some(8)]),
        // Time-outs that a fault runs into soon, and a busy machine seldom does.
        http: format!(
            "{gzip}stall_timeout_ms = 800\nfirst_byte_timeout_ms = 2500\nmax_attempts = {}\njob_stuck_after_s = 3",
            1 + dice.below(3)
        ),
        faults,
    }
}

/// Ways to read, and the lines of the source that ask for them.
const WAYS: [(&str, &str); 9] = [
    ("bulk2", "api = \"bulk2\""),
    ("bulk2", "api = \"bulk2\""),
    ("bulk2", "api = \"bulk2\""),
    ("bulk1", "api = \"bulk1\""),
    ("bulk1 json", "api = \"bulk1\"\nbulk1_format = \"json\""),
    ("bulk1 xml", "api = \"bulk1\"\nbulk1_format = \"xml\""),
    ("bulk1 chunks", "api = \"bulk1\"\npk_chunking = { chunk_size = 17 }"),
    ("rest", "api = \"rest\""),
    ("auto", ""),
];

fn is_rest(api: &str) -> bool {
    matches!(api, "rest" | "auto")
}

/// Requests of a run with that API; those that are many stand there several times.
fn routes(api: &str) -> &'static [&'static str] {
    match api {
        "bulk2" => &[
            "token",
            "describe",
            "bulk2-create",
            "bulk2-job",
            "bulk2-result-pages",
            "bulk2-results",
            "bulk2-results",
            "bulk2-results",
            "bulk2-delete",
            "bulk2-abort",
        ],
        "rest" => &["token", "describe", "query", "query-more", "query-more"],
        "auto" => &["token", "describe", "record-count", "query", "query", "query-more", "query-more"],
        _ => &[
            "token",
            "describe",
            "bulk1-create",
            "bulk1-batch",
            "bulk1-batches",
            "bulk1-result-list",
            "bulk1-results",
            "bulk1-results",
            "bulk1-results",
            "bulk1-close",
        ],
    }
}

/// Kinds of that API alone, each with its route.
fn own_kinds(api: &str) -> &'static [(&'static str, &'static str)] {
    match api {
        "bulk2" => &[
            ("no-locator", "bulk2-results"),
            ("empty-locator", "bulk2-results"),
            ("repeat-locator", "bulk2-results"),
            ("wrong-count", "bulk2-results"),
            ("no-count", "bulk2-results"),
            ("short-page", "bulk2-results"),
            ("empty-page", "bulk2-results"),
            ("no-header-line", "bulk2-results"),
            ("job-failed", "bulk2-job"),
            ("job-aborted", "bulk2-job"),
            ("job-vanish", "bulk2-job"),
            ("job-vanish", "bulk2-results"),
            ("job-stuck", "bulk2-job"),
        ],
        "bulk1 chunks" => &[
            ("job-failed", "bulk1-batch"),
            ("job-stuck", "bulk1-batch"),
            ("wrong-count", "bulk1-batch"),
            ("chunk-failed", "bulk1-batch"),
            ("original-failed", "bulk1-batch"),
            ("late-chunks", "bulk1-batch"),
            ("empty-chunks", "bulk1-batch"),
            ("large-chunk", "bulk1-batch"),
        ],
        api if is_rest(api) => &[],
        _ => &[("job-failed", "bulk1-batch"), ("job-stuck", "bulk1-batch"), ("wrong-count", "bulk1-batch")],
    }
}

/// Kinds that any request can meet, some of them several times so that they are drawn as often as they happen.
const ANYWHERE: [&str; 12] = [
    "session-expired",
    "session-expired",
    "session-unfit",
    "limit",
    "status",
    "status",
    "html-503",
    "cut",
    "cut",
    "stall",
    "slow",
    "oauth-error",
];
const STATUSES: [u16; 14] = [302, 304, 403, 404, 405, 406, 409, 420, 429, 500, 501, 502, 503, 504];
const OAUTH_ERRORS: [&str; 4] = ["invalid_client", "invalid_grant", "unknown_error", "inactive_user"];

fn fault(dice: &mut Dice, api: &'static str) -> Fault {
    let own = own_kinds(api);
    let (kind, route) = if !own.is_empty() && dice.below(10) < 4 {
        dice.of(own)
    } else {
        match dice.of(&ANYWHERE) {
            "oauth-error" => ("oauth-error", "token"),
            kind => (kind, dice.of(routes(api))),
        }
    };
    let keys = keys(dice, kind, route);
    let nth = 1 + dice.below(3);
    let times = match dice.below(8) {
        0 => "\"always\"".to_owned(),
        1 | 2 => "3".to_owned(),
        _ => "1".to_owned(),
    };
    let text = format!(
        "[[fault]]\non = {{ route = \"{route}\", nth = {nth}, times = {times} }}\ndo = {{ kind = \"{kind}\"{keys} }}\n"
    );
    Fault { kind, text }
}

/// The keys that a kind takes.
fn keys(dice: &mut Dice, kind: &str, route: &str) -> String {
    match kind {
        "limit" if route.ends_with("create") => {
            format!(", which = \"{}\"", dice.of(&["total", "concurrent", "jobs", "storage"]))
        }
        "limit" => format!(", which = \"{}\"", dice.of(&["total", "concurrent"])),
        "status" => {
            let code = match dice.of(&STATUSES) {
                // An object that is not there is the pipeline's fault, and rightly so.
                404 if route == "describe" => 503,
                code => code,
            };
            let body = dice.of(&["", "", ", body = \"html\"", ", body = \"empty\"", ", body = \"json\""]);
            format!(", code = {code}{body}")
        }
        "oauth-error" => format!(", error = \"{}\", description = \"drawn\"", dice.of(&OAUTH_ERRORS)),
        "cut" => format!(", after_bytes = {}, reset = {}", dice.below(500), dice.one_in(2)),
        "stall" if dice.one_in(2) => format!(", after_bytes = {}", dice.below(500)),
        "slow" => format!(", ms = {}", 1 + dice.below(300)),
        "wrong-count" => format!(", by = {}", dice.of(&[-7, -1, 1, 20])),
        "short-page" => format!(", rows = {}", dice.below(10)),
        "late-chunks" => format!(", looks = {}", 1 + dice.below(6)),
        "empty-chunks" => format!(", count = {}", 1 + dice.below(3)),
        "chunk-failed" => format!(", nth = {}", 1 + dice.below(4)),
        "job-failed" if dice.one_in(2) => ", reason = \"QUERY_TIMEOUT: drawn\"".to_owned(),
        _ => String::new(),
    }
}

impl Drawn {
    /// The fault script.
    pub fn script(&self) -> String {
        self.faults.iter().map(|fault| fault.text.as_str()).collect()
    }

    /// The pipeline file.
    pub fn pipeline(&self) -> String {
        let fields: Vec<String> = COLUMNS.iter().map(|name| format!("\"{name}\"")).collect();
        let destination = match self.into {
            Into::Csv => "plugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n",
            Into::Sqlite => {
                "plugin = \"sqlite\"\nmode = \"append\"\nconfig = { table = \"account\" }\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n"
            }
            Into::SqliteMerge => {
                "plugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Ext_Id__c\"]\nconfig = { table = \"account\" }\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n"
            }
        };
        let parallel = self.parallel.map(|pages| format!("parallel_pages = {pages}")).unwrap_or_default();
        let single = if self.single { "[repeatable]\nas_of = \"2024-06-30T00:00:00Z\"\n" } else { "" };
        format!(
            "name = \"drawn\"\n{single}[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [{}]\n{}\n{parallel}\n[destination]\n{destination}",
            fields.join(", "),
            self.way
        )
    }

    /// The rows as the org is given them.
    pub fn source_csv(&self) -> String {
        let quoted = |cell: &Cell| match cell {
            Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
            None => String::new(),
        };
        let rows = (0..self.rows).map(|number| cells(number).iter().map(quoted).collect::<Vec<_>>().join(","));
        let rows: String = rows.map(|row| row + "\n").collect();
        format!("{}\n{rows}", COLUMNS.join(","))
    }

    /// The rows by their key, numbers with two decimals.
    pub fn expected(&self) -> BTreeMap<String, Vec<Cell>> {
        let row = |number: usize| {
            let mut cells = cells(number);
            cells[2] = cells[2].as_ref().map(|whole| format!("{whole}.00"));
            (cells[0].clone().unwrap_or_default(), cells)
        };
        (0..self.rows).map(row).collect()
    }
}

/// The texts of a row: quotes, commas, line ends and letters of several bytes, so that a cut can fall within each.
fn cells(number: usize) -> Vec<Cell> {
    let name = match number % 4 {
        0 => format!("Account, {number}"),
        1 => format!("\"quoted\" {number}"),
        2 => format!("Müller & Söhne ≤ {number} 😀"),
        _ => format!("plain {number}"),
    };
    let description = (!number.is_multiple_of(3)).then(|| format!("first line {number}\nsecond, \"line\"\nthird"));
    vec![
        Some(format!("A{number:04}")),
        Some(name),
        (!number.is_multiple_of(7)).then(|| number.to_string()),
        description,
    ]
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, rows, page_rows, shape, polls, into, single, parallel, http, .. } = self;
        writeln!(
            f,
            "{api}: {rows} rows in pages of {page_rows}, {shape:?}, {polls} polls, into {into:?}, single {single}, parallel {parallel:?}"
        )?;
        write!(f, "{http}\n{}", self.script())
    }
}
