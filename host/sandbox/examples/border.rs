//! What the border costs, as one line of JSON: `cargo run --release -p forcepump-sandbox --example border`.
//!
//! The same kernel runs natively and in the guest, over the same batches of 20 columns of which it
//! touches two; all 20 are filtered by its mask. Rounds alternate, and the least time of each side
//! counts, so that other load on the machine falls out of the ratio. The native side trusts its own
//! text (no check for UTF-8), which is the strictest comparison there is.

mod common;

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_select::filter::FilterBuilder;
use common::{NUMBER, ROUND_TIME, ROUNDS, TEXT, batch, least, open, sandbox_round};
use forcepump_plugin_bench::kernel;
use forcepump_sandbox::{Engine, EngineOptions, Plugin, Settings};

/// Rows per batch that are measured, when the command line names none.
const SIZES: [usize; 3] = [1_024, 8_192, 65_536];
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

/// A call that moves nothing: one column, one row.
async fn empty_call_us(plugin: &Plugin) -> Result<f64, Box<dyn Error>> {
    let batch = batch(1)?.project(&[NUMBER])?;
    let mut instance = open(plugin, "{\"mode\":\"nothing\"}".to_owned(), &Settings::default(), &batch).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(sandbox_round(&mut instance, &batch).await? * 1e6);
    }
    Ok(least(rounds))
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
    let mut instance = open(plugin, config, &Settings::default(), &batch).await?;
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
