//! `plugins`: the first-party plugins as component files, to look at or to run by path.

use std::path::Path;

use crate::shell::{Outcome, cargo, command, root, run};
use crate::tools;

/// Folders of the first-party plugins; the folder's name is the plugin's short name.
const FOLDERS: [&str; 2] = ["plugins/transforms", "plugins/destinations"];
/// Where the components go, relative to the root.
const OUT: &str = "target/plugins";
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds each plugin as a core module and packs it as a component.
pub fn plugins() -> Outcome {
    tools::wasm_targets()?;
    let out = root().join(OUT);
    std::fs::create_dir_all(&out)
        .map_err(|error| format!("cannot make {}: {error}", out.display()))?;
    run(cargo(&["build", "--release", "--package", "forcepump"]))?;
    for folder in FOLDERS {
        for name in names(&root().join(folder))? {
            plugin(folder, &name)?;
        }
    }
    Ok(())
}

fn plugin(folder: &str, name: &str) -> Outcome {
    let manifest = format!("{folder}/{name}/Cargo.toml");
    let target = format!("{OUT}/build");
    run(cargo(&[
        "build",
        "--release",
        "--manifest-path",
        &manifest,
        "--target",
        TARGET,
        "--target-dir",
        &target,
    ]))?;
    let kind = folder.trim_start_matches("plugins/").trim_end_matches('s');
    let core = format!("{target}/{TARGET}/release/forcepump_{kind}_{name}.wasm");
    let component = format!("{OUT}/{name}.wasm");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let forcepump = format!("{target}/release/forcepump");
    run(command(
        &forcepump,
        &["plugin", "pack", &core, "--out", &component],
    ))
}

fn names(folder: &Path) -> Outcome<Vec<String>> {
    let unreadable = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("Cargo.toml").is_file() {
            names.extend(
                path.file_name()
                    .and_then(|name| name.to_str())
                    .map(str::to_owned),
            );
        }
    }
    names.sort();
    Ok(names)
}
