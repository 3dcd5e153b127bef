//! `tidy`: format and lints.

use crate::shell::{Outcome, cargo, run};

/// Fails when a file is not formatted or a lint warns.
pub fn tidy() -> Outcome {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}
