//! A diagnosis on one screen: a line a check, and the way out below what is bad.

use console::style;
use forcepump_pipeline::{Check, CheckState, Diagnosis};

use crate::output::clean;

/// The whole diagnosis.
pub fn diagnosis(found: &Diagnosis) -> String {
    let mut lines = vec![style(clean(&found.connection)).bold().to_string()];
    lines.extend(found.checks.iter().map(check));
    let count = |state| found.checks.iter().filter(|check| check.state == state).count();
    lines.push(match (count(CheckState::Failed), count(CheckState::Warning)) {
        (0, 0) => "all is well".to_owned(),
        (failed, warnings) => format!("{failed} failed, {} to be looked at", warnings),
    });
    lines.join("\n")
}

fn check(check: &Check) -> String {
    let word = match check.state {
        CheckState::Ok => style("ok     ").green(),
        CheckState::Warning => style("warning").yellow(),
        CheckState::Failed => style("failed ").red(),
        CheckState::Skipped => style("skipped").dim(),
    };
    let mut found = check.found.lines().map(|line| clean(line.trim()));
    let mut text = format!("  {word} {:<16} {}", check.name, found.next().unwrap_or_default());
    let indent = " ".repeat(27);
    for line in
        found.chain(check.way_out.iter().flat_map(|way| way.lines()).map(|line| format!("→ {}", clean(line.trim()))))
    {
        text.push_str(&format!("\n{indent}{line}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_stands_below_and_nothing_is_obeyed() {
        console::set_colors_enabled(false);
        let bad = Check {
            name: "login",
            state: CheckState::Failed,
            found: "refused\u{1b}[2J".to_owned(),
            way_out: Some("ask the admin".to_owned()),
        };
        let text = diagnosis(&Diagnosis { connection: "prod".to_owned(), checks: vec![bad] });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "  failed  login            refused\\u{1b}[2J");
        assert_eq!(lines[2].trim(), "→ ask the admin");
        assert_eq!(lines[3], "1 failed, 0 to be looked at");
    }
}
