//! Measures the bulk CSV decoder against `arrow-csv` on the same bytes, schema and chunks, in one run.
//!
//! `cargo run --release -p forcepump-batch --example decode_vs_arrow_csv` prints one line of JSON. Both sides get
//! the page in 64 KiB chunks and make batches of 8,192 rows; the batches are compared before anything is timed.
//! The release profile builds dependencies with little optimisation; the ratio is only fair to `arrow-csv` when it
//! is built like ours: add `--config 'profile.release.package."*".opt-level=3'`.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use forcepump_batch::{CsvDecoder, DecodeOptions, FieldSpec, SalesforceType as T, arrow_field};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

const PAGE_BYTES: usize = 64 << 20;
const CHUNK_BYTES: usize = 64 << 10;
const BATCH_ROWS: usize = 8_192;
/// Rounds of one run each; odd, so that the median is a measurement.
const ROUNDS: usize = 7;

const COLUMNS: [(&str, T, i8); 20] = [
    ("Id", T::Id, 0),
    ("IsDeleted", T::Boolean, 0),
    ("Name", T::String, 0),
    ("AccountId", T::Reference, 0),
    ("OwnerId", T::Reference, 0),
    ("StageName", T::Picklist, 0),
    ("Industry", T::Picklist, 0),
    ("Email", T::Email, 0),
    ("Phone", T::Phone, 0),
    ("City", T::String, 0),
    ("Description", T::TextArea, 0),
    ("Amount", T::Currency, 2),
    ("Probability", T::Percent, 0),
    ("Latitude__c", T::Double, 6),
    ("Employees", T::Int, 0),
    ("IsActive__c", T::Boolean, 0),
    ("CloseDate", T::Date, 0),
    ("CreatedDate", T::DateTime, 0),
    ("LastModifiedDate", T::DateTime, 0),
    ("SystemModstamp", T::DateTime, 0),
];

#[expect(clippy::print_stdout, reason = "its one line of output is what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let schema = schema()?;
    let page = page();
    let their_schema = with_offset_zone(&schema);
    let (mut our_batches, mut their_batches) = (Vec::new(), Vec::new());
    decode_ours(&page, &schema, |batch| our_batches.push(batch))?;
    decode_theirs(&page, &their_schema, |batch| their_batches.push(batch))?;
    if our_batches != with_schema(&schema, their_batches)? {
        return Err("the two decoders disagree".into());
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(megabytes_per_second(&page, || decode_ours(&page, &schema, drop))?);
        theirs.push(megabytes_per_second(&page, || decode_theirs(&page, &their_schema, drop))?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours / theirs;
    let (bytes, columns) = (page.len(), COLUMNS.len());
    println!(
        "{{\"bytes\":{bytes},\"columns\":{columns},\"ours_mb_s\":{ours:.0},\"arrow_csv_mb_s\":{theirs:.0},\"ratio\":{ratio:.2}}}"
    );
    Ok(())
}

fn schema() -> Result<SchemaRef, Box<dyn Error>> {
    let mut fields = Vec::new();
    for (name, kind, scale) in COLUMNS {
        fields.push(arrow_field(&FieldSpec { scale, ..FieldSpec::new(name, kind) })?);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The same schema with UTC as an offset: `arrow-csv` needs a time zone database for the name.
fn with_offset_zone(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(unit, _) => {
            Field::clone(field).with_data_type(DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Field::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same values under `schema`, whose zone has another name.
fn with_schema(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let mut renamed = Vec::new();
    for batch in batches {
        let columns =
            batch.columns().iter().map(|column| match column.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(instants) => Arc::new(instants.clone().with_timezone("UTC")) as ArrayRef,
                None => column.clone(),
            });
        renamed.push(RecordBatch::try_new(schema.clone(), columns.collect())?);
    }
    Ok(renamed)
}

/// Batches go to `take` as they are made, as in a run, where memory stays flat.
fn decode_ours(page: &[u8], schema: &SchemaRef, mut take: impl FnMut(RecordBatch)) -> Result<(), Box<dyn Error>> {
    let options = DecodeOptions { batch_rows: BATCH_ROWS, ..DecodeOptions::default() };
    let mut decoder = CsvDecoder::new(schema.clone(), options)?;
    let mut out = Vec::new();
    for chunk in page.chunks(CHUNK_BYTES) {
        decoder.feed(chunk, &mut out)?;
        out.drain(..).for_each(|decoded| take(decoded.batch));
    }
    decoder.finish(&mut out)?;
    out.drain(..).for_each(|decoded| take(decoded.batch));
    Ok(())
}

fn decode_theirs(page: &[u8], schema: &SchemaRef, mut take: impl FnMut(RecordBatch)) -> Result<(), Box<dyn Error>> {
    let builder = arrow_csv::ReaderBuilder::new(schema.clone());
    let mut decoder = builder.with_header(true).with_batch_size(BATCH_ROWS).build_decoder();
    for mut chunk in page.chunks(CHUNK_BYTES) {
        while !chunk.is_empty() {
            chunk = &chunk[decoder.decode(chunk)?..];
            if decoder.capacity() == 0 {
                decoder.flush()?.into_iter().for_each(&mut take);
            }
        }
    }
    decoder.decode(&[])?;
    decoder.flush()?.into_iter().for_each(&mut take);
    Ok(())
}

fn megabytes_per_second(page: &[u8], work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(page.len() as f64 / 1e6 / start.elapsed().as_secs_f64())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A page as Salesforce sends it: every cell quoted; nulls, doubled quotes, line ends and non-ASCII now and then.
fn page() -> Vec<u8> {
    let mut text = String::with_capacity(PAGE_BYTES + 4_096);
    let names: Vec<String> = COLUMNS.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
    text.push_str(&names.join(","));
    text.push('\n');
    let mut random = Random(42);
    let mut row = 0;
    while text.len() < PAGE_BYTES {
        push_row(&mut text, row, &mut random);
        row += 1;
    }
    text.into_bytes()
}

fn push_row(text: &mut String, row: u64, random: &mut Random) {
    for (number, (_, kind, scale)) in COLUMNS.iter().enumerate() {
        text.push_str(if number == 0 { "\"" } else { ",\"" });
        if number == 0 || random.below(10) > 0 {
            push_value(text, *kind, *scale, row, random);
        }
        text.push('"');
    }
    text.push('\n');
}

fn push_value(text: &mut String, kind: T, scale: i8, row: u64, random: &mut Random) {
    const STAGES: [&str; 4] = ["Prospecting", "Closed Won", "Closed Lost", "Negotiation/Review"];
    const NAMES: [&str; 6] = [
        "Burlington Textiles Corp of America",
        "Müller & Söhne GmbH",
        "Acme",
        "GenePoint",
        "say \"\"cheese\"\"",
        "United Oil and Gas, Singapore",
    ];
    const PROSE: [&str; 4] = [
        "called on Monday; asked for a new quote with the discount that was promised last year",
        "renewal is due, nobody has spoken with the customer since the office moved",
        "first line\nsecond line, which is longer than the first",
        "ok",
    ];
    let (a, b) = (random.below(1_000_000), random.below(100));
    // Writing to a string cannot fail.
    let _ = match kind {
        T::Id => write!(text, "006{row:012}AAB"),
        T::Reference => write!(text, "001{a:012}AAB"),
        T::Picklist => write!(text, "{}", STAGES[(a % 4) as usize]),
        T::String => write!(text, "{}", NAMES[(a % 6) as usize]),
        T::TextArea => write!(text, "{}", PROSE[(a % 4) as usize]),
        T::Email => write!(text, "person{a}@example.com"),
        T::Phone => write!(text, "+1 555 {a:06}"),
        T::Boolean => write!(text, "{}", a % 2 == 0),
        T::Int => write!(text, "{a}"),
        T::Date => write!(text, "20{:02}-{:02}-{:02}", b % 30, a % 12 + 1, a % 28 + 1),
        T::DateTime => write!(
            text,
            "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z",
            b % 30,
            a % 12 + 1,
            a % 28 + 1,
            a % 24,
            b % 60,
            a % 60
        ),
        _ if scale == 0 => write!(text, "{b}.0"),
        _ if scale == 2 => write!(text, "{a}.{b}"),
        _ => write!(text, "{b}.{a:06}"),
    };
}

/// Xorshift: the same page on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
