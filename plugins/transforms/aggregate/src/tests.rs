//! The transform on the stand-in host: exact values, nulls, order, bounds, and the state that is saved.

use forcepump_plugin_sdk::testing::{Table, TransformRun};
use forcepump_plugin_sdk::{DataType, PluginError, TimeUnit, Value};
use serde_json::json;

use crate::Aggregate;

type Run = TransformRun<Aggregate>;

fn sales() -> Table {
    Table::new()
        .text("Region", [Some("north"), Some("south"), Some("north"), None, Some("south")])
        .decimal("Amount", (18, 2), [Some("10.10"), Some("0.01"), Some("20.20"), Some("5.00"), None])
        .int32("Units", [Some(1), Some(2), None, Some(4), Some(5)])
        .date("Closed", ["2024-02-29", "2023-12-31", "2024-03-01", "2020-01-01", "1969-12-31"])
        .boolean("Won", [Some(true), Some(false), Some(false), Some(true), None])
}

fn aggregated(config: &serde_json::Value, batches: &[Table]) -> Result<Table, PluginError> {
    let mut run = Run::open(config, &batches[0].schema)?;
    for batch in batches {
        assert_eq!(run.process(batch)?.table.rows(), 0, "rows come at the end");
    }
    run.finish()
}

fn column(table: &Table, name: &str) -> Vec<String> {
    table.texts(name).into_iter().map(|cell| cell.unwrap_or_else(|| "∅".to_owned())).collect()
}

fn measure(name: &str, function: &str, column: &str) -> serde_json::Value {
    json!({"name": name, "function": function, "column": column})
}

fn fatal<T: std::fmt::Debug>(outcome: Result<T, PluginError>) -> String {
    match outcome {
        Err(PluginError::Fatal(text)) => text,
        other => panic!("expected a fatal error, got {other:?}"),
    }
}

#[test]
fn groups_come_in_the_order_of_their_first_rows() -> Result<(), PluginError> {
    let config = json!({"group_by": ["Region"], "measures": [
        {"name": "rows", "function": "count"},
        measure("amounts", "count", "Amount"),
        measure("total", "sum", "Amount"),
        measure("units", "sum", "Units"),
        measure("first", "min", "Closed"),
        measure("last", "max", "Closed"),
        measure("any_won", "max", "Won"),
    ]});
    let out = aggregated(&config, &[sales(), sales()])?;
    assert_eq!(out.names(), ["Region", "rows", "amounts", "total", "units", "first", "last", "any_won"]);
    assert_eq!(column(&out, "Region"), ["north", "south", "∅"]);
    assert_eq!(column(&out, "rows"), ["4", "4", "2"]);
    assert_eq!(column(&out, "amounts"), ["4", "2", "2"]);
    assert_eq!(column(&out, "total"), ["60.60", "0.02", "10.00"]);
    assert_eq!(column(&out, "units"), ["2", "14", "8"]);
    assert_eq!(column(&out, "first"), ["2024-02-29", "1969-12-31", "2020-01-01"]);
    assert_eq!(column(&out, "last"), ["2024-03-01", "2023-12-31", "2020-01-01"]);
    assert_eq!(column(&out, "any_won"), ["true", "false", "true"]);
    let types: Vec<String> = out.schema.fields.iter().map(|field| field.data_type.describe()).collect();
    assert_eq!(types, ["text", "int64", "int64", "decimal(38, 2)", "int64", "date", "date", "boolean"]);
    Ok(())
}

#[test]
fn without_groups_there_is_one_row_also_of_nothing() -> Result<(), PluginError> {
    let config = json!({"measures": [{"name": "rows", "function": "count"}, measure("total", "sum", "Amount")]});
    let out = aggregated(&config, &[sales()])?;
    assert_eq!((column(&out, "rows"), column(&out, "total")), (vec!["5".to_owned()], vec!["35.31".to_owned()]));
    let mut run = Run::open(&config, &sales().schema)?;
    let out = run.finish()?;
    assert_eq!((column(&out, "rows"), column(&out, "total")), (vec!["0".to_owned()], vec!["∅".to_owned()]));
    Ok(())
}

#[test]
fn grouped_nothing_is_no_row() -> Result<(), PluginError> {
    let config = json!({"group_by": ["Region"], "measures": [{"name": "rows", "function": "count"}]});
    assert_eq!(Run::open(&config, &sales().schema)?.finish()?.rows(), 0);
    Ok(())
}

#[test]
fn a_group_of_nulls_has_null_measures() -> Result<(), PluginError> {
    let table = Table::new().text("K", ["a", "a"]).int64("V", [None::<i64>, None]);
    let measures = json!([measure("s", "sum", "V"), measure("l", "min", "V"), measure("n", "count", "V")]);
    let out = aggregated(&json!({"group_by": ["K"], "measures": measures}), &[table])?;
    assert_eq!([column(&out, "s"), column(&out, "l"), column(&out, "n")].concat(), ["∅", "∅", "0"]);
    Ok(())
}

#[test]
fn sums_never_wrap() -> Result<(), PluginError> {
    let measures = |name| json!({"group_by": ["K"], "measures": [measure("total", "sum", name)]});
    let large = Table::new().text("K", ["north", "north"]).int64("V", [i64::MAX, 1]);
    let text = fatal(aggregated(&measures("V"), &[large]));
    assert!(text.contains("the sum \"total\" of the group K = \"north\" does not fit int64"), "{text}");
    let back = Table::new().text("K", ["a", "a", "a"]).int64("V", [i64::MAX, 1, -1]);
    assert_eq!(column(&aggregated(&measures("V"), &[back])?, "total"), [i64::MAX.to_string()]);
    let nines = "9".repeat(36) + ".99";
    let table = |rows: usize| Table::new().text("K", vec!["a"; rows]).decimal("V", (38, 2), vec![nines.as_str(); rows]);
    assert_eq!(column(&aggregated(&measures("V"), &[table(1)])?, "total"), std::slice::from_ref(&nines));
    for rows in [2, 3] {
        let text = fatal(aggregated(&measures("V"), &[table(rows)]));
        assert!(text.contains("does not fit decimal(38, 2)"), "{text}");
    }
    Ok(())
}

#[test]
fn every_type_has_bounds_and_numbers_have_sums() -> Result<(), PluginError> {
    let int = Value::Int;
    let cases = [
        (DataType::Int8, int(-3), int(2), Some("-1")),
        (DataType::Int16, int(-300), int(2), Some("-298")),
        (DataType::Int32, int(-70_000), int(2), Some("-69998")),
        (DataType::Int64, int(i64::MIN), int(2), Some("-9223372036854775806")),
        (DataType::Uint8, int(3), int(200), Some("203")),
        (DataType::Uint16, int(3), int(60_000), Some("60003")),
        (DataType::Uint32, int(3), int(4_000_000_000), Some("4000000003")),
        (DataType::Uint64, int(3), int(i64::MAX), Some("9223372036854775810")),
        (DataType::Float32, Value::Float(-0.5), Value::Float(0.25), Some("-0.25")),
        (DataType::Float64, Value::Float(-1e300), Value::Float(0.0), Some("-1000000000")),
        (DataType::decimal(5, 1), Value::Decimal("-0.1".into()), Value::Decimal("9.9".into()), Some("9.8")),
        (DataType::Utf8, Value::Text("B".into()), Value::Text("a".into()), None),
        (DataType::Binary, Value::Bytes(vec![]), Value::Bytes(vec![0]), None),
        (DataType::Boolean, Value::Boolean(false), Value::Boolean(true), None),
        (DataType::Date32, Value::Date(-1), Value::Date(1), None),
        (DataType::Time64(TimeUnit::Microsecond), int(1), int(2), None),
        (DataType::timestamp_utc(), Value::Timestamp(-1), Value::Timestamp(1), None),
    ];
    for (data_type, low, high, sum) in cases {
        let kind = data_type.describe();
        let cells = vec![high.clone(), Value::Null, low.clone()];
        let table = Table::new().column("V", data_type, cells);
        let out = aggregated(
            &json!({"measures": [measure("l", "min", "V"), measure("h", "max", "V")]}),
            std::slice::from_ref(&table),
        )?;
        assert_eq!((out.cells(0), out.cells(1)), ([low].as_slice(), [high].as_slice()), "{kind}");
        let summed = aggregated(&json!({"measures": [measure("s", "sum", "V")]}), &[table]);
        match sum {
            Some(sum) => assert!(column(&summed?, "s")[0].starts_with(sum), "{kind}"),
            None => assert!(matches!(summed, Err(PluginError::Config(_))), "{kind}"),
        }
    }
    Ok(())
}

#[test]
fn finish_gives_no_more_rows_than_asked_for() -> Result<(), PluginError> {
    let config = json!({"group_by": ["Region"], "measures": [{"name": "rows", "function": "count"}]});
    let mut run = Run::open(&config, &sales().schema)?;
    run.process(&sales())?;
    let sizes: Vec<usize> = std::iter::from_fn(|| run.finish_some(2).transpose())
        .map(|part| part.map(|t| t.rows()))
        .collect::<Result<_, _>>()?;
    assert_eq!(sizes, [2, 1]);
    Ok(())
}

#[test]
fn too_many_groups_name_the_number_and_the_way_out() {
    let config = json!({"group_by": ["Region"], "measures": [{"name": "rows", "function": "count"}], "max_groups": 2});
    let text = fatal(aggregated(&config, &[sales()]));
    assert!(text.contains("more than 2 groups; raise max_groups") && text.contains("limits.memory_mib"), "{text}");
}

#[test]
fn a_saved_state_goes_on_where_it_was() -> Result<(), PluginError> {
    let measures = json!([
        {"name": "rows", "function": "count"},
        measure("total", "sum", "Amount"),
        measure("last", "max", "Closed"),
        measure("least", "min", "Region"),
    ]);
    let config = json!({"group_by": ["Region"], "measures": measures});
    let mut before = Run::open(&config, &sales().schema)?;
    before.process(&sales())?;
    let saved = before.save()?;
    let mut after = Run::resume(&config, &sales().schema, Some(saved.clone()))?;
    after.process(&sales())?;
    assert_eq!(after.finish()?, aggregated(&config, &[sales(), sales()])?);
    let other = json!({"group_by": ["Region"], "measures": [{"name": "rows", "function": "count"}]});
    assert!(
        fatal(Run::resume(&other, &sales().schema, Some(saved.clone())).map(drop)).contains("another configuration")
    );
    assert!(fatal(Run::resume(&config, &sales().schema, Some(saved[1..].to_vec())).map(drop)).contains("damaged"));
    Ok(())
}

#[test]
fn the_only_group_is_saved_too() -> Result<(), PluginError> {
    let config = json!({"measures": [{"name": "rows", "function": "count"}]});
    let mut before = Run::open(&config, &sales().schema)?;
    before.process(&sales())?;
    let mut after = Run::resume(&config, &sales().schema, Some(before.save()?))?;
    assert_eq!(column(&after.finish()?, "rows"), ["5"]);
    Ok(())
}

#[test]
fn faults_are_named_with_their_place() {
    let problem = |config| match Run::open(&config, &sales().schema) {
        Err(PluginError::Config(problems)) => format!("{} {}", problems[0].pointer, problems[0].message),
        other => panic!("expected a config error, got {other:?}"),
    };
    let with = |measure: serde_json::Value| json!({"group_by": ["Region"], "measures": [measure]});
    let said = problem(with(measure("s", "sum", "Region")));
    assert_eq!(said, "/measures/0/column sum cannot take column \"Region\", which is text; it takes numbers");
    assert!(problem(with(json!({"name": "s", "function": "sum"}))).starts_with("/measures/0 sum needs a column"));
    assert!(problem(with(measure("s", "sum", "Amuont"))).contains("did you mean \"Amount\"?"));
    assert!(problem(with(measure("region", "count", "Units"))).starts_with("/measures/0/name two output columns"));
    assert!(problem(with(measure("s", "avg", "Units"))).starts_with("/measures/0/function"));
    assert!(problem(json!({"group_by": ["Regoin"], "measures": []})).starts_with("/group_by/0"));
}
