//! What every test stands on: a folder of its own, an emulator, and the binary run with nothing of ours around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use forcepump_emulator::{Emulator, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An emulator that lives as long as the test.
pub struct Org {
    runtime: Runtime,
    emulator: Emulator,
}

impl Org {
    /// The demo org, as it is.
    pub fn demo() -> Self {
        Self::with(Options::default())
    }

    /// An org with options of its own.
    pub fn with(options: Options) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let emulator = runtime.block_on(Emulator::start(options)).expect("an emulator");
        Self { runtime, emulator }
    }

    /// What the emulator saw.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// A connections file that leads here, under the name `org`; the secret is in the environment.
    fn connections(&self) -> String {
        let credentials = self.emulator.credentials();
        format!(
            "[org]\nurl = \"{}\"\nauth = \"client-credentials\"\nclient_id = \"{}\"\nclient_secret = \"env:{SECRET}\"\n",
            credentials.instance_url, credentials.client_id
        )
    }

    /// Ends the emulator before the test ends.
    pub fn stop(self) {
        self.runtime.block_on(self.emulator.stop());
    }
}

/// The variable that holds the client secret.
const SECRET: &str = "FORCEPUMP_TEST_SECRET";

/// A folder in which one test works.
pub struct Bench {
    folder: TempDir,
    secret: String,
}

impl Bench {
    /// A folder without an org.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), secret: String::new() }
    }

    /// A folder whose connections file leads to the org.
    pub fn on(org: &Org) -> Self {
        let secret = org.emulator.credentials().client_secret.clone();
        let bench = Self { secret, ..Self::new() };
        bench.write("connections.toml", &org.connections());
        bench
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The command, not yet started: in the folder, with a clean environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forcepump"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("FORCEPUMP_CACHE_DIR", cache())
            .env(SECRET, &self.secret)
            .stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the binary starts"))
    }
}

/// Compiled plugins are shared by all tests; the cache is safe for several processes.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache")
}

/// A finished command.
#[derive(Debug)]
pub struct Ran {
    /// exit code; -1 when a signal ended it
    pub code: i32,
    /// standard output
    pub stdout: String,
    /// standard error
    pub stderr: String,
}

impl Ran {
    /// Takes what the process left.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The same command, which must have ended with that code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}
