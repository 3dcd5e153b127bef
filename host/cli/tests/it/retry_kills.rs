//! `retry-rejects` that is killed at random instants and tried again until it is done: no row lost, none doubled.

use forcepump_emulator::Options;
use forcepump_emulator::data::QueryMode;
use rusqlite::Connection;
use serde_json::Value;

use crate::dice::Dice;
use crate::guests;
use crate::harness::{Bench, Org};
use crate::held::{self, Rows};
use crate::many::{self, Done};
use crate::process::{self, Fate, Running, When};

/// Kills of the short version.
const SHORT_KILLS: u64 = 14;
/// Where the short version begins.
const SHORT_SEED: u64 = 20_270_101;
/// Longest pause between the request that is waited for and the kill, in microseconds: about the time of a unit.
const MOST_PAUSE_US: u64 = 30_000;
const COLUMNS: [&str; 2] = ["Id", "Name"];
const SOQL: &str = "SELECT Id, Name FROM Account";
/// Last digits of the ids that the table refuses first, and after it was mended.
const RULES: [&str; 2] = ["02468BDFHJLNPRTVXZacegikmoqsuwy", "4Pk"];

/// Where rows go, and who refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    /// a table, which refuses rows by a rule
    Table(&'static str),
    /// files behind a transform that breaks on some names
    Files(&'static str),
}

#[derive(Debug)]
struct Case {
    into: Into,
    api: &'static str,
    kills: Vec<When>,
    /// the next try names the retry, and not the run that refused the rows
    by_retry: bool,
}

fn draw(seed: u64) -> Case {
    let dice = &mut Dice::new(seed);
    let into = dice.of(&[
        Into::Table("append"),
        Into::Table("append"),
        Into::Table("append"),
        Into::Table("merge"),
        Into::Files("append"),
        Into::Files("append"),
        Into::Files("overwrite"),
    ]);
    let api = dice.of(&["bulk2", "bulk2", "bulk2", "rest", "bulk1"]);
    let instant = |dice: &mut Dice| {
        let pause = std::time::Duration::from_micros(dice.below(MOST_PAUSE_US));
        When::Answered(3 + dice.below(18), pause)
    };
    let kills = (0..1 + dice.below(3)).map(|_| instant(dice)).collect();
    Case { into, api, kills, by_retry: dice.one_in(3) }
}

impl Case {
    fn pipeline(&self, breaks: &[String]) -> String {
        let grant = "[destination.grant]\n";
        let step = |mode: &str| match mode {
            "merge" => "mode = \"merge\"\nkeys = [\"Id\"]".to_owned(),
            mode => format!("mode = \"{mode}\""),
        };
        let (transform, destination) = match self.into {
            Into::Table(mode) => {
                let config = "config = { table = \"account\" }";
                let sql = "sql = { db = \"sqlite:out.db\" }";
                (String::new(), format!("plugin = \"sqlite\"\n{}\n{config}\n{grant}{sql}\n", step(mode)))
            }
            Into::Files(mode) => {
                let breaks: Vec<String> = breaks.iter().map(|name| format!("\"{name}\" = \"trap\"")).collect();
                let config = format!("config = {{ column = \"Name\", breaks = {{ {} }} }}", breaks.join(", "));
                let transform = format!("[[transform]]\nplugin = \"./fickle.wasm\"\n{config}\n{}", guests::GRANTED);
                (transform, format!("plugin = \"csv\"\n{}\n{grant}files = {{ out = \"out\" }}\n", step(mode)))
            }
        };
        format!(
            "name = \"refusing\"\n[source]\nconnection = \"org\"\napi = \"{}\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n{transform}[destination]\n{destination}",
            self.api
        )
    }

    fn rows_in(&self, bench: &Bench) -> Result<Rows, String> {
        match self.into {
            Into::Table(_) => held::in_sqlite(bench).map_or(Ok(Rows::new()), |table| held::keyed(&table, &COLUMNS)),
            Into::Files(_) => {
                let (table, _) = held::in_files(bench, "csv");
                if table.rows.is_empty() { Ok(Rows::new()) } else { held::keyed(&table, &COLUMNS) }
            }
        }
    }

    /// The table, with its rule.
    fn rule(&self, bench: &Bench, rule: &str) {
        let Into::Table(_) = self.into else { return };
        let db = Connection::open(bench.path("out.db")).expect("a database");
        let make =
            "CREATE TABLE IF NOT EXISTS rule (part TEXT); CREATE TABLE IF NOT EXISTS account (Id TEXT, Name TEXT);
             CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON account
             WHEN EXISTS (SELECT 1 FROM rule WHERE instr(part, substr(NEW.Id, 15, 1)))
             BEGIN SELECT RAISE(ABORT, 'refused by rule'); END;";
        db.execute_batch(make).expect("a table");
        db.execute("DELETE FROM rule", []).expect("no rule");
        db.execute("INSERT INTO rule VALUES (?1)", [rule]).expect("a rule");
    }
}

#[test]
fn killed_retries_lose_and_double_nothing() {
    let seed = many::number("FORCEPUMP_CHAOS_SEED").unwrap_or(SHORT_SEED);
    let wanted = many::number("FORCEPUMP_RETRY_KILLS").unwrap_or(SHORT_KILLS);
    let killed = |done: &Done<u64>| done.end.as_ref().map_or(1, |kills| *kills);
    let enough = |done: &[Done<u64>]| done.iter().map(killed).sum::<u64>() >= wanted;
    let done = many::all(seed, enough, |seed| {
        let case = draw(seed);
        one(&case).map_err(|wrong| format!("{wrong}\n{case:?}"))
    });
    many::none_is_wrong(seed, &done);
}

fn one(case: &Case) -> Result<u64, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut accounts = "Name\n".to_owned();
    (0..120).for_each(|number| accounts.push_str(&format!("Account {number}\n")));
    std::fs::write(folder.path().join("Account.csv"), accounts).expect("a file");
    let org = Org::with(Options { data: Some(folder.path().to_owned()), page_size: 5, ..Options::default() });
    let bench = Bench::on(&org);
    guests::fickle(&bench);
    let all = held::of_org(&org, SOQL, QueryMode::Bulk2);
    let refused = |rule: &str| -> Vec<String> {
        all.keys().filter(|id| id.chars().nth(14).is_some_and(|digit| rule.contains(digit))).cloned().collect()
    };
    let names =
        |ids: Vec<String>| -> Vec<String> { ids.iter().map(|id| all[id][1].clone().expect("a name")).collect() };
    case.rule(&bench, RULES[0]);
    bench.write("p.toml", &case.pipeline(&names(refused(RULES[0]))));
    let first = process::run(&bench, &["run", "p.toml", "--json"])?;
    let report: Value = serde_json::from_str(&first.stdout).map_err(|error| format!("{error}: {first:?}"))?;
    let first = report["run_id"].as_str().ok_or("no run")?.to_owned();
    if report["rows"]["rejected"] != refused(RULES[0]).len() {
        return Err(format!("the first run: {report:#}"));
    }
    case.rule(&bench, RULES[1]);
    bench.write("p.toml", &case.pipeline(&names(refused(RULES[1]))));
    let still = refused(RULES[1]);
    let mut expected = all.clone();
    expected.retain(|id, _| !still.contains(id));
    let (mut kills, mut run) = (0, first.clone());
    for when in &case.kills {
        if let Fate::Killed = Running::start(&bench, &["retry-rejects", &run, "--json"]).killed(&org, *when)? {
            kills += 1;
        }
        held::part_of(&expected, &case.rows_in(&bench)?).map_err(|wrong| format!("after a kill: {wrong}"))?;
        if let (true, Some(retry)) = (case.by_retry, unfinished(&bench)) {
            run = retry;
        }
    }
    let last = process::run(&bench, &["retry-rejects", &run, "--json"])?;
    if last.code != 3 {
        return Err(format!("the last try: {last:?}"));
    }
    held::same(&expected, &case.rows_in(&bench)?).map_err(|wrong| format!("{wrong}\n{last:?}"))?;
    let open = bench.run(&["rejects", &first, "--json"]).ends(0).json();
    if open["total"] != still.len() {
        return Err(format!("{} rows are refused still, {} are open", still.len(), open["total"]));
    }
    let once_more = bench.run(&["retry-rejects", &first, "--json"]).json();
    let (read, written) = (&once_more["rows"]["read"], &once_more["rows"]["written"]);
    if (read, written) != (&still.len().into(), &0.into()) {
        return Err(format!("once more: {once_more:#}"));
    }
    held::same(&expected, &case.rows_in(&bench)?).map_err(|wrong| format!("once more: {wrong}"))?;
    let verified = bench.run(&["verify", &first, "--keys"]);
    if verified.code != 0 {
        return Err(format!("verify: {}", verified.stdout));
    }
    Ok(kills)
}

/// The newest run, when it can be gone on with.
fn unfinished(bench: &Bench) -> Option<String> {
    let runs = bench.run(&["runs", "--json"]).ends(0).json();
    runs[0]["resumable"].as_bool()?.then(|| runs[0]["run_id"].as_str().map(str::to_owned))?
}
