//! What it costs to record a run so that it can go on, as one line of JSON: `cargo xtask bench g`.
//!
//! The same rows go into Parquet files again and again, in one process: as every run does it, with its units, counts, ids
//! and hashes in the state, and with none of these. Rounds alternate, and the least processor time of each side counts;
//! the org is a process of its own, so that its time is not counted.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use forcepump_emulator::{Emulator, Options};
use forcepump_pipeline::{Cancel, Host, Pipeline, RunState, Session, Silent, without_records};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const ROWS: u64 = 600_000;
/// Units of a run: pages of a fifth of what an org gives by default, so that units are noted more often than usual.
const PAGE_ROWS: u64 = 40_000;
/// A few per cent are to be told apart.
const ROUNDS: usize = 6;
/// Linux counts process times in hundredths of a second for user space (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
/// The argument that makes this program the org.
const ORG: &str = "org";

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Outcome {
    if std::env::args().nth(1).as_deref() == Some(ORG) {
        return org().await;
    }
    let mut org =
        Command::new(std::env::current_exe()?).arg(ORG).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let measured = measure(&mut org).await;
    // its standard input ends with it
    drop(org.stdin.take());
    org.wait()?;
    measured
}

/// Serves rows until nobody is there any more.
async fn org() -> Outcome {
    let generate = vec![("Account".to_owned(), ROWS)];
    let emulator = Emulator::start(Options { generate, page_size: PAGE_ROWS, ..Options::default() }).await?;
    let credentials = emulator.credentials();
    writeln!(std::io::stdout(), "{} {}", credentials.instance_url, credentials.access_token)?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    emulator.stop().await;
    Ok(())
}

async fn measure(org: &mut Child) -> Outcome {
    let mut line = String::new();
    BufReader::new(org.stdout.take().ok_or("the org says nothing")?).read_line(&mut line)?;
    let (url, token) = line.trim().split_once(' ').ok_or("the org says something else")?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("token"), token)?;
    let connections = format!("[bench]\nurl = \"{url}\"\nauth = \"access-token\"\naccess_token = \"file:token\"\n");
    std::fs::write(folder.path().join("connections.toml"), connections)?;
    let pipeline = "name = \"recording\"\n[source]\nconnection = \"bench\"\nobject = \"Account\"\napi = \"bulk2\"\n\
                    [destination]\nplugin = \"parquet\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
    std::fs::write(folder.path().join("recording.toml"), pipeline)?;
    let host = Host::new(forcepump_plugin_bundle::get, &forcepump_plugin_bundle::names().collect::<Vec<_>>(), None)?;
    // the first run of all compiles the plugin
    run(&host, folder.path(), true).await?;
    let (mut on, mut off) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        on = on.min(run(&host, folder.path(), true).await?);
        off = off.min(run(&host, folder.path(), false).await?);
    }
    writeln!(std::io::stdout(), "{{\"recorded_s\":{on:.3},\"bare_s\":{off:.3},\"cost\":{:.4}}}", on / off - 1.0)?;
    Ok(())
}

/// Processor time of one run.
async fn run(host: &Host, folder: &Path, recorded: bool) -> Outcome<f64> {
    let pipeline = Pipeline::load(&folder.join("recording.toml"))?;
    let session = Session::open(host, pipeline, None, None)?;
    without_records(!recorded);
    let before = processor_seconds()?;
    let report = session.run(Arc::new(Silent), Cancel::new()).await;
    let seconds = processor_seconds()? - before;
    if report.state != RunState::Complete || report.rows.written != ROWS {
        return Err(format!("the run is not complete: {report:?}").into());
    }
    std::fs::remove_dir_all(folder.join("out"))?;
    Ok(seconds)
}

/// User and system time of this process (proc(5): utime, stime).
fn processor_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    match (fields.get(11), fields.get(12)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err("/proc/self/stat has another form than proc(5) says".into()),
    }
}
