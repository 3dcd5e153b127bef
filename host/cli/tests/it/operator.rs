//! What operators run into around connections: many at once, a prompt left, an address that does not answer, a kill.

use std::process::Command;

use forcepump_emulator::Options;

use crate::desk::{Desk, Talk};
use crate::harness::Bench;
use crate::orgs::{script_of, wait_until};

#[test]
fn connections_that_are_made_at_once_are_all_kept() {
    let desk = Desk::new();
    let secret = desk.org.emulator().credentials().client_secret.clone();
    let more =
        ["--client-id", &desk.org.emulator().credentials().client_id.clone(), "--client-secret", "env:APP_SECRET"];
    let names: Vec<String> = (1..=6).map(|number| format!("c{number}")).collect();
    let start = |args: &[&str]| {
        let mut command = desk.command(args);
        command.env("APP_SECRET", &secret);
        Talk::start(command)
    };
    let adding: Vec<Talk> = names.iter().map(|name| start(&desk.add(name, "client-credentials", &more))).collect();
    for talk in adding {
        talk.end().ends(0);
    }
    let text = desk.text("connections.toml");
    assert!(names.iter().all(|name| text.contains(&format!("[{name}]"))), "{text}");

    let of_each = |name: &String| start(&["connection", "edit", name, "--api-version", "61.0"]);
    let editing: Vec<Talk> = names.iter().map(of_each).collect();
    for talk in editing {
        talk.end().ends(0);
    }
    assert_eq!(desk.text("connections.toml").matches("api_version = \"61.0\"").count(), names.len());
    let twice: Vec<Talk> = ["60.0", "61.0"]
        .map(|version| {
            start(&desk.add("same", "client-credentials", &[&more[..], &["--api-version", version]].concat()))
        })
        .into_iter()
        .collect();
    let codes: Vec<i32> = twice.into_iter().map(|talk| talk.end().code).collect();
    assert!(codes.contains(&0) && codes.contains(&2), "{codes:?}");
}

#[test]
fn a_key_that_a_connection_does_not_have_is_told_before_any_login() {
    let desk = Desk::new();
    desk.typed(&desk.add("cc", "client-credentials", &desk.app()), &desk.secret_line()).ends(0);
    let before = desk.logins();
    let refused = desk.run(&["connection", "edit", "cc", "--unset", "scop"]).ends(2);
    assert!(refused.stderr.contains("no key `scop`") && refused.stderr.contains("client_id"), "{}", refused.stderr);
    assert_eq!(desk.logins(), before);
}

#[test]
fn an_address_that_does_not_answer_is_named_with_the_way_out() {
    let bench = Bench::new();
    let ask = |url: &str| {
        bench.write(
            "connections.toml",
            &format!("[org]\nurl = \"{url}\"\nauth = \"client-credentials\"\nclient_id = \"x\"\nclient_secret = \"file:s\"\n[org.http]\nmax_attempts = 2\n"),
        );
        bench.run(&["connection", "test", "org"]).ends(4).stderr
    };
    bench.write("s", "s3cr3t");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let refused = ask(&format!("http://{closed}"));
    for word in [&format!("no answer from {closed}"), "nothing listens", "hint: check url"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    let told: Vec<&str> = refused.lines().filter(|line| line.contains("trying again")).collect();
    assert!(told.len() == 1 && told[0].starts_with("warning: login at"), "one line a retry: {refused}");
    let desk = Desk::new();
    let plain = ask(&desk.org.emulator().url().replace("http://", "https://"));
    assert!(plain.contains("does not speak TLS") && plain.contains("scheme and port"), "{plain}");
    assert!(!plain.contains("trying again"), "it will be the same the next time: {plain}");
}

#[test]
fn a_rotated_token_that_a_kill_lost_is_told_with_the_command_that_helps() {
    /// The third token request, after those of the login and of its test, is carried out, and its answer does not arrive.
    const LOST: &str = "[[fault]]\non = { route = \"token\", nth = 3 }\ndo = { kind = \"stall\", after_bytes = 1 }\n";
    let desk = Desk::with(Options { rotation: true, faults: script_of(LOST), ..Options::default() });
    desk.add_web();
    desk.org.emulator().expire_sessions();
    let before = desk.logins();
    let talk = Talk::start(desk.command(&["connection", "test", "web"]));
    wait_until("the org has rotated the token", || desk.logins() == before + 1);
    talk.signal("-KILL");
    talk.end().ends(-1);
    let refused = desk.run(&["connection", "test", "web"]).ends(4).stderr;
    assert!(refused.contains("was killed before it could keep the answer"), "{refused}");
    assert_eq!(refused.matches("`forcepump connection reconnect web`").count(), 1, "{refused}");
    assert!(!refused.contains("NAME"), "{refused}");
    // and that is told once: the next refusal is an ordinary one
    let again = desk.run(&["connection", "test", "web"]).ends(4).stderr;
    assert!(!again.contains("was killed") && again.contains("reconnect web"), "{again}");
}

#[test]
fn every_field_that_is_missing_is_told_at_once() {
    let desk = Desk::new();
    desk.typed(&desk.add("cc", "client-credentials", &desk.app()), &desk.secret_line()).ends(0);
    let check = |source: &str| {
        let text = format!(
            "name = \"p\"\n[source]\nconnection = \"cc\"\n{source}\n[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n\
             [destination.grant]\nfiles = {{ out = \"out\" }}\n"
        );
        desk.bench.write("p.toml", &text);
        desk.run(&["check", "p.toml"])
    };
    let missing = check("object = \"Account\"\nfields = [\"Id\", \"Nam\", \"Zzz\"]").ends(2).stderr;
    for word in ["did you mean Name?", "no field Zzz", "org describe Account", "doctor --object Account"] {
        assert!(missing.contains(word), "{word}: {missing}");
    }
    let grouped = check("query = \"SELECT Name FROM Account GROUP BY Name\"").ends(2).stderr;
    assert!(grouped.contains("column 26"), "the place in the whole query: {grouped}");
}

/// A terminal of the test's own, and a command that has it for input and talk.
#[cfg(target_os = "linux")]
fn on_a_terminal(mut command: Command) -> (std::fs::File, std::process::Child) {
    use std::os::fd::FromRawFd;
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: both places take one number each, and the other three may be null.
    let result = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), std::ptr::null())
    };
    assert_eq!(result, 0, "a terminal");
    // SAFETY: openpty has just opened both, and nobody else has them.
    let (ours, theirs) = unsafe { (std::fs::File::from_raw_fd(ours), std::fs::File::from_raw_fd(theirs)) };
    let stdin = theirs.try_clone().expect("a copy");
    let child = command.stdin(stdin).stderr(theirs).stdout(std::process::Stdio::null()).spawn().expect("it starts");
    (ours, child)
}

#[cfg(target_os = "linux")]
fn shows_what_is_typed(terminal: &std::fs::File) -> bool {
    use std::os::fd::AsRawFd;
    let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the pointer is good for one write of this type.
    let result = unsafe { libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr()) };
    assert_eq!(result, 0, "a terminal");
    // SAFETY: tcgetattr has filled it in.
    unsafe { settings.assume_init() }.c_lflag & libc::ECHO != 0
}

#[cfg(target_os = "linux")]
#[test]
fn a_prompt_for_a_secret_ends_at_a_signal_and_gives_the_terminal_back() {
    let desk = Desk::new();
    let args = desk.add("s", "soap", &["--username", "ada@acme.com", "--password", "-"]);
    let (terminal, mut child) = on_a_terminal(desk.command(&args));
    wait_until("the prompt hides what is typed", || !shows_what_is_typed(&terminal));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let mut code = None;
    wait_until("it ends without Enter", || {
        code = child.try_wait().expect("its state");
        code.is_some()
    });
    assert_eq!(code.and_then(|status| status.code()), Some(130));
    assert!(shows_what_is_typed(&terminal), "what is typed is shown again");
    assert!(!desk.bench.path("connections.toml").exists());
}
