//! `test`: every test of the workspace, and one closing line with the sum.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use crate::shell::{Outcome, cargo, shown};
use crate::tools;

/// Tests that passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; 0 ignored; …`; any other line adds nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        self.passed += figure(result, " passed");
        self.failed += figure(result, " failed");
    }
}

/// The number that stands before `word`.
fn figure(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// Installs what is needed, runs all tests (or those whose name holds the filter), prints the sum.
///
/// The sum is the last line whatever happened, so that it can be found by whoever started us.
pub fn test(filter: Option<&str>) -> ExitCode {
    let mut tally = Tally::default();
    let outcome = all(filter, &mut tally);
    if let Err(message) = &outcome {
        eprintln!("error: {message}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if outcome.is_ok() && tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(filter: Option<&str>, tally: &mut Tally) -> Outcome {
    tools::wasm_targets()?;
    tools::conformance_clients();
    let mut args = vec!["test", "--release", "--workspace", "--no-fail-fast"];
    args.extend(filter);
    counted(cargo(&args), tally)
}

fn counted(mut command: Command, tally: &mut Tally) -> Outcome {
    let line = shown(&command);
    eprintln!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if let Some(stdout) = child.stdout.take() {
        pass_on(BufReader::new(stdout), std::io::stdout(), tally)?;
    }
    let status = child.wait().map_err(|error| format!("`{line}` was lost: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
}

/// Copies each line as it comes; a failing test may print bytes that are no text.
fn pass_on(mut from: impl BufRead, mut to: impl Write, tally: &mut Tally) -> Outcome {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.read_until(b'\n', &mut line).map_err(|error| format!("the tests' output broke: {error}"))?;
        if read == 0 {
            return Ok(());
        }
        tally.add(&String::from_utf8_lossy(&line));
        let _ = to.write_all(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_other_lines_are_not() {
        let output = "running 3 tests\ntest result: ok. 12 passed; 0 failed; 1 ignored; finished in 0.1s\n\
                      test it ... FAILED\ntest result: FAILED. 4 passed; 2 failed; 0 ignored\nsays 9 passed\n";
        let mut tally = Tally::default();
        let mut copy = Vec::new();
        pass_on(output.as_bytes(), &mut copy, &mut tally).expect("read");
        assert_eq!(copy, output.as_bytes());
        assert_eq!(tally, Tally { passed: 16, failed: 2 });
    }
}
