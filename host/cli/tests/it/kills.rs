//! Runs that are killed at random instants and run again until they are complete: no row lost, no row doubled.
//!
//! The short version draws runs from a fixed seed until [`SHORT_KILLS`] processes were killed. `cargo xtask chaos --kills N
//! --seed S` draws others, by the variables `FORCEPUMP_KILLS` and `FORCEPUMP_CHAOS_SEED`, and prints what became of them.

use std::collections::BTreeMap;
use std::io::Write;

use forcepump_emulator::Options;
use forcepump_emulator::data::QueryMode;
use serde_json::Value;

use crate::harness::{Bench, Org, Ran};
use crate::held::{self, Rows};
use crate::kill_draw::{self, COLUMNS, Drawn, Into};
use crate::many::{self, Done};
use crate::process::{self, Fate, Running, When};

/// Kills of the short version.
const SHORT_KILLS: u64 = 12;
/// Where the short version begins.
const SHORT_SEED: u64 = 20_261_122;
const RUN: [&str; 3] = ["run", "p.toml", "--json"];
/// The row that a table holds before it is overwritten.
const OLD: &str = "old";

/// What became of a case.
pub struct Survived {
    drawn: Drawn,
    /// processes that were killed
    kills: u64,
    /// units that the last process left to the ones before
    skipped: u64,
    /// jobs that nobody ended: those of processes that were killed before they had noted them
    orphans: usize,
}

#[test]
fn killed_runs_lose_and_double_nothing() {
    let kills = many::number("FORCEPUMP_KILLS");
    let seed = many::number("FORCEPUMP_CHAOS_SEED").unwrap_or(SHORT_SEED);
    let wanted = kills.unwrap_or(SHORT_KILLS);
    let enough = |done: &[Done<Survived>]| done.iter().map(killed).sum::<u64>() >= wanted;
    let done = many::all(seed, enough, |seed| case(&kill_draw::draw(seed)));
    if kills.is_some() {
        // Past the test harness, which keeps the output of tests that succeed.
        let _ = std::io::stdout().write_all(summary(seed, &done).as_bytes());
    }
    many::none_is_wrong(seed, &done);
}

/// A case that is wrong counts too, so that the harness ends when all are.
fn killed(done: &Done<Survived>) -> u64 {
    done.end.as_ref().map_or(1, |survived| survived.kills)
}

fn case(drawn: &Drawn) -> Result<Survived, String> {
    one(drawn).map_err(|wrong| format!("{wrong}\n{drawn}"))
}

/// One case: kills, then runs until one is complete.
fn one(drawn: &Drawn) -> Result<Survived, String> {
    let org = Org::with(Options {
        generate: vec![("Account".to_owned(), drawn.rows)],
        seed: drawn.seed,
        page_size: drawn.page_rows,
        result_pages: drawn.shape(),
        ..Options::default()
    });
    let bench = Bench::on(&org);
    bench.write("p.toml", &drawn.pipeline());
    if drawn.into == Into::Overwrite {
        let db = rusqlite::Connection::open(bench.path(held::DATABASE)).expect("a database");
        let columns = COLUMNS.map(|name| format!("{name} TEXT")).join(", ");
        db.execute_batch(&format!("CREATE TABLE {0} ({columns}); INSERT INTO {0} (Id) VALUES ('{OLD}')", held::TABLE))
            .expect("a row");
    }
    let expected = held::of_org(&org, &drawn.soql(), QueryMode::Bulk2);
    let mut kills = 0;
    let mut ended = None;
    for when in &drawn.kills {
        match Running::start(&bench, &RUN).killed(&org, *when)? {
            Fate::Killed => kills += 1,
            Fate::Ended(ran) => {
                ended = Some(ran);
                break;
            }
        }
        half_done(drawn, &bench, &expected)?;
        if held::newest_is_complete(&bench) {
            // It had done everything but to say so; another run would be one more.
            whole(drawn, &bench, &expected)?;
            return Ok(Survived { drawn: drawn.clone(), kills, skipped: 0, orphans: 0 });
        }
    }
    let ran = match ended {
        Some(ran) => ran,
        // Nothing stands in the way any more: this run must do it.
        None => process::run(&bench, &RUN)?,
    };
    let report = complete(&ran)?;
    whole(drawn, &bench, &expected)?;
    let skipped = report["units_skipped"].as_u64().unwrap_or(0);
    let orphans = org.emulator().jobs().iter().filter(|job| !job.deleted).count();
    Ok(Survived { drawn: drawn.clone(), kills, skipped, orphans })
}

fn complete(ran: &Ran) -> Result<Value, String> {
    let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| format!("no report ({error}): {ran:?}"))?;
    let rows = &report["rows"];
    if ran.code != 0 || report["state"] != "complete" || rows["announced"] != rows["read"] {
        return Err(format!("no complete run: {ran:?}"));
    }
    Ok(report)
}

fn rows_in(drawn: &Drawn, bench: &Bench) -> Result<(Rows, Vec<String>), String> {
    match drawn.into {
        Into::Files(kind, _) => {
            let (table, other) = held::in_files(bench, kind);
            let rows = if table.rows.is_empty() { Rows::new() } else { held::keyed(&table, &COLUMNS)? };
            Ok((rows, other))
        }
        _ => {
            let table = held::in_sqlite(bench);
            Ok((table.map_or(Ok(Rows::new()), |table| held::keyed(&table, &COLUMNS))?, Vec::new()))
        }
    }
}

/// Between two processes: no row twice, none that the source does not have; what is overwritten is old or new as a whole.
fn half_done(drawn: &Drawn, bench: &Bench, expected: &Rows) -> Result<(), String> {
    let (found, _) = rows_in(drawn, bench).map_err(|wrong| format!("after a kill: {wrong}"))?;
    if drawn.into == Into::Overwrite {
        let is_old = found.len() == 1 && found.contains_key(OLD);
        return if is_old {
            Ok(())
        } else {
            held::same(expected, &found).map_err(|wrong| format!("neither old nor new: {wrong}"))
        };
    }
    held::part_of(expected, &found).map_err(|wrong| format!("after a kill: {wrong}"))
}

/// After the end: every row once, and nothing else.
fn whole(drawn: &Drawn, bench: &Bench, expected: &Rows) -> Result<(), String> {
    let (found, other) = rows_in(drawn, bench)?;
    held::same(expected, &found)?;
    if !other.is_empty() {
        return Err(format!("files are left that nobody reads: {other:?}"));
    }
    if matches!(drawn.into, Into::Files(_, "overwrite")) {
        let manifest: Value = serde_json::from_str(&bench.read(&format!("{}/manifest.json", held::FOLDER)))
            .map_err(|error| format!("the manifest: {error}"))?;
        if manifest["rows"] != expected.len() {
            return Err(format!("the manifest counts {} rows of {}", manifest["rows"], expected.len()));
        }
    }
    Ok(())
}

fn summary(seed: u64, done: &[Done<Survived>]) -> String {
    let mut lines: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for run in done {
        let drawn = kill_draw::draw(run.seed);
        for name in [format!("way {:?}", drawn.way), format!("into {:?}", drawn.into), "~ all".to_owned()] {
            let line = lines.entry(name).or_default();
            line[0] += 1;
            line[1] += run.end.as_ref().map_or(0, |survived| survived.kills);
            line[2] += u64::from(run.end.is_err());
        }
    }
    let survived = || done.iter().filter_map(|run| run.end.as_ref().ok());
    let slowest = done.iter().max_by_key(|run| run.took);
    let slowest = slowest.map(|run| format!("{:.1} s (seed {})", run.took.as_secs_f64(), run.seed)).unwrap_or_default();
    let by_request = |when: &&When| matches!(when, When::Answered(..));
    let mut text = format!(
        "\nkills: {} cases from seed {seed}, the slowest {slowest}; {} units left to former processes, {} jobs of nobody, {} kills by request\n\n",
        done.len(),
        survived().map(|run| run.skipped).sum::<u64>(),
        survived().map(|run| run.orphans).sum::<usize>(),
        survived().map(|run| run.drawn.kills.iter().take(run.kills as usize).filter(by_request).count()).sum::<usize>(),
    );
    text.push_str(&format!("{:<32} {:>6} {:>6} {:>6}\n", "", "cases", "kills", "WRONG"));
    for (name, [cases, kills, wrong]) in lines {
        text.push_str(&format!("{:<32} {cases:>6} {kills:>6} {wrong:>6}\n", name.trim_start_matches("~ ")));
    }
    text
}
