//! Draws runs that are killed: how the rows are read, where they go, and at which instants the process ends.

use std::fmt;
use std::time::Duration;

use forcepump_emulator::options::ResultPagesShape;

use crate::dice::Dice;
use crate::process::When;

/// What is read of each row; the first is the key.
pub const COLUMNS: [&str; 4] = ["Id", "Name", "AnnualRevenue", "Description"];
/// Units of a run, but for REST, which reads large ones.
const UNITS: u64 = 50;
/// REST has units of fifty thousand rows: two of them, and a run of one.
const REST_ROWS: [u64; 4] = [52_000, 4_500, 4_500, 900];
/// The table's own condition, where rows are refused; about one row of twelve does not meet it.
pub const CONDITION: &str = "substr(Id, 15, 1) NOT IN ('3', '7', 'a', 'F', 'Q')";
/// The same for us.
pub fn is_refused(id: &str) -> bool {
    id.chars().nth(14).is_some_and(|digit| "37aFQ".contains(digit))
}
/// Longest pause between the request that is waited for and the kill, in microseconds: about the time of a unit.
const MOST_PAUSE_US: u64 = 40_000;

/// Where the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// A table that rows are added to.
    Append,
    /// A table that is merged into, by the id.
    Merge,
    /// A table that takes the place of a former one.
    Overwrite,
    /// Files of that kind; they are added, or take the place of former ones.
    Files(&'static str, &'static str),
}

/// How the rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Bulk 2.0, pages listed at once.
    Listed,
    /// Bulk 2.0, pages one after the other.
    Chained,
    /// Bulk 1.0, one file.
    Classic,
    /// Bulk 1.0 with PK chunking.
    Chunks,
    /// REST.
    Rest,
}

/// A drawn run.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// draws it again
    pub seed: u64,
    /// how rows are read
    pub way: Way,
    /// rows of the source
    pub rows: u64,
    /// rows of a page or file
    pub page_rows: u64,
    /// where rows go
    pub into: Into,
    /// pages fetched at a time, where the file says so
    parallel: Option<u64>,
    /// the table refuses some rows
    pub refuses: bool,
    /// a transform that keeps state stands in between, so that no unit can be left out
    pub stateful: bool,
    /// the kills, one after the other
    pub kills: Vec<When>,
}

/// The run of that seed.
pub fn draw(seed: u64) -> Drawn {
    let dice = &mut Dice::new(seed);
    let way = dice.of(&[
        Way::Listed,
        Way::Listed,
        Way::Listed,
        Way::Chained,
        Way::Chained,
        Way::Chunks,
        Way::Chunks,
        Way::Classic,
        Way::Rest,
    ]);
    let into = dice.of(&[
        Into::Append,
        Into::Append,
        Into::Append,
        Into::Merge,
        Into::Merge,
        Into::Overwrite,
        Into::Overwrite,
        Into::Files("parquet", "overwrite"),
        Into::Files("parquet", "append"),
        Into::Files("parquet", "append"),
        Into::Files("csv", "overwrite"),
        Into::Files("csv", "append"),
        Into::Files("jsonl", "append"),
    ]);
    let page_rows = 10 + dice.below(20);
    let rows = if way == Way::Rest { dice.of(&REST_ROWS) } else { UNITS * page_rows - dice.below(page_rows) };
    // Token, describes, job and polls come before the pages, the end of the job after them.
    let requests = if way == Way::Rest { 8 + rows / 2_000 } else { 12 + UNITS };
    let kills = (0..1 + dice.below(3)).map(|_| instant(dice, requests)).collect();
    let refuses = matches!(into, Into::Append | Into::Merge) && dice.one_in(3);
    let parallel = dice.of(&[None, None, Some(1), Some(4)]);
    Drawn { seed, way, rows, page_rows, into, parallel, refuses, stateful: dice.one_in(6), kills }
}

fn instant(dice: &mut Dice, requests: u64) -> When {
    let pause = Duration::from_micros(dice.below(MOST_PAUSE_US));
    // A run that goes on sends fewer requests than a whole one: one time in three, kills come early.
    match dice.below(6) {
        0 => When::Started(Duration::from_millis(dice.below(1_200))),
        1 | 2 => When::Answered(1 + dice.below(12), pause),
        _ => When::Answered(1 + dice.below(requests), pause),
    }
}

impl Drawn {
    /// How the org lists result pages.
    pub fn shape(&self) -> ResultPagesShape {
        if self.way == Way::Chained { ResultPagesShape::NotFound } else { ResultPagesShape::Guide }
    }

    /// The pipeline file.
    pub fn pipeline(&self) -> String {
        let chunks = format!("api = \"bulk1\"\npk_chunking = {{ chunk_size = {} }}", self.page_rows);
        let way = match self.way {
            Way::Listed | Way::Chained => "api = \"bulk2\"",
            Way::Classic => "api = \"bulk1\"",
            Way::Chunks => &chunks,
            Way::Rest => "api = \"rest\"",
        };
        let sqlite = "config = { table = \"account\" }\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";
        let destination = match self.into {
            Into::Append => format!("plugin = \"sqlite\"\nmode = \"append\"\n{sqlite}"),
            Into::Merge => format!("plugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\n{sqlite}"),
            Into::Overwrite => format!("plugin = \"sqlite\"\nmode = \"overwrite\"\n{sqlite}"),
            Into::Files(kind, mode) => {
                format!("plugin = \"{kind}\"\nmode = \"{mode}\"\n[destination.grant]\nfiles = {{ out = \"out\" }}\n")
            }
        };
        let dedupe = "[[transform]]\nplugin = \"dedupe\"\nconfig = { keys = [\"Id\"] }\n";
        let transform = if self.stateful { dedupe } else { "" };
        let parallel = self.parallel.map(|pages| format!("parallel_pages = {pages}")).unwrap_or_default();
        let fields: Vec<String> = COLUMNS.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "name = \"killed\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [{}]\n{way}\n{parallel}\n{transform}[destination]\n{destination}",
            fields.join(", ")
        )
    }

    /// The statement that says what must be there.
    pub fn soql(&self) -> String {
        format!("SELECT {} FROM Account", COLUMNS.join(", "))
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, rows, page_rows, into, parallel, refuses, stateful, kills, .. } = self;
        write!(
            f,
            "{way:?}: {rows} rows by {page_rows} into {into:?}, parallel {parallel:?}, refuses {refuses}, stateful {stateful}, kills {kills:?}"
        )
    }
}
