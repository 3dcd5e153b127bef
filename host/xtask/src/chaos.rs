//! `chaos`: runs with faults drawn at random, killed runs, changing sources: many more than the tests draw.

use crate::shell::{Outcome, cargo, run};
use crate::tools;

/// Runs when none are asked for.
const RUNS: u64 = 200;

/// What can be drawn: its option, the test, and the variable that says how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    option: &'static str,
    test: &'static str,
    variable: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        option: "--runs",
        test: "runs_with_random_faults_end_whole_or_with_an_error",
        variable: "FORCEPUMP_CHAOS_RUNS",
    },
    Kind { option: "--kills", test: "killed_runs_lose_and_double_nothing", variable: "FORCEPUMP_KILLS" },
    Kind {
        option: "--model",
        test: "after_random_changes_and_kills_the_table_is_the_source",
        variable: "FORCEPUMP_MODEL",
    },
];

/// Draws `--runs N`, `--kills N` or `--model N` from `--seed S`, by default from one that is new each day, and prints what
/// became of them. Without any, 200 runs.
pub fn chaos(options: &[&str]) -> Outcome {
    tools::wasm_targets()?;
    let (mut asked, seed) = parse(options)?;
    if asked.is_empty() {
        asked.push((KINDS[0], RUNS));
    }
    for (kind, number) in asked {
        let mut tests = cargo(&["test", "--release", "--workspace", "--test", "it", kind.test]);
        tests.env(kind.variable, number.to_string()).env("FORCEPUMP_CHAOS_SEED", seed.to_string());
        run(tests)?;
    }
    Ok(())
}

fn parse(options: &[&str]) -> Outcome<(Vec<(Kind, u64)>, u64)> {
    let (mut asked, mut seed) = (Vec::new(), today());
    for pair in options.chunks(2) {
        let [option, text] = pair else { return Err(usage(pair)) };
        let number = text.parse().map_err(|_| format!("`{text}` must be a number"))?;
        match KINDS.into_iter().find(|kind| kind.option == *option) {
            Some(kind) => asked.push((kind, number)),
            None if *option == "--seed" => seed = number,
            None => return Err(usage(pair)),
        }
    }
    Ok((asked, seed))
}

fn usage(pair: &[&str]) -> String {
    format!("`{}`: expected --runs N, --kills N, --model N and --seed S", pair.join(" "))
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
        assert_eq!(parse(&["--seed", "7", "--runs", "3"]), Ok((vec![(KINDS[0], 3)], 7)));
        assert_eq!(
            parse(&["--kills", "9", "--model", "2", "--seed", "1"]),
            Ok((vec![(KINDS[1], 9), (KINDS[2], 2)], 1))
        );
        assert_eq!(parse(&[]).map(|(asked, _)| asked), Ok(Vec::new()));
        assert!(parse(&["--runs"]).is_err() && parse(&["--runs", "x"]).is_err() && parse(&["--seeds", "1"]).is_err());
    }
}
