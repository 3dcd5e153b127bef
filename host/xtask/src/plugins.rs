//! `plugins`: the first-party plugins as component files, to look at or to run by path.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::shell::{Outcome, cargo, root, shown};
use crate::tools;

/// The crate whose build script makes the components that the program embeds; these are the same bytes.
const BUNDLE: &str = "forcepump-plugin-bundle";
/// Where the components go, relative to the root.
const OUT: &str = "target/plugins";

/// Builds the bundle and copies its components.
pub fn plugins() -> Outcome {
    tools::wasm_targets()?;
    let made = bundle()?;
    let out = root().join(OUT);
    std::fs::create_dir_all(&out).map_err(|error| format!("cannot make {}: {error}", out.display()))?;
    for component in components(&made)? {
        let to = out.join(component.file_name().unwrap_or_default());
        let bytes = std::fs::copy(&component, &to)
            .map_err(|error| format!("cannot copy {} to {}: {error}", component.display(), to.display()))?;
        println!("{OUT}/{}  {bytes} bytes", to.file_name().unwrap_or_default().display());
    }
    Ok(())
}

/// Builds, and finds the folder that the build script wrote to.
fn bundle() -> Outcome<PathBuf> {
    let mut build = cargo(&["build", "--release", "--package", BUNDLE, "--message-format", "json-render-diagnostics"]);
    let line = shown(&build);
    eprintln!("$ {line}");
    let output = build.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` ended with {}", output.status));
    }
    out_dir(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| format!("`{line}` did not say where it wrote"))
}

fn out_dir(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_ours =
            message["reason"] == "build-script-executed" && message["package_id"].as_str()?.contains("plugins/bundle");
        is_ours.then(|| message["out_dir"].as_str().map(PathBuf::from)).flatten()
    })
}

fn components(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_scripts_folder_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"build-script-executed","package_id":"registry+x#libc@0.2","out_dir":"/a"}
not json
{"reason":"compiler-artifact","package_id":"path+file:///w/plugins/bundle#forcepump-plugin-bundle@0.1.0"}
{"reason":"build-script-executed","package_id":"path+file:///w/plugins/bundle#forcepump-plugin-bundle@0.1.0","out_dir":"/b"}
"#;
        assert_eq!(out_dir(messages), Some(PathBuf::from("/b")));
        assert_eq!(out_dir(""), None);
    }
}
