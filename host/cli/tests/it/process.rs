//! The binary as a process that is watched: ended at an instant, or in time.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::harness::{Bench, Org, Ran};

/// No run takes longer, whatever meets it; one that does hangs.
const HANG: Duration = Duration::from_secs(120);
/// Pause between two looks at a run.
const LOOK: Duration = Duration::from_micros(500);

/// When a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after the org has answered the n-th request of the run.
    Answered(u64, Duration),
    /// So long after its start.
    Started(Duration),
}

/// What became of a run that was to be killed.
pub enum Fate {
    /// It was killed.
    Killed,
    /// It had ended before.
    Ended(Ran),
}

/// A process under way; what it says goes to files in the test's folder.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
}

impl Running {
    /// Starts a command.
    pub fn start(bench: &Bench, args: &[&str]) -> Self {
        let (stdout, stderr) = (bench.path("said.out"), bench.path("said.err"));
        let file = |path: &PathBuf| std::fs::File::create(path).expect("a file");
        let mut command = bench.command(args);
        let child = command.stdout(file(&stdout)).stderr(file(&stderr)).spawn().expect("the binary starts");
        Self { child, stdout, stderr, started: Instant::now() }
    }

    /// What it left, when it has ended.
    pub fn ended(&mut self) -> Option<Ran> {
        let status = self.child.try_wait().expect("a child")?;
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("text");
        Some(Ran { code: status.code().unwrap_or(-1), stdout: read(&self.stdout), stderr: read(&self.stderr) })
    }

    /// Kills it at that instant of `org`, unless it ends before.
    pub fn killed(mut self, org: &Org, when: When) -> Result<Fate, String> {
        let before = org.emulator().answered();
        let mut due = match when {
            When::Started(after) => Some(self.started + after),
            When::Answered(..) => None,
        };
        loop {
            if let Some(ran) = self.ended() {
                return Ok(Fate::Ended(ran));
            }
            if let (None, When::Answered(nth, after)) = (due, when)
                && org.emulator().answered() - before >= nth
            {
                due = Some(Instant::now() + after);
            }
            if due.is_some_and(|due| Instant::now() >= due) {
                self.child.kill().expect("a signal");
                // It may have been faster than the signal.
                let status = self.child.wait().expect("its end");
                return Ok(status.code().and_then(|_| self.ended()).map_or(Fate::Killed, Fate::Ended));
            }
            self.check_time()?;
            std::thread::sleep(LOOK);
        }
    }

    /// Sends it a signal and waits for its end.
    pub fn stopped(self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        self.in_time().unwrap_or_else(|wrong| panic!("{wrong}"));
    }

    /// Waits for its end; one that hangs is ended.
    pub fn in_time(mut self) -> Result<Ran, String> {
        loop {
            if let Some(ran) = self.ended() {
                return Ok(ran);
            }
            self.check_time()?;
            std::thread::sleep(LOOK * 4);
        }
    }

    fn check_time(&mut self) -> Result<(), String> {
        if self.started.elapsed() <= HANG {
            return Ok(());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        Err(format!("it hangs: {}", std::fs::read_to_string(&self.stderr).unwrap_or_default()))
    }
}

/// Runs to the end.
pub fn run(bench: &Bench, args: &[&str]) -> Result<Ran, String> {
    Running::start(bench, args).in_time()
}
