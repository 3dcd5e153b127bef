//! (f): result pages fetched side by side against one at a time, over connections with latency and little bandwidth.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Figure;
use super::extract::{Emulator, forcepump};
use crate::shell::{Outcome, cargo, root, run};

/// Pages of the result; several rounds of those that are fetched at a time, so that the last round's gap weighs little.
const PAGES: u64 = 64;
const ROWS_PER_PAGE: u64 = 5_000;
const AT_A_TIME: u64 = 8;
const LATENCY_MS: &str = "100";
const BANDWIDTH: &str = "5M";
const GOAL_RATIO: f64 = 7.0;

/// Measures both, less what a run costs that moves nothing.
pub fn pages() -> Outcome<Vec<Figure>> {
    run(cargo(&["build", "--release", "--workspace", "--bin", "forcepump"]))?;
    let folder = root().join("target/bench/pages");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let generate = format!("Account={}", PAGES * ROWS_PER_PAGE);
    let page_size = ROWS_PER_PAGE.to_string();
    let mut emulator = Emulator::with(&[
        "--generate",
        &generate,
        "--page-size",
        &page_size,
        "--latency-ms",
        LATENCY_MS,
        "--bandwidth",
        BANDWIDTH,
        "--job-ms",
        "1",
    ])?;
    let measured = emulator.connect(&folder).and_then(|()| measure(&folder));
    emulator.stop();
    measured
}

fn measure(folder: &Path) -> Outcome<Vec<Figure>> {
    let nothing = one(folder, 1, "where = \"Name = 'nobody is called that'\"\n")?;
    let serial = one(folder, 1, "")?;
    let parallel = one(folder, AT_A_TIME, "")?;
    if serial.bytes != parallel.bytes || serial.rows != PAGES * ROWS_PER_PAGE || parallel.rows != serial.rows {
        return Err("the two runs did not read the same".to_owned());
    }
    let rate = |run: &Run| run.bytes / 1e6 / (run.seconds - nothing.seconds);
    let ratio = rate(&parallel) / rate(&serial);
    let page_mb = serial.bytes / 1e6 / PAGES as f64;
    let what = format!(
        "{AT_A_TIME} pages at a time against one, {PAGES} pages of {page_mb:.1} MB, {LATENCY_MS} ms latency, 5 MB/s a connection"
    );
    Ok(vec![Figure {
        what,
        goal: format!("≥ {GOAL_RATIO}"),
        found: format!("{ratio:.2} ({:.1} against {:.1} MB/s)", rate(&parallel), rate(&serial)),
        reached: ratio >= GOAL_RATIO,
    }])
}

struct Run {
    seconds: f64,
    bytes: f64,
    rows: u64,
}

fn one(folder: &Path, parallel: u64, condition: &str) -> Outcome<Run> {
    let pipeline = format!(
        "name = \"pages\"\n[source]\nconnection = \"bench\"\nobject = \"Account\"\napi = \"bulk2\"\nparallel_pages = {parallel}\n{condition}\
         [destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = {{ out = \"results\" }}\n"
    );
    std::fs::write(folder.join("pages.toml"), pipeline).map_err(|error| format!("pages.toml: {error}"))?;
    let output = Command::new(forcepump())
        .args(["run", "pages.toml", "--json", "--quiet"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("forcepump run: {error}"))?;
    let report: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("forcepump run gave no report: {error}"))?;
    let (seconds, bytes) = (report["seconds"].as_f64(), report["bytes_read"].as_f64());
    match (seconds, bytes, report["state"].as_str()) {
        (Some(seconds), Some(bytes), Some("complete")) => {
            Ok(Run { seconds, bytes, rows: report["rows"]["written"].as_u64().unwrap_or(0) })
        }
        _ => Err(format!("the run is not complete: {report}")),
    }
}
