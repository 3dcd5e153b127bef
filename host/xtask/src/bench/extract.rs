//! (c): generated rows from an emulator process through `forcepump run` into Parquet: rate and peak memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Figure;
use crate::shell::{Outcome, cargo, release_folder, root, run};

const FEW_ROWS: u64 = 500_000;
const MANY_ROWS: u64 = 5_000_000;
/// Into a database, which takes longer.
const FEW_MERGED_ROWS: u64 = 300_000;
const MANY_MERGED_ROWS: u64 = 1_000_000;
/// What a run may hold at its peak.
const GOAL_PEAK_MIB: f64 = 96.0;
/// How much the peak may grow from few rows to many.
const GOAL_GROWTH: f64 = 1.10;

/// Measures both sizes and compares their peaks.
pub fn extract() -> Outcome<Vec<Figure>> {
    run(cargo(&["build", "--release", "--workspace", "--bin", "forcepump"]))?;
    let few = one(FEW_ROWS, PARQUET)?;
    let many = one(MANY_ROWS, PARQUET)?;
    let growth = many.peak_mib / few.peak_mib;
    let few_merged = one(FEW_MERGED_ROWS, SQLITE)?;
    let many_merged = one(MANY_MERGED_ROWS, SQLITE)?;
    let growth_merged = many_merged.peak_mib / few_merged.peak_mib;
    Ok(vec![
        Figure {
            what: format!("{} million rows to Parquet", MANY_ROWS / 1_000_000),
            goal: "none".to_owned(),
            found: format!("{:.0} rows/s ({:.1} s)", MANY_ROWS as f64 / many.seconds, many.seconds),
            reached: true,
        },
        Figure {
            what: "peak memory of that run".to_owned(),
            goal: format!("≤ {GOAL_PEAK_MIB} MiB"),
            found: format!("{:.1} MiB", many.peak_mib),
            reached: many.peak_mib <= GOAL_PEAK_MIB,
        },
        Figure {
            what: "peak memory against that of 0.5 million rows".to_owned(),
            goal: format!("≤ {GOAL_GROWTH}"),
            found: format!("{growth:.2} ({:.1} MiB)", few.peak_mib),
            reached: growth <= GOAL_GROWTH,
        },
        Figure {
            what: "1 million rows merged into SQLite: peak memory against that of 0.3 million".to_owned(),
            goal: format!("≤ {GOAL_GROWTH}"),
            found: format!(
                "{growth_merged:.2} ({:.1} against {:.1} MiB, {:.0} rows/s)",
                many_merged.peak_mib,
                few_merged.peak_mib,
                MANY_MERGED_ROWS as f64 / many_merged.seconds
            ),
            reached: growth_merged <= GOAL_GROWTH,
        },
    ])
}

struct Measured {
    seconds: f64,
    peak_mib: f64,
}

fn one(rows: u64, destination: &str) -> Outcome<Measured> {
    let folder = root().join("target/bench/extract");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut emulator = Emulator::start(rows)?;
    let written = emulator.connect(&folder).and_then(|()| write_pipeline(&folder, destination));
    let measured = written.and_then(|()| measure(&folder, rows));
    emulator.stop();
    measured
}

/// Runs the pipeline while looking at the process's high-water mark, which only grows.
fn measure(folder: &Path, rows: u64) -> Outcome<Measured> {
    let started = Instant::now();
    let mut child = Command::new(forcepump())
        .args(["run", "extract.toml", "--json", "--quiet"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("forcepump run: {error}"))?;
    let mut peak_mib = 0.0_f64;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        peak_mib = peak_mib.max(high_water_mib(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = started.elapsed().as_secs_f64();
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let report: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("forcepump run gave no report: {error}"))?;
    let (read, done) = (figure(&report, "read"), figure(&report, "written") + figure(&report, "rejected"));
    if read != rows || done != rows {
        return Err(format!("{rows} rows were generated, but the report says: {report}"));
    }
    Ok(Measured { seconds, peak_mib })
}

fn figure(report: &Value, name: &str) -> u64 {
    report["rows"][name].as_u64().unwrap_or(0)
}

/// VmHWM of /proc/PID/status, in MiB; 0 once the process is gone.
fn high_water_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// An emulator process.
pub struct Emulator {
    child: Child,
    access: Value,
}

impl Emulator {
    fn start(rows: u64) -> Outcome<Self> {
        Self::with(&["--generate", &format!("Account={rows}")])
    }

    /// Starts one with these options, on a free port.
    pub fn with(options: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(forcepump())
            .args(["emulator", "--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("forcepump emulator: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the emulator has no standard output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let access = serde_json::from_str(&line).map_err(|error| format!("the emulator's first line: {error}"))?;
        Ok(Self { child, access })
    }

    /// Writes the way into it to the folder, as the connection `bench`.
    pub fn connect(&self, folder: &Path) -> Outcome {
        let word = |name: &str| self.access[name].as_str().unwrap_or_default().to_owned();
        let connections = format!(
            "[bench]\nurl = \"{}\"\nauth = \"access-token\"\naccess_token = \"file:token\"\n",
            word("SF_INSTANCE_URL")
        );
        for (name, text) in [("token", word("SF_ACCESS_TOKEN")), ("connections.toml", connections)] {
            std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }

    /// Ends it.
    pub fn stop(&mut self) {
        // It may have ended by itself; nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PARQUET: &str =
    "plugin = \"parquet\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"results\" }\n";
const SQLITE: &str = "plugin = \"sqlite\"\nmode = \"merge\"\nkeys = [\"Id\"]\n[destination.config]\ntable = \"account\"\n\
                      [destination.grant]\nsql = { db = \"sqlite:results.db\" }\n";

fn write_pipeline(folder: &Path, destination: &str) -> Outcome {
    let pipeline = format!(
        "name = \"extract\"\n[source]\nconnection = \"bench\"\nobject = \"Account\"\n[destination]\n{destination}"
    );
    std::fs::write(folder.join("extract.toml"), pipeline).map_err(|error| format!("extract.toml: {error}"))
}

/// The program that is measured.
pub fn forcepump() -> std::path::PathBuf {
    release_folder().join("forcepump")
}
