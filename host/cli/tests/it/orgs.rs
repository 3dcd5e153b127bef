//! What the tests know of an org without asking it over the wire: its rows, its requests, its jobs.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use forcepump_emulator::data::{CsvDialect, Org as Data, QueryMode};
use forcepump_emulator::options::ResultPagesShape;
use forcepump_emulator::{DataSource, FaultScript, JobRecord, JobState, Options};

use crate::harness::Org;
use crate::tables::{self, Table};

/// Longest wait for something that is bound to happen; reached only when it does not.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Rows of [`small`].
pub const SMALL_ROWS: usize = 40;

/// The demo org's own answer to a statement, without any wire.
pub fn truth(soql: &str) -> Table {
    static DEMO: OnceLock<Data> = OnceLock::new();
    let data = DEMO.get_or_init(|| Data::open(&DataSource::Demo, &[], Options::default().seed).expect("the demo org"));
    let answer = data.prepare(soql, QueryMode::Bulk2).unwrap_or_else(|error| panic!("{soql}: {error}"));
    let dialect = CsvDialect { delimiter: b',', crlf: false };
    let mut text = Vec::new();
    answer.csv_header(&dialect, &mut text);
    answer.csv_rows(Range { start: 0, end: answer.total() }, &dialect, &mut text);
    tables::bulk(&String::from_utf8(text).expect("UTF-8"))
}

/// An org with forty accounts in pages of fifteen: three units.
pub fn small(options: Options) -> Org {
    let folder = tempfile::tempdir().expect("a folder");
    let mut accounts = "Ext_Id__c,Name,AnnualRevenue\n".to_owned();
    (0..SMALL_ROWS).for_each(|i| accounts.push_str(&format!("A{i:02},\"Account, {i}\",{i}\n")));
    std::fs::write(folder.path().join("Account.csv"), accounts).expect("a file");
    Org::with(Options { data: Some(folder.path().to_owned()), page_size: 15, ..options })
}

/// [`small`] with a fault script; pages are chained when `chained`, else listed.
pub fn faulty(script: &str, chained: bool) -> Org {
    let shape = if chained { ResultPagesShape::NotFound } else { ResultPagesShape::Guide };
    small(Options { faults: script_of(script), result_pages: shape, ..Options::default() })
}

/// A fault script.
pub fn script_of(text: &str) -> FaultScript {
    FaultScript::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

impl Org {
    /// Requests so far whose path contains the text.
    pub fn asked(&self, part: &str) -> usize {
        self.emulator().requests().iter().filter(|request| request.path.contains(part)).count()
    }

    /// The only job of the org.
    #[track_caller]
    pub fn job(&self) -> JobRecord {
        let jobs = self.emulator().jobs();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs[0].clone()
    }

    /// No job is left that runs, or that holds results.
    #[track_caller]
    pub fn is_tidy(&self) {
        for job in self.emulator().jobs() {
            assert!(job.deleted, "{job:?}");
            assert!(job.state != JobState::InProgress && job.state != JobState::UploadComplete, "{job:?}");
        }
    }
}

/// Waits until something holds; it must hold in the end.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(LOOK);
    }
}
