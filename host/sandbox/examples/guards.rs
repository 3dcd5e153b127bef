//! What the checks and limits cost, as one line of JSON: `cargo xtask bench e`.
//!
//! The same plugin works on the same batches twice: guarded as every run is (deadlines, caps on memory, tables, handles
//! and output, all checks), and on an engine without any guard, with limits wide open. What the checks of handed over
//! columns cost beyond the bare copy is measured apart, over the same buffers, and counted as a guard too. Rounds
//! alternate, and the least time of each side counts.

mod common;

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, RecordBatch};
use common::{NUMBER, ROUND_TIME, ROUNDS, TEXT, batch, least, open, sandbox_round};
use forcepump_sandbox::{Engine, EngineOptions, Limits, Settings, measure};

/// Rows per batch, as a pipeline has them by default.
const ROWS: usize = 8_192;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let component = forcepump_plugin_bundle::test_guest("bench").ok_or("the bench guest is not built")?;
    let guarded = Engine::new(EngineOptions::default())?.load("bench", component)?;
    let open_wide = Engine::unguarded(EngineOptions::default())?.load("bench", component)?;
    let batch = batch(ROWS)?;
    let config = format!("{{\"mode\":\"two-columns\",\"text\":{TEXT},\"number\":{NUMBER}}}");
    let wide = Settings { limits: wide(), ..Settings::default() };
    let mut guarded = open(&guarded, config.clone(), &Settings::default(), &batch).await?;
    let mut open_wide = open(&open_wide, config, &wide, &batch).await?;
    let same = guarded.process(batch.clone(), 0).await?.batches == open_wide.process(batch.clone(), 0).await?.batches;
    if !same {
        return Err("the guarded and the unguarded plugin disagree".into());
    }
    let (mut with, mut without, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    // A few per cent are to be told apart, so there are more rounds than elsewhere.
    for _ in 0..4 * ROUNDS {
        with.push(sandbox_round(&mut guarded, &batch).await?);
        without.push(sandbox_round(&mut open_wide, &batch).await?);
        checks.push(check_round(&batch)?);
    }
    let (with, without, checks) = (least(with), least(without), least(checks));
    let bare = (without - checks).max(0.0);
    writeln!(
        std::io::stdout(),
        "{{\"guarded_ms\":{:.4},\"wide_open_ms\":{:.4},\"checks_ms\":{:.4},\"speed\":{:.3}}}",
        with * 1e3,
        without * 1e3,
        checks * 1e3,
        bare / with
    )?;
    Ok(())
}

/// Limits that nothing reaches.
fn wide() -> Limits {
    Limits {
        memory_bytes: usize::MAX,
        call: Duration::from_secs(24 * 60 * 60),
        output_bytes: usize::MAX,
        handles: 1 << 20,
        fan_out: u32::MAX,
        ..Limits::default()
    }
}

/// Seconds that the checks of both handed over columns take beyond their copies.
fn check_round(batch: &RecordBatch) -> Result<f64, Box<dyn Error>> {
    let columns = [batch.column(TEXT), batch.column(NUMBER)];
    let checked = round(&columns, |column| measure::checked(column).map(drop))?;
    let copied = round(&columns, |column| measure::copied(column).map(drop))?;
    Ok((checked - copied).max(0.0))
}

fn round(columns: &[&ArrayRef], work: impl Fn(&ArrayRef) -> Result<(), String>) -> Result<f64, Box<dyn Error>> {
    let (start, mut rounds) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND_TIME {
        for column in columns {
            std::hint::black_box(work(std::hint::black_box(column))?);
        }
        rounds += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(rounds))
}
