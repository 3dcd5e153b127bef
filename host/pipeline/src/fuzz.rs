//! Entry for fuzzers: any bytes as a pipeline file, parsed, checked, and its grants made ready. Nothing is opened or sent.

use std::path::Path;

use secrecy::SecretString;

use crate::capability;
use crate::file::{DestinationStep, Grant, PipelineFile, PluginLimits, check_secret, parse_pipeline, validate};
use crate::firewall::Rules;

/// Files to start from; between them they have every key.
const SEEDS: [&str; 3] = [
    "name = \"a\"\nmax_rejects = \"0.5%\"\n[repeatable]\nas_of = \"2024-06-30T00:00:00Z\"\nseed = 7\n[source]\nconnection = \"c\"\nobject = \"Account\"\nfields = [\"Id\", \"Owner.Name\"]\nwhere = \"Name != null\"\nbatch_rows = 100\n[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }\nlimits = { files_mib = 8 }\n",
    "name = \"b\"\nmax_rejects = 100\n[source]\nconnection = \"c\"\nquery = \"SELECT Id FROM Account\"\naction = \"query-all\"\napi_version = \"62.0\"\nmax_records = 5\n[[transform]]\nplugin = \"./p.wasm\"\ncolumns = [\"Id\"]\nwithhold = [\"Email\"]\nwithhold_classified = true\non_bad_batch = \"reject\"\nconfig = { a = 1, s = { secret = \"env:S\" } }\nlimits = { memory_mib = 1, call_ms = 1, output_mib = 1, fan_out = 1, rows = 1, log_lines_per_second = 1, http_calls_per_second = 1, http_response_mib = 1, fuel = 1 }\n[transform.grant]\nclock = true\nrandom = true\n[destination]\nplugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\ngrant = { sql = { db = \"sqlite:a.db\" } }\n",
    "name = \"c\"\n[source]\nconnection = \"c\"\nobject = \"A\"\n[[transform]]\nplugin = \"mask\"\n[transform.grant.http.api]\norigin = \"https://api.example.com:8443\"\nmethods = [\"get\", \"post\"]\npaths = [\"/v1\", \"/v2/x\"]\ncredential = { bearer = \"env:TOKEN\" }\nprivate_addresses = true\n[transform.grant.http.other]\norigin = \"http://127.0.0.1:8080\"\nprivate_addresses = true\ncredential = { basic = { user = \"u\", password = \"file:p\" } }\n[transform.grant.http.third]\norigin = \"https://[::1]\"\nprivate_addresses = true\ncredential = { header = { name = \"x-api-key\", value = \"env:K\" } }\n[destination]\nplugin = \"csv\"\n",
];

/// Pieces that a mutation puts in: what parsers, paths, URLs, numbers and shares stumble over.
const PIECES: [&str; 24] = [
    "\"",
    "'''",
    "[",
    "]]",
    "{",
    "}",
    "=",
    "\n",
    "\u{0}",
    "\u{202e}",
    "..",
    "/",
    "%2e",
    "@",
    "0x7f000001",
    "-1",
    "1e309",
    "18446744073709551616",
    "100.0000001%",
    "env:",
    "file:",
    "[::ffff:127.0.0.1]",
    "sqlite::memory:",
    "2024-13-45T99:99:99Z",
];

/// Takes bytes as text when the first is even, else as changes to a valid file; gives whether the file was accepted.
pub fn pipeline_file(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((kind, rest)) if kind % 2 == 0 => accepts(&String::from_utf8_lossy(rest)),
        Some((kind, rest)) => accepts(&mutated(usize::from(kind / 2), rest)),
        None => accepts(""),
    }
}

fn accepts(text: &str) -> bool {
    match parse_pipeline(text, Path::new("fuzz.toml")) {
        Ok(file) => validate(&file).is_empty() && grants(&file),
        Err(error) => {
            // The words of an error are made from the text as well.
            let _ = error.to_string();
            false
        }
    }
}

/// Makes ready what a check makes ready, but for secrets and folders, which are outside.
fn grants(file: &PipelineFile) -> bool {
    let DestinationStep { grant, limits, columns, withhold, .. } = &file.destination;
    let last = ("destination", grant, limits, columns.as_deref(), withhold);
    let steps = file.transform.iter();
    let steps = steps.map(|step| ("transform", &step.grant, &step.limits, step.columns.as_deref(), &step.withhold));
    steps.chain([last]).all(|(key, grant, limits, columns, withhold)| {
        let _ = Rules::new(key, columns, withhold, true);
        ready(key, grant, limits)
    })
}

fn ready(key: &str, grant: &Grant, limits: &PluginLimits) -> bool {
    let _ = capability::limits(limits);
    let _ = capability::words(grant);
    let _ = capability::places(grant, Path::new("."));
    let no_secret = |reference: &str| check_secret(reference).map(|()| SecretString::from("not a secret"));
    let http = capability::http::origins(key, &grant.http, no_secret);
    let sql = capability::databases(key, grant, limits, Path::new("."));
    http.is_ok() && sql.is_ok()
}

/// A valid file with as many changes as the bytes tell: each takes a place, a kind and what it needs.
fn mutated(seed: usize, bytes: &[u8]) -> String {
    let mut text = SEEDS[seed % SEEDS.len()].to_owned();
    for change in bytes.chunks(4) {
        let at = |low: usize, high: usize| {
            let number =
                usize::from(*change.get(low).unwrap_or(&0)) << 8 | usize::from(*change.get(high).unwrap_or(&0));
            text.floor_char_boundary(number % (text.len() + 1))
        };
        let (place, kind) = (at(0, 1), change.get(2).copied().unwrap_or(0));
        let end = text.floor_char_boundary((place + usize::from(kind / 8)).min(text.len())).max(place);
        let piece = PIECES[usize::from(*change.get(3).unwrap_or(&0)) % PIECES.len()];
        match kind % 4 {
            0 => text.insert_str(place, piece),
            1 => text.replace_range(place..end, piece),
            2 => text.replace_range(place..end, ""),
            _ => {
                let copy = text[place..end].to_owned();
                text.push_str(&copy);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of the test; a fuzzer makes as many as it likes.
    const CASES: u64 = 3_000;

    #[test]
    fn every_seed_is_accepted_as_it_is() {
        for (number, seed) in SEEDS.iter().enumerate() {
            let file = parse_pipeline(seed, Path::new("seed.toml")).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(validate(&file), [], "{number}");
            assert!(pipeline_file(&[2 * number as u8 + 1]), "{number}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut accepted = 0;
        for _ in 0..CASES {
            let bytes: Vec<u8> = (0..1 + next() % 24).map(|_| (next() >> 32) as u8).collect();
            accepted += u64::from(pipeline_file(&bytes));
        }
        assert!(accepted > 0, "mutations that leave the file valid are there too");
        assert!(!pipeline_file(&[]) && !pipeline_file(b"\0\xff\xfe"));
    }
}
