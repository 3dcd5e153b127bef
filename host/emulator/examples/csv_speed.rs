//! How fast generated rows become Bulk CSV: megabytes a second on one core.
//! Run with `cargo run --release -p forcepump-emulator --example csv_speed [rows]`.

use std::io::Write as _;
use std::time::Instant;

use forcepump_emulator::data::{CsvDialect, DataSource, Org, QueryMode};

const STATEMENTS: [&str; 6] = [
    "SELECT Id, Name, Industry, AnnualRevenue, NumberOfEmployees, BillingCity, BillingCountry, Website, CreatedDate, SystemModstamp FROM Account",
    "SELECT Id, Name, Description FROM Account",
    "SELECT Id, FirstName, LastName, Email, Phone, AccountId, OwnerId, Birthdate, LastModifiedDate FROM Contact",
    "SELECT Id, Account.Name, Account.Owner.Name, Title FROM Contact",
    "SELECT Id, Name, AccountId, StageName, Amount, Probability, CloseDate, Type, IsWon, SystemModstamp FROM Opportunity",
    "SELECT Id, AnnualRevenue FROM Account",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let generate = ["Account", "Contact", "Opportunity"].map(|object| (object.to_owned(), rows));
    let org = Org::open(&DataSource::Demo, &generate, 1)?;
    let mut talk = std::io::stdout().lock();
    for statement in STATEMENTS {
        let prepared = org.prepare(statement, QueryMode::Bulk2)?;
        let dialect = CsvDialect { delimiter: b',', crlf: false };
        let (mut out, mut bytes) = (Vec::new(), 0);
        let start = Instant::now();
        for first in (0..rows).step_by(10_000) {
            out.clear();
            prepared.csv_rows(first..first + 10_000, &dialect, &mut out);
            bytes += out.len();
        }
        let seconds = start.elapsed().as_secs_f64();
        writeln!(
            talk,
            "{:7.0} MB/s {:6.2} M rows/s {:5} B/row  {statement}",
            bytes as f64 / 1e6 / seconds,
            rows as f64 / 1e6 / seconds,
            bytes as u64 / rows
        )?;
    }
    Ok(())
}
