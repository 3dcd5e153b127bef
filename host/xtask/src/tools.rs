//! What a fresh machine lacks: wasm targets, and the packages of the conformance tests.

use crate::shell::{Outcome, command, has, root, run};

/// Targets of the guests: plain modules that become components, and components with an empty WASI.
const WASM_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];
/// Installs the pinned real clients that the emulator is checked with.
const CONFORMANCE_INSTALL: &str = "host/emulator/conformance/install.sh";

/// Installs the wasm targets that are missing. Where rustup has no way to them, the plugins' build looks for a toolchain with
/// the sources of the standard library, and says what it needs.
pub fn wasm_targets() -> Outcome {
    let installed = command("rustup", &["target", "list", "--installed"]).output();
    let installed = match installed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => {
            eprintln!("rustup is not here; the toolchain must have the targets {}", WASM_TARGETS.join(", "));
            return Ok(());
        }
    };
    for target in WASM_TARGETS.iter().filter(|target| !installed.lines().any(|line| line.trim() == **target)) {
        if let Err(message) = run(command("rustup", &["target", "add", target])) {
            eprintln!("{message}; going on with a compiler that builds {target} from its sources, if there is one");
        }
    }
    Ok(())
}

/// Installs the real clients when their languages are here; their tests say that they pass over when they are not.
pub fn conformance_clients() {
    if !root().join(CONFORMANCE_INSTALL).is_file() || !(has("node") || has("python3")) {
        eprintln!("neither node nor python3 is here: the conformance tests with real clients are passed over");
        return;
    }
    if let Err(message) = run(command("bash", &[CONFORMANCE_INSTALL])) {
        eprintln!("{message}; the conformance tests with real clients are passed over");
    }
}
