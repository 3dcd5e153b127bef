//! Lies in what `open` settles.

use forcepump_plugin_sdk::{DataType, Field, OpenRequest, Opened, OutputField, PluginError, Source, Value};

/// Attacks of `open`.
pub const MODES: &[&str] = &[
    "keep-unknown",
    "keep-retyped",
    "same-name",
    "steer-name",
    "long-name",
    "no-name",
    "no-columns",
    "many-columns",
    "huge-metadata",
    "read-unknown",
    "constant-misfit",
    "constant-null",
    "decimal-shape",
    "zone",
    "opaque-unknown",
    "answer-by-lane",
];

/// An honest output: all input columns, and `made`, a number that `process` computes.
fn honest(request: &OpenRequest) -> Opened {
    let mut output = OutputField::keep_all(&request.input);
    output.push(OutputField::computed(Field::new("made", DataType::Int32, true)));
    let mut reads: Vec<u32> = (0..request.input.fields.len() as u32).collect();
    let mode = crate::orders("process");
    if crate::withheld::is_blind(&mode) {
        // The second column is the withheld one: it is kept, and not declared.
        reads.truncate(1);
    }
    if mode == "withheld-deliver" {
        output.pop();
        output.push(OutputField::computed(Field::new("made", DataType::Utf8, true)));
    }
    Opened::new(output).reads(reads)
}

/// What `open` answers in that mode.
pub fn open(mode: &str, request: &OpenRequest) -> Result<Opened, PluginError> {
    let mut opened = honest(request);
    let last = opened.output.len() - 1;
    let mut rename = |name: String| opened.output[last].field.name = name;
    match mode {
        "same-name" => rename(request.input.fields[0].name.clone()),
        "steer-name" => rename("a\u{1b}[2J".to_owned()),
        "long-name" => rename("n".repeat(256)),
        "no-name" => rename(String::new()),
        "keep-unknown" => opened.output[0].source = Source::Keep(u32::MAX),
        "keep-retyped" => opened.output[0].field.data_type = DataType::Binary,
        "no-columns" => opened.output.clear(),
        "many-columns" => {
            let field = |number: u32| Field::new(format!("c{number}"), DataType::Int32, true);
            opened.output.extend((0..5_000).map(|number| OutputField::computed(field(number))));
        }
        "huge-metadata" => opened.output[last].field.metadata = vec![("k".to_owned(), "v".repeat(2 << 20))],
        "read-unknown" => opened.reads.push(99),
        "constant-misfit" => opened.output[last].source = Source::Constant(Value::Int(1 << 40)),
        "constant-null" => {
            opened.output[last].field.nullable = false;
            opened.output[last].source = Source::Constant(Value::Null);
        }
        "decimal-shape" => opened.output[last].field.data_type = DataType::decimal(77, 99),
        "zone" => opened.output[last].field.data_type = zone("Mars/Phobos"),
        "opaque-unknown" => opened.output[last].field.data_type = DataType::Opaque("List".to_owned()),
        // What an earlier instance settled holds for all of them.
        "answer-by-lane" if request.lane > 0 => {
            opened.output.remove(0);
        }
        _ => {}
    }
    Ok(opened)
}

fn zone(zone: &str) -> DataType {
    use forcepump_plugin_sdk::{TimeUnit, TimestampShape};
    DataType::Timestamp(TimestampShape { unit: TimeUnit::Second, zone: Some(zone.to_owned()) })
}
