//! The only place that writes to standard output and standard error: data to one, talk to the other.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use console::style;
use forcepump_pipeline::Listener;
use serde::Serialize;

use crate::args::{ColorChoice, Global};
use crate::exit::Failure;

/// Why standard output does not hold all that was said, once it does not.
static UNWRITTEN: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// How this process talks.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// one JSON document on standard output instead of words
    pub json: bool,
    /// no progress and no notes
    pub quiet: bool,
}

impl Output {
    /// Takes the options, and switches colours for the whole process.
    pub fn new(global: &Global) -> Self {
        set_colors(global.color);
        Self { json: global.json, quiet: global.quiet }
    }

    /// Data for people, on standard output; nothing with `--json`.
    pub fn words(self, text: &str) {
        if !self.json {
            self.raw(text);
        }
    }

    /// Data for programs, on standard output; nothing without `--json`.
    pub fn document<T: Serialize>(self, value: &T) {
        if self.json {
            self.raw(&json_text(value));
        }
    }

    /// Text that is the command's product in any mode: a schema, a completion script.
    pub fn raw(self, text: &str) {
        if let Err(error) = write_line(&mut std::io::stdout().lock(), text)
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Why a part of the results did not reach standard output; none: all did, or nobody listens any more.
    pub fn unwritten() -> Option<std::io::Error> {
        UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A remark on standard error; nothing with `--quiet` or `--json`.
    pub fn note(self, text: &str) {
        if self.talks() {
            let _ = write_line(&mut std::io::stderr().lock(), text);
        }
    }

    /// What a person has to do for the command to go on, on standard error in every mode.
    pub fn ask(self, text: &str) {
        let lines: Vec<String> = text.lines().map(clean).collect();
        let _ = write_line(&mut std::io::stderr().lock(), &lines.join("\n"));
    }

    /// Something the operator should know, on standard error.
    pub fn warning(self, text: &str) {
        self.note(&format!("{} {}", style("warning:").for_stderr().yellow().bold(), paragraph(text)));
    }

    /// Shows what happens on the way to Salesforce as warnings.
    pub fn listener(self) -> Listener {
        Arc::new(move |text| self.warning(text))
    }

    /// Whether progress and notes are shown.
    pub fn talks(self) -> bool {
        !self.quiet && !self.json
    }

    /// The end of a command that failed: words on standard error, or a document on standard output.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            return self.document(&serde_json::json!({ "error": {
                "class": failure.class.word(),
                "exit_code": failure.code().number(),
                "message": failure.message,
            }}));
        }
        self.error(&failure.message);
    }

    /// What the argument parser says, in its own form, on standard error.
    pub fn usage(self, text: &str) {
        let lines: Vec<String> = text.lines().map(clean).collect();
        let _ = write_line(&mut std::io::stderr().lock(), &lines.join("\n"));
    }

    /// An error in words on standard error, whatever the mode but `--json`.
    pub fn error(self, message: &str) {
        let label = style("error:").for_stderr().red().bold();
        let _ = write_line(&mut std::io::stderr().lock(), &format!("{label} {}", paragraph(message)));
    }
}

/// One JSON document; characters that a terminal would obey stand as escapes, which JSON reads as the same text.
pub fn json_text<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    safe_json(&text)
}

/// JSON with escapes for what a terminal would obey; it reads as the same.
pub fn safe_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_obeyed(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Text from a server, a plugin or a row on one line, with what a terminal would obey shown as an escape.
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_obeyed(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// A message of several lines: each line cleaned, lines after the first indented unless they are a hint.
pub fn paragraph(text: &str) -> String {
    let mut lines = text.trim_end().lines();
    let mut safe = clean(lines.next().unwrap_or_default());
    for line in lines {
        safe.push('\n');
        match line.trim_start().strip_prefix("hint:") {
            Some(hint) => safe.push_str(&format!("{}{}", style("hint:").for_stderr().cyan().bold(), clean(hint))),
            None => safe.push_str(&format!("  {}", clean(line.trim_start()))),
        }
    }
    safe
}

/// Control characters, and the marks that turn the direction of text around.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}' | '\u{2066}'..='\u{2069}')
}

/// A reader that went away (`forcepump … | head`) must not end a run that is writing somewhere else.
fn write_line(to: &mut impl Write, text: &str) -> std::io::Result<()> {
    writeln!(to, "{text}").and_then(|()| to.flush())
}

fn set_colors(choice: ColorChoice) {
    let auto = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let on = |terminal: bool| match choice {
        ColorChoice::Auto => auto && terminal,
        ColorChoice::Always => true,
        ColorChoice::Never => false,
    };
    console::set_colors_enabled(on(std::io::stdout().is_terminal()));
    console::set_colors_enabled_stderr(on(std::io::stderr().is_terminal()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_not_sent() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{9b}1m\u{202e}ü"), "a\\u{1b}[2Jb\\r\\n\\u{9b}1m\\u{202e}ü");
    }

    #[test]
    fn a_json_document_stays_the_same_text() {
        let value = serde_json::json!({ "a": "x\u{9b}\u{202e}\u{7f}\n" });
        let text = json_text(&value);
        assert!(!text.chars().any(|c| c != '\n' && is_obeyed(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value));
    }

    #[test]
    fn later_lines_are_indented_but_hints_are_not() {
        console::set_colors_enabled_stderr(false);
        assert_eq!(paragraph("one\n  two\nerror: three\n  hint: four\n"), "one\n  two\n  error: three\nhint: four");
    }
}
