//! (d): CPU time from an empty target folder to the first rows of the demo.

use std::path::Path;

use super::Figure;
use crate::shell::{Outcome, cargo, command, root, run};

const GOAL_MINUTES: f64 = 15.0;
/// Linux counts process times in hundredths of a second for user space (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Builds into a folder of its own and runs the demo from there.
pub fn clean_build() -> Outcome<Vec<Figure>> {
    let target = root().join("target/bench/clean");
    let _ = std::fs::remove_dir_all(&target);
    run(cargo(&["fetch", "--locked"]))?;
    let before = children_seconds()?;
    let mut build = cargo(&["build", "--release", "--locked", "--package", "forcepump"]);
    build.env("CARGO_TARGET_DIR", &target);
    run(build)?;
    run(demo(&target))?;
    let minutes = (children_seconds()? - before) / 60.0;
    let _ = std::fs::remove_dir_all(&target);
    Ok(vec![Figure {
        what: "clean build to the first rows of the demo, CPU time".to_owned(),
        goal: format!("≤ {GOAL_MINUTES} min"),
        found: format!("{minutes:.1} min"),
        reached: minutes <= GOAL_MINUTES,
    }])
}

fn demo(target: &Path) -> std::process::Command {
    let program = target.join("release/forcepump").display().to_string();
    let folder = target.join("demo").display().to_string();
    command(&program, &["demo", "--dir", &folder])
}

/// User and system time of all children that have ended, theirs included (proc(5): cutime, cstime).
fn children_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|error| format!("/proc/self/stat: {error}"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    match (fields.get(13), fields.get(14)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err("/proc/self/stat has another form than proc(5) says".to_owned()),
    }
}
