//! The binary with a token store of its own, and its conversation while a person logs in.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

use forcepump_emulator::Options;

use crate::harness::{Bench, Org, Ran};
use crate::orgs;

/// The key of the stores of the tests.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// An org, a folder, and a key.
pub struct Desk {
    pub org: Org,
    pub bench: Bench,
}

impl Desk {
    /// Forty accounts, and these options.
    pub fn with(options: Options) -> Self {
        Self { org: orgs::small(options), bench: Bench::new() }
    }

    /// Forty accounts.
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    /// The command, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bench.command(args);
        command.env("FORCEPUMP_KEY", KEY);
        command
    }

    /// Runs to the end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the binary starts"))
    }

    /// Runs to the end with these lines on standard input.
    pub fn typed(&self, args: &[&str], lines: &str) -> Ran {
        let mut talk = Talk::start(self.command(args));
        talk.say(lines);
        talk.end()
    }

    /// `connection add NAME --url ORG --auth AUTH` and more.
    pub fn add<'a>(&'a self, name: &'a str, auth: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["connection", "add", name, "--auth", auth, "--url", self.org.emulator().url()];
        args.extend(more);
        args
    }

    /// The org's app, for an `add`.
    pub fn app(&self) -> [&str; 4] {
        ["--client-id", &self.org.emulator().credentials().client_id, "--client-secret", "-"]
    }

    /// Consumer secret, as a line.
    pub fn secret_line(&self) -> String {
        format!("{}\n", self.org.emulator().credentials().client_secret)
    }

    /// Adds `web`, logged in by a person in a browser; its callback is on a free port.
    pub fn add_web(&self) {
        let more = [&self.app()[..], &["--no-browser", "--redirect-uri", "http://localhost:0/OauthRedirect"]].concat();
        let mut talk = Talk::start(self.command(&self.add("web", "authorization-code", &more)));
        talk.say(&self.secret_line());
        let url = talk.line_with("/services/oauth2/authorize");
        let mut person = crate::person::Person::of(&self.org);
        let page = person.log_in(&url);
        // a person who has allowed the app before is not asked again
        let done = if page.text.contains("oaapprove") { person.answer(&page, "save") } else { page };
        assert!(done.text.contains("can be closed"), "{}", done.text);
        talk.end().ends(0);
    }

    /// Text of a file of the folder; empty when it is not there.
    pub fn text(&self, name: &str) -> String {
        std::fs::read(self.bench.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Requests to the token endpoint so far.
    pub fn logins(&self) -> usize {
        self.org.asked("/services/oauth2/token")
    }
}

/// A running command that somebody talks with.
pub struct Talk {
    child: Child,
    stderr: BufReader<ChildStderr>,
    heard: String,
}

impl Talk {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("standard error"));
        Self { child, stderr, heard: String::new() }
    }

    /// Types something.
    pub fn say(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input");
        // a command that refuses early reads nothing
        let _ = stdin.write_all(text.as_bytes());
    }

    /// Waits for a line on standard error that holds the text, and gives it without what stands around.
    #[track_caller]
    pub fn line_with(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("standard error");
            self.heard.push_str(&line);
            assert!(read > 0, "{part} was never said: {}", self.heard);
            if line.contains(part) {
                return line.trim().to_owned();
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut rest).expect("standard error");
        let output = self.child.wait_with_output().expect("it ends");
        let mut ran = Ran::of(output);
        ran.stderr = self.heard + &rest;
        ran
    }
}
