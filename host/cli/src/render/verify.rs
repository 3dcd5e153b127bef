//! What a look at a former run found: a line a comparison, and what it may mean below.

use console::style;
use forcepump_pipeline::{Verification, VerifyCheck, VerifyState};

use super::numbers::{count, several};
use crate::output::clean;

/// All comparisons, and what they come to.
pub fn verification(found: &Verification) -> String {
    let mut lines = vec![format!(
        "run {} of {}, {}",
        style(clean(&found.run_id)).bold(),
        clean(&found.pipeline),
        clean(&found.run_state)
    )];
    lines.extend(found.checks.iter().map(check));
    let number = |state| found.checks.iter().filter(|check| check.state == state).count() as u64;
    let unknown = match number(VerifyState::Unknown) {
        0 => String::new(),
        unknown => format!(", {} cannot be compared", count(unknown)),
    };
    lines.push(match number(VerifyState::Differs) {
        0 => format!("nothing differs{unknown}"),
        differing => format!("{}{unknown}", several(differing, "difference")),
    });
    lines.join("\n")
}

fn check(check: &VerifyCheck) -> String {
    let word = match check.state {
        VerifyState::Equal => style("equal  ").green(),
        VerifyState::Differs => style("differs").red(),
        VerifyState::Unknown => style("unknown").yellow(),
    };
    let numbers = match (check.expected, check.found) {
        (Some(then), Some(now)) if then == now => format!(": {}", count(now)),
        (Some(then), Some(now)) => format!(": {} then, {} now", count(then), count(now)),
        (Some(then), None) => format!(": {} then", count(then)),
        (None, _) => String::new(),
    };
    let mut text = format!("  {word} {}{numbers}", clean(&check.what));
    let below = check.note.iter().flat_map(|note| note.lines()).map(clean);
    for line in below.chain(check.examples.iter().map(|example| clean(example))) {
        text.push_str(&format!("\n          {line}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_both_numbers_and_its_meaning() {
        console::set_colors_enabled(false);
        let check = |what: &str, found, state, note: Option<&str>| VerifyCheck {
            feed: "Account".into(),
            what: what.into(),
            expected: Some(1_200),
            found,
            state,
            note: note.map(str::to_owned),
            examples: note.map(|_| "001\u{1b}".to_owned()).into_iter().collect(),
        };
        let text = verification(&Verification {
            run_id: "r".into(),
            pipeline: "p".into(),
            run_state: "complete".into(),
            state: VerifyState::Differs,
            checks: vec![
                check("rows of a.csv", Some(1_200), VerifyState::Equal, None),
                check("rows of b.csv", Some(1_199), VerifyState::Differs, Some("it was cut")),
            ],
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "run r of p, complete",
                "  equal   rows of a.csv: 1,200",
                "  differs rows of b.csv: 1,200 then, 1,199 now",
                "          it was cut",
                "          001\\u{1b}",
                "1 difference",
            ]
        );
    }
}
