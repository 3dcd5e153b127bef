//! Variables in `where`, and the memory of former runs that they live on.

use rusqlite::Connection;

use crate::harness::{Bench, Org};

const PIPELINE: &str = r#"
name = "accounts"

[variables]
lastsysmod = "CASE WHEN (COALESCE($_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP,'')=='') THEN '1900-01-01T00:00:00Z' ELSE $_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP END"

[source]
connection = "org"
object = "Account"
fields = ["Id", "Name", "SystemModstamp"]
where = "SystemModstamp > $lastsysmod"

[destination]
plugin = "sqlite"
mode = "append"
config = { table = "accounts" }
grant.sql = { db = "sqlite:crm.db" }
"#;

fn rows(bench: &Bench) -> u64 {
    let db = Connection::open(bench.path("crm.db")).unwrap();
    db.query_row("SELECT COUNT(*) FROM accounts", [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

#[test]
fn the_last_successful_run_is_the_next_ones_cursor() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", PIPELINE);
    let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    assert!(plan["soql"].as_str().unwrap().ends_with("SystemModstamp > 1900-01-01T00:00:00Z"), "{}", plan["soql"]);
    let first = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let all = org.emulator().rows("Account").unwrap();
    assert_eq!((first["rows"]["written"].as_u64(), rows(&bench)), (Some(all), all));
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!(second["rows"]["written"], 0, "nothing changed since the first run began");
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    let last = second["run_id"].as_str().unwrap();
    assert!(plan.contains(&format!("$_PACKAGE_LAST_SUCCESSFUL_JOB_ID = {last}")), "{plan}");
    assert!(plan.contains("$lastsysmod = 20"), "{plan}");
}

#[test]
fn the_greatest_value_in_the_destination_is_a_cursor_too() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let asked = "[variables]\nmax_date = \"ExecuteSqlDatetime('crm', 'select max(SystemModstamp) from accounts')\"\nlastsysmod = \"COALESCE($max_date, '1900-01-01T00:00:00Z')\"\n[sql]\ncrm = \"sqlite:crm.db\"\n";
    let at = PIPELINE.find("[variables]").unwrap();
    let end = PIPELINE.find("[source]").unwrap();
    bench.write("p.toml", &format!("{}{asked}{}", &PIPELINE[..at], &PIPELINE[end..]));
    bench.run(&["run", "p.toml"]).ends(0);
    let all = rows(&bench);
    let second = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    assert_eq!((second["rows"]["written"].as_u64(), rows(&bench)), (Some(0), all));
}

#[test]
fn set_stands_in_the_place_of_the_expression() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", PIPELINE);
    let soql = |set: &str| {
        let plan = bench.run(&["plan", "p.toml", "--json", "--set", set]).ends(0).json();
        plan["soql"].as_str().unwrap().to_owned()
    };
    assert!(soql("lastsysmod=2024-05-05T00:00:00+02:00").ends_with("> 2024-05-04T22:00:00Z"));
    // A text stays one text; that it is no moment is what Salesforce says of it.
    let text = bench.run(&["plan", "p.toml", "--set", "lastsysmod=x' OR Id != '"]).ends(2);
    assert!(text.stderr.contains(r"> 'x\' OR Id != \''"), "{}", text.stderr);
    let wrong = bench.run(&["run", "p.toml", "--set", "lastsysmd=1"]).ends(2);
    assert!(wrong.stderr.contains("did you mean `$lastsysmod`?"), "{}", wrong.stderr);
    let wrong = bench.run(&["run", "p.toml", "--set", "lastsysmod"]).ends(2);
    assert!(wrong.stderr.contains("NAME=VALUE"), "{}", wrong.stderr);
}

#[test]
fn every_predefined_variable_is_in_the_plan_with_its_value() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", PIPELINE);
    let plan = || bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
    let value = |plan: &serde_json::Value, name: &str| {
        let found = plan["variables"].as_array().unwrap().iter().find(|shown| shown["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {plan:#}"))["value"].as_str().map(str::to_owned)
    };
    let first = plan();
    assert_eq!(value(&first, "_PACKAGE_NAME").as_deref(), Some("accounts"));
    assert!(value(&first, "_JOB_ID").is_some() && value(&first, "_JOB_SUBMISSION_TIMESTAMP").is_some());
    let last =
        ["ID", "SUBMISSION_TIMESTAMP", "COMPLETION_TIMESTAMP"].map(|end| format!("_PACKAGE_LAST_SUCCESSFUL_JOB_{end}"));
    assert!(last.iter().all(|name| value(&first, name).is_none()), "{first:#}");
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let second = plan();
    assert_eq!(value(&second, &last[0]).as_deref(), run["run_id"].as_str());
    assert!(value(&second, &last[1]) < value(&second, &last[2]), "{second:#}");
    let unknown = bench.run(&["plan", "p.toml", "--set", "other=1"]).ends(2).stderr;
    assert!(unknown.contains("there are $lastsysmod"), "{unknown}");
    bench.write("q.toml", &PIPELINE.replace("$lastsysmod\"", "$_CLUSTER_ID\""));
    let unknown = bench.run(&["plan", "q.toml"]).ends(2).stderr;
    assert!(unknown.contains("$lastsysmod, $_JOB_ID, $_JOB_SUBMISSION_TIMESTAMP, $_PACKAGE_LAST"), "{unknown}");
}

#[test]
fn values_are_written_by_their_type_and_salesforce_takes_them() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    let soql = |expression: &str, condition: &str| {
        let head = &PIPELINE[..PIPELINE.find("lastsysmod =").unwrap()];
        let tail = PIPELINE[PIPELINE.find("[source]").unwrap()..].replace("SystemModstamp > $lastsysmod", condition);
        bench.write("p.toml", &format!("{head}value = \"{expression}\"\n{tail}"));
        let plan = bench.run(&["plan", "p.toml", "--json"]).ends(0).json();
        plan["soql"].as_str().unwrap().split_once(" WHERE ").unwrap().1.to_owned()
    };
    for (expression, condition, expected) in [
        ("'O''Brien ' || char(10) || '\\\\'", "Name = $value", r"Name = 'O\'Brien \n\\'"),
        ("date('2024-02-28', '+2 days')", "LastActivityDate > $value", "LastActivityDate > 2024-03-01"),
        ("datetime('2024-02-28', '+2 days')", "CreatedDate > $value", "CreatedDate > 2024-03-01T00:00:00Z"),
        ("'2024-06-10T08:13:20.000+0200'", "CreatedDate > $value", "CreatedDate > 2024-06-10T06:13:20.000Z"),
        ("1e3 * 2.5", "AnnualRevenue > $value", "AnnualRevenue > 2500"),
        ("json_array('Energy', 'A''B')", "Industry IN $value", r"Industry IN ('Energy', 'A\'B')"),
        ("'LAST_N_DAYS:30'", "CreatedDate = $value", "CreatedDate = LAST_N_DAYS:30"),
    ] {
        assert_eq!(soql(expression, condition), expected, "{expression}");
    }
    bench.write("p.toml", &PIPELINE.replace("\"CASE WHEN", "\"Ago(1) + CASE WHEN"));
    let unknown = bench.run(&["plan", "p.toml"]).ends(2).stderr;
    assert!(unknown.contains("no such function: Ago") && unknown.contains("datetime('now', '-1 day')"), "{unknown}");
}

#[test]
fn former_runs_are_listed_and_shown() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    assert!(bench.run(&["runs"]).ends(0).stdout.contains("no run is remembered"));
    bench.run(&["show"]).ends(2);
    assert!(!bench.path(".forcepump").exists(), "looking makes nothing");
    bench.write("p.toml", PIPELINE);
    let run = bench.run(&["run", "p.toml", "--json"]).ends(0).json();
    let failed = PIPELINE.replace("\"Name\"", "\"Nme\"");
    bench.write("q.toml", &failed.replace("\"accounts\"\n", "\"other\"\n"));
    bench.run(&["run", "q.toml"]).ends(2);
    let runs = bench.run(&["runs", "--json"]).ends(0).json();
    let states: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "complete"]);
    assert_eq!(bench.run(&["runs", "accounts", "--json"]).ends(0).json().as_array().unwrap().len(), 1);
    let shown = bench.run(&["show", run["run_id"].as_str().unwrap(), "--json"]).ends(0).json();
    assert_eq!(shown["report"], run);
    let words = bench.run(&["show"]).ends(0).stdout;
    assert!(words.contains("Nme"), "{words}");
    let unknown = bench.run(&["show", "nothing"]).ends(2);
    assert!(unknown.stderr.contains(run["run_id"].as_str().unwrap()), "{}", unknown.stderr);
}

#[test]
fn a_pipeline_that_is_being_run_is_not_run_a_second_time() {
    let org = Org::demo();
    let bench = Bench::on(&org);
    bench.write("p.toml", PIPELINE);
    std::fs::create_dir_all(bench.path(".forcepump")).unwrap();
    let held = std::fs::File::create(bench.path(".forcepump/accounts.lock")).unwrap();
    held.lock().unwrap();
    let second = bench.run(&["run", "p.toml"]).ends(2);
    assert!(second.stderr.contains("is being run by another process"), "{}", second.stderr);
    drop(held);
    bench.run(&["run", "p.toml"]).ends(0);
}
