//! Measures the sinks: `cargo run --release -p forcepump-transfer --example sinks [ROWS [KIND]]`.
//!
//! Prints one line of JSON: for each kind of sink the rows a second inside the sink (sync and rename
//! included) by the clock and by this thread's processor time, which a busy machine does not blur, and
//! the bytes of the file; at the end the peak memory of the process in MiB.
//! Rows have 20 mixed columns as a Salesforce object has them; `sqlite` takes 10 simple ones.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use forcepump_transfer::files::{Compression, Format, Root};
use forcepump_transfer::sql::{Connection, InsertMode, InsertOptions};

/// Rows of one batch, as the pipeline makes them.
const BATCH_ROWS: usize = 8192;
/// Rows of one SQLite transaction, as one result page has them.
const UNIT_ROWS: usize = 50_000;
/// Rows written when no number is given.
const DEFAULT_ROWS: usize = 500_000;
/// Microseconds of 2024-01-01.
const EPOCH_2024_MICROS: i64 = 1_704_067_200_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(Ok(DEFAULT_ROWS), |text| text.parse())?;
    let wanted = arguments.next();
    let folder = tempfile::tempdir()?;
    let mut figures = vec![format!("\"rows\":{rows}")];
    let kinds = [
        ("csv", Format::Csv, Compression::None),
        ("csv_gzip", Format::Csv, Compression::Gzip),
        ("json_lines", Format::JsonLines, Compression::None),
        ("json_lines_zstd", Format::JsonLines, Compression::Zstd),
        ("arrow", Format::Arrow, Compression::None),
        ("parquet", Format::Parquet, Compression::None),
        ("parquet_zstd", Format::Parquet, Compression::Zstd),
    ];
    let asked = |kind: &str| wanted.as_deref().is_none_or(|w| w == kind);
    for (kind, format, compression) in kinds {
        if asked(kind) {
            let (spent, bytes) = write_file(folder.path(), rows, format, compression)?;
            figures.push(figure(kind, rows, spent, bytes));
        }
    }
    for (kind, mode) in [("sqlite", InsertMode::Append), ("sqlite_upsert", InsertMode::Upsert)] {
        if asked(kind) {
            let (spent, bytes) = write_sqlite(folder.path(), rows, mode)?;
            figures.push(figure(kind, rows, spent, bytes));
        }
    }
    figures.push(format!("\"peak_mib\":{}", peak_mib()?));
    writeln!(std::io::stdout(), "{{{}}}", figures.join(","))?;
    Ok(())
}

fn figure(kind: &str, rows: usize, spent: Spent, bytes: u64) -> String {
    let rate = |time: Duration| (rows as f64 / time.as_secs_f64()).round();
    let (clock, processor) = (rate(spent.clock), rate(spent.processor));
    format!("\"{kind}\":{{\"rows_per_s\":{clock},\"rows_per_cpu_s\":{processor},\"bytes\":{bytes}}}")
}

/// Time inside the sinks.
#[derive(Default)]
struct Spent {
    clock: Duration,
    processor: Duration,
}

impl Spent {
    fn on<T>(&mut self, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let (clock, processor) = (Instant::now(), processor_time()?);
        let result = work()?;
        self.clock += clock.elapsed();
        self.processor += processor_time()?.saturating_sub(processor);
        Ok(result)
    }
}

/// Nanoseconds this thread has run (proc(5), `schedstat`).
fn processor_time() -> Outcome<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().ok_or("no schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn write_file(folder: &Path, rows: usize, format: Format, compression: Compression) -> Outcome<(Spent, u64)> {
    let root = Root::open(folder)?;
    let mut spent = Spent::default();
    let mut sink = root.create("bench/unit", format, compression)?;
    for batch in Batches::new(rows, wide_batch) {
        spent.on(|| Ok(sink.write_batch(&batch)?))?;
    }
    let written = spent.on(|| Ok(sink.finish()?))?;
    Ok((spent, written.bytes))
}

const COLUMNS: &str = "Name TEXT, City TEXT, Stage TEXT, Amount NUMERIC, Owner TEXT, \
                       Employees INTEGER, Views INTEGER, Active INTEGER, Closed TEXT";

fn write_sqlite(folder: &Path, rows: usize, mode: InsertMode) -> Outcome<(Spent, u64)> {
    let file = folder.join(format!("{mode:?}.db"));
    let mut connection = Connection::open(&format!("sqlite:{}", file.display()))?;
    let key = if mode == InsertMode::Upsert { "PRIMARY KEY" } else { "" };
    connection.execute(&format!("CREATE TABLE t (Id TEXT {key}, {COLUMNS})"), &[])?;
    let options = InsertOptions { mode, keys: vec!["Id".to_owned()], ..InsertOptions::default() };
    let mut spent = Spent::default();
    let mut in_unit = 0;
    for batch in Batches::new(rows, simple_batch) {
        in_unit += batch.num_rows();
        spent.on(|| {
            if !connection.in_transaction() {
                connection.begin()?;
            }
            connection.bulk_insert("t", &batch, &options)?;
            if in_unit >= UNIT_ROWS {
                connection.commit()?;
                in_unit = 0;
            }
            Ok(())
        })?;
    }
    spent.on(|| {
        if connection.in_transaction() {
            connection.commit()?;
        }
        drop(connection);
        Ok(())
    })?;
    Ok((spent, std::fs::metadata(file)?.len()))
}

/// Batches of deterministic rows.
struct Batches {
    left: usize,
    random: Random,
    make: fn(&mut Random, usize) -> Outcome<RecordBatch>,
}

impl Batches {
    fn new(rows: usize, make: fn(&mut Random, usize) -> Outcome<RecordBatch>) -> Self {
        Self { left: rows, random: Random(42), make }
    }
}

impl Iterator for Batches {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        let rows = self.left.min(BATCH_ROWS);
        self.left -= rows;
        if rows == 0 { None } else { (self.make)(&mut self.random, rows).ok() }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn text(&mut self, rows: usize, make: impl Fn(u64) -> String) -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(|_| make(self.next()))))
    }

    /// One of few words, a tenth of them null.
    fn choice(&mut self, rows: usize, words: &[&'static str]) -> ArrayRef {
        let word = |r: u64| words.get((r % words.len() as u64) as usize).copied().filter(|_| r >> 60 != 0);
        Arc::new((0..rows).map(|_| word(self.next())).collect::<StringArray>())
    }

    fn money(&mut self, rows: usize, limit: u64) -> Outcome<ArrayRef> {
        let values = (0..rows).map(|_| (self.next() >> 60 != 0).then(|| i128::from(self.below(limit))));
        Ok(Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(18, 2)?))
    }

    fn instants(&mut self, rows: usize) -> ArrayRef {
        let values = (0..rows).map(|_| EPOCH_2024_MICROS + self.below(31_536_000) as i64 * 1_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
    }

    fn days(&mut self, rows: usize) -> ArrayRef {
        Arc::new(Date32Array::from_iter_values((0..rows).map(|_| 19_000 + self.below(1_000) as i32)))
    }

    fn flags(&mut self, rows: usize) -> ArrayRef {
        Arc::new((0..rows).map(|_| Some(self.below(2) == 0)).collect::<BooleanArray>())
    }
}

const CITIES: [&str; 6] = ["Zürich", "London", "San Francisco", "Tokyo", "São Paulo", "New York"];
const STAGES: [&str; 5] = ["Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost"];
const INDUSTRIES: [&str; 5] = ["Banking", "Food, Beverage", "Energy", "Retail", "Technology"];

fn wide_batch(random: &mut Random, rows: usize) -> Outcome<RecordBatch> {
    Ok(RecordBatch::try_from_iter([
        ("Id", random.text(rows, |r| format!("001{r:015}").chars().take(18).collect())),
        ("Name", random.text(rows, |r| format!("Account {} Holding", r % 1_000_000))),
        ("OwnerId", random.text(rows, |r| format!("005{:015}", r % 200))),
        ("Industry", random.choice(rows, &INDUSTRIES)),
        ("BillingCity", random.choice(rows, &CITIES)),
        ("BillingStreet", random.text(rows, |r| format!("{} Main Street", r % 9_999))),
        ("Phone", random.text(rows, |r| format!("+41 44 {:07}", r % 10_000_000))),
        ("Website", random.text(rows, |r| format!("https://www.example-{}.com/", r % 100_000))),
        ("StageName", random.choice(rows, &STAGES)),
        ("Description", random.text(rows, |r| format!("He said \"call back\", on line {}\nand hung up", r % 50_000))),
        ("Amount", random.money(rows, 100_000_000)?),
        ("AnnualRevenue", random.money(rows, 10_000_000_000)?),
        ("Probability", random.money(rows, 10_000)?),
        (
            "NumberOfEmployees",
            Arc::new(Int32Array::from_iter_values((0..rows).map(|_| random.below(5_000) as i32))) as ArrayRef,
        ),
        ("Views", Arc::new(Int64Array::from_iter_values((0..rows).map(|_| random.below(1 << 40) as i64))) as ArrayRef),
        ("IsActive", random.flags(rows)),
        ("IsDeleted", random.flags(rows)),
        ("CloseDate", random.days(rows)),
        ("CreatedDate", random.instants(rows)),
        ("SystemModstamp", random.instants(rows)),
    ])?)
}

fn simple_batch(random: &mut Random, rows: usize) -> Outcome<RecordBatch> {
    let wide = wide_batch(random, rows)?;
    let pick = |name: &str| wide.column_by_name(name).cloned().ok_or("no such column");
    Ok(RecordBatch::try_from_iter([
        ("Id", pick("Id")?),
        ("Name", pick("Name")?),
        ("City", pick("BillingCity")?),
        ("Stage", pick("StageName")?),
        ("Amount", pick("Amount")?),
        ("Owner", pick("OwnerId")?),
        ("Employees", pick("NumberOfEmployees")?),
        ("Views", pick("Views")?),
        ("Active", pick("IsActive")?),
        ("Closed", pick("CloseDate")?),
    ])?)
}

/// High-water mark of the resident set (proc(5), `VmHWM`).
fn peak_mib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
