//! Tokens at rest: who may read them, what damage does, and that a rotating one is never lost.

use forcepump_emulator::Options;

use crate::desk::{Desk, Talk};
use crate::harness::Ran;
use crate::orgs::{script_of, wait_until};

/// Each token request but the first (that of the login) takes a while.
const SLOW_REFRESH: &str =
    "[[fault]]\non = { route = \"token\", nth = 2, times = \"always\" }\ndo = { kind = \"slow\", ms = 700 }\n";

fn rotating() -> Desk {
    let desk = Desk::with(Options { rotation: true, faults: script_of(SLOW_REFRESH), ..Options::default() });
    desk.add_web();
    desk
}

#[cfg(unix)]
#[test]
fn the_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.add_web();
    let mode = |name: &str| std::fs::metadata(desk.bench.path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode(".forcepump/tokens"), mode(".forcepump/tokens/web")), (0o700, 0o600));
    assert_eq!(desk.text(".forcepump/tokens/.gitignore"), "*\n");
    std::fs::set_permissions(desk.bench.path(".forcepump/tokens"), std::fs::Permissions::from_mode(0o755))
        .expect("chmod");
    desk.org.emulator().expire_sessions();
    desk.run(&["connection", "test", "web"]).ends(0);
    assert_eq!((mode(".forcepump/tokens"), mode(".forcepump/tokens/web")), (0o700, 0o600));
}

#[test]
fn a_damaged_store_is_told_and_a_new_login_mends_it() {
    let desk = Desk::new();
    desk.add_web();
    let path = desk.bench.path(".forcepump/tokens/web");
    let whole = std::fs::read(&path).expect("the tokens");
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let damaged: [&[u8]; 4] = [b"", b"{\"access_token\": \"x\"}", &whole[..whole.len() / 2], &changed];
    for bytes in damaged {
        std::fs::write(&path, bytes).expect("a file");
        let refused = desk.run(&["connection", "test", "web"]).ends(2);
        assert!(refused.stderr.contains("reconnect web"), "{}", refused.stderr);
        let shown = desk.run(&["connection", "show", "web"]).ends(0);
        assert!(shown.stdout.contains("token file"), "{}", shown.stdout);
    }
    // the secret of the app was lost with the tokens: it is asked for, then the person logs in
    let mut talk = Talk::start(desk.command(&["connection", "reconnect", "web", "--no-browser"]));
    talk.say(&desk.secret_line());
    let url = talk.line_with("/services/oauth2/authorize");
    let mut person = crate::person::Person::of(&desk.org);
    person.log_in(&url);
    talk.end().ends(0);
    desk.run(&["connection", "test", "web"]).ends(0);
}

#[test]
fn keys_are_named_when_they_are_wrong_missing_or_open_to_others() {
    let desk = Desk::new();
    desk.add_web();
    let with = |variables: &[(&str, &str)]| {
        let mut command = desk.bench.command(&["connection", "test", "web"]);
        Ran::of(command.envs(variables.iter().copied()).output().expect("the binary starts"))
    };
    let other = with(&[("FORCEPUMP_KEY", &"ff".repeat(32))]).ends(2);
    assert!(other.stderr.contains("another key") && other.stderr.contains("FORCEPUMP_KEY"), "{}", other.stderr);
    let short = with(&[("FORCEPUMP_KEY", "s3cr3t")]).ends(2);
    assert!(short.stderr.contains("32 bytes") && !short.stderr.contains("s3cr3t"), "{}", short.stderr);
    desk.bench.write("key", crate::desk::KEY);
    let key = desk.bench.path("key").display().to_string();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("chmod");
        set(0o644);
        let open = with(&[("FORCEPUMP_KEY_FILE", &key)]).ends(2);
        assert!(open.stderr.contains("others may read") && open.stderr.contains("chmod 600"), "{}", open.stderr);
        set(0o600);
    }
    with(&[("FORCEPUMP_KEY_FILE", &key)]).ends(0);
    #[cfg(target_os = "linux")]
    {
        let none = with(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")]).ends(2);
        for word in ["no keychain", "/dev/urandom | base64", "FORCEPUMP_KEY_FILE"] {
            assert!(none.stderr.contains(word), "{word}: {}", none.stderr);
        }
    }
    std::fs::create_dir_all(desk.bench.path(".config/forcepump")).expect("a folder");
    std::fs::rename(&key, desk.bench.path(".config/forcepump/key")).expect("the user's key file");
    with(&[]).ends(0);
}

#[test]
fn two_processes_that_renew_at_once_make_one_refresh_and_lose_nothing() {
    let desk = rotating();
    desk.org.emulator().expire_sessions();
    let before = desk.logins();
    let both = [(), ()].map(|()| Talk::start(desk.command(&["org", "limits", "--connection", "web"])));
    for talk in both {
        talk.end().ends(0);
    }
    assert_eq!(desk.logins(), before + 1, "the second found what the first was given");
    desk.org.emulator().expire_sessions();
    desk.run(&["connection", "test", "web"]).ends(0);
}

#[test]
fn a_refresh_that_is_interrupted_is_waited_for_and_its_token_kept() {
    let desk = rotating();
    desk.org.emulator().expire_sessions();
    let before = desk.logins();
    let talk = Talk::start(desk.command(&["connection", "test", "web"]));
    let under_way = desk.bench.path(".forcepump/tokens/web.new");
    wait_until("the refresh has begun", || under_way.exists());
    talk.signal("-INT");
    talk.end().ends(130);
    assert_eq!(desk.logins(), before + 1, "the refresh came to its end");
    desk.org.emulator().expire_sessions();
    desk.run(&["connection", "test", "web"]).ends(0);
}

#[test]
fn a_process_killed_before_the_answer_leaves_the_old_tokens_whole() {
    let desk = rotating();
    desk.org.emulator().expire_sessions();
    let path = desk.bench.path(".forcepump/tokens/web");
    let before = std::fs::read(&path).expect("the tokens");
    let talk = Talk::start(desk.command(&["connection", "test", "web"]));
    let under_way = desk.bench.path(".forcepump/tokens/web.new");
    wait_until("the refresh has begun", || under_way.exists());
    talk.signal("-KILL");
    talk.end().ends(-1);
    assert_eq!(std::fs::read(&path).expect("the tokens"), before);
    desk.run(&["connection", "test", "web"]).ends(0);
    assert!(!under_way.exists());
}
