//! Exit codes and the failures that lead to them: one table for the program, its help and its tests.

use forcepump_pipeline::{Error, ErrorClass, RunReport, RunState};

/// What the process says to the shell that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Everything asked for was done.
    Ok = 0,
    /// This machine, or a fault of ours.
    Host = 1,
    /// The arguments, a file or a configuration.
    Input = 2,
    /// Done, but some rows were rejected.
    Rejects = 3,
    /// Salesforce, or the way to it.
    Source = 4,
    /// The destination.
    Destination = 5,
    /// A plugin.
    Plugin = 6,
    /// Unfinished, and it can go on.
    Partial = 7,
    /// A look at a former run found a difference.
    Differs = 8,
    /// Ctrl-C or SIGTERM; 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// Every code with its meaning, in the order of `--help`.
pub const CODES: [(Code, &str); 10] = [
    (Code::Ok, "ok"),
    (Code::Host, "this machine failed: disk, permissions, or a fault of forcepump"),
    (Code::Input, "wrong input: arguments, pipeline file, connections file or plugin configuration"),
    (Code::Rejects, "ok, but rows were rejected; the summary names the file that holds them"),
    (Code::Source, "the source failed: Salesforce, or the way to it"),
    (Code::Destination, "the destination failed"),
    (Code::Plugin, "a plugin failed: trap, time-out, memory or a broken rule"),
    (Code::Partial, "partial: a part is committed; run again to go on"),
    (Code::Differs, "verify found that the source or the destination is not as the run left it"),
    (Code::Interrupted, "interrupted; run again to go on"),
];

/// The paragraph under `--help`.
pub fn help() -> String {
    let rows = CODES.iter().map(|(code, meaning)| format!("  {:>3}  {meaning}\n", code.number()));
    format!("Exit codes:\n{}", rows.collect::<String>())
}

impl Code {
    /// The number given to the shell.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The code for an error of that class.
    pub fn of_class(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Input => Self::Input,
            ErrorClass::Source => Self::Source,
            ErrorClass::Destination => Self::Destination,
            ErrorClass::Plugin => Self::Plugin,
            ErrorClass::Interrupted => Self::Interrupted,
            ErrorClass::Host => Self::Host,
        }
    }

    /// The code for a finished run.
    pub fn of_report(report: &RunReport) -> Self {
        match report.state {
            RunState::Complete => Self::Ok,
            RunState::CompleteWithRejects => Self::Rejects,
            RunState::Partial => Self::Partial,
            RunState::Cancelled => Self::Interrupted,
            RunState::Failed => report.error.as_ref().map_or(Self::Host, |error| Self::of_word(&error.class)),
        }
    }

    fn of_word(word: &str) -> Self {
        const CLASSES: [ErrorClass; 6] = [
            ErrorClass::Input,
            ErrorClass::Source,
            ErrorClass::Destination,
            ErrorClass::Plugin,
            ErrorClass::Interrupted,
            ErrorClass::Host,
        ];
        CLASSES.into_iter().find(|class| class.word() == word).map_or(Self::Host, Self::of_class)
    }
}

/// Why a command stopped: who has to act, and the text for them.
#[derive(Debug)]
pub struct Failure {
    /// who has to act
    pub class: ErrorClass,
    /// what is wrong and the way out; a hint stands on a line of its own
    pub message: String,
}

impl Failure {
    /// Wrong arguments or files.
    pub fn input(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Input, message: message.into() }
    }

    /// This machine.
    pub fn host(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Host, message: message.into() }
    }

    /// Ctrl-C or SIGTERM outside a run.
    pub fn interrupted() -> Self {
        Self { class: ErrorClass::Interrupted, message: "interrupted".to_owned() }
    }

    /// The code that the process ends with.
    pub fn code(&self) -> Code {
        Code::of_class(self.class)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { class: error.class(), message: error.to_string() }
    }
}

impl From<forcepump_pipeline::FileError> for Failure {
    fn from(error: forcepump_pipeline::FileError) -> Self {
        Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_code() {
        let table = [
            (ErrorClass::Host, 1),
            (ErrorClass::Input, 2),
            (ErrorClass::Source, 4),
            (ErrorClass::Destination, 5),
            (ErrorClass::Plugin, 6),
            (ErrorClass::Interrupted, 130),
        ];
        for (class, number) in table {
            assert_eq!(Code::of_class(class).number(), number, "{}", class.word());
            assert_eq!(Code::of_word(class.word()).number(), number);
        }
    }

    #[test]
    fn codes_are_distinct_and_in_the_help() {
        let mut numbers: Vec<u8> = CODES.iter().map(|(code, _)| code.number()).collect();
        numbers.dedup();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
        assert!(help().contains("130  interrupted"));
    }

    #[test]
    fn the_readme_lists_the_same_codes() {
        let readme = include_str!("../../../README.md");
        for (code, meaning) in CODES {
            let row = format!("| {} | {meaning} |", code.number());
            assert!(readme.contains(&row), "README.md lacks: {row}");
        }
    }
}
