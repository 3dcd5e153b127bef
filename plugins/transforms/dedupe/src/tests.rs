//! The transform on the stand-in host: every type of key, nulls, bounds, and the state that is saved.

use forcepump_plugin_sdk::testing::{Table, TransformRun, retain_at_most, retained_batches};
use forcepump_plugin_sdk::{DataType, PluginError, TimeUnit, Value};
use serde_json::json;

use crate::Dedupe;

type Run = TransformRun<Dedupe>;

fn rows(from: i64, keys: &[Option<&str>]) -> Table {
    let numbers: Vec<i64> = (from..).take(keys.len()).collect();
    Table::new().text("Email", keys.iter().copied()).int64("N", numbers)
}

fn numbers(table: &Table) -> Vec<String> {
    table.texts("N").into_iter().map(Option::unwrap_or_default).collect()
}

fn run(config: serde_json::Value, batches: &[Table]) -> Result<Vec<String>, PluginError> {
    let mut run = Run::open(&config, &batches[0].schema)?;
    let mut out = Vec::new();
    for batch in batches {
        out.extend(numbers(&run.process(batch)?.table));
    }
    out.extend(numbers(&run.finish()?));
    assert_eq!(retained_batches(), 0, "nothing stays behind");
    Ok(out)
}

fn fatal<T: std::fmt::Debug>(outcome: Result<T, PluginError>) -> String {
    match outcome {
        Err(PluginError::Fatal(text)) => text,
        other => panic!("expected a fatal error, got {other:?}"),
    }
}

fn two_batches() -> [Table; 2] {
    [rows(0, &[Some("a"), Some("b"), Some("a"), None]), rows(4, &[Some("b"), None, Some("c"), Some("A")])]
}

#[test]
fn the_first_row_of_a_key_goes_on_at_once() -> Result<(), PluginError> {
    assert_eq!(run(json!({"keys": ["Email"]}), &two_batches())?, ["0", "1", "3", "6", "7"]);
    let reads = Run::open(&json!({"keys": ["email"]}), &two_batches()[0].schema)?.opened.reads;
    assert_eq!(reads, [0], "only the key is read");
    Ok(())
}

#[test]
fn the_last_row_of_a_key_goes_on_in_the_end() -> Result<(), PluginError> {
    assert_eq!(run(json!({"keys": ["Email"], "keep": "last"}), &two_batches())?, ["2", "4", "5", "6", "7"]);
    Ok(())
}

#[test]
fn distinct_nulls_all_go_on() -> Result<(), PluginError> {
    let config = |keep| json!({"keys": ["Email"], "keep": keep, "nulls": "distinct"});
    assert_eq!(run(config("first"), &two_batches())?, ["0", "1", "3", "5", "6", "7"]);
    assert_eq!(run(config("last"), &two_batches())?, ["2", "3", "4", "5", "6", "7"]);
    Ok(())
}

#[test]
fn keys_of_several_columns_do_not_run_into_each_other() -> Result<(), PluginError> {
    let table = Table::new()
        .text("A", [Some("ab"), Some("a"), Some(""), None, Some("ab")])
        .text("B", [Some("c"), Some("bc"), None, Some(""), Some("c")])
        .int64("N", [0, 1, 2, 3, 4]);
    assert_eq!(run(json!({"keys": ["A", "B"]}), &[table])?, ["0", "1", "2", "3"]);
    Ok(())
}

/// Rows 0 and 2 are equal, 1 differs, 3 and 4 are null.
fn typed(data_type: DataType, one: Value, other: Value) -> Table {
    let cells = vec![one.clone(), other, one, Value::Null, Value::Null];
    Table::new().column("K", data_type, cells).int64("N", [0, 1, 2, 3, 4])
}

#[test]
fn every_type_of_the_contract_can_be_a_key() -> Result<(), PluginError> {
    let int = |value| Value::Int(value);
    let tables = [
        typed(DataType::Boolean, Value::Boolean(false), Value::Boolean(true)),
        typed(DataType::Int8, int(0), int(-1)),
        typed(DataType::Int16, int(0), int(256)),
        typed(DataType::Int32, int(1), int(65_537)),
        typed(DataType::Int64, int(1), int(1 << 33)),
        typed(DataType::Uint8, int(0), int(255)),
        typed(DataType::Uint16, int(0), int(65_535)),
        typed(DataType::Uint32, int(0), int(4_294_967_295)),
        typed(DataType::Uint64, int(0), int(1 << 62)),
        typed(DataType::Float32, Value::Float(0.5), Value::Float(0.25)),
        typed(DataType::Float64, Value::Float(0.0), Value::Float(1e-300)),
        typed(DataType::Utf8, Value::Text("é".into()), Value::Text("e\u{301}".into())),
        typed(DataType::Binary, Value::Bytes(vec![0]), Value::Bytes(vec![0, 0])),
        typed(DataType::decimal(38, 2), Value::Decimal("1.00".into()), Value::Decimal("99999999999999999.01".into())),
        typed(DataType::Date32, Value::Date(0), Value::Date(-1)),
        typed(DataType::Time64(TimeUnit::Microsecond), int(1), int(2)),
        typed(DataType::timestamp_utc(), Value::Timestamp(1), Value::Timestamp(-1)),
    ];
    for table in tables {
        for (keep, expected) in [("first", ["0", "1", "3"]), ("last", ["1", "2", "4"])] {
            let kind = table.schema.fields[0].data_type.describe();
            assert_eq!(
                run(json!({"keys": ["K"], "keep": keep}), std::slice::from_ref(&table))?,
                expected,
                "{kind} {keep}"
            );
        }
    }
    let nulls = Table::new().column("K", DataType::Null, vec![Value::Null; 3]).int64("N", [0, 1, 2]);
    assert_eq!(run(json!({"keys": ["K"]}), &[nulls])?, ["0"]);
    Ok(())
}

#[test]
fn floats_that_are_equal_are_one_key() -> Result<(), PluginError> {
    let table = Table::new().float64("K", [0.0, -0.0, f64::NAN, -f64::NAN]).int64("N", [0, 1, 2, 3]);
    assert_eq!(run(json!({"keys": ["K"]}), &[table])?, ["0", "2"]);
    Ok(())
}

#[test]
fn replaced_batches_are_given_back_and_thin_ones_shrink() -> Result<(), PluginError> {
    let keys: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
    let all: Vec<Option<&str>> = keys.iter().map(|key| Some(key.as_str())).collect();
    let mut run = Run::open(&json!({"keys": ["Email"], "keep": "last"}), &rows(0, &all).schema)?;
    run.process(&rows(0, &all))?;
    run.process(&rows(100, &all))?;
    assert_eq!(retained_batches(), 1, "the first batch is replaced whole");
    run.process(&rows(200, &all[..90]))?;
    assert_eq!(retained_batches(), 2);
    run.process(&rows(290, &all[..5]))?;
    let out = numbers(&run.finish()?);
    let expected: Vec<String> = (190..200).chain(205..290).chain(290..295).map(|n: i32| n.to_string()).collect();
    assert_eq!(out, expected);
    Ok(())
}

#[test]
fn finish_gives_no_more_rows_than_asked_for() -> Result<(), PluginError> {
    let mut run = Run::open(&json!({"keys": ["Email"], "keep": "last"}), &two_batches()[0].schema)?;
    for batch in two_batches() {
        run.process(&batch)?;
    }
    let mut parts = Vec::new();
    while let Some(part) = run.finish_some(2)? {
        parts.push(numbers(&part));
    }
    assert_eq!(parts.concat(), ["2", "4", "5", "6", "7"]);
    assert!(parts.iter().all(|part| (1..=2).contains(&part.len())), "{parts:?}");
    Ok(())
}

#[test]
fn bounds_name_the_number_and_the_way_out() -> Result<(), PluginError> {
    let text = fatal(run(json!({"keys": ["Email"], "max_keys": 3}), &two_batches()));
    assert!(
        text.contains("more than 3 different keys; raise max_keys") && text.contains("limits.memory_mib"),
        "{text}"
    );
    let mut run = Run::open(&json!({"keys": ["Email"], "keep": "last"}), &two_batches()[0].schema)?;
    retain_at_most(1);
    let [first, second] = two_batches();
    run.process(&first)?;
    let text = fatal(run.process(&second));
    assert!(text.contains("1 rows in 1 batches wait"), "{text}");
    assert!(text.contains("raise limits.memory_mib") && text.contains("merge by the keys"), "{text}");
    Ok(())
}

#[test]
fn a_saved_state_goes_on_where_it_was() -> Result<(), PluginError> {
    let config = json!({"keys": ["Email"]});
    let [first, second] = two_batches();
    let mut before = Run::open(&config, &first.schema)?;
    before.process(&first)?;
    let saved = before.save()?;
    let mut after = Run::resume(&config, &first.schema, Some(saved.clone()))?;
    assert_eq!(numbers(&after.process(&second)?.table), ["6", "7"]);
    let other = json!({"keys": ["N"]});
    assert!(
        fatal(Run::resume(&other, &first.schema, Some(saved.clone())).map(|_| ())).contains("another configuration")
    );
    let cut = saved[..saved.len() - 1].to_vec();
    assert!(fatal(Run::resume(&config, &first.schema, Some(cut)).map(|_| ())).contains("damaged"));
    Ok(())
}

#[test]
fn rows_that_wait_are_not_saved_and_it_says_so() -> Result<(), PluginError> {
    let mut run = Run::open(&json!({"keys": ["Email"], "keep": "last"}), &two_batches()[0].schema)?;
    run.process(&two_batches()[0])?;
    assert!(fatal(run.save()).contains("not saved"));
    Ok(())
}

#[test]
fn a_state_beyond_a_checkpoint_names_the_way_out() -> Result<(), PluginError> {
    let mut run = Run::open(&json!({"keys": ["Email"]}), &two_batches()[0].schema)?;
    let long: Vec<String> = (0..17).map(|number| format!("{number}{}", "x".repeat(1 << 20))).collect();
    let keys: Vec<Option<&str>> = long.iter().map(|key| Some(key.as_str())).collect();
    run.process(&rows(0, &keys))?;
    assert!(fatal(run.save()).contains("16777216 bytes of a checkpoint; a query that is split"));
    Ok(())
}

#[test]
fn wrong_columns_are_named_with_their_place() {
    let problem = |config| match Run::open(&config, &two_batches()[0].schema) {
        Err(PluginError::Config(problems)) => format!("{} {}", problems[0].pointer, problems[0].message),
        other => panic!("expected a config error, got {other:?}"),
    };
    assert_eq!(problem(json!({"keys": ["Emial"]})), "/keys/0 there is no column \"Emial\"; did you mean \"Email\"?");
    assert_eq!(problem(json!({"keys": ["Email", "email"]})), "/keys/1 column \"email\" is listed twice");
    let opaque = Table::new().column("Blob", DataType::Opaque("Map".into()), vec![]).text("Email", [""; 0]);
    let refused = Run::open(&json!({"keys": ["Email"], "keep": "last"}), &opaque.schema);
    assert!(matches!(&refused, Err(PluginError::Schema(text)) if text.contains("\"Blob\"")), "{refused:?}");
    assert!(Run::open(&json!({"keys": ["Email"]}), &opaque.schema).is_ok(), "what is kept may be of any type");
}
