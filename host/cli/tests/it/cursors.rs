//! Three ways to keep a cursor, each over several runs with changes and a failing run in between: no row lost, none doubled.

use chrono::{DateTime, Utc};
use forcepump_emulator::Edit;
use serde_json::{Value, json};

use crate::changing::{rows, things};
use crate::harness::{Bench, Org};

/// Rows are added, so that one that comes twice is seen.
const APPEND: &str = "mode = \"append\"";
/// Rows are merged: the ways that know no horizon read some twice.
const MERGE: &str = "mode = \"merge\"\nkeys = [\"Id\"]";

/// What stands in the pipeline file for each way.
fn pipeline(variables: &str, source: &str, mode: &str) -> String {
    format!(
        r#"
name = "things"
{variables}
[source]
connection = "org"
object = "Thing__c"
fields = ["Id", "Name", "Size__c", "SystemModstamp"]
{source}
[destination]
plugin = "sqlite"
{mode}
config = {{ table = "things" }}
grant.sql = {{ db = "sqlite:crm.db" }}
"#
    )
}

/// An org and what became of its things: a log of all changes that a run can have seen, or of the last ones.
struct Story {
    org: Org,
    bench: Bench,
    text: String,
    log: Vec<String>,
}

impl Story {
    fn new(text: String) -> Self {
        let org = things("Name,Size__c\nA,1\nB,1\n");
        let bench = Bench::on(&org);
        bench.write("p.toml", &text);
        Self { org, bench, text, log: vec!["A|1".to_owned(), "B|1".to_owned()] }
    }

    /// A change with this stamp.
    fn change(&mut self, id: Option<&str>, stamp: DateTime<Utc>, name: &str, size: u32) -> String {
        let object = "Thing__c".to_owned();
        let values: Value = json!({ "Name": name, "Size__c": size });
        let fields = values.as_object().cloned().unwrap_or_default();
        let edit = match id {
            None => Edit::Create { object, fields },
            Some(id) => Edit::Update { object, id: id.to_owned(), fields },
        };
        if self.text.contains(MERGE) {
            self.log.retain(|line| !line.starts_with(&format!("{name}|")));
        }
        self.log.push(format!("{name}|{size}"));
        self.org.emulator().edit_late(&edit, stamp).unwrap_or_else(|error| panic!("{edit:?}: {error}"))
    }

    fn runs(&self) -> Value {
        let report = self.bench.run(&["run", "p.toml", "--json"]).ends(0).json();
        let mut log = self.log.clone();
        log.sort();
        assert_eq!(rows(&self.bench, "SELECT Name, Size__c FROM things ORDER BY 1, 2"), log, "{report:#}");
        report
    }

    /// A run that cannot write.
    fn fails(&self) {
        self.bench.write(
            "p.toml",
            &self.text.replace("grant.sql = { db = \"sqlite:crm.db\" }", "grant.sql = { db = \"sqlite:no.db/x\" }"),
        );
        std::fs::write(self.bench.path("no.db"), "").expect("a file in the way");
        let failed = self.bench.run(&["run", "p.toml", "--json"]);
        assert_ne!(failed.code, 0, "{}", failed.stdout);
        self.bench.write("p.toml", &self.text);
    }
}

/// The same for all ways; `stamp` gives the moment that a change carries.
fn lives_through(mut story: Story, stamp: impl Fn(&Story) -> DateTime<Utc>) {
    story.runs();
    let at = stamp(&story);
    let id = story.change(None, at, "C", 1);
    let at = stamp(&story);
    story.change(Some(&id), at, "C", 2);
    // C|1 was overwritten before any run saw it.
    story.log.retain(|line| line != "C|1");
    story.runs();
    let at = stamp(&story);
    story.change(Some(&id), at, "C", 3);
    story.fails();
    let at = stamp(&story);
    story.change(None, at, "D", 1);
    story.runs();
    story.runs();
    let at = stamp(&story);
    story.change(None, at, "E", 1);
    story.fails();
    story.fails();
    story.runs();
}

#[test]
fn automatic() {
    let story = Story::new(pipeline("", "[source.incremental]\nhorizon_minutes = 5", APPEND));
    let clock = |story: &Story| story.org.emulator().clock().clone();
    clock(&story).freeze();
    lives_through(story, |story| {
        // Just before the horizon, which lies in the overlap of the next run.
        clock(story).step(chrono::TimeDelta::minutes(7));
        clock(story).now() - chrono::TimeDelta::minutes(6)
    });
}

#[test]
fn late_rows_are_taken_and_rows_of_the_horizon_are_left_to_the_next_run() {
    let mut story = Story::new(pipeline("", "[source.incremental]\nhorizon_minutes = 5\noverlap_minutes = 30", APPEND));
    let clock = story.org.emulator().clock().clone();
    clock.freeze();
    story.runs();
    // It lies before the cursor that the first run left, and became visible after it.
    story.change(None, clock.now() - chrono::TimeDelta::minutes(20), "late", 1);
    story.runs();
    story.runs();
    // It lies after the horizon.
    story.change(None, clock.now(), "early", 1);
    story.log.retain(|line| line != "early|1");
    story.runs();
    story.log.push("early|1".to_owned());
    clock.step(chrono::TimeDelta::minutes(6));
    story.runs();
    story.runs();
}

#[test]
fn last_successful_submission() {
    let variables = r#"
[variables]
lastsysmod = "CASE WHEN (COALESCE($_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP,'')=='') THEN '1900-01-01T00:00:00Z' ELSE $_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP END"
"#;
    let story = Story::new(pipeline(variables, "where = \"SystemModstamp > $lastsysmod\"", MERGE));
    // A stamp has no parts of a second: one of the second in which the run was submitted would lie before that.
    lives_through(story, |_| Utc::now() + chrono::TimeDelta::seconds(1));
}

#[test]
fn maximum_in_the_destination() {
    let variables = r#"
[variables]
lastsysmod = "COALESCE(ExecuteSqlDatetime('crm', 'select max(SystemModstamp) from things'), '1900-01-01T00:00:00Z')"
[sql]
crm = "sqlite:crm.db"
"#;
    // Another row may carry the same second as the greatest that was read.
    let story = Story::new(pipeline(variables, "where = \"SystemModstamp >= $lastsysmod\"", MERGE));
    lives_through(story, |_| Utc::now());
}
