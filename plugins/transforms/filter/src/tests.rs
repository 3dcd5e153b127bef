//! The plugin as a whole, run natively.

use super::*;
use forcepump_plugin_sdk::testing::{Table, TransformRun};
use proptest::prelude::*;
use serde_json::json;

fn table() -> Table {
    Table::new()
        .text("Id", ["1", "2", "3", "4"])
        .text("StageName", [Some("Closed Won"), Some("Prospecting"), None, Some("Lost")])
        .text("Account.Name", [Some("Acme"), Some("acorn"), Some("Initech"), None])
        .decimal("Amount", (18, 2), [Some("1000.00"), Some("1000.01"), None, Some("-5.50")])
        .decimal("Target", (18, 3), [Some("1000.000"), Some("1000.011"), Some("1"), Some("-5.499")])
        .boolean("IsDeleted", [Some(false), Some(true), None, Some(false)])
        .date("CloseDate", [Some("2015-12-31"), Some("2016-01-01"), None, Some("1969-07-20")])
        .timestamp("CreatedDate", [Some("2016-01-01T00:00:00Z"), Some("2016-01-01T00:00:01Z"), None, None])
        .float64("Score", [Some(0.1), Some(2.5), Some(f64::NAN), None])
        .int32("Count", [Some(1), Some(2), Some(3), None])
        .text("in", ["x", "y", "x", "y"])
}

fn try_ids(condition: &str) -> Result<String, PluginError> {
    let mut run = TransformRun::<Filter>::open(&json!({"where": condition}), &table().schema)?;
    let ids = run.process(&table())?.table.texts("Id");
    Ok(ids.into_iter().flatten().collect())
}

fn ids(condition: &str) -> String {
    try_ids(condition).unwrap_or_else(|error| panic!("{condition}: {error:?}"))
}

fn fault(condition: &str) -> String {
    match try_ids(condition) {
        Err(PluginError::Config(problems)) => problems[0].message.clone(),
        other => panic!("{condition}: expected a config error, got {other:?}"),
    }
}

#[test]
fn comparisons() {
    assert_eq!(ids("Amount > 1000"), "2");
    assert_eq!(ids("Amount >= 1000.00"), "12");
    assert_eq!(ids("1000 <= Amount"), "12");
    assert_eq!(ids("Amount = 1000.005"), "");
    assert_eq!(ids("Amount < 1000.005"), "14");
    assert_eq!(ids("Amount != 1e3"), "24");
    assert_eq!(ids("Count between 2 and 3"), "23");
    assert_eq!(ids("Count not in (1, 7, 2.5)"), "23");
    assert_eq!(ids("CloseDate >= 2016-01-01"), "2");
    assert_eq!(ids("CreatedDate > 2016-01-01"), "2");
    assert_eq!(ids("CreatedDate = 2016-01-01T01:00:00+01:00"), "1");
    assert_eq!(ids("StageName in (\"Closed Won\", 'Lost')"), "14");
    assert_eq!(ids("Score > 0.1"), "2");
    assert_eq!(ids("Score = 0.1"), "1");
}

#[test]
fn columns_compare_with_columns() {
    assert_eq!(ids("Amount = Target"), "1");
    assert_eq!(ids("Amount < Target"), "24");
    assert_eq!(ids("Count > Score"), "1");
    assert_eq!(ids("Id = StageName"), "");
}

#[test]
fn names_with_dots_and_in_backticks() {
    assert_eq!(ids("Account.Name like \"Ac%\""), "1");
    assert_eq!(ids("account.name ilike \"ac%\""), "12");
    assert_eq!(ids("`in` = \"x\""), "13");
}

#[test]
fn booleans_stand_alone() {
    assert_eq!(ids("IsDeleted"), "2");
    assert_eq!(ids("not IsDeleted"), "14");
    assert_eq!(ids("IsDeleted = false"), "14");
    assert_eq!(ids("IsDeleted != false"), "2");
}

#[test]
fn nulls_are_unknown_as_in_sql() {
    assert_eq!(ids("StageName is null"), "3");
    assert_eq!(ids("StageName is not null"), "124");
    assert_eq!(ids("not StageName = \"Lost\""), "12");
    assert_eq!(ids("StageName = \"Lost\" or Id = \"3\""), "34");
    assert_eq!(ids("not (StageName = \"Lost\" and Id = \"3\")"), "124");
    assert_eq!(ids("not (StageName = \"Lost\" and Id = \"9\")"), "1234");
}

#[test]
fn and_binds_more_than_or() {
    assert_eq!(ids("Id = \"1\" or Id = \"2\" and Id = \"3\""), "1");
    assert_eq!(ids("(Id = \"1\" or Id = \"2\") and Id = \"2\""), "2");
    assert_eq!(
        ids("Amount > -10 AND (StageName IN (\"Closed Won\",\"Lost\") OR Account.Name LIKE \"A%\") and not IsDeleted"),
        "14"
    );
}

#[test]
fn only_the_named_columns_are_read() -> Result<(), PluginError> {
    let config = json!({"where": "Amount > 1 and Id != \"x\""});
    let run = TransformRun::<Filter>::open(&config, &table().schema)?;
    assert_eq!(run.opened.reads, [0, 3]);
    Ok(())
}

#[test]
fn faults_say_where_and_what() {
    assert_eq!(
        fault("Id = \"ü\" and Amuont > 5"),
        "at character 14 (`Amuont > 5`): there is no column \"Amuont\"; did you mean \"Amount\"?"
    );
    assert_eq!(
        fault("Amount > \"5\""),
        "at character 10 (`\"5\"`): column \"Amount\" is decimal(18, 2) and cannot be compared with a text; write a number"
    );
    assert_eq!(fault("Amount >"), "at the end: expected a column or a value");
    assert_eq!(fault("(Amount > 5"), "at the end: expected \"and\", \"or\" or the closing )");
    assert_eq!(
        fault("StageName = null"),
        "at character 13 (`null`): a comparison with null holds for no row; write: StageName is null"
    );
    assert!(fault("StageName").contains("compare it with something"));
    assert!(fault("Amount > 5 Count").contains("expected \"and\", \"or\" or the end"));
    assert!(fault("StageName in Lost").contains("expected a list"));
    assert!(fault("StageName in (Lost)").contains("in quotes: \"Lost\""));
    assert!(fault("1 = 1").contains("two fixed values"));
    assert!(fault("Id = Amount").contains("compared with \"Amount\", which is decimal(18, 2)"));
    assert!(fault("and = 1").contains("in backticks"));
    assert!(fault("CloseDate = 2016-02-31").contains("this is no date"));
    assert!(fault(&format!("{}Id = \"1\"{}", "(".repeat(99), ")".repeat(99))).contains("deeper than 64"));
    assert!(fault(&"not ".repeat(99_999)).contains("deeper than 64"));
    assert!(fault("Id = \"1\" ; drop").contains("no part of an expression"));
    assert!(fault("").contains("at the end"));
}

#[test]
fn long_chains_are_fine() {
    let chain = vec!["Id = \"1\""; 20_000].join(" or ");
    assert_eq!(ids(&chain), "1");
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
        let _ = grammar::parse(&text).map_err(|fault| fault.describe(&text));
    }

    #[test]
    fn no_likely_text_breaks_the_checker(words in proptest::collection::vec(
        prop_oneof![
            Just("("), Just(")"), Just(","), Just("and"), Just("or"), Just("not"), Just("in"), Just("is"),
            Just("null"), Just("like"), Just("between"), Just("="), Just("<"), Just("Id"), Just("Amount"),
            Just("CloseDate"), Just("\"x\""), Just("1.5"), Just("2016-01-01"), Just("true"), Just("IsDeleted"),
        ],
        0..16,
    )) {
        let _ = try_ids(&words.join(" "));
    }

    #[test]
    fn decimals_compare_as_integers_do(left in -10_000_000i64..10_000_000, right in -10_000_000i64..10_000_000) {
        let text = |value: i64| format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, value.abs() / 100, value.abs() % 100);
        let cells = text(left);
        let input = Table::new().decimal("A", (18, 2), [cells.as_str()]);
        for (op, expected) in [("<", left < right), ("=", left == right), (">=", left >= right), ("!=", left != right)] {
            let config = json!({"where": format!("A {op} {}", text(right))});
            let mut run = TransformRun::<Filter>::open(&config, &input.schema).expect("opens");
            let rows = run.process(&input).expect("runs").table.rows();
            prop_assert_eq!(rows == 1, expected, "{} {} {}", left, op, right);
        }
    }
}
