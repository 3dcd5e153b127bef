//! What the measurements of the border share: the batch, an open instance, rounds of calls.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::Field;
use forcepump_sandbox::{OpenRequest, Plugin, Settings, TransformInstance};

/// Number of the text column that is put into upper case.
pub const TEXT: usize = 1;
/// Number of the float column that is scaled and compared.
pub const NUMBER: usize = 12;
/// Rounds of each measurement.
pub const ROUNDS: usize = 15;
/// How long one side of a round lasts.
pub const ROUND_TIME: Duration = Duration::from_millis(20);

/// Least of the rounds, each the mean of as many calls as fit into [`ROUND_TIME`].
pub fn least(rounds: impl IntoIterator<Item = f64>) -> f64 {
    rounds.into_iter().fold(f64::INFINITY, f64::min)
}

/// An instance that is told what to do.
pub async fn open(
    plugin: &Plugin,
    config: String,
    settings: &Settings,
    batch: &RecordBatch,
) -> Result<TransformInstance, Box<dyn Error>> {
    let mut instance = plugin.transform(settings).await?;
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

/// Seconds of a call.
pub async fn sandbox_round(instance: &mut TransformInstance, batch: &RecordBatch) -> Result<f64, Box<dyn Error>> {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND_TIME {
        for _ in 0..8 {
            std::hint::black_box(instance.process(batch.clone(), 0).await?);
        }
        calls += 8;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(calls))
}

/// 20 columns as Salesforce gives them: an id, texts, picklists, decimals, floats, dates, instants.
pub fn batch(rows: usize) -> Result<RecordBatch, Box<dyn Error>> {
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
