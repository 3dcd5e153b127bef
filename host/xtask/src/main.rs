//! Developer tasks: `cargo xtask test | tidy | plugins | bench | fuzz | chaos`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool talks to its terminal")]

mod bench;
mod chaos;
mod fuzz;
mod plugins;
mod shell;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask TASK

  test [FILTER]  install what the tests need, run every test, end with `N passed, N failed`
  tidy           check the format, then clippy with warnings as errors
  plugins        build the first-party plugins to target/plugins/*.wasm
  bench [a|b|c|d|e|f|g ...]  measure, print a table; all parts together write BENCHMARKS.md
  fuzz [--cases N] [--seed S]  run the fuzz targets over all cores, print cases, accepted share and seconds of each
  chaos [--runs N] [--kills N] [--model N] [--seed S]  run pipelines with faults drawn at random, kill them at random
                 instants, change their source between them; print how they ended";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", filter @ ..] if filter.len() <= 1 => return test::test(filter.first().copied()),
        ["tidy"] => tidy::tidy(),
        ["bench", letters @ ..] => return bench::bench(letters),
        ["fuzz", options @ ..] => fuzz::fuzz(options),
        ["chaos", options @ ..] => chaos::chaos(options),
        ["plugins"] => plugins::plugins(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
