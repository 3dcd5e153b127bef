//! What compiles for a wasm target: the toolchain in use, where it has the target's standard library, else one that has
//! the library's sources and builds it from them.
//!
//! A machine may have no way to rustup's servers. Debian's `rustc-web` with `rust-web-src` is such a toolchain, and so is one
//! of rustup with the component `rust-src`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts the compiler of its package `rustc-web`.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The crates of the standard library that a guest is linked with.
const STD_CRATES: &str = "-Zbuild-std=std,panic_abort";

/// A compiler that makes modules for one target.
#[derive(Debug)]
pub struct Compiler {
    target: String,
    /// of another toolchain than cargo's own: its compiler, and the folder of linkers in cargo's own
    from_source: Option<(OsString, PathBuf)>,
}

impl Compiler {
    /// The one to be had for `target`.
    ///
    /// # Errors
    /// A text with the way out when there is none, or the toolchain's compiler does not start.
    pub fn find(target: &str) -> Result<Self, String> {
        let own = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let found = |from_source| Ok(Self { target: target.to_owned(), from_source });
        let asked = |error: io::Error| format!("{}: {error}", own.display());
        if printed(&own, &["target-libdir", "--target", target]).map_err(asked)?.is_dir() {
            return found(None);
        }
        let linkers = printed(&own, &["target-libdir"]).map_err(asked)?.join("../bin");
        for rustc in [own.clone(), DEBIAN_RUSTC.into()] {
            if printed(&rustc, &["sysroot"]).is_ok_and(|sysroot| has_sources(&sysroot)) {
                return found(Some((rustc, linkers)));
            }
        }
        Err(format!(
            "the plugins need the target {target}, which this toolchain does not have\n\
             install it with: rustup target add {target}\n\
             where that cannot be had, Debian's packages rustc-web and rust-web-src will do"
        ))
    }

    /// Has a cargo of its own build with it.
    pub fn equip(&self, cargo: &mut Command) {
        cargo.args(["--target", &self.target]);
        let Some((rustc, linkers)) = &self.from_source else { return };
        let variable = self.target.to_uppercase().replace('-', "_");
        cargo.arg(STD_CRATES).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        cargo.env(format!("CARGO_TARGET_{variable}_LINKER"), linkers.join("rust-lld"));
    }

    /// Whether the standard library is there, and need not be built from its sources.
    pub fn is_whole(&self) -> bool {
        self.from_source.is_none()
    }
}

/// A path that the compiler tells of itself.
fn printed(rustc: &OsString, what: &[&str]) -> io::Result<PathBuf> {
    let output = Command::new(rustc).arg("--print").args(what).output()?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn has_sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}
