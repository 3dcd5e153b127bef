//! What `emulator` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options that stand in an org file where there is one.
const ORG_FILE_KEYS: [&str; 17] = [
    "data",
    "generate",
    "seed",
    "page_size",
    "latency_ms",
    "bandwidth",
    "faults",
    "result_pages",
    "empty_zero_bytes",
    "rotate_refresh_tokens",
    "jwt_certificate",
    "job_polls",
    "job_ms",
    "daily_api_requests",
    "daily_query_jobs",
    "daily_bulk_batches",
    "control",
];

/// Arguments of `emulator`.
#[derive(Debug, Args)]
pub struct EmulatorArgs {
    /// Port on 127.0.0.1; 0 takes any free one. With several orgs, that of the address at which their users log in
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Org file: rows, apps, users, profiles and policies of one org; can be repeated for several orgs at once
    #[arg(long, value_name = "FILE", conflicts_with_all = ORG_FILE_KEYS)]
    pub org: Vec<PathBuf>,
    /// Folder of CSV files named after their objects [default: the demo org]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Generate this many rows of an object, reproducibly by seed; can be repeated
    #[arg(long, value_name = "OBJECT=N", value_parser = parse_generate)]
    pub generate: Vec<(String, u64)>,
    /// Seed of generated rows
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Most rows of one Bulk 2.0 result page, whatever the client asks for
    #[arg(long, value_name = "ROWS")]
    pub page_size: Option<u64>,
    /// Pause before each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency_ms: u64,
    /// Body bytes a second of each connection; k, M and G mean thousand, million and billion [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub bandwidth: Option<u64>,
    /// Fault script: which requests, and what happens to them
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Shape in which resultPages answers
    #[arg(long, value_enum, default_value_t = PagesShape::Guide, value_name = "SHAPE")]
    pub result_pages: PagesShape,
    /// Send no byte at all as the result of a query without rows, instead of the header line
    #[arg(long)]
    pub empty_zero_bytes: bool,
    /// Give a new refresh token with each refresh, and revoke the family when an old one comes back
    #[arg(long)]
    pub rotate_refresh_tokens: bool,
    /// Certificate or public key (PEM) of the app, for logins by JWT bearer
    #[arg(long, value_name = "FILE")]
    pub jwt_certificate: Option<PathBuf>,
    /// Polls until a query job is complete
    #[arg(long, value_name = "N")]
    pub job_polls: Option<u32>,
    /// Time until a query job is complete, in milliseconds, instead of polls
    #[arg(long, value_name = "MS")]
    pub job_ms: Option<u64>,
    /// Calls allowed a day
    #[arg(long, value_name = "N")]
    pub daily_api_requests: Option<u64>,
    /// Bulk 2.0 query jobs allowed a day
    #[arg(long, value_name = "N")]
    pub daily_query_jobs: Option<u64>,
    /// Bulk 1.0 batches allowed a day; each chunk of PK chunking is one
    #[arg(long, value_name = "N")]
    pub daily_bulk_batches: Option<u64>,
    /// Answer POST /emulator/control, which no Salesforce has: a JSON object with the keys clock ("2026-01-31T10:00:00Z"),
    /// clock_step_s, clock_frozen, late ({"stamp": …, "edit": {"create": {"object": …, "fields": {…}}}}, or update, delete,
    /// undelete), lose_job and lose_cursors
    #[arg(long)]
    pub control: bool,
}

/// The published shapes of `resultPages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PagesShape {
    /// resultPages[].resultUrl, full paths
    Guide,
    /// resultPages[].resultLink, paths below the version
    Postman,
    /// resultChunks[].resultLink, paths below the version
    Chunks,
    /// 404, as an org without the feature
    NotFound,
}

fn parse_generate(text: &str) -> Result<(String, u64), String> {
    let (object, rows) =
        text.split_once('=').ok_or_else(|| format!("`{text}` must be OBJECT=N, for example Account=5000000"))?;
    let rows = rows
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{rows}` must be a number of rows, for example Account=5000000"))?;
    Ok((object.to_owned(), rows))
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'M')) => (&text[..at], 1_000_000),
        Some((at, 'G')) => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    let wrong = || format!("`{text}` must be bytes a second, for example 500k or 10M");
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_objects_and_byte_rates_parse() {
        assert_eq!(parse_generate("Account=5_000_000"), Ok(("Account".to_owned(), 5_000_000)));
        assert!(parse_generate("Account").is_err_and(|text| text.contains("OBJECT=N")));
        assert!(parse_generate("Account=many").is_err());
        assert_eq!(parse_bytes("500k"), Ok(500_000));
        assert_eq!(parse_bytes("7"), Ok(7));
        for wrong in ["", "k", "0", "-1", "99999999999G", "ü"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
