//! The keychain of the operating system, the real one: a Secret Service on a message bus of its own.
//!
//! Runs where `dbus-run-session` and `gnome-keyring-daemon` are installed, as `.ci/run` sees to.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use forcepump_emulator::Options;

use crate::harness::{Bench, Org, Ran};
use crate::orgs;

/// Begins a session whose keychain a person has unlocked; the daemon ends with the bus.
const UNLOCKED: &str = "printf unlocked | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1\n";
/// Begins one in which nobody has: the bus starts the daemon when it is asked for.
const LOCKED: &str = "";

/// A folder, and beside it the home of keychains.
struct Session {
    bench: Bench,
    org: Org,
}

impl Session {
    /// The command in a session of its own, with the keychains of that name.
    fn run(&self, begin: &str, keychains: &str, args: &[&str]) -> Ran {
        let runtime = self.bench.path("runtime");
        std::fs::create_dir_all(&runtime).expect("a folder");
        std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).expect("permissions");
        let program = self.bench.command(args);
        let secret = self.org.emulator().credentials().client_secret.clone();
        let mut command = Command::new("dbus-run-session");
        command.arg("--").arg("sh").arg("-c").arg(format!("{begin}printf '%s\\n' \"$TYPED\" | exec \"$@\""));
        command.arg("session").arg(program.get_program()).args(program.get_args());
        command.current_dir(self.bench.path("")).env_clear().env("TYPED", secret);
        for (name, value) in program.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            command.env(name, value);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let data = self.bench.path(keychains);
        command.env("PATH", path).env("XDG_RUNTIME_DIR", runtime).env("XDG_DATA_HOME", data);
        Ran::of(command.output().expect("a session"))
    }

    fn tokens(&self) -> Vec<u8> {
        std::fs::read(self.bench.path(".forcepump/tokens/cc")).expect("the token file")
    }
}

/// Where a program is.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[test]
fn the_key_is_made_found_again_missed_and_locked_away() {
    if found("dbus-run-session").is_none() || found("gnome-keyring-daemon").is_none() {
        let said = "no dbus-run-session or gnome-keyring-daemon here: the keychain was not tried\n";
        let _ = std::io::stderr().write_all(said.as_bytes());
        return;
    }
    let session = Session { bench: Bench::new(), org: orgs::small(Options::default()) };
    let who = session.org.emulator().credentials().clone();
    let add = [
        "connection",
        "add",
        "cc",
        "--auth",
        "client-credentials",
        "--url",
        &who.instance_url,
        "--client-id",
        &who.client_id,
        "--client-secret",
        "-",
    ];
    let added = session.run(UNLOCKED, "mine", &add).ends(0);
    assert!(added.stderr.contains("encrypted with the key from the system's keychain"), "{}", added.stderr);
    let sealed = session.tokens();
    assert!(!String::from_utf8_lossy(&sealed).contains(&who.client_secret));

    let test = ["connection", "test", "cc"];
    let again = session.run(UNLOCKED, "mine", &test).ends(0);
    assert!(again.stdout.contains("logged in"), "{}", again.stdout);

    let locked = session.run(LOCKED, "mine", &test).ends(2);
    for word in ["keychain gives no key", "locked", "hint: unlock"] {
        assert!(locked.stderr.contains(word), "{}", locked.stderr);
    }
    let missed = session.run(UNLOCKED, "other", &test).ends(2);
    for word in ["sealed with another key than that of the system's keychain", "connection reconnect cc"] {
        assert!(missed.stderr.contains(word), "{}", missed.stderr);
    }
    assert_eq!(session.tokens(), sealed, "what cannot be read is left as it is");
    session.run(UNLOCKED, "mine", &test).ends(0);
}
