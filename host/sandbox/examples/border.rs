//! What the border costs, as one line of JSON: `cargo run --release -p forcepump-sandbox --example border`.
//!
//! The same kernel runs natively and in the guest, over the same batches of 20 columns of which it
//! touches two; all 20 are filtered by its mask. Rounds alternate, and the least time of each side
//! counts, so that other load on the machine falls out of the ratio. The native side trusts its own
//! text (no check for UTF-8), which is the strictest comparison there is.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_schema::Field;
use arrow_select::filter::FilterBuilder;
use forcepump_plugin_bench::kernel;
use forcepump_sandbox::{Engine, EngineOptions, OpenRequest, Plugin, Settings, TransformInstance};

/// Number of the text column that is put into upper case.
const TEXT: usize = 1;
/// Number of the float column that is scaled and compared.
const NUMBER: usize = 12;
/// Rows per batch that are measured, when the command line names none.
const SIZES: [usize; 3] = [1_024, 8_192, 65_536];
/// Rounds of each measurement.
const ROUNDS: usize = 15;
/// How long one side of a round lasts.
const ROUND_TIME: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let component = forcepump_plugin_bundle::test_guest("bench").ok_or("the bench guest is not built")?;
    let dir = tempfile::tempdir()?;
    let options = EngineOptions { cache_dir: Some(dir.path().join("cache")), ..EngineOptions::default() };
    let engine = Engine::new(options)?;
    let compile = Instant::now();
    let plugin = engine.load("bench", component)?;
    let compile_ms = compile.elapsed().as_secs_f64() * 1e3;

    let mut report = vec![
        format!("\"component_bytes\":{}", component.len()),
        format!("\"compile_ms\":{compile_ms:.1}"),
        format!("\"load_from_cache_ms\":{:.3}", load_ms(&engine, component)?),
        format!("\"instantiate_us\":{:.1}", instantiate_us(&plugin).await?),
        format!("\"empty_call_us\":{:.2}", empty_call_us(&plugin).await?),
    ];
    let named = std::env::args().skip(1).map(|rows| rows.parse()).collect::<Result<Vec<usize>, _>>()?;
    let sizes = if named.is_empty() { SIZES.to_vec() } else { named };
    for rows in sizes {
        let (native, sandbox) = two_columns(&plugin, rows).await?;
        report.push(format!(
            "\"rows_{rows}\":{{\"native_ms\":{:.4},\"sandbox_ms\":{:.4},\"ratio\":{:.3}}}",
            native * 1e3,
            sandbox * 1e3,
            native / sandbox
        ));
    }
    writeln!(std::io::stdout(), "{{{}}}", report.join(","))?;
    Ok(())
}

/// Least of the rounds, each the mean of as many calls as fit into [`ROUND_TIME`].
fn least(rounds: impl IntoIterator<Item = f64>) -> f64 {
    rounds.into_iter().fold(f64::INFINITY, f64::min)
}

fn load_ms(engine: &Engine, component: &[u8]) -> Result<f64, Box<dyn Error>> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        engine.load("bench", component)?;
        rounds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(least(rounds))
}

async fn instantiate_us(plugin: &Plugin) -> Result<f64, Box<dyn Error>> {
    let settings = Settings::default();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS * 10 {
        let start = Instant::now();
        let instance = plugin.transform(&settings).await?;
        rounds.push(start.elapsed().as_secs_f64() * 1e6);
        drop(instance);
    }
    Ok(least(rounds))
}

async fn open(plugin: &Plugin, config: String, batch: &RecordBatch) -> Result<TransformInstance, Box<dyn Error>> {
    let mut instance = plugin.transform(&Settings::default()).await?;
    let request = OpenRequest {
        config_json: config,
        input: batch.schema(),
        feed: "Account".to_owned(),
        lane: 0,
        run_id: "bench".to_owned(),
        as_of_micros: 0,
        saved: None,
    };
    instance.open(request).await?;
    Ok(instance)
}

/// A call that moves nothing: one column, one row.
async fn empty_call_us(plugin: &Plugin) -> Result<f64, Box<dyn Error>> {
    let batch = batch(1)?.project(&[NUMBER])?;
    let mut instance = open(plugin, "{\"mode\":\"nothing\"}".to_owned(), &batch).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(sandbox_round(&mut instance, &batch).await? * 1e6);
    }
    Ok(least(rounds))
}

async fn sandbox_round(instance: &mut TransformInstance, batch: &RecordBatch) -> Result<f64, Box<dyn Error>> {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND_TIME {
        for _ in 0..8 {
            std::hint::black_box(instance.process(batch.clone(), 0).await?);
        }
        calls += 8;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(calls))
}

fn native_round(batch: &RecordBatch) -> Result<f64, Box<dyn Error>> {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND_TIME {
        for _ in 0..8 {
            std::hint::black_box(native(batch)?);
        }
        calls += 8;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(calls))
}

/// Seconds per batch, native and in the sandbox.
async fn two_columns(plugin: &Plugin, rows: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let batch = batch(rows)?;
    let config = format!("{{\"mode\":\"two-columns\",\"text\":{TEXT},\"number\":{NUMBER}}}");
    let mut instance = open(plugin, config, &batch).await?;
    let processed = instance.process(batch.clone(), 0).await?;
    if processed.batches.first().map(RecordBatch::columns) != Some(native(&batch)?.columns()) {
        return Err("the sandbox and the native code disagree".into());
    }
    let (mut natives, mut sandboxes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        natives.push(native_round(&batch)?);
        sandboxes.push(sandbox_round(&mut instance, &batch).await?);
    }
    Ok((least(natives), least(sandboxes)))
}

/// The same work without a border.
fn native(batch: &RecordBatch) -> Result<RecordBatch, Box<dyn Error>> {
    let texts = batch.column(TEXT).as_string::<i32>();
    // SAFETY: the values of a string array are UTF-8.
    let mut upper = unsafe { String::from_utf8_unchecked(texts.value_data().to_vec()) };
    kernel::upper(&mut upper);
    let (values, nulls) = (Buffer::from_vec(upper.into_bytes()), texts.nulls().cloned());
    // SAFETY: upper case of ASCII letters leaves UTF-8 valid and every character where it was.
    let upper = unsafe { StringArray::new_unchecked(texts.offsets().clone(), values, nulls) };

    let numbers = batch.column(NUMBER).as_primitive::<Float64Type>();
    let scaled: Vec<f64> = numbers.values().iter().map(|number| kernel::scale(*number)).collect();
    let keep = BooleanBuffer::new(Buffer::from_vec(kernel::keep(numbers.values())), 0, batch.num_rows());

    let mut columns = batch.columns().to_vec();
    columns[TEXT] = Arc::new(upper);
    columns[NUMBER] = Arc::new(Float64Array::new(scaled.into(), None));
    let computed = RecordBatch::try_new(batch.schema(), columns)?;
    let predicate = FilterBuilder::new(&BooleanArray::new(keep, None)).optimize().build();
    Ok(predicate.filter_record_batch(&computed)?)
}

/// 20 columns as Salesforce gives them: an id, texts, picklists, decimals, floats, dates, instants.
fn batch(rows: usize) -> Result<RecordBatch, Box<dyn Error>> {
    let mut random = 88_172_645_463_325_252u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for column in 0..20usize {
        let array: ArrayRef = match column {
            0 => Arc::new(StringArray::from_iter_values((0..rows).map(|_| format!("001{:015x}", next() >> 4)))),
            TEXT => Arc::new(StringArray::from_iter_values(
                (0..rows).map(|_| format!("Customer {:x} of the street", next() % 0xff_ffff)),
            )),
            2..=8 => Arc::new(StringArray::from_iter(
                (0..rows)
                    .map(|_| (next() % 5 != 0).then(|| ["Hot", "Warm", "Prospecting", "Cold"][next() as usize % 4])),
            )),
            9..=11 => {
                let values = Decimal128Array::from_iter_values((0..rows).map(|_| i128::from(next() % 10_000_000)));
                Arc::new(values.with_precision_and_scale(18, 2)?)
            }
            NUMBER | 13 => {
                Arc::new(Float64Array::from_iter_values((0..rows).map(|_| (next() % 1_000_000) as f64 / 1_000.0)))
            }
            14 | 15 => Arc::new(Date32Array::from_iter_values((0..rows).map(|_| (next() % 20_000) as i32))),
            16 | 17 => Arc::new(BooleanArray::from_iter((0..rows).map(|_| Some(next() % 2 == 0)))),
            _ => {
                let micros = (0..rows).map(|_| (next() % 1_700_000_000) as i64 * 1_000_000);
                Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
            }
        };
        columns.push((format!("column_{column}"), array));
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(name, array.data_type().clone(), array.null_count() > 0))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), arrays)?)
}
