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
use crate::kill_draw::{self, COLUMNS, Drawn, Into, Way};
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
    /// pages and files of the result that were asked for by all processes, and how many there are
    read: (u64, u64),
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
    table(drawn, &bench);
    let mut expected = held::of_org(&org, &drawn.soql(), QueryMode::Bulk2);
    let refused: Vec<String> =
        expected.keys().filter(|id| drawn.refuses && kill_draw::is_refused(id)).cloned().collect();
    expected.retain(|id, _| !refused.contains(id));
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
            return Ok(Survived { drawn: drawn.clone(), kills, read: read(drawn, &org), orphans: 0 });
        }
    }
    let ran = match ended {
        Some(ran) => ran,
        // Nothing stands in the way any more: this run must do it.
        None => process::run(&bench, &RUN)?,
    };
    let report = complete(&ran, refused.len())?;
    whole(drawn, &bench, &expected)?;
    all_refused(&bench, &report, &refused)?;
    let orphans = org.emulator().jobs().iter().filter(|job| !job.deleted).count();
    Ok(Survived { drawn: drawn.clone(), kills, read: read(drawn, &org), orphans })
}

fn read(drawn: &Drawn, org: &Org) -> (u64, u64) {
    match drawn.way {
        Way::Listed | Way::Chained => (org.asked("/results") as u64, drawn.rows.div_ceil(drawn.page_rows)),
        Way::Chunks | Way::Classic => (org.asked("/result/") as u64, drawn.rows.div_ceil(drawn.page_rows)),
        Way::Rest => (org.asked("/query") as u64, drawn.rows.div_ceil(2_000)),
    }
}

fn complete(ran: &Ran, refused: usize) -> Result<Value, String> {
    let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| format!("no report ({error}): {ran:?}"))?;
    let rows = &report["rows"];
    let (code, state) = if refused > 0 { (3, "complete-with-rejects") } else { (0, "complete") };
    if ran.code != code || report["state"] != state || rows["announced"] != rows["read"] {
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

/// The table as somebody has made it before: with a row that is to go, or with a condition.
fn table(drawn: &Drawn, bench: &Bench) {
    let is_old = drawn.into == Into::Overwrite;
    if !is_old && !drawn.refuses {
        return;
    }
    let columns = COLUMNS.map(|name| format!("{name} TEXT")).join(", ");
    let check = if drawn.refuses { format!(", CHECK ({})", kill_draw::CONDITION) } else { String::new() };
    let row = if is_old { format!("INSERT INTO {} (Id) VALUES ('{OLD}')", held::TABLE) } else { String::new() };
    let db = rusqlite::Connection::open(bench.path(held::DATABASE)).expect("a database");
    db.execute_batch(&format!("CREATE TABLE {} ({columns}{check}); {row}", held::TABLE)).expect("a table");
}

/// The rows that the table refused stand in the rejects file, each once.
fn all_refused(bench: &Bench, report: &Value, refused: &[String]) -> Result<(), String> {
    let text = report["rejects_file"].as_str().map(|path| bench.read(path)).unwrap_or_default();
    let id = |line: &str| -> Option<String> {
        Some(serde_json::from_str::<Value>(line).ok()?.get("id")?.as_str()?.to_owned())
    };
    let mut found: Vec<String> = text.lines().map(|line| id(line).unwrap_or_else(|| line.to_owned())).collect();
    found.sort();
    if found != refused || report["rows"]["rejected"] != refused.len() {
        let counted = &report["rows"]["rejected"];
        let many = found.len();
        return Err(format!("{} rows are refused, {many} are in the file, {counted} in the report", refused.len()));
    }
    Ok(())
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
        "\nkills: {} cases from seed {seed}, the slowest {slowest}; {} pages asked for of {}, {} jobs of nobody, {} kills by request\n\n",
        done.len(),
        survived().map(|run| run.read.0).sum::<u64>(),
        survived().map(|run| run.read.1).sum::<u64>(),
        survived().map(|run| run.orphans).sum::<usize>(),
        survived().map(|run| run.drawn.kills.iter().take(run.kills as usize).filter(by_request).count()).sum::<usize>(),
    );
    text.push_str(&format!("{:<32} {:>6} {:>6} {:>6}\n", "", "cases", "kills", "WRONG"));
    for (name, [cases, kills, wrong]) in lines {
        text.push_str(&format!("{:<32} {cases:>6} {kills:>6} {wrong:>6}\n", name.trim_start_matches("~ ")));
    }
    text
}
