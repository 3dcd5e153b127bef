//! The operating system, as far as a guest finds one.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs};

use forcepump_plugin_sdk::PluginError;

/// Attacks of `process` through WASI; the guest `evil-wasi` has them.
pub const MODES: &[&str] = &[
    "wasi-env",
    "wasi-args",
    "wasi-folder",
    "wasi-stdin",
    "wasi-read-file",
    "wasi-write-file",
    "wasi-list-files",
    "wasi-connect",
    "wasi-listen",
    "wasi-udp",
    "wasi-resolve",
    "wasi-print-flood",
    "wasi-print-steer",
    "wasi-print-endless-line",
    "wasi-print-error",
    "wasi-clock",
    "wasi-monotonic",
    "wasi-random",
    "wasi-sleep",
    "wasi-exit",
    "wasi-thread",
    "wasi-process",
];

/// Makes the attack, if it is one of [`MODES`]; the error is what the system said.
pub fn attack(mode: &str) -> Result<(), PluginError> {
    if !MODES.contains(&mode) {
        return Ok(());
    }
    let said = try_it(mode).unwrap_or_else(|error| format!("refused: {error}"));
    Err(PluginError::Data(said))
}

fn try_it(mode: &str) -> std::io::Result<String> {
    Ok(match mode {
        "wasi-env" => format!("{} variables, HOME {:?}", env::vars().count(), env::var("HOME").ok()),
        "wasi-args" => format!("{} arguments", env::args().count()),
        "wasi-folder" => format!("{:?}", env::current_dir()?),
        "wasi-stdin" => {
            let mut read = Vec::new();
            format!("{} bytes", std::io::stdin().read_to_end(&mut read)?)
        }
        "wasi-read-file" => format!("{} bytes", fs::read("/etc/passwd")?.len()),
        "wasi-write-file" => format!("{:?}", fs::write("evil.txt", "evil")?),
        "wasi-list-files" => format!("{} files", fs::read_dir("/")?.count()),
        "wasi-connect" => format!("{:?}", TcpStream::connect("127.0.0.1:80")?),
        "wasi-listen" => format!("{:?}", TcpListener::bind("127.0.0.1:0")?),
        "wasi-udp" => format!("{:?}", UdpSocket::bind("127.0.0.1:0")?),
        "wasi-resolve" => format!("{:?}", ("localhost", 80).to_socket_addrs()?.next()),
        "wasi-clock" => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            format!("{} micros", since.unwrap_or_default().as_micros())
        }
        "wasi-monotonic" => {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(2));
            format!("{} nanos", start.elapsed().as_nanos())
        }
        "wasi-random" => format!("{:x}", RandomState::new().hash_one(1)),
        "wasi-sleep" => {
            std::thread::sleep(Duration::from_secs(3_600));
            "awake".to_owned()
        }
        "wasi-exit" => std::process::exit(7),
        "wasi-thread" => format!("{:?}", std::thread::Builder::new().spawn(|| ())?.join()),
        "wasi-process" => format!("{:?}", std::process::Command::new("/bin/sh").output()?),
        _ => print(mode)?,
    })
}

fn print(mode: &str) -> std::io::Result<String> {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    match mode {
        "wasi-print-flood" => {
            let mut out = std::io::BufWriter::with_capacity(4 << 10, out.lock());
            for number in 0..1_000_000 {
                writeln!(out, "line {number}")?;
            }
            out.flush()?;
        }
        "wasi-print-steer" => writeln!(out.lock(), "a\u{1b}[2Jb\u{202e}c\td")?,
        "wasi-print-endless-line" => {
            for _ in 0..1_000 {
                write!(out.lock(), "{}", "x".repeat(10_000))?;
            }
        }
        _ => write!(err.lock(), "no end of line")?,
    }
    Ok("printed".to_owned())
}
