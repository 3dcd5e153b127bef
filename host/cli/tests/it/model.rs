//! A source that changes at random between incremental runs, some of which are killed: in the end the merged table is the
//! source.
//!
//! The short version plays [`SHORT_GAMES`] games from a fixed seed. `cargo xtask chaos --model N --seed S` plays others, by
//! the variables `FORCEPUMP_MODEL` and `FORCEPUMP_CHAOS_SEED`.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use forcepump_emulator::Edit;
use forcepump_emulator::data::QueryMode;
use serde_json::Value;

use crate::dice::Dice;
use crate::harness::{Bench, Org};
use crate::held;
use crate::many::{self, Done};
use crate::model_way::{Kind, Way};
use crate::process::{self, Fate, Running, When};

/// Games of the short version.
const SHORT_GAMES: u64 = 8;
/// Where the short version begins.
const SHORT_SEED: u64 = 5_112_026;
/// A transaction that is under way longer than this may be missed: the horizon of 5 minutes and the overlap of 10 are its
/// limit, and a stamp is cut to the second.
const MOST_LATE_S: u64 = 14 * 60;
const RUN: [&str; 3] = ["run", "p.toml", "--json"];

/// What a game came to.
#[derive(Debug, Default)]
pub struct Played {
    edits: u64,
    late: u64,
    runs: u64,
    kills: u64,
    lost: u64,
    fresh: u64,
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

/// A record that was there at some time.
struct Record {
    kind: &'static Kind,
    id: String,
    is_deleted: bool,
    /// seconds since the epoch that it was changed at: two changes within one cannot be told by a stamp
    stamps: BTreeSet<i64>,
}

struct Game {
    dice: Dice,
    org: Org,
    bench: Bench,
    way: Way,
    records: Vec<Record>,
    played: Played,
    /// what happened, to be told when it ends badly
    story: Vec<String>,
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let way = Way::drawn(&mut dice);
        let org = way.org(&mut dice);
        let bench = Bench::on(&org);
        bench.write("p.toml", &way.pipeline());
        let story = vec![format!("{way:?}\n{}", way.pipeline())];
        let mut records = Vec::new();
        for kind in way.kinds {
            let ids = held::of_org(&org, &format!("SELECT Id FROM {}", kind.object), QueryMode::Bulk2).into_keys();
            records.extend(ids.map(|id| Record { kind, id, is_deleted: false, stamps: BTreeSet::new() }));
        }
        Self { dice, org, bench, way, records, played: Played::default(), story }
    }

    fn play(mut self) -> Result<Played, String> {
        let told = |game: &Self, wrong: String| format!("{wrong}\n{}", game.story.join("\n"));
        self.rounds().map_err(|wrong| told(&self, wrong))?;
        Ok(self.played)
    }

    fn rounds(&mut self) -> Result<(), String> {
        for _ in 0..3 + self.dice.below(6) {
            for _ in 0..self.dice.below(12) * self.way.kinds.len() as u64 {
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
            self.complete(&RUN)?;
        }
        self.way.kinds.iter().try_for_each(|kind| self.compare(kind))
    }

    fn compare(&self, kind: &Kind) -> Result<(), String> {
        let told = |wrong: String| format!("{}: {wrong}", kind.object);
        let expected = held::of_org(&self.org, &kind.everything(), self.way.deletes.mode());
        let table = held::of_sqlite(&self.bench, &kind.table()).ok_or_else(|| told("no table".to_owned()))?;
        held::same(&expected, &held::keyed(&table, kind.columns).map_err(told)?).map_err(told)
    }

    /// One change, now or with a stamp from before.
    fn change(&mut self) {
        let clock = self.org.emulator().clock().clone();
        clock.step(TimeDelta::seconds(self.dice.below(90) as i64));
        let late = if self.dice.one_in(5) { self.dice.below(MOST_LATE_S) } else { 0 };
        let stamp = clock.now() - TimeDelta::seconds(late as i64);
        if !self.edit(stamp) {
            return;
        }
        self.played.edits += 1;
        self.played.late += u64::from(late > 0);
    }

    /// Whether there was something to be changed.
    fn edit(&mut self, stamp: DateTime<Utc>) -> bool {
        let drawn = self.dice.below(10);
        let at = self.dice.below(self.records.len() as u64) as usize;
        let Record { kind, id, is_deleted, .. } = &self.records[at];
        let (kind, id, is_deleted) = (*kind, id.clone(), *is_deleted);
        let object = kind.object.to_owned();
        let edit = match drawn {
            0..=2 => Edit::Create { object, fields: kind.new_fields(&mut self.dice, self.records.len()) },
            // What is gone comes back sooner than another thing happens to it: the org refuses that.
            _ if is_deleted => Edit::Undelete { id },
            3..=6 => Edit::Update { object, id, fields: kind.fields(&mut self.dice) },
            _ => Edit::Delete { object, id },
        };
        let second = stamp.timestamp();
        let is_new = matches!(edit, Edit::Create { .. });
        if !is_new && self.records[at].stamps.contains(&second) {
            return false;
        }
        let made = self.org.emulator().edit_late(&edit, stamp);
        self.story.push(format!("as of {stamp}: {edit:?}"));
        let id = made.unwrap_or_else(|error| panic!("{edit:?}: {error}"));
        if is_new {
            self.records.push(Record { kind, id, is_deleted: false, stamps: BTreeSet::from([second]) });
            return true;
        }
        let record = &mut self.records[at];
        record.stamps.insert(second);
        record.is_deleted = match edit {
            Edit::Delete { .. } => true,
            Edit::Undelete { .. } => false,
            _ => record.is_deleted,
        };
        true
    }

    /// A run, killed or not; what it leaves is for the next one.
    fn run(&mut self) -> Result<(), String> {
        if self.dice.one_in(2) {
            return self.complete(&RUN);
        }
        if self.dice.one_in(8) {
            self.played.fresh += 1;
            return self.complete(&["run", "p.toml", "--json", "--fresh"]);
        }
        let pause = Duration::from_micros(self.dice.below(30_000));
        let when = When::Answered(1 + self.dice.below(25 * self.way.kinds.len() as u64), pause);
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

    fn complete(&mut self, args: &[&str]) -> Result<(), String> {
        let ran = process::run(&self.bench, args)?;
        if ran.code != 0 {
            return Err(format!("a run failed: {ran:?}"));
        }
        let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}: {ran:?}"))?;
        for feed in report["feeds"].as_array().into_iter().flatten() {
            self.story.push(format!("{args:?}: {} {} {}", feed["feed"], feed["window"], feed["rows"]));
        }
        self.played.runs += 1;
        Ok(())
    }
}

fn summary(seed: u64, done: &[Done<Played>]) -> String {
    let sum = |of: fn(&Played) -> u64| done.iter().filter_map(|game| game.end.as_ref().ok()).map(of).sum::<u64>();
    format!(
        "\nmodel: {} games from seed {seed}, {} wrong: {} changes, {} of them late, {} runs complete, {} of them begun anew, {} killed, {} jobs lost\n",
        done.len(),
        done.iter().filter(|game| game.end.is_err()).count(),
        sum(|game| game.edits),
        sum(|game| game.late),
        sum(|game| game.runs),
        sum(|game| game.fresh),
        sum(|game| game.kills),
        sum(|game| game.lost),
    )
}
