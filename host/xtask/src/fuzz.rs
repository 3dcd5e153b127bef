//! `fuzz`: the fuzz targets of the host's crates, by the million.

use crate::shell::{Outcome, cargo, run};
use crate::tools;

/// Builds the targets with the features of the tests' build, so that no dependency is built twice, and runs them.
pub fn fuzz(options: &[&str]) -> Outcome {
    tools::wasm_targets()?;
    let build = ["test", "--release", "--workspace", "--features", "xtask/fuzzing", "--test", "fuzz", "--"];
    run(cargo(&[&build, options].concat()))
}
