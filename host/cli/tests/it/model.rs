//! A source that changes at random between incremental runs, some of which are killed: in the end the merged table is the
//! source.
//!
//! The short version plays [`SHORT_GAMES`] games from a fixed seed. `cargo xtask chaos --model N --seed S` plays others, by
//! the variables `FORCEPUMP_MODEL` and `FORCEPUMP_CHAOS_SEED`.

use std::io::Write;
use std::time::Duration;

use chrono::TimeDelta;
use forcepump_emulator::data::QueryMode;
use forcepump_emulator::options::ResultPagesShape;
use forcepump_emulator::{Edit, Options};
use serde_json::{Map, Value, json};

use crate::dice::Dice;
use crate::harness::{Bench, Org};
use crate::held;
use crate::many::{self, Done};
use crate::process::{self, Fate, Running, When};

/// Games of the short version.
const SHORT_GAMES: u64 = 5;
/// Where the short version begins.
const SHORT_SEED: u64 = 5_112_026;
/// Rows at the beginning.
const FIRST_ROWS: u64 = 45;
/// A transaction that is under way longer than this may be missed: the horizon of 5 minutes and the overlap of 10 are its
/// limit, and a stamp is cut to the second.
const MOST_LATE_S: u64 = 14 * 60;
const COLUMNS: [&str; 6] = ["Id", "Ext_Id__c", "Name", "AnnualRevenue", "IsDeleted", "SystemModstamp"];
const RUN: [&str; 3] = ["run", "p.toml", "--json"];

/// What a game came to.
#[derive(Debug, Default)]
pub struct Played {
    edits: u64,
    late: u64,
    runs: u64,
    kills: u64,
    lost: u64,
}

#[test]
fn after_random_changes_and_kills_the_table_is_the_source() {
    let games = many::number("FORCEPUMP_MODEL");
    let seed = many::number("FORCEPUMP_CHAOS_SEED").unwrap_or(SHORT_SEED);
    let wanted = games.unwrap_or(SHORT_GAMES);
    // Games under way are not done yet; a few more than wanted do no harm.
    let done = many::all(seed, |done: &[Done<Played>]| done.len() as u64 >= wanted, |seed| Game::new(seed).play());
    if games.is_some() {
        // Past the test harness, which keeps the output of tests that succeed.
        let _ = std::io::stdout().write_all(summary(seed, &done).as_bytes());
    }
    many::none_is_wrong(seed, &done);
}

struct Game {
    dice: Dice,
    org: Org,
    bench: Bench,
    /// how deleted rows come to be known: by their flag, or by going away
    deletes: bool,
    /// records that were there at some time
    ids: Vec<String>,
    played: Played,
    /// what happened, to be told when it ends badly
    story: Vec<String>,
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let mut rows = "Ext_Id__c,Name,AnnualRevenue,SystemModstamp\n".to_owned();
        (0..FIRST_ROWS)
            .for_each(|row| rows.push_str(&format!("F-{row},\"First, {row}\",{row},2024-01-01T00:00:00Z\n")));
        std::fs::write(folder.path().join("Account.csv"), rows).expect("a file");
        let shape = dice.of(&[ResultPagesShape::Guide, ResultPagesShape::NotFound]);
        let org = Org::with(Options {
            data: Some(folder.path().to_owned()),
            page_size: 3 + dice.below(12),
            result_pages: shape,
            ..Options::default()
        });
        let bench = Bench::on(&org);
        let api = dice.of(&["bulk2", "bulk2", "bulk2", "bulk1", "rest"]);
        let deletes = false;
        bench.write("p.toml", &pipeline(api, deletes));
        let ids = held::of_org(&org, "SELECT Id FROM Account", QueryMode::Bulk2).into_keys().collect();
        Self { dice, org, bench, deletes, ids, played: Played::default(), story: vec![format!("{api} {shape:?}")] }
    }

    fn play(mut self) -> Result<Played, String> {
        let told = |game: &Self, wrong: String| format!("{wrong}\n{}", game.story.join("\n"));
        self.rounds().map_err(|wrong| told(&self, wrong))?;
        Ok(self.played)
    }

    fn rounds(&mut self) -> Result<(), String> {
        for _ in 0..3 + self.dice.below(6) {
            for _ in 0..self.dice.below(12) {
                self.change();
            }
            let minutes = self.dice.of(&[0, 1, 7, 20, 200]);
            self.org.emulator().clock().step(TimeDelta::minutes(minutes));
            self.story.push(format!("{minutes} minutes pass"));
            self.run()?;
        }
        self.org.emulator().clock().step(TimeDelta::hours(1));
        // The first may be the end of one that was killed, up to its own horizon.
        for _ in 0..2 {
            self.complete()?;
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), String> {
        let mode = if self.deletes { QueryMode::Bulk2 } else { QueryMode::Bulk2All };
        let expected = held::of_org(&self.org, &format!("SELECT {} FROM Account", COLUMNS.join(", ")), mode);
        let table = held::in_sqlite(&self.bench).ok_or("no table")?;
        held::same(&expected, &held::keyed(&table, &COLUMNS)?)
    }

    /// One change, now or with a stamp from before.
    fn change(&mut self) {
        let clock = self.org.emulator().clock().clone();
        clock.step(TimeDelta::seconds(self.dice.below(90) as i64));
        let edit = self.edit();
        let late = if self.dice.one_in(5) { self.dice.below(MOST_LATE_S) } else { 0 };
        let stamp = clock.now() - TimeDelta::seconds(late as i64);
        // Nobody deletes what is gone, or takes back what is there: the org refuses it.
        let Ok(id) = self.org.emulator().edit_late(&edit, stamp) else { return };
        self.story.push(format!("{} {edit:?} as of {stamp}", if late > 0 { "late" } else { "then" }));
        self.played.edits += 1;
        self.played.late += u64::from(late > 0);
        if matches!(edit, Edit::Create { .. }) {
            self.ids.push(id);
        }
    }

    fn edit(&mut self) -> Edit {
        let object = "Account".to_owned();
        let id = self.ids[self.dice.below(self.ids.len() as u64) as usize].clone();
        let number = self.dice.below(1_000_000);
        let name = self.dice.of(&["plain", "\"quoted\", and more", "Müller ≤ 😀", "two\nlines"]);
        let mut fields = Map::new();
        fields.insert("Name".to_owned(), format!("{name} {number}").into());
        fields.insert("AnnualRevenue".to_owned(), if self.dice.one_in(4) { Value::Null } else { json!(number) });
        match self.dice.below(10) {
            0..=2 => {
                fields.insert("Ext_Id__c".to_owned(), format!("N-{number}-{}", self.ids.len()).into());
                Edit::Create { object, fields }
            }
            3..=6 => Edit::Update { object, id, fields },
            7 | 8 => Edit::Delete { object, id },
            _ => Edit::Undelete { id },
        }
    }

    /// A run, killed or not; what it leaves is for the next one.
    fn run(&mut self) -> Result<(), String> {
        if !self.dice.one_in(2) {
            return self.complete();
        }
        let pause = Duration::from_micros(self.dice.below(30_000));
        let when = When::Answered(1 + self.dice.below(25), pause);
        self.story.push(format!("killed at {when:?}"));
        match Running::start(&self.bench, &RUN).killed(&self.org, when)? {
            Fate::Killed => self.played.kills += 1,
            Fate::Ended(ran) if ran.code == 0 => self.played.runs += 1,
            Fate::Ended(ran) => return Err(format!("a run failed: {ran:?}")),
        }
        if self.dice.one_in(4) {
            self.lose_jobs();
        }
        Ok(())
    }

    /// What Salesforce keeps of the run is gone.
    fn lose_jobs(&mut self) {
        let emulator = self.org.emulator();
        let ids: Vec<String> = emulator.jobs().iter().filter(|job| !job.deleted).map(|job| job.id.clone()).collect();
        let classic = emulator.classic_jobs().into_iter().map(|job| job.id);
        let lost = ids.into_iter().chain(classic).filter(|id| emulator.lose_job(id)).count() as u64;
        emulator.lose_cursors();
        self.played.lost += lost;
        self.story.push(format!("{lost} jobs are lost"));
    }

    fn complete(&mut self) -> Result<(), String> {
        let ran = process::run(&self.bench, &RUN)?;
        if ran.code != 0 {
            return Err(format!("a run failed: {ran:?}"));
        }
        let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}: {ran:?}"))?;
        self.story.push(format!("a run: {} {}", report["window"], report["rows"]));
        self.played.runs += 1;
        Ok(())
    }
}

fn pipeline(api: &str, deletes: bool) -> String {
    let fields: Vec<String> = COLUMNS.iter().map(|name| format!("\"{name}\"")).collect();
    let deleted = if deletes { "" } else { "action = \"query-all\"" };
    format!(
        "name = \"model\"\n[source]\nconnection = \"org\"\nobject = \"Account\"\nfields = [{}]\napi = \"{api}\"\n{deleted}\n\
         [source.incremental]\n[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\n\
         config = {{ table = \"account\" }}\n[destination.grant]\nsql = {{ db = \"sqlite:out.db\" }}\n",
        fields.join(", ")
    )
}

fn summary(seed: u64, done: &[Done<Played>]) -> String {
    let sum = |of: fn(&Played) -> u64| done.iter().filter_map(|game| game.end.as_ref().ok()).map(of).sum::<u64>();
    format!(
        "\nmodel: {} games from seed {seed}, {} wrong: {} changes, {} of them late, {} runs complete, {} killed, {} jobs lost\n",
        done.len(),
        done.iter().filter(|game| game.end.is_err()).count(),
        sum(|game| game.edits),
        sum(|game| game.late),
        sum(|game| game.runs),
        sum(|game| game.kills),
        sum(|game| game.lost),
    )
}
