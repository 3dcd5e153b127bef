//! Figures that example programs print as one JSON line.

use std::process::Stdio;

use serde_json::Value;

use super::Figure;
use crate::shell::{Outcome, cargo, command, release_folder, run};

/// (a): batches in the sandbox against the same code native, and the cost of a call.
pub fn border() -> Outcome<Vec<Figure>> {
    let found = example("forcepump-sandbox", "border")?;
    let mut figures = Vec::new();
    for (rows, goal) in [(1_024, None), (8_192, Some(0.8)), (65_536, Some(0.8))] {
        let ratio = number(found.get(format!("rows_{rows}")).unwrap_or(&Value::Null), "ratio")?;
        figures.push(Figure {
            what: format!("two-column transform, {rows} rows a batch: speed against native"),
            goal: goal.map_or("none".to_owned(), |goal| format!("≥ {goal}")),
            found: format!("{ratio:.2}"),
            reached: goal.is_none_or(|least| ratio >= least),
        });
    }
    let call = number(&found, "empty_call_us")?;
    figures.push(bound("a call that moves nothing", "< 3 µs", format!("{call:.2} µs"), call < 3.0));
    let instantiate = number(&found, "instantiate_us")?;
    figures.push(bound("instantiate", "≤ 100 µs", format!("{instantiate:.0} µs"), instantiate <= 100.0));
    let load = number(&found, "load_from_cache_ms")?;
    figures.push(bound("load from the compile cache", "≤ 5 ms", format!("{load:.2} ms"), load <= 5.0));
    Ok(figures)
}

/// (e): the guards against none.
pub fn guards() -> Outcome<Vec<Figure>> {
    let found = example("forcepump-sandbox", "guards")?;
    let speed = number(&found, "speed")?;
    let (with, without) = (number(&found, "guarded_ms")?, number(&found, "wide_open_ms")?);
    let text =
        format!("{speed:.2} ({with:.3} against {without:.3} ms a batch, checks {:.3})", number(&found, "checks_ms")?);
    let what = "all checks and limits, 8192 rows a batch: speed against none";
    Ok(vec![bound(what, "≥ 0.9", text, speed >= 0.9)])
}

/// (g): a recorded run against one that is not.
pub fn recording() -> Outcome<Vec<Figure>> {
    let found = example("forcepump-pipeline", "recording")?;
    let cost = number(&found, "cost")? * 100.0;
    let (with, without) = (number(&found, "recorded_s")?, number(&found, "bare_s")?);
    let text = format!("{cost:.1} % ({with:.2} against {without:.2} s of processor time)");
    Ok(vec![bound(
        "units, ids and hashes recorded, 600,000 rows in 15 units to Parquet: cost",
        "≤ 3 %",
        text,
        cost <= 3.0,
    )])
}

/// (b): Bulk CSV to typed Arrow.
pub fn decoder() -> Outcome<Vec<Figure>> {
    let found = example("forcepump-batch", "decode_vs_arrow_csv")?;
    let ratio = number(&found, "ratio")?;
    let (ours, theirs) = (number(&found, "ours_mb_s")?, number(&found, "arrow_csv_mb_s")?);
    let text = format!("{ratio:.2} ({ours:.0} against {theirs:.0} MB/s)");
    Ok(vec![bound("Bulk CSV to typed Arrow: speed against arrow-csv", "≥ 1.5", text, ratio >= 1.5)])
}

fn bound(what: &str, goal: &str, found: String, reached: bool) -> Figure {
    Figure { what: what.to_owned(), goal: goal.to_owned(), found, reached }
}

/// Builds with the features of the whole workspace, as the tests do, so that no dependency is compiled twice.
fn example(package: &str, name: &str) -> Outcome<Value> {
    run(cargo(&["build", "--release", "--workspace", "--features", "xtask/fuzzing", "--example", name]))?;
    let program = release_folder().join("examples").join(name).display().to_string();
    let output = command(&program, &[])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {name} of {package}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| line.starts_with('{'));
    let last =
        last.ok_or_else(|| format!("{name} of {package} printed no figures and ended with {}", output.status))?;
    serde_json::from_str(last).map_err(|error| format!("{name} of {package} printed no JSON: {error}"))
}

fn number(found: &Value, key: &str) -> Outcome<f64> {
    found.get(key).and_then(Value::as_f64).ok_or_else(|| format!("no `{key}` in {found}"))
}
