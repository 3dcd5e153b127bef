//! A man in the middle who changes bytes: for answers that the emulator, being honest about its types, never gives.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Bytes to look for, and bytes of the same length to put there.
pub type Change = (&'static str, &'static str);

/// Starts a proxy in front of an address; gives its URL. It ends with the process.
pub fn start(target: &str, changes: &'static [Change]) -> String {
    assert!(changes.iter().all(|(from, to)| from.len() == to.len()), "lengths are announced before the bytes");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let target = target.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            if let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) {
                thread::spawn(move || pass(from, to, &[]));
            }
            thread::spawn(move || pass(server, client, changes));
        }
    });
    url
}

/// Copies until the end. What could be the beginning of something to change waits for what follows.
fn pass(mut from: TcpStream, mut to: TcpStream, changes: &[Change]) {
    let (mut held, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        held.extend_from_slice(&chunk[..count]);
        for (old, new) in changes {
            replace(&mut held, old.as_bytes(), new.as_bytes());
        }
        let keep = changes.iter().map(|(old, _)| overlap(&held, old.as_bytes())).max().unwrap_or(0);
        let rest = held.split_off(held.len() - keep);
        if to.write_all(&held).is_err() {
            break;
        }
        held = rest;
    }
    let _ = to.write_all(&held).and_then(|()| to.shutdown(Shutdown::Write));
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}

/// Bytes at the end that are a beginning of `old`.
fn overlap(bytes: &[u8], old: &[u8]) -> usize {
    (1..old.len()).rev().find(|count| bytes.ends_with(&old[..*count])).unwrap_or(0)
}
