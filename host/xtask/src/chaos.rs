//! `chaos`: runs with faults drawn at random, many more than the tests draw.

use crate::shell::{Outcome, cargo, run};
use crate::tools;

/// Runs when none are asked for.
const RUNS: u64 = 200;
const TEST: &str = "runs_with_random_faults_end_whole_or_with_an_error";

/// Draws `--runs N` runs from `--seed S`, by default from one that is new each day, and prints what became of them.
pub fn chaos(options: &[&str]) -> Outcome {
    tools::wasm_targets()?;
    let (runs, seed) = parse(options)?;
    let mut tests = cargo(&["test", "--release", "--workspace", "--test", "it", TEST]);
    tests.env("FORCEPUMP_CHAOS_RUNS", runs.to_string()).env("FORCEPUMP_CHAOS_SEED", seed.to_string());
    run(tests)
}

fn parse(options: &[&str]) -> Outcome<(u64, u64)> {
    let (mut runs, mut seed) = (RUNS, today());
    for pair in options.chunks(2) {
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` must be a number"));
        match pair {
            ["--runs", text] => runs = number(text)?,
            ["--seed", text] => seed = number(text)?,
            _ => return Err(format!("`{}`: expected --runs N and --seed S", pair.join(" "))),
        }
    }
    Ok((runs, seed))
}

/// Days since 1970, with room for a day's runs between two of them.
fn today() -> u64 {
    const SECONDS_A_DAY: u64 = 86_400;
    const SEEDS_A_DAY: u64 = 1_000_000;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs() / SECONDS_A_DAY * SEEDS_A_DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_pairs() {
        assert_eq!(parse(&["--seed", "7", "--runs", "3"]), Ok((3, 7)));
        assert_eq!(parse(&[]).map(|(runs, _)| runs), Ok(RUNS));
        assert!(parse(&["--runs"]).is_err() && parse(&["--runs", "x"]).is_err());
    }
}
